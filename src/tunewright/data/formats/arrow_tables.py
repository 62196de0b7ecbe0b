"""Arrow tables put together, and what they hold in one number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from tunewright.data.formats.kinds import as_text, tell_mixed
from tunewright.data.formats.rows import Notes

BLOCK_ROWS = 1 << 14
TYPES = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64(), "bool": pa.bool_()}


def array(kind: str, values: Sequence[Any]) -> Any:
    """An Arrow array of a type by its name; of a name that is not one of ours, Arrow finds the type itself."""
    if kind.startswith("list<") and kind[5:-1] in TYPES:
        return pa.array(values, pa.list_(TYPES[kind[5:-1]]))
    return pa.array(values, TYPES[kind]) if kind in TYPES else pa.array(values)


def joined(tables: Sequence[pa.Table], last: Sequence[str], notes: Notes) -> pa.Table:
    """Tables below each other; a column that one of them lacks is null there, one that differs in type is told.

    Args:
        last: the columns that stand at the end.
    """
    types: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for field in table.schema:
            types.setdefault(field.name, set()).add(field.type)
    names = [name for name in types if name not in last] + list(last)
    wanted = {name: _one_type(name, types[name], tables, notes) for name in names}
    schema = pa.schema([(name, wanted[name]) for name in names])
    rows = [pa.table([_as_type(table, name, wanted[name]) for name in names], schema=schema) for table in tables]
    return pa.concat_tables(rows)


def _one_type(name: str, found: set[pa.DataType], tables: Sequence[pa.Table], notes: Notes) -> pa.DataType:
    filled = {table.column(name).type for table in tables if name in table.column_names and table.column(name).null_count < len(table)}
    found = filled or found
    if len(found) == 1:
        return found.pop()
    if all(pa.types.is_integer(one) or pa.types.is_floating(one) for one in found):
        return pa.float64() if any(pa.types.is_floating(one) for one in found) else pa.int64()
    tell_mixed(name, {"string" if one == pa.string() else str(one) for one in found}, notes)
    return pa.string()


def _as_type(table: pa.Table, name: str, kind: pa.DataType) -> Any:
    if name not in table.column_names:
        return pa.nulls(len(table), kind)
    column = table.column(name)
    if column.type == kind:
        return column
    if column.null_count == len(column):
        return pa.nulls(len(table), kind)
    if kind == pa.string():
        return pa.array(
            [None if value is None else value if isinstance(value, str) else as_text(value) for value in column.to_pylist()], kind
        )
    return column.cast(kind, safe=False)


def fingerprint(table: pa.Table) -> str:
    """SHA-256 over the names, types and values of the columns, in hex, however the table is cut into chunks."""
    digest = hashlib.sha256(f"{table.num_rows}".encode())
    for name in table.column_names:
        column = table.column(name)
        digest.update(f"\0{name}\0{column.type}\0".encode("utf-8", "replace"))
        for start in range(0, len(column), BLOCK_ROWS):
            for data in _bytes(column.slice(start, BLOCK_ROWS).combine_chunks()):
                digest.update(data)
    return digest.hexdigest()


def _bytes(values: Any) -> Iterator[bytes]:
    """The values of an array as bytes that depend on nothing else."""
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.nulls(0, values.type)
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        import pyarrow.compute as pc  # as slow to load as pyarrow itself, and not needed for a sample

        yield pc.fill_null(pc.binary_length(values), -1).to_numpy(zero_copy_only=False).astype("<i8").tobytes()
        for value in values.drop_null().to_pylist():
            yield value.encode() if isinstance(value, str) else value
    else:
        yield as_text(values.to_pylist()).encode("utf-8", "replace")
