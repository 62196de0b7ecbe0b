"""From a table's own columns to the task's roles: names, and labels as strings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.core.errors import UserError, hint
from tunewright.core.schema import Finding
from tunewright.data.formats.arrow_tables import texts
from tunewright.data.read import require_columns
from tunewright.data.shelf import remade
from tunewright.tasks.base import Role
from tunewright.tasks.text_classification import split_labels

OURS = ("_file", "_row")


@dataclass(frozen=True)
class Named:
    """Rows under the names of their roles.

    Args:
        rows: roles, other own columns, ``_file``, ``_row``.
        roles: those that have a column, text roles first.
        columns: role -> the table's column.
        findings: own columns that had to be renamed.
    """

    rows: pa.Table
    roles: tuple[Role, ...]
    columns: dict[str, str]
    findings: tuple[Finding, ...]


def wanted_columns(tables: Mapping[str, Sequence[str]], roles: Sequence[Role], columns: Mapping[str, str]) -> dict[str, str]:
    """Role -> column, for the roles that have one.

    Args:
        tables: what each table is called in a message -> its column names.
        roles: the task's.
        columns: the recipe's ``data.columns``.

    Raises:
        UserError: the recipe names a role that the task does not have, or a table lacks a column.
    """
    names = [role.name for role in roles]
    for role in columns:
        if role not in names:
            raise UserError(f"data.columns names a role {role!r} that the task does not have", hint(role, names))
    everywhere = [column for found in tables.values() for column in found]
    wanted = {
        role.name: columns.get(role.name, role.name) for role in roles if role.needed or role.name in columns or role.name in everywhere
    }
    for where, found in tables.items():
        require_columns(found, wanted, where)
    return wanted


def in_roles(rows: pa.Table, roles: Sequence[Role], columns: Mapping[str, str], separator: str | None) -> Named:
    """Put the roles under their own names, texts as strings and labels as strings or lists of strings.

    Args:
        rows: own columns, ``_file``, ``_row``.
        roles: the task's.
        columns: role -> column, as ``wanted_columns`` gives it.
        separator: what stands between several labels in one cell; None finds out.

    Raises:
        UserError: a column holds what cannot be a text or a label.
    """
    there = tuple(role for role in roles if role.name in columns)
    parts = {role.name: _values(rows[columns[role.name]], role, columns[role.name], separator) for role in there}
    findings = []
    for own in rows.column_names:
        if own in OURS or own in columns.values():
            continue
        name = _free(own, [*parts, *rows.column_names]) if own in parts else own
        if name != own:
            findings.append(_renamed(own, name, columns[own]))
        parts[name] = rows[own]
    return Named(pa.table({**parts, **{name: rows[name] for name in OURS}}), there, dict(columns), tuple(findings))


def stacked(tables: Sequence[pa.Table]) -> tuple[pa.Table, tuple[Finding, ...]]:
    """Several tables as one; a column that they hold in types that do not go together is kept as text, and told."""
    findings = []
    for name in dict.fromkeys(name for table in tables for name in table.column_names):
        types = [table.schema.field(name).type for table in tables if name in table.column_names]
        if not _go_together(types):
            shown = ", ".join(dict.fromkeys(map(str, types)))
            findings.append(
                Finding(
                    rule="column-type",
                    severity="info",
                    message=f"column {name!r} has several types in the source ({shown}): kept as text",
                    remedy="Write the column in one type in every file",
                )
            )
            tables = [_as_text(table, name) if name in table.column_names else table for table in tables]
    plain = [table.replace_schema_metadata(None) for table in tables]
    return pa.concat_tables(plain, promote_options="permissive"), tuple(findings)


def label_text(column: pa.ChunkedArray | pa.Array, name: str) -> pa.ChunkedArray:
    """Labels as strings: ``3`` for 3 and for 3.0, ``true`` for True; missing stays null.

    Raises:
        UserError: the labels are fractions, or no plain values at all.
    """
    return _remade(column, lambda values: _label_text(values, name), pa.string())


def labels_text(column: pa.ChunkedArray | pa.Array, name: str, separator: str | None) -> pa.ChunkedArray:
    """Several labels per row as lists of strings; a list or JSON list as it is, a text cut at ``separator``; missing or blank is null.

    Raises:
        UserError: the labels are fractions, or no plain values at all.
    """
    return _remade(column, lambda values: _labels_text(values, name, separator), pa.list_(pa.string()))


def _remade(column: pa.ChunkedArray | pa.Array, make: Callable[[pa.Array], pa.Array], kind: pa.DataType) -> pa.ChunkedArray:
    """A column in another type; a column of texts that stays what it is is not written again."""
    column = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    return column if column.type == kind == pa.string() else remade(column, make, kind)


def _label_text(values: pa.Array, name: str) -> pa.Array:
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _label_text(values.dictionary_decode(), name)
    if pa.types.is_floating(kind):
        return _whole_numbers(values, name).cast(pa.string())
    if pa.types.is_nested(kind):
        raise UserError(
            f"the label column {name!r} holds {_what(kind)}",
            "A label is a name: a text or a whole number",
            "For several labels per row write task: {name: text-classification, multi_label: true}",
        )
    return _cast(values, name, "label")


def _labels_text(values: pa.Array, name: str, separator: str | None) -> pa.Array:
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _labels_text(values.dictionary_decode(), name, separator)
    if _is_list(kind):
        flat = _label_text(pc.list_flatten(values), name).to_pylist()
        lengths = pc.list_value_length(values).to_pylist()
        at, lists = 0, []
        for length in lengths:
            lists.append(None if length is None else list(dict.fromkeys(flat[at : at + length])))
            at += length or 0
        return pa.array(lists, pa.list_(pa.string()))
    cells = _label_text(values, name).to_pylist()
    cut = [None if cell is None or not cell.strip() else list(dict.fromkeys(split_labels(cell, separator))) for cell in cells]
    return pa.array(cut, pa.list_(pa.string()))


def _values(column: pa.ChunkedArray, role: Role, name: str, separator: str | None) -> pa.ChunkedArray:
    if role.kind == "label":
        return label_text(column, name)
    if role.kind == "labels":
        return labels_text(column, name, separator)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise UserError(
            f"the column {name!r} for the role {role.name!r} holds {_what(kind)}",
            "A text was wanted",
            f"Name the column with the text: data.columns.{role.name}",
        )
    return _remade(column, lambda values: _cast(values, name, role.name), pa.string())


def _whole_numbers(values: pa.Array, name: str) -> pa.Array:
    """Floats that are whole as int64, NaN as null."""
    values = pc.if_else(pc.is_nan(values), None, values)
    fractions = pc.invert(pc.equal(pc.floor(values), values))
    if pc.any(pc.fill_null(pc.or_(fractions, pc.is_inf(values)), False)).as_py():
        some = ", ".join(f"{one:g}" for one in pc.unique(values.filter(fractions)).slice(0, 3).to_pylist()) or "inf"
        raise UserError(
            f"the label column {name!r} holds fractions ({some}...): it is a label column of floats",
            "For numbers a regression is wanted, which this task is not; a label is a name or a whole number",
            "Check data.columns.label: is it the right column?",
        )
    return values.cast(pa.int64())


def _cast(values: pa.Array, name: str, role: str) -> pa.Array:
    try:
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(
            f"the column {name!r} for the role {role!r} holds {values.type}, which cannot be read as text ({error})",
            "A text or a whole number was wanted",
            f"Name another column: data.columns.{role}",
        ) from None


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _what(kind: pa.DataType) -> str:
    return "lists" if _is_list(kind) else "records" if pa.types.is_struct(kind) or pa.types.is_map(kind) else str(kind)


def _go_together(types: Sequence[pa.DataType]) -> bool:
    try:
        pa.unify_schemas([pa.schema([("x", kind)]) for kind in types], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True


def _as_text(table: pa.Table, name: str) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, remade(table[name], texts, pa.string()))


def _free(own: str, taken: Sequence[str]) -> str:
    """A name for an own column that no other column has."""
    names = [f"own_{own}", *(f"own_{own}_{number}" for number in np.arange(2, len(taken) + 3).tolist())]
    return next(name for name in names if name not in taken)


def _renamed(own: str, name: str, column: str) -> Finding:
    return Finding(
        rule="column-renamed",
        severity="info",
        remedy=f"Rename the column in the file if {name!r} does not please",
        message=f"the table's own column {own!r} is called {name!r} in the dataset, because the column {column!r} plays the role {own!r}",
    )
