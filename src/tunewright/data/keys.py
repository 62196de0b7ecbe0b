"""What tells of a row besides its text: the group it belongs to, and when it was written."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.core.errors import UserError


def group_codes(column: pa.ChunkedArray) -> np.ndarray:
    """(rows,) int64: the same number for the same value of a column, as text without blanks around it; -1 where it is missing or blank."""
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    encoded = pc.if_else(pc.equal(texts, ""), None, texts).combine_chunks().dictionary_encode()
    codes: np.ndarray = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def times(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """(rows,) float64: seconds since 1970 in UTC; NaN where there is no time.

    Takes dates and times of Arrow, numbers (seconds since 1970, or a year), and texts in ISO 8601.

    Raises:
        UserError: no value of the column is a time.
    """
    import pandas as pd

    if pa.types.is_temporal(column.type):
        stamps = column.cast(pa.timestamp("us")).cast(pa.int64())
        return np.asarray(stamps.to_numpy(zero_copy_only=False), dtype=np.float64) / 1e6
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    parsed = pd.to_datetime(pd.Series(column.cast(pa.string()).to_pylist()), utc=True, errors="coerce", format="ISO8601")
    found = parsed.astype("datetime64[us, UTC]").astype("int64").to_numpy().astype(np.float64) / 1e6
    found[parsed.isna().to_numpy()] = np.nan
    if np.isnan(found).all():
        raise UserError(f"no value of the column {name!r} is a time", "Wanted: dates or times in ISO 8601, as 2026-11-23T14:05:00",
                        "Correct data.split.time")  # fmt: skip
    return found
