"""Tables that lie on the disk: written batch by batch, seen through memory, and gone when nobody looks at them any more."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
import pyarrow as pa

from tunewright.core.errors import UserError

ROWS, BYTES = 1 << 13, 1 << 22
"""Rows are written as soon as there are so many of them, or so many bytes: chunks are neither tiny nor large."""
BATCH_ROWS = 1 << 14
"""Rows of a batch when a table is gone through."""


class Shelf:
    """Takes rows piece by piece, writes them to a file without a name, and gives them back as tables that are mapped into memory.

    The file has no name from the beginning, so that a kill leaves nothing behind; the disk has its room back when the last table that was
    made from it is gone. It lies where ``TMPDIR`` says, else in /var/tmp: /tmp may be a part of the memory.
    """

    def __init__(self) -> None:
        self._file: Any = None
        self._sink: Any = None
        self._writer: Any = None
        self._schema: Any = None
        self._starts: list[int] = []
        self._waiting: list[pa.Table] = []
        self._rows = self._bytes = 0

    def add(self, rows: pa.Table) -> None:
        """Put rows behind those that are there.

        Raises:
            UserError: there is no room on the disk.
        """
        if not rows.num_rows:
            return
        if self._schema is not None and not self._schema.equals(rows.schema):
            self._next_section()
        self._schema = rows.schema
        self._waiting.append(rows)
        self._rows, self._bytes = self._rows + rows.num_rows, self._bytes + rows.nbytes
        if self._rows >= ROWS or self._bytes >= BYTES:
            self._write()

    def tables(self) -> list[pa.Table]:
        """All rows, those of one schema that follow each other in one table. Nothing can be added afterwards.

        Raises:
            UserError: there is no room on the disk.
        """
        self._next_section()
        if self._file is None:
            return []
        with _on_disk():
            self._file.flush()
            seen = pa.py_buffer(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))
        self._file.close()
        return [pa.ipc.open_stream(pa.BufferReader(seen.slice(start))).read_all() for start in self._starts]

    def _next_section(self) -> None:
        self._write()
        if self._writer is not None:
            with _on_disk():
                self._writer.close()
            self._writer = None

    def _write(self) -> None:
        if not self._waiting:
            return
        with _on_disk():
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=scratch())  # noqa: SIM115
                self._sink = pa.PythonFile(self._file, mode="w")
            if self._writer is None:
                self._file.write(bytes(-self._file.tell() % 64))  # Arrow reads best what begins at such a place
                self._starts.append(self._file.tell())
                self._writer = pa.ipc.new_stream(self._sink, self._schema)
            most = max(1, self._rows * BYTES // max(self._bytes, 1))
            for batch in pa.concat_tables(self._waiting).combine_chunks().to_batches(most):
                self._writer.write_batch(batch)
        self._waiting, self._rows, self._bytes = [], 0, 0


def scratch() -> str:
    """The folder for files that nobody needs tomorrow."""
    named = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return "/var/tmp" if not named and os.access("/var/tmp", os.W_OK) else tempfile.gettempdir()


def put_aside(blocks: Iterable[bytes]) -> IO[bytes]:
    """Bytes in a file without a name, at whose beginning it stands.

    Raises:
        UserError: there is no room on the disk.
    """
    with _on_disk():
        file = tempfile.TemporaryFile(dir=scratch())  # noqa: SIM115
    for block in blocks:
        with _on_disk():
            file.write(block)
    with _on_disk():
        file.seek(0)
    return file


def shelved(pieces: Iterable[pa.Table], schema: pa.Schema, fill: bool = False) -> pa.Table:
    """Rows that come piece by piece, as one table on the disk.

    Args:
        schema: of every piece.
        fill: a column that a piece lacks is null there.

    Raises:
        UserError: there is no room on the disk.
    """
    shelf = Shelf()
    for piece in pieces:
        shelf.add(_filled(piece, schema) if fill else piece)
    return pa.concat_tables(shelf.tables() or [schema.empty_table()])


def _filled(piece: pa.Table, schema: pa.Schema) -> pa.Table:
    there = set(piece.column_names)
    return pa.table([piece[one.name] if one.name in there else pa.nulls(len(piece), one.type) for one in schema], schema=schema)


def only(table: pa.Table, rows: np.ndarray) -> pa.Table:
    """The rows for which ``rows`` (bool, one per row) is true.

    Raises:
        UserError: there is no room on the disk.
    """
    return table if rows.all() else shelved(kept(table, rows), table.schema)


def kept(table: pa.Table, rows: np.ndarray) -> Iterator[pa.Table]:
    """The rows for which ``rows`` (bool, one per row) is true, piece by piece."""
    at = 0
    for batch in table.to_batches(BATCH_ROWS):
        here = rows[at : at + len(batch)]
        at += len(batch)
        if here.any():
            yield pa.Table.from_batches([batch if here.all() else batch.filter(pa.array(here))])


def taken(table: pa.Table, rows: np.ndarray) -> Iterator[tuple[pa.Table, slice]]:
    """The rows with these numbers, which ascend, piece by piece; each with the part of ``rows`` that it stands for.

    ``Table.take`` would copy every column whole: Arrow joins the chunks of texts before it takes any.
    """
    at = 0
    for batch in table.to_batches(BATCH_ROWS):
        first, last = np.searchsorted(rows, [at, at + len(batch)]).tolist()
        if last > first:
            yield pa.Table.from_batches([batch.take(pa.array(rows[first:last] - at))]), slice(first, last)
        at += len(batch)


def remade(column: pa.ChunkedArray, make: Callable[[pa.Array], pa.Array], kind: pa.DataType) -> pa.ChunkedArray:
    """A column made anew on the disk, chunk by chunk.

    Args:
        make: (values of one chunk) -> as many new ones, of the type ``kind``.

    Raises:
        UserError: there is no room on the disk.
    """
    schema = pa.schema([("made", kind)])
    return shelved((pa.table([make(chunk)], schema=schema) for chunk in column.chunks), schema)["made"]


def replaced(column: pa.ChunkedArray, rows: np.ndarray, values: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """A column with other values in some rows, on the disk.

    Args:
        rows: the numbers of these rows, ascending.
        values: the new value of each.

    Raises:
        UserError: there is no room on the disk.
    """

    def chunks() -> Iterator[pa.Table]:
        at = 0
        for chunk in column.chunks:
            first, last = np.searchsorted(rows, [at, at + len(chunk)]).tolist()
            new = values.slice(first, last - first)
            new = new.combine_chunks() if isinstance(new, pa.ChunkedArray) else new
            take = np.arange(len(chunk))
            take[rows[first:last] - at] = len(chunk) + np.arange(last - first)
            yield pa.table([pa.concat_arrays([chunk, new.cast(column.type)]).take(pa.array(take))], schema=schema)
            at += len(chunk)

    schema = pa.schema([("replaced", column.type)])
    return shelved(chunks(), schema)["replaced"]


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"rows cannot be put aside in {scratch()} ({error.strerror or error})",
            "Wanted: room for about three times the table",
            "Make room there, or name another folder: TMPDIR=<folder>",
        ) from error
