"""One score by name, as a recipe may ask for it: an outcome in, one number out; NaN where the rows give it no value."""

from __future__ import annotations

import numpy as np

from tunewright.core.errors import UserError
from tunewright.metrics.classes import Array, ClassOutcome, divide, mean, tally
from tunewright.metrics.classes import mcc as mcc_of_tally


def accuracy(outcome: ClassOutcome) -> float:
    """Share of rows that are wholly right (multi-label: every label of the row), in [0, 1]."""
    tally(outcome)  # refuses an outcome without rows
    return float(outcome.right.mean())


def balanced_accuracy(outcome: ClassOutcome) -> float:
    """Mean recall over the classes that some row wants, in [0, 1]; single-label only."""
    _single_label_only(outcome, "balanced_accuracy", "recall")
    return recall(outcome)


def f1(outcome: ClassOutcome) -> float:
    """Mean F1 over the classes, in [0, 1]. Single-label leaves out classes neither wanted nor predicted; multi-label counts them as 0."""
    counted = tally(outcome)
    shown = counted.wanted + counted.predicted
    return mean(divide(2 * counted.hits, shown), (shown > 0) | outcome.multi_label, counted.strangers)


def f1_micro(outcome: ClassOutcome) -> float:
    """F1 over all labels of all rows thrown together, in [0, 1]; single-label it equals accuracy."""
    counted = tally(outcome)
    return float(divide(2 * counted.hits.sum(), counted.wanted.sum() + counted.predicted.sum() + counted.strangers))


def f1_weighted(outcome: ClassOutcome) -> float:
    """Mean F1 over the classes, each weighing as much as it has wanted rows, in [0, 1]."""
    counted = tally(outcome)
    f1_of_class = divide(2 * counted.hits, counted.wanted + counted.predicted)
    return float(divide(f1_of_class @ counted.wanted, counted.wanted.sum() + counted.strangers))


def precision(outcome: ClassOutcome) -> float:
    """Mean precision over the classes, in [0, 1]; a class that is wanted and never predicted counts as 0."""
    counted = tally(outcome)
    shown = (counted.wanted + counted.predicted > 0) | outcome.multi_label
    return mean(divide(counted.hits, counted.predicted), shown, counted.strangers)


def recall(outcome: ClassOutcome) -> float:
    """Mean recall over the classes that some row wants, in [0, 1]."""
    counted = tally(outcome)
    return mean(divide(counted.hits, counted.wanted), counted.wanted > 0, counted.strangers)


def mcc(outcome: ClassOutcome) -> float:
    """Matthews' correlation coefficient, in [-1, 1]; single-label only."""
    _single_label_only(outcome, "mcc", "f1")
    return mcc_of_tally(tally(outcome))


def log_loss(outcome: ClassOutcome) -> float:
    """Mean cross-entropy in nats, 0 or more; lower is better."""
    tally(outcome)
    return float(outcome.losses.mean())


def hamming_loss(outcome: ClassOutcome) -> float:
    """Share of wrong labels (single-label: of wrong rows), in [0, 1]; lower is better."""
    tally(outcome)
    return float((outcome.wanted != outcome.predicted).mean())


def roc_auc(outcome: ClassOutcome) -> float:
    """Mean over the classes of how often a row of the class gets a higher probability than a row of another, in [0, 1]; 0.5 is chance.

    Classes that all rows want, or none, have no such number and are left out; NaN where no class is left.

    Source: Hanley & McNeil 1982, one class against the rest; ties count half.
    """
    tally(outcome)
    areas = [_area(wanted, column) for wanted, column in zip(_flags(outcome).T, outcome.probabilities.T, strict=True)]
    defined = [area for area in areas if not np.isnan(area)]
    return float(np.mean(defined)) if defined else float("nan")


def top_3_accuracy(outcome: ClassOutcome) -> float:
    """Share of rows whose wanted class is among the 3 most probable, in [0, 1]; single-label only."""
    _single_label_only(outcome, "top_3_accuracy", "roc_auc")
    return _top_accuracy(outcome, 3)


def top_5_accuracy(outcome: ClassOutcome) -> float:
    """Share of rows whose wanted class is among the 5 most probable, in [0, 1]; single-label only."""
    _single_label_only(outcome, "top_5_accuracy", "roc_auc")
    return _top_accuracy(outcome, 5)


def _top_accuracy(outcome: ClassOutcome, size: int) -> float:
    tally(outcome)
    # Stable, so that among equals the lower id comes first: the same choice that argmax makes for the prediction.
    best = np.argsort(-outcome.probabilities, axis=1, kind="stable")[:, :size]
    return float((best == outcome.wanted[:, None]).any(axis=1).mean())


def _area(wanted: Array, probabilities: Array) -> float:
    positives = int(np.count_nonzero(wanted))
    negatives = len(wanted) - positives
    if not positives or not negatives:
        return float("nan")
    _, place, sizes = np.unique(probabilities, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(sizes) - (sizes - 1) / 2  # equal probabilities share the mean of their ranks
    return float((mean_rank[place[wanted]].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _flags(outcome: ClassOutcome) -> Array:
    return outcome.wanted if outcome.multi_label else outcome.wanted[:, None] == np.arange(len(outcome.names))


def _single_label_only(outcome: ClassOutcome, name: str, instead: str) -> None:
    if outcome.multi_label:
        raise UserError(f"evaluate.metrics asks for {name!r}, and the rows of this task have several labels",
                        f"{name!r} is defined for one label per row", f"Ask for {instead!r} instead")  # fmt: skip
