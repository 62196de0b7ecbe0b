"""Deals clusters of rows out to parts of given sizes, with the labels in the same shares everywhere. Splits and folds are made by it."""

from __future__ import annotations

import numpy as np

from tunewright.data.splits.clusters import Clusters
from tunewright.data.splits.swap import bring_sizes_nearer, even_out

FEW = 3
"""Clusters that a part should have at least: one customer alone is no test. A cluster that leaves no room for others stays in train."""
MANY, BULK = 50_000, 0.9
"""Clusters of several rows from which not each is weighed on its own, and the share of those alike that are dealt out together then."""


def spread(clusters: Clusters, sizes: np.ndarray, chance: np.random.Generator, train_first: bool) -> np.ndarray:
    """Give each cluster its part.

    Clusters of several rows come first, large ones before small ones, each to the part that lacks most of its labels; single rows then make
    up for what the clusters left uneven. With one label per row they are dealt out by quota, with several by the rarest label first. In
    the end clusters change places while that brings the sizes nearer to what was wanted. Where there are very many clusters, or none but
    single rows, those of one kind (same size, same labels) are dealt out together, as often as whole ones go into the shares.

    Args:
        clusters: the rows that stay together, with their labels.
        sizes: (parts,), the rows that each part should have; they add up to all rows.
        chance: decides between clusters that are alike.
        train_first: whether every label must come to the first part before any other.

    Returns:
        (clusters,), index of the part of each.

    Source: for several labels, Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of multi-label data", algorithm 1, with all
    rows of a label at once.
    """
    shares = sizes / max(int(sizes.sum()), 1)
    part = np.full(len(clusters), -1)
    if len(large := np.flatnonzero(clusters.size > 1)) > MANY:
        _in_bulk(part, large, clusters, BULK * shares, chance)
    elif not len(large):
        _in_bulk(part, np.arange(len(clusters)), clusters, shares, chance)
    _one_by_one(part, clusters, sizes, shares, chance, train_first)
    single = np.flatnonzero(part < 0)
    if len(single):
        several = np.diff(clusters.starts)[single].max() > 1
        deal = _by_rarest_label if several else _by_quota
        deal(part, single, clusters, sizes, shares, chance, train_first)
    bring_sizes_nearer(part, clusters, sizes, shares, train_first)
    return part


def _in_bulk(part: np.ndarray, some: np.ndarray, clusters: Clusters, shares: np.ndarray, chance: np.random.Generator) -> None:
    """Give the clusters of each kind their part, as far as whole ones go into the shares; chance decides which of them are left."""
    shuffled = chance.permutation(some)
    order = shuffled[np.argsort(clusters.kind[shuffled], kind="stable")]
    kind = clusters.kind[order]
    count = np.bincount(kind)
    rank = np.arange(len(kind)) - (np.cumsum(count) - count)[kind]
    edges = np.cumsum(np.floor(count[:, None] * shares + 1e-9).astype(np.int64), axis=1)
    found = (rank[:, None] >= edges[kind]).sum(axis=1)
    part[order] = np.where(found == len(shares), -1, found)


