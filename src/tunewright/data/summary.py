"""What a report must know about the data: ``data.json`` of a run folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.core.schema import SPLITS, Finding, Place
from tunewright.data.audit.apply import Chosen, Removed
from tunewright.data.audit.base import TEST, Looked
from tunewright.data.settings import DataSettings
from tunewright.data.source import Source
from tunewright.tasks import TASKS
from tunewright.tasks.base import Task

SHOWN = 5
"""Rows of a finding that are shown with their text."""
LETTERS = 200
"""Characters of a text that are shown."""


def summary(
    source: Source,
    settings: DataSettings,
    rules: Chosen,
    task: Task,
    seed: int,
    columns: dict[str, str],
    original: pa.Table,
    kept: Looked,
    removed: tuple[Removed, ...],
    findings: tuple[Finding, ...],
) -> dict[str, Any]:
    """What was read, removed, found and split, in plain values.

    Args:
        source: the tables as read.
        settings: the ``data`` section of the recipe.
        rules: those that looked.
        task: with what it learned.
        seed: of the run.
        columns: role -> the table's column.
        original: all readable rows, with their own columns.
        kept: the rows of all splits.
        removed: what the rules took away.
        findings: all of them.
    """
    by_rule = Counter({"unreadable-row": len(source.bad)} if source.bad else {})
    for one in removed:
        by_rule[one.rule] += len(one.numbers)
    made = [name for name in SPLITS[1:] if name not in source.given]
    trained = kept.label_counts(kept.split == SPLITS.index("train"))
    tested = kept.label_counts(kept.split == TEST)
    return {
        "task": TASKS.name_of(task),
        "columns": columns,
        "labels": list(getattr(task, "labels", None) or ()),
        "sources": [{**asdict(file), "split": split} for split, file in source.files],
        "rows": {"read": source.rows_read, "kept": len(kept), "quarantined": sum(by_rule.values()), "by_rule": dict(by_rule)},
        "split": {"by": settings.split.by if made else "given", "made": made, "given": list(source.given), "seed": seed},
        "splits": {
            name: {"rows": int((kept.split == at).sum()), "labels": kept.label_counts(kept.split == at)} for at, name in enumerate(SPLITS)
        },
        "never_trained": {name: count for name, count in tested.items() if name not in trained},
        "test_without_label": _test_without_label(source, removed),
        "rules": dict(rules.policy),
        "findings": [_told(finding, source, original, [columns[role] for role in kept.text_roles]) for finding in findings],
    }


def _test_without_label(source: Source, removed: tuple[Removed, ...]) -> int:
    """Rows of a test split that the source names which cannot be scored for want of a label."""
    if "test" not in source.given:
        return 0
    first = sum(table.rows.num_rows for split, table in source.tables.items() if split != "test")
    return sum(int((one.numbers >= first).sum()) for one in removed if one.rule == "missing-label")


def _told(finding: Finding, source: Source, original: pa.Table, texts: list[str]) -> dict[str, Any]:
    shown = [
        {"file": place.file, "row": place.row, "text": _text(place, source, original, texts)[:LETTERS]} for place in finding.places[:SHOWN]
    ]
    return {
        **finding.model_dump(include={"rule", "severity", "message", "remedy", "recipe", "action"}),
        "rows": len(finding.places),
        "shown": shown,
    }


def _text(place: Place, source: Source, original: pa.Table, texts: list[str]) -> str:
    """The texts of a row as read; for an unreadable row, what was read of it."""
    same = pc.and_(pc.equal(original["_file"], place.file), pc.equal(original["_row"], place.row))
    at = np.flatnonzero(same.to_numpy())
    if len(at):
        row = original.slice(int(at[0]), 1).select(texts).to_pylist()[0]
        return " | ".join("" if row[name] is None else str(row[name]) for name in texts)
    return next((bad.raw for bad in source.bad if (bad.file, bad.row) == (place.file, place.row)), "")
