"""Deals clusters of rows out to parts of given sizes, with the labels in the same shares everywhere. Splits and folds are made by it."""

from __future__ import annotations

import numpy as np

from tunewright.data.splits.clusters import Clusters
from tunewright.data.splits.swap import bring_sizes_nearer, even_out

FEW = 3
"""Clusters that a part should have at least: one customer alone is no test. A cluster that leaves no room for others stays in train."""
MANY, BULK = 50_000, 0.9
"""Clusters of several rows from which not each is weighed on its own, and the share of those alike that are dealt out together then."""


def spread(clusters: Clusters, sizes: np.ndarray, train_first: bool) -> np.ndarray:
    """Give each cluster its part.

    Clusters of several rows come first, large ones before small ones, each to the part that its chance says, or, where that part lacks no
    such rows, to the one that lacks most of its labels; single rows then make up for what the clusters left uneven. With one label per row
    they are dealt out by quota, with several by the rarest label first. In the end clusters change places while that brings the sizes
    nearer to what was wanted. Where there are very many clusters, or none but single rows of several labels, those of one kind (same size,
    same labels) are dealt out together, as often as whole ones go into the shares.

    Chance is a number that each cluster has from what it says. So a label that is changed, or a row that comes or goes, moves those at the
    borders of the quotas concerned, and no others.

    Args:
        clusters: the rows that stay together, with their labels.
        sizes: (parts,), the rows that each part should have; they add up to all rows.
        train_first: whether every label must come to the first part before any other.

    Returns:
        (clusters,), index of the part of each.

    Source: for several labels, Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of multi-label data", algorithm 1, with all
    rows of a label at once.
    """
    shares = sizes / max(int(sizes.sum()), 1)
    part = np.full(len(clusters), -1)
    several = bool(np.diff(clusters.starts)[clusters.size == 1].max(initial=0) > 1)
    if len(large := np.flatnonzero(clusters.size > 1)) > MANY:
        _in_bulk(part, large, clusters, BULK * shares)
    elif not len(large) and several:
        _in_bulk(part, np.arange(len(clusters)), clusters, shares)
    _one_by_one(part, clusters, sizes, shares, train_first)
    single = np.flatnonzero(part < 0)
    if len(single):
        deal = _by_rarest_label if several else _by_quota
        deal(part, single, clusters, sizes, shares, train_first)
    bring_sizes_nearer(part, clusters, sizes, shares, train_first)
    return part


def _laid_out(kind: np.ndarray, quota: np.ndarray) -> np.ndarray:
    """The part of each cluster, those of one kind in their order: the first ones to the parts behind the first two, then the first part.

    The last ones go to the second part. So a split that is made from train has train on one side alone, and what moves its border moves one
    cluster.

    Args:
        kind: (some,), the kind of each, ascending.
        quota: (kinds, parts), how many of each kind go to each part.

    Returns:
        (some,), index of the part; -1 for those that no quota asks for.
    """
    count = np.bincount(kind, minlength=len(quota))
    rank = np.arange(len(kind)) - (np.cumsum(count) - count)[kind]
    order = _line(quota.shape[1])[:-1]
    edges = np.cumsum(quota[:, order], axis=1)
    found: np.ndarray = np.append(order, -1)[(rank[:, None] >= edges[kind]).sum(axis=1)]
    found[rank >= (count - quota[:, 1])[kind]] = 1
    return found


def _line(parts: int) -> np.ndarray:
    """The parts in the order in which they stand side by side: each split that is made from the first one touches that alone.

    >>> _line(3).tolist()
    [2, 0, 1]
    """
    return np.array([*range(2, parts), 0, 1])


def _in_bulk(part: np.ndarray, some: np.ndarray, clusters: Clusters, shares: np.ndarray) -> None:
    """Give the clusters of each kind their part, as far as whole ones go into the shares; the rest is left."""
    order = some[np.argsort(clusters.kind[some], kind="stable")]
    kind = clusters.kind[order]
    part[order] = _laid_out(kind, np.floor(np.bincount(kind)[:, None] * shares + 1e-9).astype(np.int64))


