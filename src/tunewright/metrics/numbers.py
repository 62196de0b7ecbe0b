"""Scores of numbers: what was wanted and what was given, arrays in, numbers out."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.core.errors import Diverged, UserError

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class NumberOutcome:
    """What was wanted and what was given, row by row.

    Args:
        wanted: (rows,) float64, finite.
        given: (rows,) float64, finite.

    Raises:
        Diverged: a given number is not finite.
        ValueError: the shapes do not fit, or a wanted number is not finite.
    """

    wanted: Array
    given: Array

    def __post_init__(self) -> None:
        if self.wanted.ndim != 1 or self.wanted.shape != self.given.shape:
            raise ValueError(f"wanted has the shape {self.wanted.shape} and given {self.given.shape}: one number per row is needed")
        if not np.isfinite(self.wanted).all():
            raise ValueError("a wanted number is not finite")
        if not np.isfinite(self.given).all():
            raise Diverged("the model gives numbers that are not finite", "Finite numbers were wanted",
                           "Train again with a lower train.learning_rate")  # fmt: skip

    def __len__(self) -> int:
        return len(self.wanted)

    def take(self, rows: Array) -> NumberOutcome:
        """The outcome over the rows with these numbers; a number may come several times."""
        taken = copy(self)
        vars(taken).clear()
        vars(taken).update(wanted=self.wanted.take(rows), given=self.given.take(rows))
        return taken

    @cached_property
    def errors(self) -> Array:
        """(rows,) given minus wanted."""
        found: Array = self.given - self.wanted
        return found


def measure(outcome: NumberOutcome) -> dict[str, float]:
    """Every score of an outcome: ``pearson, spearman, r2, mean_absolute_error, root_mean_squared_error``.

    The errors are in the unit of the numbers. Where all given numbers are the same, or all wanted ones, there is no correlation, and
    where all wanted ones are, no r2: these keys are left out.

    Raises:
        UserError: there are no rows.

    Source: r2 is 1 - residual over total sum of squares (may be below 0); Spearman's is Pearson's over ranks, equals sharing their mean.
    """
    _some(outcome)
    wanted, given = outcome.wanted, outcome.given
    found: dict[str, float] = {}
    if _varies(wanted) and _varies(given):
        found["pearson"] = correlation(wanted, given)
        found["spearman"] = correlation(ranks(wanted), ranks(given))
    if _varies(wanted):
        found["r2"] = float(1 - np.square(outcome.errors).sum() / np.square(wanted - wanted.mean()).sum())
    found["mean_absolute_error"] = float(np.abs(outcome.errors).mean())
    found["root_mean_squared_error"] = float(np.sqrt(np.square(outcome.errors).mean()))
    return found


def pearson(outcome: NumberOutcome) -> float:
    """Pearson's correlation of wanted and given numbers, in [-1, 1]; NaN where one side is constant."""
    return measure(outcome).get("pearson", float("nan"))


def spearman(outcome: NumberOutcome) -> float:
    """Spearman's rank correlation, in [-1, 1]; NaN where one side is constant."""
    return measure(outcome).get("spearman", float("nan"))


def r2(outcome: NumberOutcome) -> float:
    """Share of the variance that is explained, 1 at best; below 0 for less than always the mean."""
    return measure(outcome).get("r2", float("nan"))


def mean_absolute_error(outcome: NumberOutcome) -> float:
    """Mean distance from what was wanted, in the unit of the numbers; lower is better."""
    _some(outcome)
    return float(np.abs(outcome.errors).mean())


def root_mean_squared_error(outcome: NumberOutcome) -> float:
    """Root of the mean squared distance, in the unit of the numbers; lower is better."""
    _some(outcome)
    return float(np.sqrt(np.square(outcome.errors).mean()))


def median_absolute_error(outcome: NumberOutcome) -> float:
    """Distance that half of the rows keep within, in the unit of the numbers; lower is better."""
    _some(outcome)
    return float(np.median(np.abs(outcome.errors)))


def largest_error(outcome: NumberOutcome) -> float:
    """Largest distance of all rows, in the unit of the numbers; lower is better."""
    _some(outcome)
    return float(np.abs(outcome.errors).max())


def correlation(one: Array, other: Array) -> float:
    """Pearson's correlation of two arrays that both vary, in [-1, 1]."""
    one, other = one - one.mean(), other - other.mean()
    one, other = one / np.abs(one).max(), other / np.abs(other).max()  # squares of tiny or huge numbers would leave the range
    return float(np.clip(one @ other / np.sqrt((one @ one) * (other @ other)), -1, 1))


def ranks(values: Array) -> Array:
    """(rows,) the place of each in order, from 1; equals share the mean of their places."""
    _, place, sizes = np.unique(values, return_inverse=True, return_counts=True)
    means: Array = (np.cumsum(sizes) - (sizes - 1) / 2)[place]
    return means


def _varies(values: Array) -> bool:
    """Whether there are different numbers, by more than their mean's own rounding."""
    spread = float(np.ptp(values))
    return spread > 0 and float(np.abs(values - values.mean()).max()) > 0


def _some(outcome: NumberOutcome) -> None:
    if not len(outcome):
        raise UserError("there is no row to measure", "a split with at least one row that has its number was wanted",
                        "Look at what was removed and how the table was split in data.json of the run")  # fmt: skip
