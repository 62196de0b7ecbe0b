"""Clusters change places between parts, while that brings the labels nearer to their shares or the parts nearer to their sizes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tunewright.data.splits.clusters import Clusters

MOST_TURNS, MOST_SWAPPED, MOST_KINDS = 200, 4096, 300
"""Rounds of swaps that even out several labels; rows that change places in one round, and kinds of rows that are tried, at most."""
SMALLEST_GAIN = 1e-9
"""What a swap must win, in squared rows over rows: less is rounding."""
SLACK = 0.3
"""Rows of a label that a part may have too many or too few without a swap: there is little to win, and each swap that is made for so little
is another one when a label is changed."""
MOST_STEPS = 1000
"""Moves and swaps at the end; a handful is usual."""


def even_out(part: np.ndarray, single: np.ndarray, clusters: Clusters, shares: np.ndarray, train_first: bool) -> None:
    """Swap single rows between two parts while that brings the labels nearer to their shares; sizes stay as they are."""
    totals = clusters.totals
    label = clusters.label[clusters.pairs_of(single)]
    lengths = np.diff(clusters.starts)[single]
    starts = np.cumsum(lengths) - lengths
    has = clusters.table(np.arange(len(clusters)), part, len(shares))
    tired: set[tuple[int, int]] = set()
    for _ in range(MOST_TURNS):
        off = has - totals[:, None] * shares
        over = np.sign(off) * np.maximum(np.abs(off) - SLACK, 0) / (totals[:, None] * np.maximum(shares, 1e-12))
        pulls = {
            pair: over[:, pair[0]] - over[:, pair[1]] for pair in combinations(np.flatnonzero(shares).tolist(), 2) if pair not in tired
        }
        if not pulls:
            return
        one, other = max(pulls, key=lambda pair: (float(totals @ pulls[pair] ** 2), pair))
        pull = pulls[one, other]
        swap = _Swap(clusters, pull, (1 / shares[one] + 1 / shares[other]) / totals, has[:, 0] if train_first and one == 0 else None)
        gain = np.add.reduceat(pull[label], starts)
        here, there = (single[part[single] == at] for at in (one, other))
        gains = [gain[part[single] == at] for at in (one, other)]
        go, come = swap.many(here, there, *gains) or swap.two(here, there, *gains)
        if not len(go):
            tired.add((one, other))
            continue
        part[go], part[come] = other, one
        moved = swap.change(go) - swap.change(come)
        has[:, one] -= moved
        has[:, other] += moved
        tired.clear()


@dataclass(frozen=True)
class _Swap:
    """What is won when rows change places between two parts: the fall of the squared distance from the shares, label by label.

    Args:
        clusters: of which single rows are swapped.
        pull: (labels,), how much more of its share of a label the first part has than the second.
        price: (labels,), what one row of a label costs where there was no distance before.
        train: (labels,), rows in train, if that is the first part: none of them may come to nothing.
    """

    clusters: Clusters
    pull: np.ndarray
    price: np.ndarray
    train: np.ndarray | None

    def change(self, rows: np.ndarray) -> np.ndarray:
        """(labels,), how often these rows have each label."""
        return np.bincount(self.clusters.label[self.clusters.pairs_of(rows)], minlength=len(self.pull))

    def worth(self, change: np.ndarray) -> float:
        """What is won when so many rows of each label leave the first part; nothing where train would lose a label."""
        if self.train is not None and ((self.train > 0) & (self.train <= change)).any():
            return 0.0
        return float(2 * self.pull @ change - self.price @ change**2)

    def many(self, here: np.ndarray, there: np.ndarray, gains: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """As many rows as pay, those first that are most out of place."""
        most = min(len(here), len(there), MOST_SWAPPED)
        go, come = (_first(some, key, most) for some, key in ((here, -gains), (there, losses)))
        counts = [2**power for power in range(most.bit_length())]
        worths = [self.worth(self.change(go[:count]) - self.change(come[:count])) for count in counts]
        if not worths or max(worths) <= SMALLEST_GAIN:
            return None
        best = counts[int(np.argmax(worths))]
        return go[:best], come[:best]

    def two(self, here: np.ndarray, there: np.ndarray, gains: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The two rows whose swap wins most, out of some of every kind; no rows where none wins."""
        none = np.zeros(0, dtype=np.int64)
        go, come = (self._kinds(some, key) for some, key in ((here, -gains), (there, losses)))
        if not len(go) or not len(come):
            return none, none
        out, back = (self._labels(some) for some in (go, come))
        first = 2 * ((out @ self.pull)[:, None] - (back @ self.pull)[None])
        squares = (out @ self.price)[:, None] + (back @ self.price)[None] - 2 * (out * self.price) @ back.T
        one, other = np.unravel_index(int((first - squares).argmax()), squares.shape)
        pays = self.worth(out[one] - back[other]) > SMALLEST_GAIN
        return (go[[one]], come[[other]]) if pays else (none, none)

    def _kinds(self, rows: np.ndarray, key: np.ndarray) -> np.ndarray:
        """A row of each kind: all of them if they are few, else the most out of place and some of the others."""
        rows = rows[np.argsort(key, kind="stable")]
        rows = rows[np.sort(np.unique(self.clusters.kind[rows], return_index=True)[1])]
        half = MOST_KINDS // 2
        return rows if len(rows) <= MOST_KINDS else np.concatenate([rows[:half], rows[half :: max(len(rows) // half, 1)]])

    def _labels(self, rows: np.ndarray) -> np.ndarray:
        """(rows, labels), 1 where a row has a label."""
        found = np.zeros((len(rows), len(self.pull)))
        found[np.repeat(np.arange(len(rows)), np.diff(self.clusters.starts)[rows]), self.clusters.label[self.clusters.pairs_of(rows)]] = 1
        return found


def _first(rows: np.ndarray, key: np.ndarray, most: int) -> np.ndarray:
    """The rows with the smallest keys, smallest first."""
    front = np.argpartition(key, most - 1)[:most] if most else np.zeros(0, dtype=np.int64)
    return rows[front[np.argsort(key[front], kind="stable")]]


def bring_sizes_nearer(part: np.ndarray, clusters: Clusters, sizes: np.ndarray, shares: np.ndarray, train_first: bool) -> None:
    """Move or swap clusters while that gives an empty part its first row, or brings the sizes nearer to what was wanted."""
    for _ in range(MOST_STEPS):
        over = np.bincount(part, clusters.size, len(sizes)).astype(np.int64) - sizes
        if not over.any():
            return
        free = _free(part, clusters, train_first)
        step = _filled(part, clusters, sizes, free) or _best_step(part, clusters, shares, over, free)
        if not step:
            return
        for cluster, to in step:
            part[cluster] = to


def _free(part: np.ndarray, clusters: Clusters, train_first: bool) -> np.ndarray:
    """(clusters,) bool: the cluster may leave its part: it is not the only one there, and takes no label out of train."""
    free: np.ndarray = np.bincount(part)[part] > 1
    if train_first:
        train = part == 0
        in_train = np.bincount(clusters.label[train[clusters.owner]], minlength=len(clusters.totals))
        free &= ~train | np.logical_and.reduceat(in_train[clusters.label] > 1, clusters.starts[:-1])
    return free


def _filled(part: np.ndarray, clusters: Clusters, sizes: np.ndarray, free: np.ndarray) -> list[tuple[int, int]]:
    """The smallest cluster that is free, for a part that has none."""
    empty = np.flatnonzero((np.bincount(part, minlength=len(sizes)) == 0) & (sizes > 0))
    movable = np.flatnonzero(free)
    return [(int(movable[clusters.size[movable].argmin()]), int(empty[0]))] if len(empty) and len(movable) else []


def _best_step(part: np.ndarray, clusters: Clusters, shares: np.ndarray, over: np.ndarray, free: np.ndarray) -> list[tuple[int, int]]:
    """The move of one cluster, or the swap of two, that brings two parts nearest to their sizes; none when they cannot come nearer."""
    found = []
    for source in np.flatnonzero(over > 0).tolist():
        for to in np.flatnonzero(over < 0).tolist():
            there = (part == to) & (free if to == 0 else True)
            gain, out, back = _sizes_to_swap(clusters.size[(part == source) & free], clusters.size[there], int(over[source]), int(over[to]))
            found.append((gain, source, to, out, back))
    gain, source, to, out, back = max(found)
    if gain <= 0:
        return []
    everyone = np.arange(len(clusters))
    lacks = (clusters.totals[:, None] * shares - clusters.table(everyone, part, len(shares))) / clusters.totals[:, None]
    step = [(_best_of(np.flatnonzero((part == source) & free & (clusters.size == out)), clusters, lacks[:, to] - lacks[:, source]), to)]
    if back:
        others = np.flatnonzero((part == to) & (free if to == 0 else True) & (clusters.size == back))
        step.append((_best_of(others, clusters, lacks[:, source] - lacks[:, to]), source))
    return step


def _sizes_to_swap(here: np.ndarray, there: np.ndarray, over: int, under: int) -> tuple[int, int, int]:
    """What is gained at best, and the sizes of the cluster that goes and of the one that comes back; 0 when none does."""
    go, come = np.unique(here), np.unique(np.append(there, 0))
    if not len(go):
        return 0, 0, 0
    after = np.searchsorted(come, go - (over - under) / 2)
    pairs = [(go, come[np.clip(after + step, 0, len(come) - 1)]) for step in (-1, 0)]
    out, back = np.concatenate([one for one, _ in pairs]), np.concatenate([one for _, one in pairs])
    gains = over - under - np.abs(over - (out - back)) - np.abs(under + (out - back))
    best = int(gains.argmax())
    return int(gains[best]), int(out[best]), int(back[best])


def _best_of(some: np.ndarray, clusters: Clusters, wished: np.ndarray) -> int:
    """The cluster whose labels are most wished for, per row of a label."""
    at = clusters.pairs_of(some)
    which = np.repeat(np.arange(len(some)), np.diff(clusters.starts)[some])
    return int(some[np.bincount(which, clusters.count[at] * wished[clusters.label[at]]).argmax()])
