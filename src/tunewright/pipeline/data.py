"""Where a recipe's datasets are kept, their rows as plain values, and how many tokens of them are cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

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


def truncation(
    task: Task, tokenizer: Any, splits: Mapping[str, tuple[Sequence[Row], Sequence[Encoded]]], max_tokens: int, why: str
) -> dict[str, Any]:
    """How many rows are cut at ``max_tokens`` and by how many tokens, per split and label (or what the task counts rows by).

    Under ``rows_unknown``: of how many rows the model knows less than half of the tokens that it sees.
    """
    found: dict[str, Any] = {}
    unknown, marks = _unknown(tokenizer)
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
            "rows_unknown": sum(_is_unknown(one, unknown, marks) for one in encoded),
            "labels": dict(sorted(labels.items())),
        }
    return {"max_tokens": max_tokens, "why": why, "splits": found}


def _unknown(tokenizer: Any) -> tuple[int | None, frozenset[int]]:
    """The token for what a tokenizer does not know, None where it has none of its own; and those that mark a row."""
    marks = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id}
    return (None if tokenizer.unk_token_id in marks else tokenizer.unk_token_id), frozenset(marks - {None})


def _is_unknown(encoded: Encoded, unknown: int | None, marks: frozenset[int]) -> bool:
    """Whether more than half of a row's tokens are unknown: a word of more than a hundred letters, or letters of another script."""
    if not any(unknown in piece["input_ids"] for piece in encoded.pieces):
        return False
    seen = [token for piece in encoded.pieces for token in piece["input_ids"] if token not in marks]
    return 2 * seen.count(cast("int", unknown)) > len(seen)
