"""Columns that say the same in every row, or in nearly every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from tunewright.data.audit.base import Hit, Looked, Rule, named, rows_word
from tunewright.data.audit.pieces import flags_of, pieces_of

FEWEST = 20
"""Rows under which every column may be constant by chance."""
EARLY = 0.9
"""Share of the first rows under which a value will not be nearly everywhere, so that the column is not read to its end."""


class ConstantColumn(Rule):
    """Columns beside the text that hold the same value in every row, or in nearly every row."""

    looks_at: ClassVar = ("text", "label", "labels")
    severity: ClassVar = "info"
    policies: ClassVar = ("keep", "refuse")
    cost: ClassVar = "one pass over the columns beside the text, in Arrow"
    remedy: ClassVar = "Leave the columns out of the file, or look why nothing else was filled in; the rows quoted are those that differ"

    nearly: float = Field(0.995, gt=0.5, le=1)
    """Share of the rows from which one value counts as nearly everywhere."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        columns = looked.own_columns
        if len(looked) < FEWEST:
            return
        most = {name: found for name in columns if (found := _most_frequent(looked.rows[name], self.nearly)) is not None}
        constant = [name for name, (_, count) in most.items() if count == len(looked)]
        if constant:
            is_are = "column holds" if len(constant) == 1 else "columns hold"
            yield Hit(
                f"{len(constant):,} {is_are} the same in every row: {named(constant)}", told_only=True, numbers={"columns": len(constant)}
            )
        for name, (value, count) in most.items():
            if count < len(looked):
                rows = _others(looked.rows[name], value)
                share = f"{100 * count / len(looked):.1f} % of the rows"
                told = f"column {name!r} holds the same in {share}; {rows_word(len(rows))} with another value"
                yield Hit(told, rows, numbers={"share_of_most": count / len(looked)})


def _most_frequent(column: pa.ChunkedArray, share: float) -> tuple[Any, int] | None:
    """The value that so large a share of the rows has, and how many; None when there is none, or values of this type cannot be counted."""
    counts: Counter[Any] = Counter()
    seen = 0
    for piece in pieces_of(column):
        try:
            values = pc.value_counts(piece)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            return None
        largest = values.field(1).to_numpy().argmax()
        top = values[int(largest)].as_py()
        if top["counts"] < EARLY * len(piece) and seen == 0:
            return None
        counts[top["values"]] += top["counts"]
        seen += len(piece)
    value, count = counts.most_common(1)[0] if counts else (None, 0)
    return (value, count) if seen and count >= share * seen else None


def _others(column: pa.ChunkedArray, value: Any) -> np.ndarray:
    """Indices of the rows with another value."""

    def same(piece: pa.Array) -> np.ndarray:
        return np.asarray(pc.is_null(piece) if value is None else pc.equal(piece, pa.scalar(value, piece.type)).fill_null(False))

    return np.flatnonzero(~flags_of(column, same, bool))
