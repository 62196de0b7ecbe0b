"""Entities that cannot be where they are said to be, or where no model can find them: each with its text, its place and a better one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from tunewright.core.schema import Policy
from tunewright.data.audit.base import Hit, Looked, Rule, fault_column, per_row, rows_word
from tunewright.data.audit.personal import shown
from tunewright.data.values.spans import ORDER, QUOTES
from tunewright.tasks.words import joined, trimmed

Span = Mapping[str, Any]
TOLD = 2
"""Entities that a message quotes; the reason of each row names all of its own."""
SHOWN = 40
"""Characters of an entity that are quoted."""


class Problem(NamedTuple):
    """What is wrong with an entity.

    Args:
        at: which one of the row's.
        why: in words.
        better: the places that ``fix`` gives it; None lets it go.
    """

    at: int
    why: str
    better: tuple[int, int] | None


class SpanRule(Rule):
    """A rule that looks at each entity by itself, or at those of one text."""

    looks_at: ClassVar = ("spans",)
    streams: ClassVar = "row"
    cost: ClassVar = "one pass over the entities"
    policies: ClassVar[tuple[Policy, ...]] = ("keep", "drop", "fix", "refuse")
    what: ClassVar[str]
    """What is wrong with the entities that it finds, behind their number."""

    def wrong(self, text: str, spans: Sequence[Span], quotes: Sequence[str | None]) -> Iterator[Problem]:
        """What is wrong with the entities of a text; ``quotes`` are what the annotation itself says that stands there."""
        raise NotImplementedError

    def look(self, looked: Looked) -> Iterator[Hit]:
        role = looked.label_role
        if role is None or role.kind != "spans":
            return
        texts, column = looked.rows[role.beside or ""], looked.rows[role.name]
        name = fault_column(role.name, QUOTES)
        quotes = looked.rows[name] if name in looked.rows.column_names else pa.chunked_array([pa.nulls(len(looked), pa.list_(pa.string()))])
        rows, reasons, fixed, count = [], [], [], 0
        for row, (text, spans, quoted) in enumerate(zip(texts.to_pylist(), column.to_pylist(), quotes.to_pylist(), strict=True)):
            if spans and (found := list(self.wrong(text or "", spans, quoted or [None] * len(spans)))):
                rows.append(row)
                reasons.append("; ".join(_told(text or "", spans[one.at], one) for one in found))
                fixed.append(list(_mended(spans, found)))
                count += len(found)
        if rows:
            examples = shown(["; ".join(reasons[:TOLD])])[0]
            word = "1 entity" if count == 1 else f"{count:,} entities"
            message = f"{word} in {rows_word(len(rows))} {self.what}, such as {examples}"
            yield Hit(message, np.array(rows), reasons, fixed={role.name: pa.array(fixed, column.type)}, numbers={"entities": count})


class SpanMismatch(SpanRule):
    """Entities that are not in their text: negative, empty, beyond its end, or with other words than the annotation quotes."""

    severity: ClassVar = "error"
    default: ClassVar[Policy] = "drop"
    reaches_test: ClassVar = True
    remedy: ClassVar = (
        "Correct the places (characters from 0, the end being the first one behind); fix moves an entity to where its words stand, cuts it "
        "at the edges of the text, and lets it go where neither helps"
    )
    recipe: ClassVar = "data.policy.span-mismatch: fix"
    what: ClassVar = "do not fit their text"

    def wrong(self, text: str, spans: Sequence[Span], quotes: Sequence[str | None]) -> Iterator[Problem]:
        for at, (span, quote) in enumerate(zip(spans, quotes, strict=True)):
            start, end = span["start"], span["end"]
            why = _impossible(start, end, len(text))
            if not why and quote and text[start:end].strip() != quote.strip():
                why = f"the annotation quotes {quote[:SHOWN]!r}"
            if why:
                yield Problem(at, why, _found(text, start, quote.strip()) if quote and quote.strip() else _within(text, start, end))


class SpanEdges(SpanRule):
    """Entities with blanks at their edges: no model begins or ends one there, so that it would count as missed for ever."""

    default: ClassVar[Policy] = "fix"
    policies: ClassVar = ("keep", "fix", "refuse")
    reaches_test: ClassVar = True
    remedy: ClassVar = "Mark entities without the blanks around them, as fix does"
    recipe: ClassVar = "data.policy.span-edges: fix"
    what: ClassVar = "begin or end with a blank"

    def wrong(self, text: str, spans: Sequence[Span], quotes: Sequence[str | None]) -> Iterator[Problem]:
        for at, span in enumerate(spans):
            start, end = span["start"], span["end"]
            if not _impossible(start, end, len(text)):
                inner = trimmed(text, start, end)
                if inner != (start, end):
                    empty = inner[0] == inner[1]
                    yield Problem(at, "nothing but blanks" if empty else "a blank at its edge", None if empty else inner)


class SpanOverlap(SpanRule):
    """Entities that share characters with another one, or stand twice: a token has one tag, so that only the longest is learned.

    The others stay wanted, and count as missed.
    """

    remedy: ClassVar = "Decide for one of them, as fix does for the longest; nested entities need a model of another kind"
    recipe: ClassVar = "data.policy.span-overlap: fix"
    what: ClassVar = "overlap with a longer one"

    def wrong(self, text: str, spans: Sequence[Span], quotes: Sequence[str | None]) -> Iterator[Problem]:
        taken: list[Span] = []
        for at, span in sorted(enumerate(spans), key=lambda one: (one[1]["start"] - one[1]["end"], one[1]["start"], one[0])):
            if _impossible(span["start"], span["end"], len(text)):
                continue
            over = next((one for one in taken if one["start"] < span["end"] and span["start"] < one["end"]), None)
            if over is None:
                taken.append(span)
                continue
            same = all(over[key] == span[key] for key in ("start", "end", "label"))
            yield Problem(at, "it stands twice" if same else f"inside of or across {_named(text, over)}", None)


class SpanCutsWord(SpanRule):
    """Entities that begin or end inside a word. Scripts without blanks are left alone, as every character there may be a word."""

    remedy: ClassVar = "Mark whole words, as fix does; a model that reads whole words answers with whole words"
    recipe: ClassVar = "data.policy.span-cuts-word: fix"
    what: ClassVar = "begin or end inside a word"

    def wrong(self, text: str, spans: Sequence[Span], quotes: Sequence[str | None]) -> Iterator[Problem]:
        for at, span in enumerate(spans):
            start, end = span["start"], span["end"]
            if _impossible(start, end, len(text)) or not (joined(text, start) or joined(text, end)):
                continue
            while joined(text, start):
                start -= 1
            while joined(text, end):
                end += 1
            yield Problem(at, f"it cuts {text[start:end][:SHOWN]!r}", (start, end))


class TagSequence(Rule):
    """Tags that go on with an entity that does not stand before them, as I-LOC behind O: they are read as its beginning."""

    looks_at: ClassVar = ("spans",)
    streams: ClassVar = "row"
    severity: ClassVar = "info"
    cost: ClassVar = "nothing: the reader has found them"
    remedy: ClassVar = "Write B- where an entity begins; in IOB1, where that is not done, nothing is told"
    recipe: ClassVar = "data.policy.tag-sequence: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        role = looked.label_role
        name = fault_column(role.name, ORDER) if role is not None else ""
        if name not in looked.rows.column_names:
            return
        rows = np.flatnonzero(per_row(looked.rows[name], lambda told: told.is_valid().to_numpy(zero_copy_only=False)))
        if len(rows):
            reasons = looked.rows[name].take(pa.array(rows)).to_pylist()
            examples = shown(["; ".join(reasons[:TOLD])])[0]
            yield Hit(f"{rows_word(len(rows))} with tags that go on with nothing, read as beginnings: {examples}", rows, reasons)


def _impossible(start: int, end: int, length: int) -> str:
    """Why no characters of a text can be meant; empty where they can."""
    if start < 0 or end < 0:
        return "a negative place"
    if end < start:
        return "it ends before it begins"
    if end == start:
        return "it is empty"
    return f"the text has {length:,} characters" if end > length else ""


def _found(text: str, start: int, quote: str) -> tuple[int, int] | None:
    """Where the words of an entity stand nearest to its place; places may have been counted in UTF-16, as browsers do."""
    before = text.encode("utf-16-le", "surrogatepass")[: 2 * max(start, 0)].decode("utf-16-le", "ignore")
    places = [found.start() for found in re.finditer(re.escape(quote), text)]
    if not places:
        return None
    best = min(places, key=lambda place: (place != len(before), abs(place - start)))
    return best, best + len(quote)


def _within(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The part of an entity that is in the text, without blanks at its edges; what ends before it begins is read the other way round."""
    low, high = trimmed(text, max(0, min(start, end)), min(len(text), max(start, end)))
    return (low, high) if low < high else None


def _mended(spans: Sequence[Span], found: Sequence[Problem]) -> Iterator[Span]:
    better = {one.at: one.better for one in found}
    for at, span in enumerate(spans):
        places = better.get(at, (span["start"], span["end"]))
        if places is not None:
            yield {**span, "start": places[0], "end": places[1]}


def _told(text: str, span: Span, problem: Problem) -> str:
    better = "let it go" if problem.better is None else f"{problem.better[0]}-{problem.better[1]} {_quoted(text, *problem.better)}"
    return f"{_named(text, span)}: {problem.why} (better: {better})"


def _named(text: str, span: Span) -> str:
    start, end = span["start"], span["end"]
    quoted = "" if start < 0 or end <= start else f" {_quoted(text, start, end)}"
    return f"{span['label']} at {start}-{end}{quoted}"


def _quoted(text: str, start: int, end: int) -> str:
    return repr(text[start:end] if end - start <= SHOWN else text[start : start + SHOWN - 1] + "\u2026")
