"""Where a recipe's datasets are kept, their rows as plain values, and how many tokens of them are cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.schema import Row
from tunewright.pipeline.recipe import Recipe

if TYPE_CHECKING:
    from tunewright.tasks.base import Encoded, Task


def datasets_folder(recipe: Recipe) -> Path:
    """Where a recipe's prepared datasets are kept."""
    return Path(recipe.output_dir) / "datasets"


def cache_folder(recipe: Recipe) -> Path:
    """Where encoded rows are kept between runs; it may be deleted at any time."""
    return datasets_folder(recipe) / ".cache"


def rows_of(table: Any) -> list[Row]:
    """An Arrow table as rows."""
    rows: list[Row] = table.to_pylist()
    return rows


def truncation(task: Task, splits: Mapping[str, tuple[Sequence[Row], Sequence[Encoded]]], max_tokens: int, why: str) -> dict[str, Any]:
    """How many rows are cut at ``max_tokens`` and by how many tokens, per split and label (or what the task counts rows by)."""
    found: dict[str, Any] = {}
    for split, (rows, encoded) in splits.items():
        labels: dict[str, dict[str, int]] = {}
        for row, one in zip(rows, encoded, strict=True):
            if one.cut:
                for name in task.names_in(row):
                    entry = labels.setdefault(name, {"rows_cut": 0, "tokens_cut": 0})
                    entry["rows_cut"] += 1
                    entry["tokens_cut"] += one.cut
        found[split] = {
            "rows": len(rows),
            "rows_cut": sum(one.cut > 0 for one in encoded),
            "tokens": sum(one.tokens for one in encoded),
            "tokens_cut": sum(one.cut for one in encoded),
            "labels": dict(sorted(labels.items())),
        }
    return {"max_tokens": max_tokens, "why": why, "splits": found}
