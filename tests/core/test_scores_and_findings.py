from __future__ import annotations

import math

import pytest

from tunewright.core.errors import BadConfig
from tunewright.core.schema import Finding, Place, Score


def test_a_score_is_told_with_its_interval_and_its_rows() -> None:
    assert str(Score(value=0.91234, low=0.9, high=0.95, rows=120)) == "0.912 [0.900, 0.950] n=120"


@pytest.mark.parametrize(("value", "low", "high"), [(0.5, 0.6, 0.7), (0.8, 0.6, 0.7), (math.nan, 0, 1), (0.5, -math.inf, 1)])
def test_a_score_outside_its_interval_or_without_a_number_is_refused(value: float, low: float, high: float) -> None:
    with pytest.raises(BadConfig, match=r"outside its own interval|finite number"):
        Score.read({"value": value, "low": low, "high": high, "rows": 3})


def test_a_finding_and_its_places_are_told_in_words() -> None:
    place = Place(file="a.csv", row=3)
    assert str(place) == "a.csv row 3"
    finding = Finding(rule="empty-text", severity="warning", message="1 row is empty", remedy="Drop it", places=(place,))
    assert (str(finding), finding.action) == ("empty-text: 1 row is empty", "keep")
