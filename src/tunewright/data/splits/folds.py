"""Folds for cross-validation, with the guarantees of a split: what belongs together never straddles, and labels have the same shares."""

from __future__ import annotations

import numpy as np

from tunewright.core.chance import seed_for
from tunewright.data.splits.clusters import Clusters, Labels
from tunewright.data.splits.split import borders, moments
from tunewright.data.splits.spread import rounded, spread

ALWAYS_TRAINED = -1
"""The fold of rows that are held out nowhere: with times, the oldest block, and rows without a time."""


def folds(clusters: np.ndarray, labels: Labels | None, k: int, said: np.ndarray, seed: int) -> np.ndarray:
    """The fold in which each row is held out; it is trained on in all others.

    Args:
        clusters: (rows,) int, rows with the same number are in the same fold.
        labels: of the rows, for folds with the same shares of each; without them chance alone decides.
        k: how many folds, at least 2. Where there are fewer clusters, the last folds are empty.
        said: (rows,) uint64, the same number for rows that say the same: what chance goes by, so that it does not matter where rows stand.
        seed: of the run; folds have a stream of their own.

    Returns:
        (rows,) int, from 0 to ``k - 1``.
    """
    gathered = Clusters.gather(clusters, labels, said, seed_for(seed, "folds"))
    sizes = rounded(np.full(k, len(clusters) / k), len(clusters))
    found: np.ndarray = spread(gathered, sizes, train_first=False)[gathered.of_row]
    return found


def folds_by_time(clusters: np.ndarray, times: np.ndarray, k: int) -> np.ndarray:
    """Folds that train on the past: the rows fall into ``k + 1`` blocks, and each but the oldest is held out once.

    Rows of one time, and the rows of a cluster, stay in one block; a cluster goes by its oldest row.

    Args:
        clusters: (rows,) int, rows with the same number are in the same block.
        times: (rows,) float, NaN without one.
        k: how many folds.

    Returns:
        (rows,) int: ``ALWAYS_TRAINED`` for the oldest block, then 0 to ``k - 1``.
    """
    rank, upto = moments(clusters, times)
    wanted = np.cumsum(rounded(np.full(k + 1, len(clusters) / (k + 1)), len(clusters)))[:-1]
    found: np.ndarray = np.searchsorted(borders(upto, wanted), rank, side="right") + ALWAYS_TRAINED
    return found


def trained_on(found: np.ndarray, fold: int, by_time: bool = False) -> np.ndarray:
    """(rows,) bool: the rows that are trained on while ``fold`` is held out; with times, only those of the blocks before it."""
    rows: np.ndarray = found < fold if by_time else found != fold
    return rows
