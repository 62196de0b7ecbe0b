"""The dataset card: what a reader of the folder must know, and what the Hub needs to load it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from tunewright.core.schema import SPLITS, done
from tunewright.data.audit.base import rows_word
from tunewright.data.pictures import label_counts

MOST_LABELS = 200
"""Labels that the card counts; of more, the rest stands in the manifest."""
FOLDED = 30
"""Labels from which their table is folded away: the picture tells enough at first."""
CATEGORIES = frozenset({
    "text-classification", "token-classification", "question-answering", "summarization", "translation", "text-generation",
    "text-ranking", "sentence-similarity", "image-text-to-text", "visual-question-answering",
})  # fmt: skip
"""Kinds of task that the Hub knows by our name for them."""
GRAVITY = ("error", "warning", "info")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))


def card(name: str, version: str, summary: Mapping[str, Any]) -> str:
    """``README.md`` of a dataset folder, in Markdown with the front matter of the Hub. ``pictures`` draws what it refers to.

    Args:
        name: of the dataset.
        version: the name of its folder.
        summary: what was read, removed, found and split.
    """
    parts = (
        _front_matter(name, summary),
        f"# {_text(name)}\n\n{_opening(version, summary)}",
        _glance(summary),
        _splits(summary),
        _labels(summary),
        _entities(summary),
        _lengths(summary),
        _columns(summary),
        _cleaning(summary),
        _findings(summary),
        _limits(summary),
        _sources(summary),
    )
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _front_matter(name: str, summary: Mapping[str, Any]) -> str:
    kept, told, task = summary["rows"]["kept"], summary.get("card") or {}, summary["task"]
    known = task in CATEGORIES
    facts = {
        "pretty_name": _plain(name),
        "license": told.get("license"),
        "language": list(told.get("language") or ()) or None,
        "task_categories": [task] if known else None,
        "size_categories": [next((size for most, size in _SIZES if kept < most), "n>10M")],
        "tags": ["tunewright"] if known else ["tunewright", task],
        "configs": [{"config_name": "default", "data_files": [{"split": split, "path": f"{split}.parquet"} for split in SPLITS]}],
    }
    facts = {key: value for key, value in facts.items() if value is not None}
    return f"---\n{yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)}---"


def _opening(version: str, summary: Mapping[str, Any]) -> str:
    rows = summary["rows"]
    return (
        f"Prepared by tunewright for {_text(summary['task'])}, version `{version}`. {rows['read']:,} rows were read: "
        f"{rows['kept']:,} are kept, {rows['quarantined']:,} stand in `quarantine.parquet`, each with its reason.\n\n"
        '```python\nfrom datasets import load_dataset\n\nsplits = load_dataset("path/to/this/folder")\n```'
    )


def _glance(summary: Mapping[str, Any]) -> str:
    """The rows as a picture, and every finding in a line, the gravest first."""
    rows, found = summary["rows"], ordered(summary)
    alt = f"{rows['read']:,} rows read: {rows['kept']:,} kept, {rows['quarantined']:,} removed"
    lines = [f"![{alt}](rows.svg)", ""]
    if not found:
        return "\n".join(["## What was wrong", "", *lines, "Nothing doubtful was found."])
    counts = [(word, sum(one["severity"] == word for one in found)) for word in GRAVITY]
    told = ", ".join(f"{count} {word}{'s' * (count != 1 and word != 'info')}" for word, count in counts if count)
    lines += [f"{len(found)} finding{'s' * (len(found) != 1)}: {told}.", "", "| severity | rule | rows | share | rows are |"]
    lines += ["| --- | --- | ---: | ---: | --- |", *(_line_of(one, rows["read"]) for one in found)]
    return "\n".join(["## What was wrong", "", *lines])


def ordered(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The findings as they should be read: the gravest first, what is still among the rows before what is done, the most rows first."""
    return sorted(
        summary["findings"], key=lambda one: (GRAVITY.index(one["severity"]), one["action"] not in {"keep", "refuse"}, -one["rows"])
    )


