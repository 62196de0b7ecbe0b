"""What a training made of each of its rows, step by step: a label that is wrong is learned late, badly, or again and again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

FILE = "rows.jsonl"
"""Of a run folder."""
WEIGHT = 0.3
"""Of a logit of margin in the odds: measured by ``benchmarks/label_dynamics.py``."""
LEAST = 1e-6
"""Of a score, and of what it lacks to 1."""


@dataclass(frozen=True)
class Dynamics:
    """How the training saw its rows.

    Args:
        seen: (rows,) int, how many times.
        loss: (rows,) float64, the mean of its losses in nats; NaN where it was never seen.
        margin: (rows,) float64, the mean of its margins in logits; NaN where it was never seen.
        forgotten: (rows,) int, how many times it was answered rightly and the next time wrongly.

    Source: the mean margin is the area under the margin of Pleiss et al. 2020 (arXiv:2001.10528), section 3; forgetting as in Toneva et al.
    2019 (arXiv:1812.05159), section 3.
    """

    seen: np.ndarray
    loss: np.ndarray
    margin: np.ndarray
    forgotten: np.ndarray

    def of(self, rows: np.ndarray) -> Dynamics:
        """The dynamics of some of the rows."""
        return Dynamics(self.seen[rows], self.loss[rows], self.margin[rows], self.forgotten[rows])

    def said(self, row: int) -> str:
        """What is told of a row; nothing of one that was never seen."""
        if not self.seen[row]:
            return ""
        often = f", forgotten {self.forgotten[row]}x" if self.forgotten[row] else ""
        return f"loss {self.loss[row]:.2f}, margin {self.margin[row]:+.1f}{often}"


def dynamics(lines: Iterable[Mapping[str, Any]], rows: int) -> Dynamics:
    """The dynamics of ``rows`` training rows.

    Args:
        lines: of ``rows.jsonl``, in the order of the steps: ``row``, ``loss`` and ``margin``, parallel lists. A value that was not finite
            is None, and not counted.
        rows: how many the training split has.

    Raises:
        ValueError: a line is of another form, or names a row that there is not.
    """
    seen, forgotten = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    sums, right = np.zeros((2, rows)), np.zeros(rows, dtype=bool)
    for line in lines:
        try:
            row = np.array(line["row"], dtype=np.int64)
            values = np.array([line["loss"], line["margin"]], dtype=np.float64).reshape(2, len(row))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"a line of another form: {str(line)[:80]}") from error
        finite = np.isfinite(values).all(axis=0)
        row, values = row[finite], values[:, finite]
        if len(row) and not 0 <= row.min() <= row.max() < rows:
            raise ValueError(f"a line names row {row.max() if row.max() >= rows else row.min()} of {rows}")
        now = values[1] > 0
        forgotten[row] += right[row] & ~now
        right[row] = now
        seen[row] += 1
        sums[:, row] += values
    means = np.divide(sums, seen, out=np.full((2, rows), np.nan), where=seen > 0)
    return Dynamics(seen, means[0], means[1], forgotten)


def doubted(score: np.ndarray, found: Dynamics, weight: float = WEIGHT) -> np.ndarray:
    """(rows,) scores of doubt, from 0 to 1, with what the training says beside them; those of rows that it never saw stay.

    The logarithm of a row's odds rises by ``weight`` for each logit that its mean margin lies below the median one, and falls likewise.

    Args:
        score: (rows,) what the other rows say, from 0 (the label is believed) to 1.
        found: of the same rows.
        weight: of a logit of margin.
    """
    there = found.seen > 0
    if not there.any():
        return score
    odds = np.log(np.maximum(score, LEAST) / np.maximum(1 - score, LEAST))
    below = np.where(there, np.median(found.margin[there]) - found.margin, 0)
    return np.where(there, 1 / (1 + np.exp(-np.clip(odds + weight * below, -50, 50))), score)
