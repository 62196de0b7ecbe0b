"""What a report must know about the data: ``data.json`` of a run folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.core.schema import SPLITS, Finding, Numbers, Place
from tunewright.data.audit.apply import Chosen, Removed
from tunewright.data.audit.base import TEST, Looked
from tunewright.data.audit.personal import recogniser, without_private
from tunewright.data.audit.personal import shown as masked_private
from tunewright.data.audit.redaction import Redaction
from tunewright.data.origins import Origins
from tunewright.data.settings import DataSettings
from tunewright.data.shelf import only
from tunewright.data.source import Source
from tunewright.data.splits.split import Divided
from tunewright.tasks import TASKS
from tunewright.tasks.base import Task

SHOWN = 5
"""Rows of a finding that are shown with their text."""
LETTERS = 200
"""Characters of a text that are shown. Four times as many are looked through for what must not be, so that no half of a number is."""
PRIVATE = ("personal-data", "secret")
"""Rules whose rows are shown with every private value masked, whatever the policies are."""


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
    divided: Divided | None,
    private: Sequence[Redaction],
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
        divided: how the splits that were made came out; None where all are given.
        private: what the recipe has redacted.
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
        "split": {
            "by": settings.split.by if made else "given",
            "made": made,
            "given": list(source.given),
            "seed": seed,
            "group": settings.split.group,
            "time": settings.split.time,
            "wanted": divided.wanted if divided else {},
            "notes": list(divided.notes) if divided else [],
        },
        "splits": {
            name: {"rows": int((kept.split == at).sum()), "labels": kept.label_counts(kept.split == at), **_entities(kept, at)}
            for at, name in enumerate(SPLITS)
        },
        "never_trained": {name: count for name, count in tested.items() if name not in trained},
        "test_without_label": _test_without_label(source, removed),
        "card": settings.card.model_dump(mode="json"),
        "rules": dict(rules.policy),
        "findings": _told(findings, source, original, _shown_columns(kept, columns), private, recogniser(rules.rules)),
    }


def _entities(kept: Looked, split: int) -> dict[str, dict[str, int]]:
    """How many entities of each type a split has, the most frequent first; nothing where rows have none."""
    role = kept.label_role
    if role is None or role.kind != "spans":
        return {}
    lists = only(kept.rows.select([role.name]), kept.split == split)[role.name]
    counts = Counter(name for chunk in lists.chunks for name in pc.list_flatten(chunk).field("label").to_pylist())
    return {"entities": dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))}


def _test_without_label(source: Source, removed: tuple[Removed, ...]) -> int:
    """Rows of a test split that the source names which cannot be scored for want of a label."""
    if "test" not in source.given:
        return 0
    first = sum(table.rows.num_rows for split, table in source.tables.items() if split != "test")
    return sum(int((one.numbers >= first).sum()) for one in removed if one.rule in {"missing-label", "unreadable-label", "span-mismatch"})


def _told(
    findings: Sequence[Finding],
    source: Source,
    original: pa.Table,
    columns: tuple[list[str], list[str]],
    private: Sequence[Redaction],
    names: str,
) -> list[dict[str, Any]]:
    wanted = list(dict.fromkeys(finding.places[at] for finding in findings for at in _first(finding)))
    shown, labels = _shown(wanted, source, original, *columns)
    masked = dict(zip(shown, masked_private(list(shown.values()), names), strict=True))
    mended = without_private(pa.table({"text": pa.array(list(shown.values()), pa.string())}), private)["text"].to_pylist()
    shown = dict(zip(shown, mended, strict=True))
    return [
        {
            **finding.model_dump(include={"rule", "severity", "message", "remedy", "recipe", "action", "numbers"}),
            "rows": len(finding.places),
            "shown": [
                {
                    "file": (place := finding.places[at]).file,
                    "row": place.row,
                    "text": (masked if finding.rule in PRIVATE else shown).get(place, "")[:LETTERS],
                    "label": labels.get(place, ""),
                    "group": finding.groups[at] if len(finding.groups) else None,
                    "kept": finding.is_kept(at),
                }
                for at in _first(finding)
            ],
        }
        for finding in findings
    ]


def _shown_columns(kept: Looked, columns: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The columns of the texts of a row, and of its label or labels; the latter empty where rows have none."""
    role = kept.label_role
    label = [columns[role.name]] if role is not None and role.kind in {"label", "labels"} else []
    return [columns[name] for name in kept.text_roles], label


def _first(finding: Finding) -> list[int]:
    """The indices of the rows that are shown: the first ones; of clusters, the first clusters, each from its first row."""
    if not len(finding.groups):
        return list(range(min(len(finding.places), SHOWN)))
    found: list[int] = np.argsort(np.asarray(Numbers.of(finding.groups).values), kind="stable")[:SHOWN].tolist()
    return found


def _as_text(cell: Any) -> str:
    """A cell as it is shown; tokens with blanks between them."""
    return " ".join(map(str, cell)) if isinstance(cell, list) else "" if cell is None else str(cell)


def _shown(
    places: Sequence[Place], source: Source, original: pa.Table, texts: list[str], label: list[str]
) -> tuple[dict[Place, str], dict[Place, str]]:
    """The texts of rows as read, as far as they are shown, and their labels; for an unreadable row, what was read of it, and no label."""
    shown, labels = dict[Place, str](), dict[Place, str]()
    for place, at in zip(places, Origins.of(original).find(places), strict=True):
        if at is not None:
            row = original.slice(at, 1).select([*texts, *label]).to_pylist()[0]
            shown[place] = " | ".join(_as_text(row[name]) for name in texts)[: 4 * LETTERS]
            labels[place] = " | ".join(_as_text(row[name]) for name in label)[:LETTERS]
    for place, at in zip(places, Origins.of(source.bad.table, "file", "row").find(places), strict=True):
        if at is not None:
            shown[place] = source.bad[at].raw[: 4 * LETTERS]
    return shown, labels
