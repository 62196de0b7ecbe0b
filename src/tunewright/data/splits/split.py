"""Which rows go to train, validation and test. Rows that belong together never straddle, and every label comes to train first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tunewright.core.chance import seed_for
from tunewright.core.schema import SPLITS
from tunewright.data.audit.base import rows_word
from tunewright.data.splits.clusters import Clusters, Labels, numbered
from tunewright.data.splits.spread import spread


@dataclass(frozen=True)
class Divided:
    """Rows with their splits.

    Args:
        split: (rows,) int, index into ``SPLITS``.
        wanted: split -> the rows that it should have, of the splits that were to be made and of train.
        reached: split -> the rows that it has.
        notes: why the two differ, and what else must be known, in sentences; empty when all is as it was wanted.
    """

    split: np.ndarray
    wanted: dict[str, int]
    reached: dict[str, int]
    notes: tuple[str, ...] = ()


def stratified(clusters: np.ndarray, labels: Labels | None, shares: Mapping[str, float], said: np.ndarray, seed: int) -> Divided:
    """Give every split the labels in the same shares; without labels chance alone decides.

    Sizes are honoured to the row, unless large clusters or labels with a single row forbid it; then no move or swap of two clusters brings
    them nearer. With one label per row, each label is spread as evenly as whole rows allow.

    Args:
        clusters: (rows,) int, rows with the same number go to the same split: copies and near-copies of a text, united with groups.
        labels: of the rows: one, several or none each.
        shares: validation and test -> their share of the rows, those that are to be made; the rest is train.
        said: (rows,) uint64, the same number for rows that say the same: what chance goes by, so that it does not matter where rows stand.
        seed: of the run; the split has a stream of its own.
    """
    sizes = whole_sizes(len(clusters), shares)
    gathered = Clusters.gather(clusters, labels, said, seed_for(seed, "split"))
    part = spread(gathered, sizes, train_first=True)
    return _divided(part[gathered.of_row], shares, sizes, _why_not(gathered))


def by_time(clusters: np.ndarray, times: np.ndarray, shares: Mapping[str, float]) -> Divided:
    """Train on the oldest rows, test on the newest; validation stands between them.

    Rows of one time stay together, and so do the rows of a cluster: it goes by its oldest row, so that what train has known for long is not
    asked in the test. Borders fall where the sizes come nearest to what was wanted, and a row without a time goes to train.

    Args:
        clusters: (rows,) int, rows with the same number go to the same split.
        times: (rows,) float, NaN without one; a larger number is later.
        shares: validation and test -> their share of the rows, those that are to be made; the rest is train.
    """
    sizes = whole_sizes(len(clusters), shares)
    rank, upto = moments(clusters, times)
    cuts = borders(upto, np.cumsum(sizes)[:-1])
    part = np.searchsorted(cuts, rank, side="right")
    notes = []
    if untimed := int(np.isnan(times).sum()):
        notes.append(f"{rows_word(untimed)} without a time: to train, unless a copy or a row of the same group has one")
    if late := _late(part, times):
        notes.append(f"{rows_word(late)} newer than the oldest row of a later split: of copies or groups that began before it")
    why = "Rows of one time, and rows that belong together, stay in one split"
    return _divided(part, shares, sizes, why, tuple(notes))


def whole_sizes(rows: int, shares: Mapping[str, float]) -> np.ndarray:
    """Rows of train and of each split that is made: whole numbers, each as near to its share as can be and at least 1 (train gives way).

    >>> whole_sizes(25, {"validation": 0.1, "test": 0.1}).tolist()
    [20, 3, 2]
    """
    exact = np.array([1 - sum(shares.values()), *shares.values()]) * rows
    whole: np.ndarray = np.floor(exact + 1e-9).astype(np.int64)
    by_rest = np.argsort(-(exact - whole), kind="stable")
    whole[by_rest[: rows - whole.sum()]] += 1
    lacking = np.maximum(1 - whole[1:], 0)
    whole[1:] += lacking
    whole[0] -= lacking.sum()
    return whole


def moments(clusters: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """When each row came in, as its cluster's oldest row did: the first moment is that of clusters without any time, if there are such.

    Returns:
        (rows,), the moment of each row, from 0; and (moments,), the rows up to and with each moment.
    """
    of_row = numbered(clusters)
    oldest = np.full(int(of_row.max(initial=-1)) + 1, np.inf)
    timed = ~np.isnan(times)
    np.minimum.at(oldest, of_row[timed], times[timed])
    oldest[np.isinf(oldest)] = -np.inf
    rank = np.unique(oldest[of_row], return_inverse=True)[1]
    return rank, np.cumsum(np.bincount(rank))


def borders(upto: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(borders,), index of the first moment behind each, ascending: where the rows before it come nearest to what is wanted.

    The newest border is drawn first, and each leaves a moment to every split before it, if there are as many.

    Args:
        upto: (moments,), rows up to and with each moment.
        wanted: (borders,), rows that should stand before each.
    """
    found: list[int] = []
    end = len(upto)
    for earlier, rows in reversed(list(enumerate(wanted.tolist()))):
        cuts = np.arange(max(min(earlier + 1, end - 1), 1), end)
        end = int(cuts[np.abs(upto[cuts - 1] - rows).argmin()]) if len(cuts) else end
        found.append(end)
    return np.array(found[::-1], dtype=np.int64)


def _late(part: np.ndarray, times: np.ndarray) -> int:
    """Rows that are newer than the oldest row of a later split."""
    late = np.zeros(len(part), dtype=bool)
    for at in range(1, int(part.max(initial=0)) + 1):
        begins = times[(part == at) & ~np.isnan(times)].min(initial=np.inf)
        late |= (part < at) & (times > begins)
    return int(late.sum())


def _divided(part: np.ndarray, shares: Mapping[str, float], sizes: np.ndarray, why: str, notes: tuple[str, ...] = ()) -> Divided:
    names = ["train", *shares]
    places = np.array([SPLITS.index(name) for name in names])
    reached = np.bincount(part, minlength=len(names)).tolist()
    differ = [
        f"{name} has {rows_word(there)} where {wanted:,} {'was' if wanted == 1 else 'were'} wanted"
        for name, there, wanted in zip(names, reached, sizes.tolist(), strict=True)
        if there != wanted
    ]
    notes = (f"{'; '.join(differ)}. {why}", *notes) if differ else notes
    wanted = dict(zip(names, sizes.tolist(), strict=True))
    return Divided(places[part], wanted, dict(zip(names, reached, strict=True)), notes)


def _why_not(clusters: Clusters) -> str:
    """Why sizes may not be honoured, in a sentence."""
    reasons = []
    if (largest := int(clusters.size.max(initial=0))) > 1:
        reasons.append(f"rows that belong together stay in one split (the largest cluster has {largest:,})")
    if labels := len(clusters.totals) - (clusters.nobody >= 0):
        reasons.append(f"each of {labels:,} labels needs a row to train on" if labels > 1 else "train needs a row")
    return " and ".join(reasons).capitalize()
