"""Rows quoted on the page by a task's own sections: long texts folded, places, everything escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from tunewright.report.words import count, fold

FOLDED = 320


def folded(text: str, most: int = FOLDED) -> Markup:
    """A text in quotes; of a long one the beginning, and the rest at a click."""
    first, rest = fold(text, most)
    if not rest:
        return Markup('<q dir="auto">{}</q>').format(first)
    return Markup(
        '<details class="text"><summary><q dir="auto">{}…</q> <span class="more">{} more characters</span></summary>'
        '<q dir="auto">{}</q></details>'
    ).format(first, count(len(rest)), rest)


def texts(some: Sequence[tuple[str, str]]) -> Markup:
    """(role, text) of a row, the roles named where there are several."""
    named = len(some) > 1
    parts = [Markup('<span class="role text">{}</span>').format(role) + folded(text) if named else folded(text) for role, text in some]
    return Markup("").join(parts)


def place(file: str, row: int) -> Markup:
    """Where a row was read."""
    return Markup('<span class="place"><bdi>{}</bdi>, row {}</span>').format(file, row)


def items(some: Iterable[Markup]) -> Markup:
    """Rows with wrong answers, one below the other; the first ten at once, the others at a click."""
    found = [Markup("<li>{}</li>").format(one) for one in some]
    shown = Markup('<ol class="mistakes">{}</ol>').format(Markup("").join(found[:10]))
    if len(found) > 10:
        more = Markup('<ol class="mistakes">{}</ol>').format(Markup("").join(found[10:]))
        shown += Markup("<details><summary>{} more</summary>{}</details>").format(count(len(found) - 10), more)
    return shown


def scroll(label: str, table: Markup) -> Markup:
    """A table that scrolls sideways where it does not fit."""
    return Markup('<div class="scroll" tabindex="0" role="region" aria-label="{}">{}</div>').format(label, table)


def absent(why: str) -> Markup:
    """A sentence in the place of what could not be measured."""
    return Markup('<p class="absent">Not measured: {}.</p>').format(why)
