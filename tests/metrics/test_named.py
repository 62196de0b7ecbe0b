"""Scores by name, each against scikit-learn."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as oracle

from tunewright.core.errors import UserError
from tunewright.metrics import METRICS
from tunewright.metrics.classes import ClassOutcome, measure
from tunewright.metrics.own import resolve

HERE = Path()


def single(seed, rows=80, classes=7, strangers=False):
    rng = np.random.default_rng(seed)
    wanted = rng.integers(-1 if strangers else 0, classes, rows)
    probabilities = rng.dirichlet(np.ones(classes), rows)
    return ClassOutcome(tuple(map(str, range(classes))), wanted, probabilities.argmax(axis=1), probabilities)


def several(seed, rows=60, classes=4):
    rng = np.random.default_rng(seed)
    probabilities = rng.random((rows, classes)).round(1)
    return ClassOutcome(tuple(map(str, range(classes))), rng.random((rows, classes)) < 0.3, probabilities >= 0.5, probabilities)


SINGLE = {
    "accuracy": lambda o: oracle.accuracy_score(o.wanted, o.predicted),
    "balanced_accuracy": lambda o: oracle.balanced_accuracy_score(o.wanted, o.predicted),
    "f1": lambda o: oracle.f1_score(o.wanted, o.predicted, average="macro", zero_division=0),
    "f1_macro": lambda o: oracle.f1_score(o.wanted, o.predicted, average="macro", zero_division=0),
    "f1_micro": lambda o: oracle.f1_score(o.wanted, o.predicted, average="micro", zero_division=0),
    "f1_weighted": lambda o: oracle.f1_score(o.wanted, o.predicted, average="weighted", zero_division=0),
    "precision": lambda o: oracle.precision_score(o.wanted, o.predicted, average="macro", zero_division=0),
    "recall": lambda o: oracle.recall_score(o.wanted, o.predicted, average="macro", zero_division=np.nan),
    "mcc": lambda o: oracle.matthews_corrcoef(o.wanted, o.predicted),
    "hamming_loss": lambda o: oracle.hamming_loss(o.wanted, o.predicted),
    "subset_accuracy": lambda o: oracle.accuracy_score(o.wanted, o.predicted),
}
PROBABILISTIC = {
    "log_loss": lambda o: oracle.log_loss(o.wanted, o.probabilities),
    "roc_auc": lambda o: oracle.roc_auc_score(o.wanted, o.probabilities, multi_class="ovr", average="macro"),
    "top_3_accuracy": lambda o: oracle.top_k_accuracy_score(o.wanted, o.probabilities, k=3),
    "top_5_accuracy": lambda o: oracle.top_k_accuracy_score(o.wanted, o.probabilities, k=5),
}
SEVERAL = {
    **{name: SINGLE[name] for name in SINGLE if name not in ("balanced_accuracy", "mcc", "recall")},
    "recall": lambda o: oracle.recall_score(o.wanted, o.predicted, average="macro", zero_division=np.nan),
    "log_loss": lambda o: np.mean([oracle.log_loss(w, p, labels=[0, 1]) for w, p in zip(o.wanted.T, o.probabilities.T, strict=True)]),
    "roc_auc": lambda o: oracle.roc_auc_score(o.wanted, o.probabilities, average="macro"),
}


def test_every_name_of_the_table_has_an_oracle():
    assert len(METRICS) >= 15
    assert set(METRICS) == set(SINGLE) | set(PROBABILISTIC)
    assert set(METRICS) - set(SEVERAL) == {"balanced_accuracy", "mcc", "top_3_accuracy", "top_5_accuracy"}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SINGLE)
def test_a_single_label_score_equals_scikit_learn(name, seed):
    for outcome in (single(seed), single(seed, strangers=True), single(seed, rows=4)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert resolve(name, HERE)(outcome)[name] == pytest.approx(SINGLE[name](outcome))


@pytest.mark.parametrize("name", PROBABILISTIC)
def test_a_score_of_probabilities_equals_scikit_learn(name):
    assert resolve(name, HERE)(single(1))[name] == pytest.approx(PROBABILISTIC[name](single(1)))


@pytest.mark.parametrize("name", SEVERAL)
def test_a_multi_label_score_equals_scikit_learn(name):
    for seed in range(3):
        assert resolve(name, HERE)(several(seed))[name] == pytest.approx(SEVERAL[name](several(seed)))


@pytest.mark.parametrize("outcome", [single(5), single(6, strangers=True), several(5)])
def test_a_name_gives_the_same_number_as_the_whole_measurement(outcome):
    whole = measure(outcome)
    shared = [name for name in METRICS if name in whole]
    assert len(shared) >= 5
    assert all(resolve(name, HERE)(outcome)[name] == pytest.approx(whole[name]) for name in shared)


@pytest.mark.parametrize("name", ["balanced_accuracy", "mcc", "top_5_accuracy"])
def test_a_score_for_one_label_per_row_says_what_to_ask_for_instead(name):
    with pytest.raises(UserError, match=f"{name}.*several labels.*instead"):
        resolve(name, HERE)(several(0))


def test_an_area_that_rows_of_one_class_cannot_give_is_left_out_and_ties_count_half():
    wanted = np.zeros(3, dtype=np.int64)
    assert resolve("roc_auc", HERE)(ClassOutcome(("a", "b"), wanted, wanted, np.full((3, 2), 0.5))) == {}
    undecided = ClassOutcome(("a", "b"), np.array([0, 1, 1]), wanted, np.full((3, 2), 0.5))
    assert resolve("roc_auc", HERE)(undecided) == {"roc_auc": 0.5}


def test_a_label_that_was_never_trained_is_never_among_the_first_five():
    outcome = single(0, strangers=True)
    known = outcome.take(np.flatnonzero(outcome.wanted >= 0))
    rows = len(known) / len(outcome)
    assert resolve("top_5_accuracy", HERE)(outcome)["top_5_accuracy"] == pytest.approx(
        resolve("top_5_accuracy", HERE)(known)["top_5_accuracy"] * rows
    )
