"""From a table's own columns to the task's roles: names, and labels as strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import pyarrow as pa

from tunewright.core.errors import UserError, hint
from tunewright.core.schema import Finding
from tunewright.data.audit.base import fault_column
from tunewright.data.formats.arrow_tables import texts
from tunewright.data.read import require_columns
from tunewright.data.shelf import remade
from tunewright.data.values import KINDS
from tunewright.data.values.base import Values
from tunewright.tasks.base import Role

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


def in_roles(rows: pa.Table, roles: Sequence[Role], columns: Mapping[str, str]) -> Named:
    """Put the roles under their own names, each with the values of its kind; what could not be read of one stands in a column of faults.

    Args:
        rows: own columns, ``_file``, ``_row``.
        roles: the task's.
        columns: role -> column, as ``wanted_columns`` gives it.

    Raises:
        UserError: a column holds what its role cannot have.
    """
    there = tuple(role for role in roles if role.name in columns)
    read = {role.name: _values(rows[columns[role.name]], role, columns[role.name]) for role in there}
    parts = {name: values.column for name, values in read.items()}
    findings = []
    for own in rows.column_names:
        if own in OURS or own in columns.values():
            continue
        name = _free(own, [*parts, *rows.column_names]) if own in parts else own
        if name != own:
            findings.append(_renamed(own, name, columns[own]))
        parts[name] = rows[own]
    faults = {fault_column(name): values.faults for name, values in read.items() if values.faults is not None}
    return Named(pa.table({**parts, **faults, **{name: rows[name] for name in OURS}}), there, dict(columns), tuple(findings))


def _values(column: pa.ChunkedArray, role: Role, name: str) -> Values:
    module, _, function = KINDS[role.kind].partition(":")
    found: Values = getattr(import_module(module), function)(column, role, name)
    return found


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
