"""From cells to the values of a role: numbers as people and programs write them, and the reason where there is none."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tunewright.core.errors import UserError
from tunewright.data.values import KINDS
from tunewright.data.values.numbers import read
from tunewright.tasks.base import Role

ROLE = Role("number", "number", "the number")


def numbers(cells: list[Any], kind: pa.DataType | None = None) -> tuple[list[Any], list[Any]]:
    found = read(pa.chunked_array([pa.array(cells, kind)]), ROLE, "stars")
    return found.column.to_pylist(), [None] * len(cells) if found.faults is None else found.faults.to_pylist()


def test_every_kind_has_its_reader() -> None:
    assert len(KINDS) >= 4 and "number" in KINDS


def test_numbers_are_read_as_they_are_written() -> None:
    assert numbers([" 3.5", "-2", "1e3", "\u22124", "", None, "N/A"])[0] == [3.5, -2.0, 1000.0, -4.0, None, None, None]
    assert numbers([1, None, 3])[0] == [1.0, None, 3.0]
    assert numbers([1.5, float("nan")])[0] == [1.5, None]
    assert numbers([True, False])[0] == [1.0, 0.0]


def test_a_decimal_comma_counts_where_the_whole_column_is_written_so() -> None:
    assert numbers(["3,5", "4", "0,25"])[0] == [3.5, 4.0, 0.25]
    values, faults = numbers(["3,5", "4.5"])
    assert values == [None, 4.5] and faults == ["'3,5' is no number", None]
    assert numbers(["1,000", "12"])[0] == [None, 12.0], "thousands are not taken for a decimal comma"


def test_words_and_infinite_numbers_are_faults_with_their_reason() -> None:
    assert numbers(["2", "great"]) == ([2.0, None], [None, "'great' is no number"])
    assert numbers(["2", "1e999"])[1] == [None, "'1e999' is no finite number"]
    assert numbers([1.0, float("inf")]) == ([1.0, None], [None, "the number is infinite"])


@pytest.mark.parametrize("cells", [["good", "bad"], [[1.0], [2.0]]])
def test_a_column_without_any_number_is_refused(cells: list[Any]) -> None:
    with pytest.raises(UserError, match=r"the column 'stars' for the role 'number' holds .*Name .*data\.columns\.number"):
        numbers(cells)