def _line_of(one: Mapping[str, Any], read: int) -> str:
    severity = "**error**" if one["severity"] == "error" else one["severity"]
    if not one["rows"]:
        return f"| {severity} | {_text(one['rule'])} | | | {'' if one['action'] == 'keep' else _done(one)} |"
    share = one["rows"] / max(read, 1)
    told = f"{100 * share:.1f} %" if share >= 0.001 else "&lt;0.1 %"
    return f"| {severity} | {_text(one['rule'])} | {one['rows']:,} | {told} | {_done(one)} |"


def _done(one: Mapping[str, Any]) -> str:
    return done(one["action"], one["rows"], one.get("numbers", {}))


def _splits(summary: Mapping[str, Any]) -> str:
    plan, wanted = summary["split"], summary["split"].get("wanted") or {}
    made, given = plan["made"], plan["given"]
    how = {split: "given" if split in given else f"made, {plan['by']}, seed {plan['seed']}" for split in SPLITS}
    if made:
        how["train"] += f"; what was left after making {' and '.join(made)}" if given else ""
    rows = {split: summary["splits"][split]["rows"] for split in SPLITS}
    lines = [f"| {split} | {rows[split]:,} | {how[split]} |" + _wanted(wanted.get(split), rows[split], bool(wanted)) for split in SPLITS]
    head = ["| split | rows | origin |" + (" rows wanted |" if wanted else ""), "| --- | ---: | --- |" + (" ---: |" if wanted else "")]
    notes = []
    if plan.get("group"):
        notes.append(f"Rows with the same `{_code(plan['group'])}` stand in one split.")
    if plan.get("time") and plan["by"] == "time":
        notes.append(f"By `{_code(plan['time'])}`: train has the oldest rows, test the newest.")
    notes += [_text(note.rstrip(".")) + "." for note in plan.get("notes") or ()]
    return "\n".join(["## Splits", "", *head, *lines, *([""] if notes else []), *(f"- {note}" for note in notes)])


def _wanted(wanted: int | None, reached: int, column: bool) -> str:
    if not column:
        return ""
    if wanted is None:
        return " |"
    return f" {wanted:,} |" if wanted == reached else f" {wanted:,} ({reached - wanted:+,}) |"


def _labels(summary: Mapping[str, Any]) -> str:
    counts = label_counts(summary)
    if not counts:
        return ""
    rows = [f"| {_text(label)} | " + " | ".join(f"{count:,}" for count in found) + " |" for label, found in counts[:MOST_LABELS]]
    table = ["| label | train | validation | test |", "| --- | ---: | ---: | ---: |", *rows]
    if len(counts) > FOLDED:
        table = ["<details>", f"<summary>All {len(counts):,} labels</summary>", "", *table, "", "</details>"]
    more = [f"\n{len(counts) - MOST_LABELS:,} more labels stand in `manifest.json`."] if len(counts) > MOST_LABELS else []
    alt = f"Rows of {len(counts):,} labels, from {counts[0][0]} down to {counts[-1][0]}"
    return "\n".join(["## Labels", "", f"![{_text(alt)}](labels.svg)", "", *table, *more])


def _entities(summary: Mapping[str, Any]) -> str:
    """How many entities of each type there are, where rows have entities; the labels are then counted by the rows that have some."""
    found = [summary["splits"][split].get("entities") or {} for split in SPLITS]
    names = sorted({name for one in found for name in one}, key=lambda name: (-sum(one.get(name, 0) for one in found), name))
    rows = [f"| {_text(name)} | " + " | ".join(f"{one.get(name, 0):,}" for one in found) + " |" for name in names[:MOST_LABELS]]
    head = ["| entities of type | train | validation | test |", "| --- | ---: | ---: | ---: |"]
    return "\n".join(["## Entities", "", *head, *rows]) if rows else ""


def _lengths(summary: Mapping[str, Any]) -> str:
    """How long the texts are, in characters, where the summary knows."""
    found = summary.get("lengths") or {}
    lines = [
        f"| {_text(role)} | {one['median']:,} | {one['p95']:,} | {one['longest']:,} |" for role, one in found.items() if one is not None
    ]
    head = ["| characters of | median | 95 % have at most | longest |", "| --- | ---: | ---: | ---: |"]
    return "\n".join(["## Lengths", "", *head, *lines]) if lines else ""