def _state(part: np.ndarray, clusters: Clusters, sizes: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that each part still has room for; rows of each label that it still lacks; labels that the first part has."""
    done = np.flatnonzero(part >= 0)
    has = clusters.table(done, part[done], len(sizes))
    room = sizes - np.bincount(part[done], clusters.size[done], len(sizes)).astype(np.int64)
    return room, clusters.totals[:, None] * shares - has, has[:, 0] > 0


def _one_by_one(
    part: np.ndarray, clusters: Clusters, sizes: np.ndarray, shares: np.ndarray, chance: np.random.Generator, train_first: bool
) -> None:
    """Give clusters of several rows that are left their part, large ones first, then those with the rarest label."""
    left = chance.permutation(np.flatnonzero((part < 0) & (clusters.size > 1)))
    if not len(left):
        return
    room, need, in_train = (one.tolist() for one in _state(part, clusters, sizes, shares))
    totals = clusters.totals
    rarest = np.minimum.reduceat(totals[clusters.label], clusters.starts[:-1])
    waiting = np.bincount(clusters.label[clusters.pairs_of(np.flatnonzero(part < 0))], minlength=len(totals)).tolist()
    weight = 1 / (totals[:, None] * np.maximum(shares, 1e-12))
    scale, target, parts = weight.tolist(), sizes.tolist(), range(len(sizes))
    for cluster in left[np.lexsort((rarest[left], -clusters.size[left]))].tolist():
        inside = slice(int(clusters.starts[cluster]), int(clusters.starts[cluster + 1]))
        labels = list(zip(clusters.label[inside].tolist(), clusters.count[inside].tolist(), strict=True))
        size = int(clusters.size[cluster])
        if train_first and any(waiting[label] == 1 and not in_train[label] for label, _ in labels):
            chosen = 0
        else:
            fits = [at for at in parts if room[at] >= size and (FEW * size <= target[at] or (train_first and at == 0))]
            fits = fits or [at for at in parts if room[at] >= size]
            lacks = {at: sum(count * need[label][at] * scale[label][at] for label, count in labels) for at in fits or parts}
            chosen = max(lacks, key=lambda at: (lacks[at], room[at]) if fits else (room[at], lacks[at]))
        part[cluster] = chosen
        room[chosen] -= size
        for label, count in labels:
            need[label][chosen] -= count
            waiting[label] -= 1
            in_train[label] = in_train[label] or chosen == 0


def _by_quota(
    part: np.ndarray,
    single: np.ndarray,
    clusters: Clusters,
    sizes: np.ndarray,
    shares: np.ndarray,
    chance: np.random.Generator,
    train_first: bool,
) -> None:
    """Deal out rows that stand alone and have one label each, so that every label and every part comes out even."""
    room, need, in_train = _state(part, clusters, sizes, shares)
    label = clusters.label[clusters.starts[single]]
    count = np.bincount(label, minlength=len(need))
    wanted = _down_to(need, count)
    whole = rounded(_down_to(room[None].astype(float), np.array([len(single)]))[0], len(single))
    quota = quotas(wanted, whole, ~in_train & (count > 0) & train_first)
    shuffled = chance.permutation(len(single))
    order = shuffled[np.argsort(label[shuffled], kind="stable")]
    part[single[order]] = np.repeat(np.tile(np.arange(len(sizes)), len(quota)), quota.ravel())


def quotas(wanted: np.ndarray, room: np.ndarray, first: np.ndarray) -> np.ndarray:
    """How many rows of each label go to each part: whole numbers next to what is wanted, with columns that add up to ``room`` if possible.

    Args:
        wanted: (labels, parts), 0 or more; its rows add up to whole numbers.
        room: (parts,), whole numbers that add up to as many rows.
        first: (labels,) bool, those that must have a row in the first part.

    Returns:
        (labels, parts), whole numbers; its rows add up as those of ``wanted`` do.
    """
    count = np.rint(wanted.sum(axis=1)).astype(np.int64)
    quota: np.ndarray = np.floor(wanted + 1e-9).astype(np.int64)
    quota[:, 0] = np.maximum(quota[:, 0], first)
    for label in np.flatnonzero(quota.sum(axis=1) > count).tolist():
        quota[label, 1 + int(quota[label, 1:].argmax())] -= 1
    room = room - quota.sum(axis=0)
    spare = count - quota.sum(axis=1)
    for label in np.argsort(-spare, kind="stable").tolist():
        given: set[int] = set()
        for _ in range(int(spare[label])):
            open_ = [at for at in range(len(room)) if at not in given] or list(range(len(room)))
            at = max(open_, key=lambda one: (room[one], wanted[label, one] - quota[label, one]))
            quota[label, at] += 1
            room[at] -= 1
            given.add(at)
    _evened(quota, wanted, room, first)
    return quota


def _evened(quota: np.ndarray, wanted: np.ndarray, room: np.ndarray, first: np.ndarray) -> None:
    """Move rows from parts that have too many to those that have too few, each of the label that bears it best."""
    least = np.zeros_like(quota)
    least[:, 0] = first
    while room.min() < 0:
        to = int(room.argmax())
        for at in np.argsort(room, kind="stable").tolist():
            bears = np.where(quota[:, at] > least[:, at], (quota - wanted)[:, at] - (quota - wanted)[:, to], -np.inf)
            if room[at] < 0 and np.isfinite(bears).any():
                break
        else:
            return
        label = int(bears.argmax())
        quota[label, at] -= 1
        quota[label, to] += 1
        room[at] += 1
        room[to] -= 1


def _by_rarest_label(
    part: np.ndarray,
    single: np.ndarray,
    clusters: Clusters,
    sizes: np.ndarray,
    shares: np.ndarray,
    chance: np.random.Generator,
    train_first: bool,
) -> None:
    """Deal out rows that stand alone and have several labels: all rows of the label that has fewest left, then the next."""
    room, need, in_train = _state(part, clusters, sizes, shares)
    single = chance.permutation(single)
    single = single[np.argsort(clusters.kind[single], kind="stable")]  # rows with the same labels are neighbours, and are dealt out in turn
    at = clusters.pairs_of(single)
    label, row = clusters.label[at], np.repeat(np.arange(len(single)), np.diff(clusters.starts)[single])
    by_label = np.argsort(label, kind="stable")
    begins = np.searchsorted(label[by_label], np.arange(len(need) + 1))
    left = np.bincount(label, minlength=len(need))
    given = np.full(len(single), -1)
    while left.any():
        rarest = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin())
        rows = row[by_label[begins[rarest] : begins[rarest + 1]]]
        rows = rows[given[rows] < 0]
        must = train_first and not in_train[rarest]
        given[rows] = _in_turn(_whole_needs(need[rarest], room, len(rows), must), chance)
        of_these = clusters.table(single[rows], given[rows], len(sizes))
        need -= of_these
        left = left - of_these.sum(axis=1)
        in_train |= of_these[:, 0] > 0
        room = room - np.bincount(given[rows], minlength=len(sizes))
    for lost in np.flatnonzero(~in_train & train_first).tolist():  # its last rows went with another label of theirs
        if len(rows := row[by_label[begins[lost] : begins[lost + 1]]]) and not (given[rows] == 0).any():
            given[rows[0]] = 0
    part[single] = given
    even_out(part, single, clusters, shares, train_first)


def _whole_needs(need: np.ndarray, room: np.ndarray, rows: int, must: bool) -> np.ndarray:
    """(parts,), how many of some rows go to each part: by what it lacks of their label, and no more than it has room for."""
    quota = rounded(_down_to(need[None], np.array([rows]))[0], rows, room)
    if must and not quota[0]:
        quota += np.eye(len(quota), dtype=np.int64)[0] - np.eye(len(quota), dtype=np.int64)[int(quota.argmax())]
    return quota


def _in_turn(quota: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """The parts, each as often as its quota says, mixed as evenly as can be."""
    which = np.repeat(np.arange(len(quota)), quota)
    rank = np.arange(len(which)) - np.repeat(np.cumsum(quota) - quota, quota)
    found: np.ndarray = which[np.argsort((rank + chance.random(len(quota))[which]) / quota[which], kind="stable")]
    return found


def _down_to(wanted: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """The nearest table without negative numbers whose rows add up to ``totals``.

    Source: Duchi et al. 2008, "Efficient projections onto the l1-ball", figure 1.
    """
    falling = -np.sort(-wanted, axis=1)
    over = (np.cumsum(falling, axis=1) - totals[:, None]) / np.arange(1, wanted.shape[1] + 1)
    last = np.maximum((falling > over).sum(axis=1) - 1, 0)
    found: np.ndarray = np.maximum(wanted - over[np.arange(len(wanted)), last][:, None], 0)
    return found


def rounded(wanted: np.ndarray, total: int, room: np.ndarray | None = None) -> np.ndarray:
    """Whole numbers that add up to ``total``, each next to what is wanted; above ``room`` only when all of it is full.

    >>> rounded(np.array([1.6, 0.7, 0.7]), 3).tolist()
    [1, 1, 1]
    """
    room = np.full(len(wanted), total) if room is None else np.maximum(room, 0)
    whole: np.ndarray = np.minimum(np.floor(wanted + 1e-9).astype(np.int64), room)
    while (lacking := total - int(whole.sum())) > 0:
        open_ = whole < room if (whole < room).any() else np.ones(len(whole), dtype=bool)
        by_rest = np.argsort(-np.where(open_, wanted - whole, -np.inf), kind="stable")[: min(lacking, int(open_.sum()))]
        whole[by_rest] += 1
    return whole
