"""Parquet and Arrow: types are kept, and a damaged region costs its own rows alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tunewright.core.errors import UserError, first_line
from tunewright.data.formats.header import refuse_twice
from tunewright.data.formats.kinds import as_text
from tunewright.data.formats.rows import Notes, Part

STEP_ROWS, STEP_BYTES = 4096, 1 << 24


class Parquet:
    """Reads a Parquet file row group by row group.

    A damaged row group is told without its offset: asking a damaged directory for it ends the process (pyarrow 26: the library
    throws where it may not).

    Raises:
        UserError: its directory, at the end of the file, cannot be read.
    """

    def __init__(self, source: Any, notes: Notes) -> None:
        self._notes = notes
        self._file = _attempt(lambda: pq.ParquetFile(source, pre_buffer=False, memory_map=False), notes, "Parquet")
        refuse_twice(_attempt(lambda: self._file.schema_arrow.names, notes, "Parquet"), notes.name)
        self._first = 0

    def skip(self, rows: int) -> None:
        """Leave out the row groups that end before this row; nothing of them is read."""
        self._first = rows

    def parts(self, batch_rows: int) -> Iterator[Part]:
        """The rows in the file's order, at most ``batch_rows`` at a time."""
        number = 0
        for place in range(self._file.num_row_groups):
            group = self._file.metadata.row_group(place)
            first, rows = number, max(0, group.num_rows)
            if number + rows <= self._first:
                number += rows
                continue
            size = STEP_BYTES * rows // max(1, group.total_byte_size)
            batches = self._file.iter_batches(min(max(size, 16), STEP_ROWS), row_groups=[place])
            for table, reason in _tables(batches, self._notes, number):
                if table is None:
                    lost = rows - (number - first)
                    reason = f"row group {place} is damaged here: {lost:,} rows cannot be read ({reason})"
                    yield Part([], {}, (self._notes.bad(number, reason, ""),))
                    number += max(1, lost)
                else:
                    yield from _sliced(table, number, batch_rows)
                    number += len(table)


class ArrowFile:
    """Reads an Arrow file (Feather), whose batches can be reached one by one."""

    def __init__(self, source: Any, notes: Notes) -> None:
        self._notes = notes
        self._file = _attempt(lambda: pa.ipc.open_file(source), notes, "Arrow")
        refuse_twice(_attempt(lambda: self._file.schema.names, notes, "Arrow"), notes.name)

    def parts(self, batch_rows: int) -> Iterator[Part]:
        """The rows in the file's order, at most ``batch_rows`` at a time."""
        number = 0
        for place in range(self._file.num_record_batches):
            for table, reason in _tables(iter(map(self._file.get_batch, [place])), self._notes, number):
                if table is None:
                    yield Part([], {}, (self._notes.bad(number, f"batch {place} is damaged: {reason}", ""),))
                    number += 1
                else:
                    yield from _sliced(table, number, batch_rows)
                    number += len(table)


class ArrowStream:
    """Reads a stream of Arrow batches; what comes after a damaged batch cannot be found again."""

    def __init__(self, source: Any, notes: Notes) -> None:
        self._notes, self._source = notes, source
        self._stream = _attempt(lambda: pa.ipc.open_stream(source), notes, "Arrow")
        refuse_twice(_attempt(lambda: self._stream.schema.names, notes, "Arrow"), notes.name)

    def parts(self, batch_rows: int) -> Iterator[Part]:
        """The rows in the stream's order, at most ``batch_rows`` at a time."""
        number = 0
        for table, reason in _tables(iter(self._stream), self._notes, number):
            if table is None:
                offset = self._source.tell() if not self._source.closed else None
                yield Part([], {}, (self._notes.bad(number, f"from here on the file is damaged: {reason}", "", offset=offset),))
                return
            yield from _sliced(table, number, batch_rows)
            number += len(table)


