"""Intervals and paired tests, with outcomes that are not classes too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from tunewright.core.errors import UserError
from tunewright.metrics.classes import ClassOutcome, measure, rows_behind
from tunewright.metrics.intervals import bootstrap, mcnemar, paired_difference, paired_differences


@dataclass(frozen=True)
class Lengths:
    """An outcome of another task: how long each summary is."""

    values: np.ndarray

    def __len__(self):
        return len(self.values)

    def take(self, rows):
        return Lengths(self.values[rows])


def mean_of(outcome):
    return {"mean": float(outcome.values.mean())}


def tickets(rows, classes, accuracy, seed=0, wanted=None):
    rng = np.random.default_rng(seed)
    wanted = rng.integers(0, classes, rows) if wanted is None else wanted
    predicted = np.where(rng.random(rows) < accuracy, wanted, rng.integers(0, classes, rows))
    probabilities = rng.random((rows, classes))
    probabilities[np.arange(rows), predicted] += 2
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return ClassOutcome(tuple(f"queue {place}" for place in range(classes)), wanted, predicted, probabilities)


def test_the_interval_of_a_mean_is_that_of_theory_for_an_outcome_that_knows_no_classes():
    values = np.random.default_rng(1).normal(10, 3, 400)
    score = bootstrap(Lengths(values), mean_of, np.random.default_rng(0), resamples=2000)["mean"]
    half = 1.96 * values.std() / np.sqrt(400)
    assert score.value == pytest.approx(values.mean()) and score.rows == 400
    assert score.low == pytest.approx(values.mean() - half, abs=0.05)
    assert score.high == pytest.approx(values.mean() + half, abs=0.05)


def test_a_wider_level_gives_a_wider_interval_and_the_same_seed_the_same_one():
    outcome = tickets(200, 3, 0.8)
    narrow, wide, again = (bootstrap(outcome, measure, np.random.default_rng(4), level=level)["accuracy"] for level in (0.5, 0.99, 0.5))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    assert narrow == again


def test_nineteen_of_twenty_intervals_hold_the_truth():
    held = 0
    for seed in range(100):
        score = bootstrap(tickets(150, 2, 0.6, seed=seed), measure, np.random.default_rng(seed), resamples=200)["accuracy"]
        held += score.low <= 0.8 <= score.high  # 0.6 by knowing, half of the rest by luck
    assert 88 <= held <= 100


def test_every_score_lies_inside_its_own_interval():
    outcome = Lengths(np.r_[np.zeros(50), 100.0])
    score = bootstrap(outcome, lambda some: {"second": float(np.sort(some.values)[-2])}, np.random.default_rng(0), resamples=5)["second"]
    assert score.low <= score.value <= score.high
    few = bootstrap(tickets(9, 4, 0.5), measure, np.random.default_rng(0), resamples=3)
    assert len(few) > 10 and all(one.low <= one.value <= one.high for one in few.values())


def test_a_class_missing_from_some_resamples_is_told_and_the_interval_rests_on_the_others():
    wanted = np.r_[np.zeros(19, dtype=np.int64), 1]
    predicted = wanted.copy()
    predicted[0] = 1
    probabilities = np.eye(2)[predicted]
    outcome = ClassOutcome(("common", "rare"), wanted, predicted, probabilities)
    found = bootstrap(outcome, measure, np.random.default_rng(0), resamples=1000, rows=rows_behind(outcome))
    assert found.undefined["recall/rare"] == pytest.approx(1000 * (19 / 20) ** 20, abs=60)
    assert "accuracy" not in found.undefined and found.resamples == 1000
    assert found["recall/rare"].rows == 1 and found["recall/common"].rows == 19 and found["accuracy"].rows == 20


def test_five_right_of_five_is_not_sold_as_certain():
    wanted = np.array([0, 1, 0, 1, 1])
    score = bootstrap(ClassOutcome(("a", "b"), wanted, wanted, np.eye(2)[wanted]), measure, np.random.default_rng(0))["accuracy"]
    exact = stats.binomtest(5, 5).proportion_ci(0.95, method="exact")
    assert (score.value, score.high) == (1.0, 1.0)
    assert score.low == pytest.approx(exact.low)
    none_right = ClassOutcome(("a", "b"), wanted, 1 - wanted, np.eye(2)[1 - wanted])
    assert bootstrap(none_right, measure, np.random.default_rng(0))["accuracy"].high == pytest.approx(1 - exact.low)


def test_a_score_without_a_value_on_the_rows_is_undefined_and_not_quoted():
    found = bootstrap(Lengths(np.ones(5)), lambda some: {"mean": 1.0, "spread": float("nan")}, np.random.default_rng(0), resamples=50)
    assert list(found) == ["mean"] and found.undefined == {"spread": 50}


def test_a_measure_that_refuses_a_resample_leaves_it_out_but_one_that_refuses_the_rows_is_heard():
    def needs_both(outcome):
        if len(set(outcome.values.tolist())) < 2:
            raise UserError("only one value")
        return mean_of(outcome)

    found = bootstrap(Lengths(np.array([0.0, 1.0])), needs_both, np.random.default_rng(0), resamples=400)
    assert found.undefined["mean"] == pytest.approx(200, abs=50)
    with pytest.raises(UserError, match="only one value"):
        bootstrap(Lengths(np.zeros(3)), needs_both, np.random.default_rng(0))


def test_a_paired_difference_is_sharper_than_two_separate_intervals():
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 10, 300)
    ours, theirs = Lengths(hard + rng.normal(0.5, 0.5, 300)), Lengths(hard)
    difference = paired_difference(ours, theirs, mean_of, "mean", np.random.default_rng(1))
    apart = bootstrap(ours, mean_of, np.random.default_rng(1))["mean"]
    assert difference.low > 0, "half a point on the same rows is proven"
    assert difference.high - difference.low < (apart.high - apart.low) / 5
    assert difference.value == pytest.approx(ours.values.mean() - theirs.values.mean())


def test_the_same_answers_differ_by_nothing_and_every_score_is_paired():
    outcome = tickets(100, 3, 0.7)
    found = paired_differences(outcome, outcome, measure, np.random.default_rng(0), resamples=20)
    assert found.keys() == measure(outcome).keys()
    assert all((score.value, score.low, score.high) == (0, 0, 0) for score in found.values())


def test_a_paired_difference_refuses_other_rows_and_unknown_scores():
    ours = tickets(10, 2, 0.9)
    with pytest.raises(ValueError, match="10 and 8"):
        paired_difference(ours, tickets(8, 2, 0.9), measure, "accuracy", np.random.default_rng(0))
    with pytest.raises(UserError, match=r"'f1_makro'.*f1_macro"):
        paired_difference(ours, ours, measure, "f1_makro", np.random.default_rng(0), resamples=5)


@pytest.mark.parametrize(("ours_only", "theirs_only"), [(0, 0), (1, 0), (9, 2), (5, 5), (5, 6), (70, 31), (2000, 2103), (30_000, 0)])
def test_mcnemar_equals_the_exact_binomial_test(ours_only, theirs_only):
    ours = np.r_[np.ones(ours_only), np.zeros(theirs_only), np.ones(50), np.zeros(20)].astype(bool)
    theirs = np.r_[np.zeros(ours_only), np.ones(theirs_only), np.ones(50), np.zeros(20)].astype(bool)
    exact = stats.binomtest(ours_only, ours_only + theirs_only).pvalue if ours_only + theirs_only else 1.0
    assert mcnemar(ours, theirs) == pytest.approx(exact, rel=1e-9)


def test_a_thousand_resamples_of_banking_size_give_every_score_an_interval():
    found = bootstrap(tickets(3080, 77, 0.9), measure, np.random.default_rng(0))
    assert len(found) == 6 + 3 * 77
    assert all(score.low <= score.value <= score.high for score in found.values())
