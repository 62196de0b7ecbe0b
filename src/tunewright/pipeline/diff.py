"""The verb ``data diff``: what was added, removed, relabelled, moved or changed from one version of a dataset to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunewright.core.errors import short
from tunewright.core.schema import SPLITS
from tunewright.pipeline.datasets import absent, named, opened

SHOWN, LETTERS = 5, 100
"""Rows of each kind that are quoted, and the characters of their texts in words."""
KINDS = {
    "added": "added",
    "removed": "removed",
    "relabelled": "relabelled",
    "moved": "moved between splits",
    "changed": "with another text",
}


def diff(one: str, other: str, root: Path) -> dict[str, Any]:
    """What differs between two versions: rows added, removed, relabelled, moved and with another text; settings; findings.

    Where the files of a version are kept elsewhere, ``rows`` is null and ``absent`` names them; the rest stands in the manifests.

    Args:
        one: the older version, as ``data show`` takes it.
        other: the newer version.
        root: the folder ``datasets`` of an ``output_dir``.

    Raises:
        UserError: there is none of that name, or a file is damaged.
    """
    from tunewright.data.diff import difference

    both = [opened(named(name, root)[0]) for name in (one, other)]
    gone = [f"{dataset.folder / name}" for dataset in both for name in absent(dataset) if name.removesuffix(".parquet") in SPLITS]
    facts = [dataset.summary() for dataset in both]
    manifests = [{key: dataset.manifest[key] for key in ("settings", "seed", "task", "rules", "versions")} for dataset in both]
    rows = None if gone else difference(both[0], both[1], SHOWN)
    settings = _differing(*map(_flat, manifests))
    if rows and rows["moved"]["rows"]:
        rows["moved"]["why"] = _why_moved(rows, settings, facts[1]["split"]["made"])
    return {
        "before": _side(facts[0]),
        "after": _side(facts[1]),
        "absent": gone,
        "rows": rows,
        "settings": settings,
        "findings": _differing(*(_by_rule(fact["findings"]) for fact in facts)),
    }


def told(facts: Mapping[str, Any]) -> str:
    """What ``diff`` gave, in words."""
    before, after, rows = facts["before"], facts["after"], facts["rows"]
    lines = [f"{before['name']}/{before['version']} -> {after['name']}/{after['version']}"]
    if rows is None:
        sizes = [", ".join(f"{split} {count:,}" for split, count in side["rows"].items()) for side in (before, after)]
        lines += [f"rows: {sizes[0]} -> {sizes[1]}", f"not here, so that rows cannot be compared: {', '.join(facts['absent'])}"]
    else:
        lines += _told_rows(rows)
    for what in ("settings", "findings"):
        of = " rows" if what == "findings" else ""
        lines += [f"{what}: {key}: {_plain(was)} -> {_plain(now)}{of}" for key, (was, now) in facts[what].items()]
    same = rows is not None and not any(rows[kind]["rows"] for kind in KINDS)
    if same and not facts["settings"] and not facts["findings"]:
        lines.append("nothing differs")
    return "\n".join(lines)


def _told_rows(rows: Mapping[str, Any]) -> Iterator[str]:
    yield "rows: " + ", ".join([f"{rows['unchanged']:,} unchanged", *(f"{rows[kind]['rows']:,} {word}" for kind, word in KINDS.items())])
    for kind, word in KINDS.items():
        found = rows[kind]
        if not found["rows"]:
            continue
        notes = [f"{one['from']} -> {one['to']} {one['rows']:,}" for one in found.get("pairs", [])[:SHOWN]]
        notes += [f"{split} {count:,}" for split, count in found.get("splits", {}).items() if count]
        notes += [f"{count:,} now in quarantine by {rule}" for rule, count in found.get("now_in_quarantine", {}).items()]
        notes += [f"{count:,} were in quarantine by {rule}" for rule, count in found.get("left_quarantine", {}).items()]
        yield f"{word}: {found['rows']:,}" + (f" ({', '.join(notes)})" if notes else "")
        yield from [f"    {found['why']}"] if "why" in found else []
        yield from (_told_row(kind, one) for one in found["shown"])
        yield from [f"    and {found['rows'] - len(found['shown']):,} more"] if found["rows"] > len(found["shown"]) else []


def _why_moved(rows: Mapping[str, Any], settings: Mapping[str, Any], made: Sequence[str]) -> str:
    """Why rows stand in another split now, in a sentence."""
    if deciding := [key for key in settings if key == "seed" or key.startswith("split.")]:
        return f"they moved because {' and '.join(deciding)} changed"
    if not made:
        return "the source itself has them in another split now"
    causes = [f"{rows[kind]['rows']:,} {KINDS[kind]}" for kind in ("added", "removed", "relabelled", "changed") if rows[kind]["rows"]]
    if not causes:
        return "other rows belong together than before: near-copies, or rows of one group"
    why = f"each split keeps its size, and each label its share of it: rows at their borders gave way to those {', '.join(causes)}"
    themselves = rows["moved"]["themselves_changed"]
    return f"{why}; {themselves:,} of the moved rows are among these themselves" if themselves else why


def _told_row(kind: str, row: Mapping[str, Any]) -> str:
    label = f"{row['label_before']!r} -> {row['label']!r}" if kind == "relabelled" else repr(row["label"])
    split = f"{row['split_before']} -> {row['split']}" if kind == "moved" else row["split"]
    texts = [row["text_before"], row["text"]] if kind == "changed" else [row["text"]]
    said = " -> ".join("(a row of test: its text is not shown)" if text is None else " ".join(text.split())[:LETTERS] for text in texts)
    return f"    {row['file']} row {row['row']} ({split}, {label}): {said}"


def _plain(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else short(value)


def _side(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Which version it is, and the rows of its splits."""
    rows = {split: one["rows"] for split, one in summary["splits"].items()}
    return {**{key: summary[key] for key in ("name", "version", "folder")}, "rows": rows}


def _by_rule(findings: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Rule -> rows that it found."""
    found: dict[str, int] = {}
    for one in findings:
        found[one["rule"]] = found.get(one["rule"], 0) + one["rows"]
    return found


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested settings as one mapping: ``split.by``, ``audit.mojibake.policy``..."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{above}{key}".removeprefix("settings.")
        found |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What the two say where they do not say the same; None where one says nothing."""
    return {key: (one.get(key), other.get(key)) for key in {**one, **other} if one.get(key) != other.get(key)}
