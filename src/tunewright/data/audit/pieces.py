"""Columns that may be larger than memory, some thousand values at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from tunewright.data.shelf import shelved, taken

PIECE = 20_000
OURS = ("_file", "_row")
"""Columns of a table that say where its rows were read."""


def pieces_of(column: pa.Array | pa.ChunkedArray) -> Iterator[pa.Array]:
    """All values, at most ``PIECE`` at a time."""
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        for start in range(0, len(chunk), PIECE):
            yield chunk.slice(start, PIECE)


def picked(column: pa.ChunkedArray, rows: np.ndarray) -> Iterator[pa.Array]:
    """The values of these rows, which ascend, piece by piece."""
    for piece, _ in taken(pa.table([column], ["picked"]), rows):
        yield piece["picked"].combine_chunks()


def some(column: pa.ChunkedArray, rows: np.ndarray) -> pa.Array:
    """The values of a few rows, which ascend."""
    return pa.concat_arrays([pa.array([], column.type), *picked(column, rows)])


def evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of these rows, from all over, in their order."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64))] if len(rows) else rows


class Later(Mapping[str, pa.ChunkedArray]):
    """Column -> its mended values, made when they are asked for: only the policy ``fix`` asks.

    Args:
        columns: those that have something to mend, by name.
        rows: the rows of the hit, ascending.
        mend: (column name, values) -> as many mended ones of the same type.
    """

    def __init__(self, columns: Mapping[str, pa.ChunkedArray], rows: np.ndarray, mend: Callable[[str, pa.Array], pa.Array]) -> None:
        self._columns, self._rows, self._mend = columns, rows, mend

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        column = self._columns[name]
        schema = pa.schema([("mended", column.type)])
        return shelved((pa.table([self._mend(name, piece)], schema=schema) for piece in picked(column, self._rows)), schema)["mended"]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def flags_of(column: pa.ChunkedArray, function: Callable[[pa.Array], np.ndarray], kind: type) -> np.ndarray:
    """(rows,) what ``function`` finds, piece by piece."""
    parts: Sequence[np.ndarray] = [function(piece) for piece in pieces_of(column)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)
