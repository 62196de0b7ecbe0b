"""What ``check`` found, in words for the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from tunewright.core.schema import done

LABELS_SHOWN = 12
ROWS_SHOWN = 3
"""Rows of a finding that are quoted."""
WIDEST = 110
"""Columns of a line; a narrower terminal has shorter ones."""
GB = 1e9
STILL_THERE = ("keep", "refuse")
"""What was done with rows that are as they were read."""
GRAVITY = ("error", "warning", "info")


def data(facts: Mapping[str, Any], width: int | None = None) -> str:
    """The data in words: rows, splits, labels, and every finding with its rows, remedy and recipe line, the gravest first.

    Args:
        facts: as ``check.data_facts`` gives them.
        width: columns of a line; left out, those of the terminal.
    """
    width = min(shutil.get_terminal_size((100, 24)).columns, WIDEST) if width is None else width
    rows = facts["rows"]
    gone = sorted(rows["by_rule"].items(), key=lambda pair: -pair[1])
    removed = ", ".join(f"{count:,} {rule}" for rule, count in gone) or "none"
    head = f"Data: {rows['read']:,} rows read, {rows['kept']:,} kept, {rows['quarantined']:,} removed ({removed})"
    lines = _wrapped(head, width, "", "  ")
    for split, one in facts["splits"].items():
        labels = _labels(one)
        lines += _wrapped(f"{split}: {_rows(one['rows'])}{': ' if labels else ''}{labels}", width, "  ", "    ")
    for note in facts["split"].get("notes") or ():
        lines += _wrapped(f"of the splits: {note}", width, "  ", "    ")
    lines += _found(facts, width)
    if facts["refused"]:
        told = f"The recipe refuses what was found: {', '.join(facts['refused'])}. A run will stop there with exit status 3"
        lines += _wrapped(told, width, "  ", "  ")
    return "\n".join(lines)


def _labels(split: Mapping[str, Any]) -> str:
    shown = ", ".join(
        f"{name} {count:,} ({count / max(split['rows'], 1):.0%})" for name, count in list(split["labels"].items())[:LABELS_SHOWN]
    )
    rest = len(split["labels"]) - LABELS_SHOWN
    return shown + (f" and {rest} labels more" if rest > 0 else "")


def _found(facts: Mapping[str, Any], width: int) -> Iterator[str]:
    """How many findings there are, and each: errors first, then what is still among the rows, then the most rows."""
    found = sorted(facts["findings"], key=lambda one: (GRAVITY.index(one["severity"]), one["action"] not in STILL_THERE, -one["rows"]))
    counts = [(name, sum(one["severity"] == name for one in found)) for name in GRAVITY]
    told = ", ".join(f"{count} {name}{'s' * (count != 1 and name != 'info')}" for name, count in counts if count)
    yield f"Findings: {told}; rows count from 0" if found else "Findings: none"
    one_file = len(facts["sources"]) == 1
    for one in found:
        yield from _finding(one, facts["rows"]["read"], one_file, width)


def _finding(one: Mapping[str, Any], read: int, one_file: bool, width: int) -> Iterator[str]:
    """A line that says what, how much and what was done; the message; some rows; and the remedy, where there still is something to do."""
    margin, still = " " * 10, one["action"] in STILL_THERE
    rows = f", {_rows(one['rows'])} ({_share(one['rows'] / max(read, 1))})" if one["rows"] else ""
    yield f"  {one['severity']:<8}{one['rule']}{rows}, {done(one['action'], one['rows'], one.get('numbers', {}))}"
    yield from _wrapped(one["message"], width, margin, margin)
    clusters = any(shown.get("group") is not None for shown in one["shown"])
    seen: set[int] = set()
    for shown in one["shown"][: ROWS_SHOWN if still or clusters else 1]:
        where = f"row {shown['row']}" if one_file else f"{shown['file']} row {shown['row']}"
        if clusters:
            first = "" if shown["group"] in seen else f" (the first of cluster {shown['group']})"
            seen.add(shown["group"])
            where = f"{'kept' if shown['kept'] else 'removed'}: {where}{first}"
        where += f" [{_harmless(shown['label'])}]" if shown.get("label") else ""
        yield _cut(f"{margin}  {where}: {_harmless(shown['text'])}", width)
    if still:
        yield from _wrapped(one["remedy"], width, margin, margin)
        yield from [f"{margin}recipe: {one['recipe']}"] if one["recipe"] else []


def _share(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 else "under 0.1 %"


def _harmless(text: str) -> str:
    """A text on one line, without what would move the cursor or colour the terminal."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in " ".join(text.split())) or "(nothing)"


