"""Numbers, as a regression learns them."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.core.errors import UserError
from tunewright.data.values.base import Values, as_text, what_it_is
from tunewright.tasks.base import Role

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
GROUPED = re.compile(r"[+-]?\d{1,3}(?:([,.' \u00a0\u202f])\d{3})(?:\1\d{3})*(?:[,.]\d+)?")


def read(column: pa.ChunkedArray, role: Role, name: str) -> Values:
    """Numbers as float64; a missing or blank cell is null, and one that holds no finite number is null with the reason.

    A decimal comma is read where the whole column is written so (``3,5``).

    Raises:
        UserError: the column holds lists, records or bytes; or none of its cells holds a number.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_boolean(kind):
        return _checked(column, column.cast(kind).cast(pa.float64()))
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_temporal(kind):
        raise UserError(f"the column {name!r} for the role {role.name!r} holds {what_it_is(kind)}", "A number was wanted",
                        f"Name the column with the number: data.columns.{role.name}")  # fmt: skip
    cells = [cell for chunk in column.chunks for cell in as_text(chunk, name, role.name).to_pylist()]
    comma = _decimal_comma(cells)
    found = [_number(cell, comma) for cell in cells]
    if cells and not any(isinstance(one, float) for one in found):
        shown = ", ".join(repr(cell) for cell in dict.fromkeys(cell for cell in cells if cell and cell.strip()))[:80]
        raise UserError(f"the column {name!r} for the role {role.name!r} holds no number{f' ({shown}...)' if shown else ''}",
                        "A column of numbers was wanted, as 3.5 or 3,5", f"Name it: data.columns.{role.name}")  # fmt: skip
    numbers = pa.chunked_array([pa.array([one if isinstance(one, float) else None for one in found], pa.float64())])
    faults = [one if isinstance(one, str) else None for one in found]
    return Values(numbers, pa.chunked_array([pa.array(faults, pa.string())]) if any(faults) else None)


def _checked(column: pa.ChunkedArray, numbers: pa.ChunkedArray) -> Values:
    """Infinite numbers set aside; NaN counts as missing."""
    numbers = pc.if_else(pc.is_nan(numbers), None, numbers)
    infinite = pc.fill_null(pc.is_inf(numbers), False)
    if not pc.any(infinite).as_py():
        return Values(numbers)
    told = pc.if_else(infinite, "the number is infinite", pa.scalar(None, pa.string()))
    return Values(pc.if_else(infinite, None, numbers), told)


def _number(cell: str | None, comma: bool) -> float | str | None:
    """The number of a cell, None where it is blank, or why there is none."""
    text = (cell or "").strip().replace("\u2212", "-")
    if not text or text.lower() in {"nan", "na", "n/a", "null", "none", "<na>", "-"}:
        return None
    plain = text.replace(",", ".") if comma else text
    if not NUMBER.fullmatch(plain):
        return f"{text[:60]!r} is no number"
    value = float(plain)
    return value if np.isfinite(value) else f"{text[:60]!r} is no finite number"


def _decimal_comma(cells: list[str | None]) -> bool:
    """Whether numbers are written with a decimal comma: some are, none with a point, and none is grouped by thousands."""
    texts = [cell.strip() for cell in cells if cell]
    commas = [text for text in texts if text.count(",") == 1 and NUMBER.fullmatch(text.replace(",", "."))]
    return bool(commas) and not any("." in text for text in texts if NUMBER.fullmatch(text)) and not all(map(GROUPED.fullmatch, commas))