def _state(part: np.ndarray, clusters: Clusters, sizes: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that each part still has room for; rows of each label that it still lacks; labels that the first part has."""
    done = np.flatnonzero(part >= 0)
    has = clusters.table(done, part[done], len(sizes))
    room = sizes - np.bincount(part[done], clusters.size[done], len(sizes)).astype(np.int64)
    return room, clusters.totals[:, None] * shares - has, has[:, 0] > 0


def _one_by_one(part: np.ndarray, clusters: Clusters, sizes: np.ndarray, shares: np.ndarray, train_first: bool) -> None:
    """Give clusters of several rows that are left their part, large ones first, and of those as large by chance."""
    left = np.flatnonzero((part < 0) & (clusters.size > 1))
    if not len(left):
        return
    room, need, in_train = (one.tolist() for one in _state(part, clusters, sizes, shares))
    totals, line = clusters.totals, _line(len(sizes))
    left = left[np.argsort(-clusters.size[left], kind="stable")]
    drawn = line[np.minimum(np.searchsorted(np.cumsum(shares[line]), clusters.chance_of(left), side="right"), len(line) - 1)]
    waiting = np.bincount(clusters.label[clusters.pairs_of(np.flatnonzero(part < 0))], minlength=len(totals)).tolist()
    scale = (1 / (totals[:, None] * np.maximum(shares, 1e-12))).tolist()
    target, parts = sizes.tolist(), range(len(sizes))
    for cluster, own in zip(left.tolist(), drawn.tolist(), strict=True):
        inside = slice(int(clusters.starts[cluster]), int(clusters.starts[cluster + 1]))
        labels = list(zip(clusters.label[inside].tolist(), clusters.count[inside].tolist(), strict=True))
        size = int(clusters.size[cluster])
        fits = [at for at in parts if room[at] >= size and (FEW * size <= target[at] or (train_first and at == 0))]
        if train_first and any(waiting[label] == 1 and not in_train[label] for label, _ in labels):
            chosen = 0
        elif own in fits and all(2 * need[label][own] >= count for label, count in labels):
            chosen = own
        else:
            fits = fits or [at for at in parts if room[at] >= size]
            lacks = {at: sum(count * need[label][at] * scale[label][at] for label, count in labels) for at in fits or parts}
            chosen = max(lacks, key=lambda at: (lacks[at], room[at]) if fits else (room[at], lacks[at]))
        part[cluster] = chosen
        room[chosen] -= size
        for label, count in labels:
            need[label][chosen] -= count
            waiting[label] -= 1
            in_train[label] = in_train[label] or chosen == 0


def _by_quota(part: np.ndarray, single: np.ndarray, clusters: Clusters, sizes: np.ndarray, shares: np.ndarray, train_first: bool) -> None:
    """Deal out rows that stand alone and have one label each, so that every label and every part comes out even."""
    room, need, in_train = _state(part, clusters, sizes, shares)
    label = clusters.label[clusters.starts[single]]
    count = np.bincount(label, minlength=len(need))
    wanted = _down_to(need, count)
    whole = rounded(_down_to(room[None].astype(float), np.array([len(single)]))[0], len(single))
    first = ~in_train & (count > 0) & train_first
    order = np.argsort(label, kind="stable")
    part[single[order]] = _laid_out(label[order], quotas(wanted, whole, first, train_first))


def quotas(wanted: np.ndarray, room: np.ndarray, first: np.ndarray, train_first: bool) -> np.ndarray:
    """How many rows of each label go to each part: whole numbers next to what is wanted, with columns that add up to ``room`` if possible.

    Largest remainders, part by part: what is left of each label when every part has its whole rows stands in the first part, and is moved
    from there. Where that is train, the others are as even as whole rows allow, and train bears a row more or less: so most changes of a
    label by one row are a row of train more or less. Of labels with the same remainder the earlier one goes first.

    Args:
        wanted: (labels, parts), 0 or more; its rows add up to whole numbers.
        room: (parts,), whole numbers that add up to as many rows.
        first: (labels,) bool, those that must have a row in the first part.
        train_first: whether the first part is train, in which a row more or less weighs nothing.

    Returns:
        (labels, parts), whole numbers; its rows add up as those of ``wanted`` do.
    """
    quota: np.ndarray = np.floor(wanted + 1e-9).astype(np.int64)
    quota[:, 0] = np.rint(wanted.sum(axis=1)).astype(np.int64) - quota[:, 1:].sum(axis=1)
    for label in np.flatnonzero(first & (quota[:, 0] == 0)).tolist():
        quota[label, 1 + int(quota[label, 1:].argmax())] -= 1
        quota[label, 0] += 1
    weight = np.ones(len(room))
    weight[0] = not train_first
    least = np.zeros_like(quota)
    for fewest in (np.maximum(first, np.ceil(wanted[:, 0] - 1 - 1e-9)), first):
        least[:, 0] = fewest
        _evened(quota, wanted, room, least, weight)
    return quota


def _evened(quota: np.ndarray, wanted: np.ndarray, room: np.ndarray, least: np.ndarray, weight: np.ndarray) -> None:
    """Move rows from parts that have too many to those that have too few, of the labels that bear it best, one of each at a time."""
    while (over := quota.sum(axis=0) - room).any():
        pairs = [(at, to) for at in np.flatnonzero(over > 0) for to in np.flatnonzero(over < 0) if (quota[:, at] > least[:, at]).any()]
        if not pairs:
            return
        at, to = max(pairs, key=lambda pair: min(over[pair[0]], -over[pair[1]]))
        off = quota - wanted
        price = np.round((1 - 2 * off[:, at]) * weight[at] + (1 + 2 * off[:, to]) * weight[to], 6)
        movable = np.flatnonzero(quota[:, at] > least[:, at])
        cheapest = movable[np.argsort(price[movable], kind="stable")[: min(over[at], -over[to])]]
        quota[cheapest, at] -= 1
        quota[cheapest, to] += 1


def _by_rarest_label(
    part: np.ndarray,
    single: np.ndarray,
    clusters: Clusters,
    sizes: np.ndarray,
    shares: np.ndarray,
    train_first: bool,
) -> None:
    """Deal out rows that stand alone and have several labels: all rows of the label that has fewest left, then the next."""
    room, need, in_train = _state(part, clusters, sizes, shares)
    single = single[np.argsort(clusters.kind[single], kind="stable")]
    at = clusters.pairs_of(single)
    label, row = clusters.label[at], np.repeat(np.arange(len(single)), np.diff(clusters.starts)[single])
    by_label = np.argsort(label, kind="stable")
    begins = np.searchsorted(label[by_label], np.arange(len(need) + 1))
    left = np.bincount(label, minlength=len(need))
    given, line = np.full(len(single), -1), _line(len(sizes))
    while left.any():
        rarest = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin())
        rows = row[by_label[begins[rarest] : begins[rarest + 1]]]
        rows = rows[given[rows] < 0]
        must = train_first and not in_train[rarest]
        given[rows] = np.repeat(line, _whole_needs(need[rarest], room, len(rows), must)[line])
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
