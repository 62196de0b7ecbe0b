"""Folds for cross-validation, with the guarantees of a split: what belongs together never straddles, and labels have the same shares."""

from __future__ import annotations

import numpy as np

from tunewright.core.chance import seed_for
from tunewright.core.schema import SPLITS
from tunewright.data.audit.base import TEST, TRAIN, VALIDATION, rows_word
from tunewright.data.splits.clusters import Clusters, Labels
from tunewright.data.splits.split import Divided, borders, moments
from tunewright.data.splits.spread import rounded, spread

ALWAYS_TRAINED = -1
"""The fold of rows that are held out nowhere: with times, the oldest block, and rows without a time."""
UNUSED = -1
"""The split of rows of later folds: they are neither trained on nor scored."""
LATER_FOLD = "later-fold"
"""What stands in the quarantine as the rule of such rows."""


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


def with_fold(made: Divided, found: np.ndarray, k: int, fold: int, by_time: bool = False) -> Divided:
    """A split with one of the folds of its rows that are not test as validation; the test split stays.

    Args:
        made: the split.
        found: (rows that are not test,) int, the fold of each.
        k: how many folds there are.
        fold: the one that is held out.
        by_time: whether only the rows of the blocks before it are trained on; those of later ones are ``UNUSED``.
    """
    split = made.split.copy()
    split[split != TEST] = np.where(found == fold, VALIDATION, np.where(trained_on(found, fold, by_time), TRAIN, UNUSED))
    reached = {name: int((split == SPLITS.index(name)).sum()) for name in made.wanted}
    blocks = rounded(np.full(k + by_time, len(found) / (k + by_time)), len(found))
    mine = int(blocks[fold + by_time])
    train = int(blocks[: fold + 1].sum()) if by_time else len(found) - mine
    notes = [f"validation is fold {fold} of {k}, counted from 0"]
    if reached["validation"] != mine:
        notes.append(
            f"the fold has {rows_word(reached['validation'])} where {mine:,} were wanted: rows that belong together stay in one fold"
        )
    if unused := int((split == UNUSED).sum()):
        notes.append(f"{rows_word(unused)} of later folds are in no split: train has only rows that are older than the fold")
    return Divided(split, {**made.wanted, "train": train, "validation": mine}, reached, (*notes, *made.notes))


def trained_on(found: np.ndarray, fold: int, by_time: bool = False) -> np.ndarray:
    """(rows,) bool: the rows that are trained on while ``fold`` is held out; with times, only those of the blocks before it."""
    rows: np.ndarray = found < fold if by_time else found != fold
    return rows