class InMemory:
    """Hands on an Arrow table, or Arrow tables that come one by one."""

    def __init__(self, tables: Iterator[pa.Table], notes: Notes) -> None:
        self._tables, self._notes = tables, notes

    def parts(self, batch_rows: int) -> Iterator[Part]:
        """The rows in their order, at most ``batch_rows`` at a time."""
        number = 0
        for table in self._tables:
            refuse_twice(table.column_names, self._notes.name)
            for start in range(0, len(table), STEP_ROWS):
                yield from _sliced(plain_table(table.slice(start, STEP_ROWS), self._notes, number), number, batch_rows)
                number += min(STEP_ROWS, len(table) - start)


def _attempt(opening: Callable[[], Any], notes: Notes, kind: str) -> Any:
    try:
        return opening()
    except Exception as error:  # damaged bytes make these libraries raise nearly anything
        raise UserError(f"{notes.name} is a damaged or unfinished {kind} file ({first_line(error)})", f"Wanted: a whole {kind} file",
                        "Write or download it again") from None  # fmt: skip


def _tables(batches: Iterator[pa.RecordBatch], notes: Notes, number: int) -> Iterator[tuple[pa.Table | None, str]]:
    """The batches as plain tables; a last one of None, with the reason, when one is damaged."""
    while True:
        try:
            batch = next(batches, None)
            if batch is None:
                return
            table = plain_table(pa.Table.from_batches([batch]), notes, number)
        except Exception as error:  # damaged bytes make these libraries raise nearly anything
            yield None, first_line(error)
            return
        yield table, ""
        number += len(table)


def _sliced(table: pa.Table, number: int, batch_rows: int) -> Iterator[Part]:
    for start in range(0, len(table), batch_rows):
        piece = table.slice(start, batch_rows)
        yield Part(range(number + start, number + start + len(piece)), piece)


def plain_table(table: pa.Table, notes: Notes, number: int = 0) -> pa.Table:
    """The table in few types: texts are strings, dictionaries are resolved, nested values are JSON text.

    Numbers, truth values, dates, bytes and lists of these keep their type; so do nested values that hold bytes (pictures).

    Args:
        number: the number of its first row, for the notes on text that is not UTF-8.

    Raises:
        pa.ArrowException: its memory is not in order.
    """
    columns = {name: _plain_column(table.column(place), notes, number) for place, name in enumerate(table.column_names)}
    return pa.table(columns)


def _plain_column(column: pa.ChunkedArray, notes: Notes, number: int) -> pa.ChunkedArray | pa.Array:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_column(column.cast(kind.storage_type), notes, number)
    if _is_text(kind):
        return _decoded(column, notes, number).cast(pa.string())
    column.validate(full=True)
    if pa.types.is_dictionary(kind):
        return _plain_column(column.cast(kind.value_type), notes, number)
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if _is_list(kind) and not pa.types.is_nested(kind.value_type):
        text = _is_text(kind.value_type) or pa.types.is_null(kind.value_type)
        return column.cast(pa.list_(pa.string() if text else kind.value_type))  # one type, whatever a file calls what is in its lists
    if pa.types.is_nested(kind) and not _holds_bytes(kind):
        notes.tell("nested-column", "info", f"a column of {notes.name} holds {kind}; it is kept as JSON text"[:400],
                   "Nothing where the task reads it itself; elsewhere read it with json.loads")  # fmt: skip
        return pa.array([None if value is None else as_text(value) for value in column.to_pylist()], pa.string())
    return column


def _decoded(column: pa.ChunkedArray, notes: Notes, number: int) -> pa.ChunkedArray | pa.Array:
    """The column as it is when its bytes are UTF-8; else decoded anew, with U+FFFD where they are not."""
    try:
        column.validate(full=True)
        return column
    except pa.ArrowInvalid:
        raw = column.cast(pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary())
    raw.validate(full=True)
    texts = []
    for place, value in enumerate(raw.to_pylist()):
        text = None if value is None else value.decode("utf-8", "replace")
        if text is not None and text.encode() != value:
            notes.broken.append(number + place)
        texts.append(text)
    return pa.array(texts, pa.string())


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind):
        return any(_holds_bytes(kind.field(place).type) for place in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))
