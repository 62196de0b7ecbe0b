"""What tells of a row besides its text: the group it belongs to, and when it was written."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.core.errors import UserError
from tunewright.data.audit.base import per_row

WANTED = "Wanted: dates or times in ISO 8601 (as 2026-11-23T14:05:00), or numbers that grow with time"


def group_codes(column: pa.ChunkedArray, name: str = "the group") -> np.ndarray:
    """(rows,) int64: the same number for the same value of a column, as text without blanks around it; -1 where it is missing or blank.

    Raises:
        UserError: the values are no plain ones (lists, mappings).
    """
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    try:
        texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        told = f"the values of the column {name!r} are {column.type}"
        raise UserError(told, "Wanted: texts or numbers that say which rows belong together", "Correct data.split.group") from None
    encoded = pc.if_else(pc.equal(texts, ""), None, texts).dictionary_encode().unify_dictionaries()
    return per_row(encoded, lambda chunk: chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64))


def times(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """(rows,) float64: seconds since 1970 in UTC; NaN where there is no time.

    Takes dates and times of Arrow, numbers (seconds since 1970, a year: whatever grows with time), and texts in ISO 8601.

    Raises:
        UserError: no value of the column is a time.
    """
    if pa.types.is_time(column.type) or pa.types.is_duration(column.type) or pa.types.is_nested(column.type):
        raise UserError(f"the values of the column {name!r} are {column.type}", WANTED, "Correct data.split.time")
    if pa.types.is_temporal(column.type):
        stamps = column.cast(pa.timestamp("us")).cast(pa.int64())
        found = per_row(stamps, lambda chunk: np.asarray(chunk.to_numpy(zero_copy_only=False), dtype=np.float64) / 1e6)
    elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        found = per_row(column.cast(pa.float64(), safe=False), lambda chunk: chunk.to_numpy(zero_copy_only=False).astype(np.float64))
    else:
        texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
        texts = pc.if_else(pc.equal(texts, ""), None, texts)
        try:
            return times(pc.cast(texts, pa.float64()), name)
        except pa.ArrowInvalid:
            found = per_row(texts, _read_times)
    if np.isnan(found).all():
        raise UserError(f"no value of the column {name!r} is a time", WANTED, "Correct data.split.time")
    return np.where(np.isfinite(found), found, np.nan)


def _read_times(texts: pa.Array) -> np.ndarray:
    """Seconds since 1970 of texts in ISO 8601."""
    import pandas as pd

    parsed = pd.to_datetime(pd.Series(texts.to_pylist(), dtype="str"), utc=True, errors="coerce", format="ISO8601")
    found = parsed.astype("datetime64[us, UTC]").astype("int64").to_numpy().astype(np.float64) / 1e6
    found[parsed.isna().to_numpy()] = np.nan
    return found
