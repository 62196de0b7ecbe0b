"""Rows that could not be read, kept on the disk: a spoilt file may have millions of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from typing import Self

import pyarrow as pa

from tunewright.core.schema import Compact
from tunewright.data.formats.rows import BadRow
from tunewright.data.shelf import BATCH_ROWS, Shelf

NAMES = [field.name for field in fields(BadRow)]
SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("reason", pa.string()),
        ("raw", pa.string()),
        ("line", pa.int64()),
        ("offset", pa.int64()),
    ]
)


class BadRows(Compact[BadRow]):
    """Rows that could not be read. It equals a tuple of them.

    Args:
        table: with the columns of ``SCHEMA``, which are the fields of ``BadRow``.
    """

    __slots__ = ("table",)

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    @classmethod
    def of(cls, rows: Sequence[BadRow]) -> BadRows:
        """From any such rows; these themselves, if they are on the disk already."""
        if isinstance(rows, BadRows):
            return rows
        shelf = BadShelf()
        shelf.add(rows)
        return shelf.rows()

    @classmethod
    def joined(cls, several: Sequence[BadRows]) -> BadRows:
        """All of several, one after the other."""
        return cls(pa.concat_tables([one.table for one in several] or [SCHEMA.empty_table()]))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[BadRow]:
        for batch in self.table.to_batches(BATCH_ROWS):
            yield from map(BadRow, *(batch.column(name).to_pylist() for name in NAMES))

    def item(self, at: int) -> BadRow:
        return BadRow(**self.table.slice(at, 1).to_pylist()[0])

    def part(self, which: slice) -> Self:
        first, last, step = which.indices(len(self))
        if step == 1:
            return type(self)(self.table.slice(first, max(last - first, 0)))
        return type(self)(self.table.take(pa.array(range(first, last, step), pa.int64())))


class BadShelf:
    """Takes rows that could not be read, and gives them back from the disk."""

    def __init__(self) -> None:
        self._shelf = Shelf()

    def add(self, rows: Sequence[BadRow]) -> None:
        """Put rows behind those that are there.

        Raises:
            UserError: there is no room on the disk.
        """
        if rows:
            self._shelf.add(pa.table(list(zip(*map(astuple, rows), strict=True)), schema=SCHEMA))

    def rows(self) -> BadRows:
        """All of them. Nothing can be added afterwards.

        Raises:
            UserError: there is no room on the disk.
        """
        return BadRows(pa.concat_tables(self._shelf.tables() or [SCHEMA.empty_table()]))
