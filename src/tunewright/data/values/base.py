"""What the readers of a role's values share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

from tunewright.core.errors import UserError
from tunewright.data.shelf import remade


class Values(NamedTuple):
    """A column as its role has it.

    Args:
        column: (rows,) values of the role's kind; null where there is none.
        faults: (rows,) string, why a value that stands in the table could not be read; null where it could. None where all could.
    """

    column: pa.ChunkedArray
    faults: pa.ChunkedArray | None = None


def remade_column(column: pa.ChunkedArray | pa.Array, make: Callable[[pa.Array], pa.Array], kind: pa.DataType) -> pa.ChunkedArray:
    """A column in another type; a column of texts that stays what it is is not written again."""
    column = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    return column if column.type == kind == pa.string() else remade(column, make, kind)


def as_text(values: pa.Array, name: str, role: str) -> pa.Array:
    try:
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(
            f"the column {name!r} for the role {role!r} holds {values.type}, which cannot be read as text ({error})",
            "A text or a whole number was wanted",
            f"Name another column: data.columns.{role}",
        ) from None


def is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def what_it_is(kind: pa.DataType) -> str:
    return "lists" if is_list(kind) else "records" if pa.types.is_struct(kind) or pa.types.is_map(kind) else str(kind)
