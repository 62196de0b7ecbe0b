"""What a training tells of its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tunewright.review.dynamics import doubted, dynamics


def line(**rows: tuple[float | None, float | None]) -> dict[str, Any]:
    return {
        "row": [int(name[1:]) for name in rows],
        "loss": [loss for loss, _ in rows.values()],
        "margin": [margin for _, margin in rows.values()],
    }


STEPS = [
    line(r0=(0.1, 2.0), r1=(2.0, -1.0)),
    line(r2=(0.5, 0.5)),
    line(r2=(1.5, -0.5), r0=(0.3, 4.0)),
    line(r1=(1.0, 3.0), r3=(None, None)),
]


def test_means_and_forgetting_of_each_row() -> None:
    found = dynamics(STEPS, 5)
    assert found.seen.tolist() == [2, 2, 2, 0, 0]
    np.testing.assert_allclose(found.loss, [0.2, 1.5, 1.0, np.nan, np.nan])
    np.testing.assert_allclose(found.margin, [3.0, 1.0, 0.0, np.nan, np.nan])
    assert found.forgotten.tolist() == [0, 0, 1, 0, 0]
    assert [found.said(row) for row in (0, 2, 3)] == ["loss 0.20, margin +3.0", "loss 1.00, margin +0.0, forgotten 1x", ""]


def test_a_small_margin_raises_doubt_and_rows_that_were_never_seen_keep_theirs() -> None:
    found = dynamics(STEPS, 5)
    score = doubted(np.full(5, 0.5), found)
    np.testing.assert_allclose(score, 1 / (1 + np.exp([0.6, 0.0, -0.3, 0.0, 0.0])))  # 2 above, on and 1 below the median; twice unseen
    assert doubted(np.array([0.0, 1.0, 1.0, 0.0, 1.0]), found)[[3, 4]].tolist() == [0.0, 1.0]
    few = found.of(np.array([3, 4]))
    assert few.seen.tolist() == [0, 0] and doubted(np.array([0.3, 0.4]), few).tolist() == [0.3, 0.4]


@pytest.mark.parametrize(
    "bad",
    [line(r5=(1.0, 1.0)), line(r0=(1.0, 1.0)) | {"loss": []}, {"row": [0]}, {"row": ["x"], "loss": [1], "margin": [1]}, {"row": None}],
)
def test_a_file_of_another_form_is_told(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a line"):
        dynamics([bad], 5)