def _wrapped(text: str, width: int, first: str, others: str) -> list[str]:
    """Lines of at most ``width`` columns; a path or a name that is longer stays whole."""
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False) or [
        first
    ]


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def model(facts: Mapping[str, Any]) -> str:
    """Truncation, settings and the estimate in words."""
    return "\n".join(
        [
            *_told_cuts(facts["truncation"]),
            *_told_choices(facts),
            *_told_estimate(facts["estimate"]),
            *(f"Warning: {one}" for one in facts["warnings"]),
        ]
    )


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def _told_cuts(cuts: Mapping[str, Any]) -> Iterator[str]:
    yield f"Length: the model sees {cuts['max_tokens']} tokens of a row ({cuts['why']})"
    for split, one in cuts["splits"].items():
        counted = " (counted only, nothing else is looked at)" if split == "test" else ""
        yield f"  {split}: {one['rows_cut']:,} of {one['rows']:,} rows are cut, {one['tokens_cut']:,} of {one['tokens']:,} tokens{counted}"
        worst = sorted(one["labels"].items(), key=lambda item: -item[1]["rows_cut"])[:5]
        if one["rows_unknown"]:
            yield f"      {_rows(one['rows_unknown'])} of which the model knows less than half of the tokens (see: tunewright show)"
        if worst:
            yield "      by label: " + ", ".join(f"{name} {_rows(cut['rows_cut'])} ({cut['tokens_cut']:,} tokens)" for name, cut in worst)


def _told_choices(facts: Mapping[str, Any]) -> Iterator[str]:
    settings, reasons = facts["settings"], facts["reasons"]
    rate, precision = (reasons.get(f"train.{name}", "yours") for name in ("learning_rate", "precision"))
    yield f"Settings: method {settings['method']}, learning rate {settings['learning_rate']:g} ({rate})"
    yield f"  {settings['precision']} ({precision}), best by {settings['best_by']}"
    for one in facts["choices"]:
        mark = "*" if one.get("chosen") else " "
        if "trainable" in one:
            memory, disk = one["training_bytes"] / GB, one["checkpoint_bytes"] / GB
            yield f"  {mark} method {one['value']}: trains {one['trainable']:,} of {one['parameters']:,} weights; " + (
                f"{memory:.2f} GB for weights and optimizer, {disk:.2f} GB per checkpoint"
            )
            if one.get("chosen") and one["targets"]:
                yield f"      on the layers {', '.join(one['targets'])}"
        else:
            means = one.get("means") or f"not measured: {one['not_measured']}"
            yield f"  {mark} {one['setting'].removeprefix('model.')} {one['value']}: {means}"


def _told_estimate(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"Model: {found['parameters']:,} weights, {found['trainable']:,} of them trained"
    if isinstance(found["train_seconds"], dict):
        yield f"Time and memory: not measured: {found['train_seconds']['not_measured']}"
        return
    yield (
        f"Time: about {_duration(found['train_seconds'])} of training: {found['steps']:,} steps of {found['step_seconds']:.2f} s, "
        f"{found['evaluations']} looks at the validation rows of {found['evaluation_seconds']:.1f} s"
    )
    yield (
        f"  about {_duration(found['total_seconds'])} with loading, proof and scoring "
        f"(from {found['timed_steps']} timed steps; stopping early makes it shorter)"
    )
    if found["frozen_cache_bytes"]:
        yield (
            f"  {_duration(found['frozen_cache_seconds'])} of it for a cache of the frozen layers, "
            f"{found['frozen_cache_bytes'] / GB:.2f} GB on the disk (train.frozen_cache)"
        )
    yield f"Memory: about {found['memory_bytes'] / GB:.2f} GB at most; {found['checkpoint_bytes'] / GB:.2f} GB of disk per checkpoint"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