def _columns(summary: Mapping[str, Any]) -> str:
    lines = [f"- `{role}`: the column `{_code(column)}` of the source" for role, column in summary["columns"].items()]
    return "\n".join(
        ["## Columns", "", *lines, "- `_file`, `_row`: where the row was read; rows count from 0", "- any other column is the source's own"]
    )


def _cleaning(summary: Mapping[str, Any]) -> str:
    by_rule = sorted(summary["rows"]["by_rule"].items(), key=lambda pair: (-pair[1], pair[0]))
    removed = [f"- {_text(rule)}: {count:,}" for rule, count in by_rule] or ["No row was removed."]
    fixed = [
        f"- {_text(one['rule'])}: {rows_word(one['rows'])} concerned, repaired" for one in summary["findings"] if one["action"] == "fix"
    ]
    return "\n".join(["## Removed rows", "", *removed, *(["", "## Repaired rows", "", *fixed] if fixed else [])])


def _findings(summary: Mapping[str, Any]) -> str:
    lines = []
    for finding in ordered(summary):
        remedy = f"{_text(finding['remedy'].rstrip('.'))}." + (f" `{_code(finding['recipe'])}`" if finding["recipe"] else "")
        head = f"**{_text(finding['rule'])}** ({finding['severity']}, {_done(finding)})"
        lines.append(f"- {head}: {_text(finding['message'])} {remedy}")
    told = ["Every row concerned stands in `findings.parquet`.", "", *lines] if lines else ["Nothing doubtful was found."]
    return "\n".join(["## Findings one by one", "", *told])


def _limits(summary: Mapping[str, Any]) -> str:
    return "\n".join(["## Known limits", "", *(f"- {limit}" for limit in _every_limit(summary))])


def _every_limit(summary: Mapping[str, Any]) -> Iterator[str]:
    rows = summary["splits"]["test"]["rows"]
    points = 100 * 1.96 * math.sqrt(0.9 * 0.1 / rows)
    yield f"The test split has {rows_word(rows)}: an accuracy of 90 % measured on it is known to about ±{points:.1f} points."
    if summary["test_without_label"]:
        count = summary["test_without_label"]
        yield f"{rows_word(count)} of the given test split without a label, which {'is' if count == 1 else 'are'} not scored."
    if summary["never_trained"]:
        count = sum(summary["never_trained"].values())
        counted = "it counts as a mistake" if count == 1 else "they count as mistakes"
        yield f"{rows_word(count)} of test with a label that no training row has; {counted}."
    for finding in ordered(summary):
        if finding["severity"] == "error" and finding["action"] == "keep":
            yield f"{_text(finding['message'])} ({_text(finding['rule'])}, left as found)"
    told = summary.get("card") or {}
    if unknown := [word for word in ("license", "language", "source_url") if not told.get(word)]:
        keys = ", ".join(f"`data.card.{word}`" for word in unknown)
        yield (
            f"Not known to the tool: {keys} of the recipe, and how rows were chosen and labelled. Complete it before sharing the folder."
        )


def _sources(summary: Mapping[str, Any]) -> str:
    told = summary.get("card") or {}
    known = [f"Licence: {_text(told['license'])}."] if told.get("license") else ["Licence: not known."]
    known += [f"Origin: {_text(told['source_url'])}"] if told.get("source_url") else []
    lines = [
        f"| {_text(one['name'])} | {one['split'] or ''} | {one['rows']:,} | {one['format']} | `{one['sha256']}` |"
        for one in summary["sources"]
    ]
    table = ["", "| file | split | rows | format | sha256 |", "| --- | --- | ---: | --- | --- |", *lines] if lines else []
    return "\n".join(["## Sources and licence", "", "\n\n".join(known), *table])


def _text(text: str) -> str:
    """Words as they are, in one line of Markdown: nothing in them is taken for markup."""
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", _plain(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    """Words between backticks."""
    return _plain(text).replace("`", "'")


def _plain(text: str) -> str:
    """One line without signs that cannot be seen or that turn the text around them."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in " ".join(str(text).split()))
