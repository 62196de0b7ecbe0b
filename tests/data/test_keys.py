from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest

from tunewright.core.errors import UserError
from tunewright.data.keys import group_codes, times


def column(values, kind=None, chunks=3):
    whole = pa.array(values, kind)
    step = max(len(values) // chunks, 1)
    return pa.chunked_array([whole.slice(at, step) for at in range(0, len(values), step)], type=whole.type)


def test_the_same_customer_has_the_same_number_in_every_chunk_and_a_blank_one_none():
    assert group_codes(column(["a", " b", None, "b ", "a", "", "c"])).tolist() == [0, 1, -1, 1, 0, -1, 2]
    assert group_codes(column([7, 8, None, 7], pa.int64())).tolist() == [0, 1, -1, 0]
    assert group_codes(column([7.0, float("nan"), float("nan"), 7.0])).tolist() == [0, -1, -1, 0]


def test_lists_are_no_groups():
    with pytest.raises(UserError, match=r"column 'who' are list<.*Correct data.split.group"):
        group_codes(column([["a"], ["b"]]), "who")


def test_times_are_read_from_texts_dates_and_numbers():
    new_year = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    texts = ["2026-01-01", "2026-01-01T00:00:01Z", " 2026-01-01T02:00:00+02:00", "soon", None, "2025-12-31 23:59:59"]
    assert times(column(texts), "at")[[0, 1, 2, 5]].tolist() == [new_year, new_year + 1, new_year, new_year - 1]
    assert np.isnan(times(column(texts), "at")[[3, 4]]).all()
    assert times(column([date(2026, 1, 1), None]), "at")[0] == new_year
    assert times(column([2024, 2025, None], pa.int64()), "at")[:2].tolist() == [2024, 2025]
    assert times(column([" 1767225600", "", "1767225601.5"]), "at")[[0, 2]].tolist() == [new_year, new_year + 1.5]
    assert np.isnan(times(column([1.0, float("inf")]), "at")[1])
    abroad = column([datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))], pa.timestamp("us", "Europe/Paris"))
    assert times(abroad, "at").tolist() == [new_year]


@pytest.mark.parametrize("values", [["soon", "later"], [None, None], [["2026"]]])
def test_a_column_without_any_time_is_told(values):
    with pytest.raises(UserError, match=r"column 'at'.*ISO 8601.*Correct data.split.time"):
        times(column(values, pa.string() if values == [None, None] else None), "at")
