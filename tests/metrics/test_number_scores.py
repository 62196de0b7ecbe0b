"""Scores of numbers equal those of scipy and scikit-learn, on numbers as they come: tied, tiny, huge, constant."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats
from sklearn import metrics as theirs

from tunewright.core.chance import array_generator
from tunewright.core.errors import Diverged, UserError
from tunewright.metrics import FAMILIES
from tunewright.metrics.classes import higher_is_better
from tunewright.metrics.intervals import bootstrap
from tunewright.metrics.numbers import NumberOutcome, measure
from tunewright.metrics.own import resolve

SCORES = ["pearson", "spearman", "r2", "mean_absolute_error", "root_mean_squared_error"]
NUMBERS = some.one_of(some.integers(-3, 3).map(float), some.floats(-1e6, 1e6).map(lambda one: round(one, 3)))
PAIRS = some.lists(some.tuples(NUMBERS, NUMBERS), min_size=2, max_size=40)


def outcome(wanted: list[float], answered: list[float]) -> NumberOutcome:
    return NumberOutcome(np.array(wanted, dtype=float), np.array(answered, dtype=float))


@settings(max_examples=150, deadline=None)
@given(PAIRS)
def test_every_score_equals_that_of_scipy_and_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    wanted, answered = (list(column) for column in zip(*pairs, strict=True))
    found = measure(outcome(wanted, answered))
    assert found["mean_absolute_error"] == pytest.approx(theirs.mean_absolute_error(wanted, answered))
    assert found["root_mean_squared_error"] == pytest.approx(theirs.root_mean_squared_error(wanted, answered))
    if len(set(wanted)) > 1:
        assert found["r2"] == pytest.approx(theirs.r2_score(wanted, answered), rel=1e-6, abs=1e-9)
    if len(set(wanted)) > 1 and len(set(answered)) > 1:
        assert found["pearson"] == pytest.approx(stats.pearsonr(wanted, answered).statistic, abs=1e-6)
        assert found["spearman"] == pytest.approx(stats.spearmanr(wanted, answered).statistic, abs=1e-9)
    assert set(found) <= set(SCORES)


def test_constant_answers_have_no_correlation_and_constant_wishes_no_r2() -> None:
    assert set(measure(outcome([1, 2, 3], [2, 2, 2]))) == set(SCORES) - {"pearson", "spearman"}
    assert set(measure(outcome([2, 2], [1, 3]))) == {"mean_absolute_error", "root_mean_squared_error"}
    drawn = bootstrap(outcome([1, 2, 3, 4], [2, 2, 2, 2]), measure, array_generator(0, "bootstrap"), resamples=100)
    assert "pearson" not in drawn and "r2" in drawn


def test_tiny_and_huge_numbers_keep_their_correlation() -> None:
    for factor in (1e-100, 1e100):
        assert measure(outcome([1, 2, 3], [1 * factor, 2 * factor, 4 * factor]))["pearson"] == pytest.approx(0.98198, abs=1e-5)


def test_errors_are_better_when_smaller_and_the_others_when_larger() -> None:
    assert [name for name in SCORES if higher_is_better(name)] == ["pearson", "spearman", "r2"]


def test_no_rows_infinite_answers_and_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="no row to measure"):
        measure(outcome([], []))
    with pytest.raises(Diverged, match=r"not finite.*lower train\.learning_rate"):
        outcome([1.0], [math.nan])
    with pytest.raises(ValueError, match="one number per row"):
        outcome([1.0, 2.0], [1.0])


@pytest.mark.parametrize("name", sorted(FAMILIES["numbers"].names))
def test_each_can_be_asked_for_by_name(name: str, tmp_path: object) -> None:
    found = outcome([1, 2, 3, 5], [1, 2, 4, 4.5])
    ((key, value),) = resolve(name, tmp_path, "numbers")(found).items()  # type: ignore[arg-type]
    assert key == name and value == pytest.approx(measure(found).get(name, {"largest_error": 1.0, "median_absolute_error": 0.25}.get(name)))
    constant = resolve(name, tmp_path, "numbers")(outcome([1, 1], [2, 2]))  # type: ignore[arg-type]
    assert set(constant) == ({name} if name.endswith("error") else set()), "what has no value is left out"
