"""Scores of a classification, against scikit-learn as the oracle."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from tunewright.core.errors import Diverged, UserError
from tunewright.metrics.classes import (
    NEVER_TRAINED,
    ClassOutcome,
    best_thresholds,
    confusion,
    counts,
    higher_is_better,
    measure,
    rows_behind,
)


def single(wanted, predicted, classes, seed=0):
    """An outcome whose probabilities agree with what was predicted."""
    predicted = np.asarray(predicted, dtype=np.int64)
    probabilities = np.random.default_rng(seed).random((len(predicted), classes))
    probabilities[np.arange(len(predicted)), predicted] += 1
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return ClassOutcome(tuple(f"class {place}" for place in range(classes)), np.asarray(wanted, dtype=np.int64), predicted, probabilities)


def several(wanted, probabilities):
    probabilities = np.asarray(probabilities, dtype=np.float64)
    names = tuple(f"label {place}" for place in range(probabilities.shape[1]))
    return ClassOutcome(names, np.asarray(wanted, dtype=bool), probabilities >= 0.5, probabilities)


def oracle_single(outcome):
    """The same numbers from scikit-learn; never-trained labels are class -1, whose probability is 0."""
    wanted, predicted, classes = outcome.wanted, outcome.predicted, len(outcome.names)
    with_stranger = np.hstack([np.zeros((len(wanted), 1)), outcome.probabilities])
    scores = {
        "accuracy": oracle.accuracy_score(wanted, predicted),
        "balanced_accuracy": oracle.balanced_accuracy_score(wanted, predicted),
        "f1_macro": oracle.f1_score(wanted, predicted, average="macro", zero_division=0),
        "f1_weighted": oracle.f1_score(wanted, predicted, average="weighted", zero_division=0),
        "mcc": oracle.matthews_corrcoef(wanted, predicted),
        "log_loss": oracle.log_loss(wanted, with_stranger, labels=range(-1, classes)),
    }
    columns = oracle.precision_recall_fscore_support(wanted, predicted, labels=range(classes), zero_division=0)
    for place, (precision, recall, f1, support) in enumerate(zip(*columns, strict=True)):
        if support:
            scores |= {f"recall/class {place}": recall, f"f1/class {place}": f1}
        if support or (predicted == place).any():
            scores[f"precision/class {place}"] = precision
    return scores


def oracle_several(outcome):
    wanted, predicted = outcome.wanted, outcome.predicted
    per_label = [oracle.log_loss(flags, column, labels=[0, 1]) for flags, column in zip(wanted.T, outcome.probabilities.T, strict=True)]
    return {
        "f1_micro": oracle.f1_score(wanted, predicted, average="micro", zero_division=0),
        "f1_macro": oracle.f1_score(wanted, predicted, average="macro", zero_division=0),
        "subset_accuracy": oracle.accuracy_score(wanted, predicted),
        "hamming_loss": oracle.hamming_loss(wanted, predicted),
        "log_loss": np.mean(per_label),
    }


def assert_equal(ours, theirs):
    assert ours.keys() == theirs.keys()
    assert all(np.isfinite(value) for value in ours.values())
    np.testing.assert_allclose([ours[name] for name in theirs], list(theirs.values()), rtol=1e-9, atol=1e-12)


answers = st.integers(2, 6).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(st.integers(-1, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=40),
    )
)


@settings(max_examples=150, deadline=None)
@given(answers)
def test_every_single_label_score_equals_scikit_learn(given_answers):
    classes, pairs = given_answers
    outcome = single([wanted for wanted, _ in pairs], [predicted for _, predicted in pairs], classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_equal(measure(outcome), oracle_single(outcome))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(2, 5), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_every_multi_label_score_equals_scikit_learn(seed, rows, labels, share):
    rng = np.random.default_rng(seed)
    outcome = several(rng.random((rows, labels)) < share, rng.random((rows, labels)).round(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = measure(outcome)
        assert_equal({name: value for name, value in ours.items() if "/" not in name}, oracle_several(outcome))
        f1 = oracle.f1_score(outcome.wanted, outcome.predicted, average=None, zero_division=0)
    for place, value in enumerate(f1):
        name = f"f1/label {place}"
        assert (name in ours) == bool(outcome.wanted[:, place].any())
        assert ours.get(name, value) == pytest.approx(value)


def test_large_random_rows_equal_scikit_learn_too():
    rng = np.random.default_rng(3)
    wanted = rng.integers(-1, 77, 3080)
    outcome = single(wanted, np.where(rng.random(3080) < 0.8, np.maximum(wanted, 0), rng.integers(0, 77, 3080)), 77)
    assert_equal(measure(outcome), oracle_single(outcome))


@pytest.mark.parametrize("predicted", [[0, 0, 0], [1, 1, 1], [0, 1, 0]])
def test_a_test_set_of_one_class_still_gives_finite_scores(predicted):
    outcome = single([0, 0, 0], predicted, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_equal(measure(outcome), oracle_single(outcome))


def test_a_class_without_test_rows_has_no_recall_and_the_counts_tell_why():
    outcome = single([0, 0, 1], [0, 2, 1], 4)
    scores = measure(outcome)
    assert "recall/class 2" not in scores and "f1/class 2" not in scores
    assert scores["precision/class 2"] == 0.0
    assert "precision/class 3" not in scores
    assert counts(outcome) == {"class 0": 2, "class 1": 1, "class 2": 0, "class 3": 0}
    assert rows_behind(outcome)["precision/class 2"] == 1
    assert rows_behind(outcome)["recall/class 0"] == 2


def test_a_label_that_was_never_trained_is_always_a_mistake_and_is_counted():
    outcome = single([0, 1, -1, -1], [0, 1, 0, 1], 2)
    scores = measure(outcome)
    assert scores["accuracy"] == 0.5
    assert scores["balanced_accuracy"] == pytest.approx(2 / 3)
    assert scores["log_loss"] > 18, "a probability of 0 for what was wanted must cost dearly"
    assert counts(outcome)[NEVER_TRAINED] == 2
    assert NEVER_TRAINED not in counts(outcome.take(np.array([0, 1])))


def test_the_confusion_equals_scikit_learn_and_gains_a_row_only_for_never_trained_labels():
    known = single([0, 1, 2, 2, 0], [0, 2, 2, 1, 0], 3)
    np.testing.assert_array_equal(confusion(known), oracle.confusion_matrix(known.wanted, known.predicted))
    strange = single([0, -1, 2], [0, 2, 2], 3)
    np.testing.assert_array_equal(confusion(strange), [[1, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 1]])


def test_the_multi_label_confusion_equals_scikit_learn():
    rng = np.random.default_rng(5)
    outcome = several(rng.random((50, 4)) < 0.3, rng.random((50, 4)))
    np.testing.assert_array_equal(confusion(outcome), oracle.multilabel_confusion_matrix(outcome.wanted, outcome.predicted))


def test_taken_rows_measure_as_if_they_had_been_built_anew():
    rng = np.random.default_rng(2)
    rows = rng.integers(0, 30, 45)
    whole = several(rng.random((30, 3)) < 0.4, rng.random((30, 3)))
    anew = several(whole.wanted[rows], whole.probabilities[rows])
    assert_equal(measure(whole.take(rows)), measure(anew))
    assert len(whole.take(rows)) == 45 and len(whole) == 30
    one_label = single([0, -1, 1], [0, 1, 0], 2)
    np.testing.assert_array_equal(one_label.take(np.array([2, 2])).losses, one_label.losses[[2, 2]])


def brute_force_f1(wanted, probabilities):
    cuts = np.unique(np.concatenate([probabilities[probabilities > 0], [0.5]]))  # a threshold of 0 would always say yes
    return max(oracle.f1_score(wanted, probabilities >= cut, zero_division=0) for cut in cuts)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 15))
def test_the_best_threshold_reaches_the_best_f1_there_is(seed, rows):
    rng = np.random.default_rng(seed)
    wanted, probabilities = rng.random((rows, 2)) < 0.4, rng.random((rows, 2)).round(1)
    thresholds = best_thresholds(wanted, probabilities)
    assert ((thresholds > 0) & (thresholds <= 1)).all()
    for flags, column, threshold in zip(wanted.T, probabilities.T, thresholds, strict=True):
        if flags.any() and (column[flags] > 0).any():
            assert oracle.f1_score(flags, column >= threshold, zero_division=0) == pytest.approx(brute_force_f1(flags, column))


def test_a_threshold_stays_at_one_half_when_nothing_speaks_against_it():
    wanted = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 1]], dtype=bool)
    probabilities = np.array([[0.9, 0.3, 0.9], [0.1, 0.9, 0.8], [0.8, 0.2, 0.7]])
    assert best_thresholds(wanted, probabilities).tolist() == [0.5, 0.5, 0.5]


def test_a_rare_label_with_low_probabilities_gets_a_low_threshold():
    wanted = np.array([[1], [0], [0], [1]], dtype=bool)
    probabilities = np.array([[0.20], [0.10], [0.05], [0.30]])
    assert best_thresholds(wanted, probabilities) == pytest.approx([0.15])


def test_a_label_without_evidence_keeps_one_half():
    wanted = np.array([[False, True], [False, False]])
    assert best_thresholds(wanted, np.array([[0.9, 0.0], [0.8, 0.0]])).tolist() == [0.5, 0.5]


def test_losses_and_errors_are_better_when_smaller():
    assert not higher_is_better("log_loss") and not higher_is_better("hamming_loss") and not higher_is_better("loss")
    assert not higher_is_better("my_error") and not higher_is_better("my_loss/late")
    assert higher_is_better("f1_macro") and higher_is_better("recall/weight loss")


def test_an_outcome_without_rows_says_what_is_missing():
    empty = ClassOutcome(("a", "b"), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros((0, 2)))
    with pytest.raises(UserError, match="no row to measure"):
        measure(empty)


def test_probabilities_that_are_not_numbers_are_a_diverged_model():
    with pytest.raises(Diverged, match=r"1 of 2 rows.*learning_rate"):
        ClassOutcome(("a", "b"), np.array([0, 1]), np.array([0, 1]), np.array([[0.5, 0.5], [np.nan, 0.5]]))


@pytest.mark.parametrize(
    ("wanted", "predicted", "probabilities", "message"),
    [
        ([0, 1], [0, 1], [[3.0, -2.0], [0.5, 0.5]], "logits"),
        ([0, 1], [0, 1], [[0.9, 0.9], [0.5, 0.5]], "sum to 1"),
        ([0, 2], [0, 1], [[0.5, 0.5], [0.5, 0.5]], "class ids"),
        ([0, 1], [0, -1], [[0.5, 0.5], [0.5, 0.5]], "class ids"),
        ([0, 1], [0, 1], [[0.5, 0.5]], "do not fit"),
        ([0.0, 1.0], [0.0, 1.0], [[0.5, 0.5], [0.5, 0.5]], "not float64"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(wanted, predicted, probabilities, message):
    with pytest.raises(ValueError, match=message):
        ClassOutcome(("a", "b"), np.array(wanted), np.array(predicted), np.array(probabilities))
