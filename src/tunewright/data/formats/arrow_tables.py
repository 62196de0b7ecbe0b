"""Arrow tables put together, and what they hold in one number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from tunewright.data.formats.kinds import as_text, tell_mixed
from tunewright.data.formats.rows import Notes
from tunewright.data.shelf import BATCH_ROWS, shelved

BLOCK_ROWS = 1 << 14
TYPES = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64(), "bool": pa.bool_()}


def array(kind: str, values: Sequence[Any]) -> Any:
    """An Arrow array of a type by its name; of a name that is not one of ours, Arrow finds the type itself."""
    if kind.startswith("list<") and kind[5:-1] in TYPES:
        return pa.array(values, pa.list_(TYPES[kind[5:-1]]))
    return pa.array(values, TYPES[kind]) if kind in TYPES else pa.array(values)


def joined(tables: Sequence[pa.Table], last: Sequence[str], notes: Notes) -> pa.Table:
    """Tables below each other; a column that one of them lacks is null there, one that differs in type is told.

    A table that has to be changed for that is written to the disk anew, piece by piece.

    Args:
        last: the columns that stand at the end.
    """
    types: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for field in table.schema:
            types.setdefault(field.name, set()).add(field.type)
    names = [name for name in types if name not in last] + list(last)
    schema = pa.schema([(name, _one_type(name, types[name], tables, notes)) for name in names])
    return pa.concat_tables([_as_schema(table, schema) for table in tables])


def _one_type(name: str, found: set[pa.DataType], tables: Sequence[pa.Table], notes: Notes) -> pa.DataType:
    filled = {table.column(name).type for table in tables if name in table.column_names and table.column(name).null_count < len(table)}
    found = filled or found
    if len(found) == 1:
        return found.pop()
    if all(pa.types.is_integer(one) or pa.types.is_floating(one) for one in found):
        return pa.float64() if any(pa.types.is_floating(one) for one in found) else pa.int64()
    tell_mixed(name, {"string" if one == pa.string() else str(one) for one in found}, notes)
    return pa.string()


def _as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    if table.schema.equals(schema):
        return table
    if all(name in table.column_names and table.schema.field(name).type == schema.field(name).type for name in schema.names):
        return table.select(schema.names)
    pieces = (pa.Table.from_batches([batch]) for batch in table.to_batches(BATCH_ROWS))
    return shelved((pa.table([_as_type(piece, field.name, field.type) for field in schema], schema=schema) for piece in pieces), schema)


def _as_type(table: pa.Table, name: str, kind: pa.DataType) -> Any:
    if name not in table.column_names:
        return pa.nulls(len(table), kind)
    column = table.column(name)
    if column.type == kind:
        return column
    if column.null_count == len(column):
        return pa.nulls(len(table), kind)
    return texts(column) if kind == pa.string() else column.cast(kind, safe=False)


def texts(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Values of any type as texts: those that are none as JSON."""
    return pa.array([None if value is None else value if isinstance(value, str) else as_text(value) for value in column.to_pylist()],
                    pa.string())  # fmt: skip


def fingerprint(table: pa.Table) -> str:
    """SHA-256 over the names, types and values of the columns, in hex, however the table is cut into chunks."""
    digest = hashlib.sha256(f"{table.num_rows}".encode())
    for name in table.column_names:
        column = table.column(name)
        digest.update(f"\0{name}\0{column.type}\0".encode("utf-8", "replace"))
        for start in range(0, len(column), BLOCK_ROWS):
            for data in _bytes(column.slice(start, BLOCK_ROWS)):
                digest.update(data)
    return digest.hexdigest()


def _bytes(values: pa.ChunkedArray) -> Iterator[Any]:
    """The values of a block as bytes that depend on nothing else; texts are not copied."""
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        import pyarrow.compute as pc  # as slow to load as pyarrow itself, and not needed for a sample

        for chunk in values.chunks:
            yield pc.fill_null(pc.binary_length(chunk), -1).to_numpy(zero_copy_only=False).astype("<i8").tobytes()
        for chunk in values.chunks:
            yield _content(chunk.drop_null())
    else:
        yield as_text(values.to_pylist()).encode("utf-8", "replace")


def _content(values: Any) -> Any:
    """The bytes of texts without a null, one behind the other."""
    _, offsets, data = values.buffers()
    if data is None:
        return b""
    first, last = (memoryview(offsets).cast("i")[values.offset + at] for at in (0, len(values)))
    return memoryview(data)[first:last]
