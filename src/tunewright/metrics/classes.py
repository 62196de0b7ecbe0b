"""Scores of a classification, single-label or multi-label: arrays in, numbers out."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.core.errors import Diverged, UserError

Array = NDArray[Any]

NEVER_TRAINED = "(never trained)"
"""Stands for the name of a label that the test rows have and the model has never seen."""
LOWER_IS_BETTER = ("loss", "error")
"""Last words of the names of scores that are better when they are smaller."""
SMALLEST = float(np.finfo(np.float64).eps)
"""No probability counts as smaller than this in a logarithm, so that one sure mistake does not make a loss infinite."""


@dataclass(frozen=True, eq=False)
class ClassOutcome:
    """What was wanted and what was answered, row by row.

    Args:
        names: class names in id order.
        wanted: (rows,) class ids; -1 is a label that was never trained and always counts as a mistake.
            Multi-label: (rows, classes) bool; a never-trained label gets a column of its own, predicted False with probability 0.
        predicted: the same shape; never -1.
        probabilities: (rows, classes), in [0, 1]; single-label rows sum to 1, multi-label columns are independent.

    Raises:
        Diverged: a probability is not a finite number.
        ValueError: shapes, ids or ranges do not fit each other (logits in place of probabilities, for one).
    """

    names: tuple[str, ...]
    wanted: Array
    predicted: Array
    probabilities: Array

    def __post_init__(self) -> None:
        _check(self)

    def __len__(self) -> int:
        return len(self.wanted)

    @property
    def multi_label(self) -> bool:
        """Whether a row may have several labels, or none."""
        return self.wanted.ndim == 2

    @cached_property
    def right(self) -> Array:
        """(rows,) bool: the row is wholly right (multi-label: every label of it)."""
        equal: Array = self.wanted == self.predicted
        return np.asarray(equal.all(axis=1)) if self.multi_label else equal

    @cached_property
    def losses(self) -> Array:
        """(rows,) nats: cross-entropy of each row (multi-label: the mean over its labels)."""
        wanted, probabilities = self.wanted, self.probabilities
        if self.multi_label:
            return np.asarray(-_log(np.where(wanted, probabilities, 1.0 - probabilities)).mean(axis=1))
        known = probabilities[np.arange(len(wanted)), np.maximum(wanted, 0)]
        return -_log(np.where(wanted >= 0, known, 0.0))

    def take(self, rows: Array) -> ClassOutcome:
        """The outcome over the rows with these numbers; a number may come several times."""
        arrays = {"right": self.right, "losses": self.losses, **vars(self)}
        taken = copy(self)
        # Not built anew: what was checked and computed for the whole holds for each row of it, and a bootstrap takes a thousand times.
        vars(taken).update({name: value.take(rows, axis=0) for name, value in arrays.items() if isinstance(value, np.ndarray)})
        return taken


@dataclass(frozen=True)
class Tally:
    """How often each class was answered rightly, wanted and answered: all that most scores need.

    ``hits``, ``wanted`` and ``predicted`` are (classes,) int64; ``strangers`` counts the rows whose label was never trained.
    """

    hits: Array
    wanted: Array
    predicted: Array
    strangers: int


def tally(outcome: ClassOutcome) -> Tally:
    """Count hits, wanted and predicted rows of each class.

    Raises:
        UserError: there are no rows.
    """
    if not len(outcome):
        raise UserError("there is no row to measure", "a split with at least one labelled row was wanted",
                        "Look at what was removed and how the table was split in data.json of the run")  # fmt: skip
    wanted, predicted, classes = outcome.wanted, outcome.predicted, len(outcome.names)
    if outcome.multi_label:
        return Tally(_column_counts(wanted & predicted), _column_counts(wanted), _column_counts(predicted), 0)
    with_strangers = np.bincount(wanted + 1, minlength=classes + 1)
    hits = np.bincount(wanted[outcome.right], minlength=classes)
    return Tally(hits, with_strangers[1:], np.bincount(predicted, minlength=classes), int(with_strangers[0]))


def measure(outcome: ClassOutcome) -> dict[str, float]:
    """Every score of an outcome in one pass, all of them finite.

    Single-label: ``accuracy, balanced_accuracy, f1_macro, f1_weighted, mcc, log_loss``. Multi-label: ``f1_micro, f1_macro,
    subset_accuracy, hamming_loss, log_loss``. Both: ``precision/<name>, recall/<name>, f1/<name>``.

    Values equal those of scikit-learn with ``zero_division=0``: never-trained labels count together as one more class that is never
    answered rightly. A class without wanted rows has no recall and no F1, and with no predicted rows either no precision: these keys
    are left out, and ``counts`` tells why. (Single-label means leave such classes out as well; multi-label ``f1_macro`` counts them as 0.)

    Raises:
        UserError: there are no rows.
    """
    counted = tally(outcome)
    overall = _multi_label(outcome, counted) if outcome.multi_label else _single_label(outcome, counted)
    return overall | _per_class(outcome.names, counted)


def counts(outcome: ClassOutcome) -> dict[str, int]:
    """How many rows want each class, by name; rows with a never-trained label are counted under ``(never trained)``, if there are any."""
    counted = tally(outcome)
    known = dict(zip(outcome.names, counted.wanted.tolist(), strict=True))
    return known | ({NEVER_TRAINED: counted.strangers} if counted.strangers else {})


def rows_behind(outcome: ClassOutcome) -> dict[str, int]:
    """How many rows each per-class score rests on: those that want the class, and for precision those answered with it."""
    counted = tally(outcome)
    kinds = {"precision": counted.predicted, "recall": counted.wanted, "f1": counted.wanted}
    return {f"{kind}/{name}": rows for kind, column in kinds.items() for name, rows in zip(outcome.names, column.tolist(), strict=True)}


def confusion(outcome: ClassOutcome) -> Array:
    """Which class was taken for which.

    Returns:
        Single-label: (classes, classes) int64, wanted down, predicted across; only when there are never-trained labels it has one
        more row, the last, for them (never one more column: such a label cannot be predicted).
        Multi-label: (classes, 2, 2), for each label not wanted and wanted down, not predicted and predicted across.
    """
    classes, counted = len(outcome.names), tally(outcome)
    if outcome.multi_label:
        false, missed = counted.predicted - counted.hits, counted.wanted - counted.hits
        rest = len(outcome) - counted.hits - false - missed
        return np.stack([rest, false, missed, counted.hits], axis=1).reshape(classes, 2, 2)
    rows = classes + (counted.strangers > 0)
    wanted = np.where(outcome.wanted < 0, classes, outcome.wanted)
    return np.bincount(wanted * classes + outcome.predicted, minlength=rows * classes).reshape(rows, classes)


def best_thresholds(wanted: Array, probabilities: Array) -> Array:
    """The threshold of each label that gives the best F1; ties go to the one nearest 0.5. For the validation split only.

    A label is predicted where its probability reaches the threshold. Between two neighbouring probabilities all thresholds are
    equal: 0.5 if it lies there, else the middle. A label that no row wants, or only rows of probability 0, keeps 0.5.

    Args:
        wanted: (rows, classes) bool.
        probabilities: (rows, classes), in [0, 1].

    Returns:
        (classes,) float64, in (0, 1].
    """
    columns = zip(wanted.T.astype(bool), probabilities.T.astype(np.float64), strict=True)
    return np.array([_best_threshold(*column) for column in columns], dtype=np.float64)


def higher_is_better(name: str) -> bool:
    """Whether more of a score is better. A name that ends in ``loss`` or ``error`` says no, whoever defined it.

    >>> higher_is_better("accuracy"), higher_is_better("log_loss"), higher_is_better("recall/data loss")
    (True, False, True)
    """
    return name.split("/")[0].rsplit("_", 1)[-1] not in LOWER_IS_BETTER


def divide(above: Array, below: Array) -> Array:
    """Element by element, where 0 / 0 is 0."""
    return np.asarray(np.divide(above, below, out=np.zeros(np.shape(above), dtype=np.float64), where=below != 0))


def mcc(counted: Tally) -> float:
    """Matthews' correlation for any number of classes, in [-1, 1]; 0 when one side has a single class.

    Source: Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation coefficient".
    """
    wanted, predicted = np.append(counted.wanted, counted.strangers).astype(float), counted.predicted.astype(float)
    rows = wanted.sum()
    spread = (rows**2 - wanted @ wanted) * (rows**2 - predicted @ predicted)
    return float((counted.hits.sum() * rows - wanted[:-1] @ predicted) / np.sqrt(spread)) if spread > 0 else 0.0


def mean(values: Array, among: Array, strangers: int) -> float:
    """The mean over the classes of a mask, never-trained labels being one more class whose value is 0."""
    return float(values[among].sum() / max(int(among.sum()) + (strangers > 0), 1))


def _single_label(outcome: ClassOutcome, counted: Tally) -> dict[str, float]:
    f1 = divide(2 * counted.hits, counted.wanted + counted.predicted)
    return {
        "accuracy": float(counted.hits.sum() / len(outcome)),
        "balanced_accuracy": mean(divide(counted.hits, counted.wanted), counted.wanted > 0, counted.strangers),
        "f1_macro": mean(f1, counted.wanted + counted.predicted > 0, counted.strangers),
        "f1_weighted": float(f1 @ counted.wanted / len(outcome)),
        "mcc": mcc(counted),
        "log_loss": float(outcome.losses.mean()),
    }


def _multi_label(outcome: ClassOutcome, counted: Tally) -> dict[str, float]:
    hits, shown = counted.hits, counted.wanted + counted.predicted
    return {
        "f1_micro": float(divide(2 * hits.sum(), shown.sum())),
        "f1_macro": float(divide(2 * hits, shown).mean()),
        "subset_accuracy": float(outcome.right.mean()),
        "hamming_loss": float((shown - 2 * hits).sum() / outcome.wanted.size),
        "log_loss": float(outcome.losses.mean()),
    }


def _per_class(names: Iterable[str], counted: Tally) -> dict[str, float]:
    shown = counted.wanted + counted.predicted
    kinds = {
        "precision": (divide(counted.hits, counted.predicted), shown > 0),
        "recall": (divide(counted.hits, counted.wanted), counted.wanted > 0),
        "f1": (divide(2 * counted.hits, shown), counted.wanted > 0),
    }
    scores: dict[str, float] = {}
    for kind, (values, defined) in kinds.items():
        columns = zip(names, values.tolist(), defined.tolist(), strict=True)
        scores |= {f"{kind}/{name}": value for name, value, is_defined in columns if is_defined}
    return scores


def _best_threshold(wanted: Array, probabilities: Array) -> float:
    everything = wanted.sum()
    wanted, probabilities = wanted[probabilities > 0], probabilities[probabilities > 0]  # a threshold of 0 would answer every row
    if not wanted.any():
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # only between two different values can a threshold lie
    hits = np.cumsum(wanted[order])[last]
    f1 = 2 * hits / (last + 1 + everything)
    upper, lower = ranked[last], np.append(ranked[last][1:], 0.0)
    middle = (upper + lower) / 2
    middle = np.where(middle > lower, middle, upper)  # two neighbouring floats have no middle
    cuts = np.where((lower < 0.5) & (upper >= 0.5), 0.5, middle)[f1 == f1.max()]
    return float(cuts[np.argmin(np.abs(cuts - 0.5))])


def _column_counts(flags: Array) -> Array:
    return np.array([np.count_nonzero(column) for column in flags.T], dtype=np.int64)  # three times as fast as flags.sum(axis=0)


def _log(probabilities: Array) -> Array:
    return np.asarray(np.log(np.clip(probabilities.astype(np.float64), SMALLEST, 1.0)))


def _check(outcome: ClassOutcome) -> None:
    wanted, predicted, probabilities = outcome.wanted, outcome.predicted, outcome.probabilities
    rows, classes = len(wanted), len(outcome.names)
    fitting = (rows, classes) if outcome.multi_label else (rows,)
    if wanted.shape != fitting or predicted.shape != fitting or probabilities.shape != (rows, classes):
        shapes = f"wanted {wanted.shape}, predicted {predicted.shape}, probabilities {probabilities.shape}"
        raise ValueError(f"{shapes} do not fit {rows} rows and {classes} classes")
    kind = "b" if outcome.multi_label else "i"
    if not wanted.dtype.kind == predicted.dtype.kind == kind:
        raise ValueError(f"answers are bool (multi-label) or int (single-label), not {wanted.dtype} and {predicted.dtype}")
    if rows:
        _check_values(outcome)


def _check_values(outcome: ClassOutcome) -> None:
    wanted, predicted, probabilities = outcome.wanted, outcome.predicted, outcome.probabilities
    if broken := int((~np.isfinite(probabilities)).any(axis=1).sum()):
        raise Diverged(f"the model answers {broken} of {len(wanted)} rows with probabilities that are not finite numbers", "",
                       "Its weights have diverged: train with a smaller train.learning_rate, or with train.precision: fp32")  # fmt: skip
    if probabilities.min() < -1e-6 or probabilities.max() > 1 + 1e-6:
        raise ValueError("probabilities lie in [0, 1]; these look like logits")
    if outcome.multi_label:
        return
    if wanted.min() < -1 or predicted.min() < 0 or max(wanted.max(), predicted.max()) >= len(outcome.names):
        raise ValueError(f"class ids lie in 0..{len(outcome.names) - 1}; only a wanted one may be -1")
    if np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1).max() > 0.02:  # bfloat16 is that coarse
        raise ValueError("the probabilities of a single-label row sum to 1; these do not")
