"""The rows of a table as a task reads them, made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import pyarrow as pa

from tunewright.core.schema import Row

AT_ONCE = 1 << 12


class Listed(Sequence[Row]):
    """The rows of a table, column -> value: gone through in order they are never all there at once.

    Args:
        table: the columns that a row shall have.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[Row]:
        for batch in self._table.to_batches(AT_ONCE):
            yield from batch.to_pylist()

    @overload
    def __getitem__(self, at: int) -> Row: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Row]: ...

    def __getitem__(self, at: int | slice) -> Row | Sequence[Row]:
        if isinstance(at, slice):
            return [self[one] for one in range(len(self))[at]]
        row: Row = self._table.slice(range(len(self))[at], 1).to_pylist()[0]
        return row
