"""Texts: whatever one cell holds, as a string."""

from __future__ import annotations

import pyarrow as pa

from tunewright.core.errors import UserError
from tunewright.data.values.base import Values, as_text, remade_column, what_it_is
from tunewright.tasks.base import Role


def read(column: pa.ChunkedArray, role: Role, name: str) -> Values:
    """Texts as strings; missing stays null.

    Raises:
        UserError: the column holds lists, records or bytes.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise UserError(
            f"the column {name!r} for the role {role.name!r} holds {what_it_is(kind)}",
            "A text was wanted",
            f"Name the column with the text: data.columns.{role.name}",
        )
    return Values(remade_column(column, lambda values: as_text(values, name, role.name), pa.string()))
