"""Which rows go to train, validation and test. Rows of one cluster stay together, and every label comes to train first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tunewright.core.chance import array_generator
from tunewright.core.schema import SPLITS


@dataclass(frozen=True)
class _Cluster:
    """Rows that must stay together, and how many of them have each label."""

    rows: list[int]
    labels: dict[int, int]


def split(clusters: np.ndarray, labels: Sequence[Sequence[int]], shares: Mapping[str, float], seed: int) -> np.ndarray:
    """Give each row its split.

    Sizes are honoured to the row, unless large clusters or labels with a single row forbid it. With one label per row, each label is spread
    over the splits as evenly as whole rows allow; with several, clusters go one after the other, those with the rarest label first, to the
    split that lacks that label most.

    Args:
        clusters: (rows,) int, rows with the same number go to the same split.
        labels: the label ids of each row, from 0; one, several or none. All ``[0]`` gives a random split.
        shares: validation and test -> their share of the rows, those that are to be made; the rest is train.
        seed: of the run; the split has a stream of its own.

    Returns:
        (rows,) int, index into ``SPLITS``.

    Source: Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of multi-label data", algorithm 1.
    """
    places = [0, *(SPLITS.index(name) for name in shares)]
    parts = np.array([1 - sum(shares.values()), *shares.values()])
    room = sizes(len(clusters), parts).tolist()
    lists = [list(one) or [-1] for one in labels]
    totals = Counter(label for one in lists for label in one)
    need = _needs(lists, totals, parts, room)
    result = np.zeros(len(clusters), dtype=np.int64)
    in_train: set[int] = set()
    for cluster in _ordered(clusters, lists, totals, seed):
        chosen = 0 if not in_train.issuperset(cluster.labels) else _hungriest(cluster, totals, need, room)
        if chosen == 0:
            in_train.update(cluster.labels)
        room[chosen] -= len(cluster.rows)
        for label, count in cluster.labels.items():
            need[label][chosen] -= count
        result[cluster.rows] = places[chosen]
    return result


def sizes(rows: int, parts: np.ndarray) -> np.ndarray:
    """Whole numbers that add up to ``rows``, each as near to its share as can be and at least 1 (train gives way).

    >>> sizes(25, np.array([0.8, 0.1, 0.1])).tolist()
    [20, 3, 2]
    """
    exact = parts * rows
    whole = np.floor(exact + 1e-9).astype(np.int64)
    by_rest = np.argsort(-(exact - whole), kind="stable")
    whole[by_rest[: rows - whole.sum()]] += 1
    lacking = np.maximum(1 - whole[1:], 0)
    whole[1:] += lacking
    whole[0] -= lacking.sum()
    return whole


def quotas(counts: np.ndarray, parts: np.ndarray, room: np.ndarray) -> np.ndarray:
    """How many rows of each label go to each split: whole numbers next to their share, with columns that add up to ``room`` if possible.

    Args:
        counts: (labels,), rows of each label.
        parts: (splits,), shares, train first.
        room: (splits,), rows of each split; adds up to ``counts.sum()``.

    Returns:
        (labels, splits); every label with a row has one in train at least.
    """
    exact = counts[:, None] * parts
    quota: np.ndarray = np.floor(exact + 1e-9).astype(np.int64)
    quota[:, 0] = np.maximum(quota[:, 0], np.minimum(counts, 1))
    room = room - quota.sum(axis=0)
    spare = counts - quota.sum(axis=1)
    for label in np.argsort(-spare, kind="stable").tolist():
        given: list[int] = []
        for _ in range(int(spare[label])):
            open_ = [at for at in range(len(parts)) if at not in given] or list(range(len(parts)))
            at = max(open_, key=lambda one: (room[one], exact[label, one] - quota[label, one]))
            quota[label, at] += 1
            room[at] -= 1
            given.append(at)
    while room[0] < 0 and quota[:, 0].max() > 1:
        label = int(np.where(quota[:, 0] > 1, quota[:, 0] - exact[:, 0], -np.inf).argmax())
        at = int(room.argmax())
        quota[label] += np.eye(len(parts), dtype=np.int64)[at] - np.eye(len(parts), dtype=np.int64)[0]
        room[0] += 1
        room[at] -= 1
    return quota


def _needs(lists: list[list[int]], totals: Counter[int], parts: np.ndarray, room: list[int]) -> dict[int, list[float]]:
    """Label -> rows that each split still lacks of it: whole numbers when every row has one label, exact shares otherwise."""
    if all(len(one) == 1 for one in lists):
        ids = sorted(totals)
        table = quotas(np.array([totals[label] for label in ids], dtype=np.int64), parts, np.array(room))
        return {label: row.tolist() for label, row in zip(ids, table, strict=True)}
    return {label: (count * parts).tolist() for label, count in totals.items()}


def _ordered(clusters: np.ndarray, lists: list[list[int]], totals: Counter[int], seed: int) -> list[_Cluster]:
    """Large clusters first, then those with the rarest label, by chance where these are equal."""
    by_cluster = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(clusters[by_cluster])) + 1
    found = [
        _Cluster(rows.tolist(), dict(Counter(label for row in rows.tolist() for label in lists[row])))
        for rows in np.split(by_cluster, starts)
    ]
    shuffled = [found[at] for at in array_generator(seed, "split").permutation(len(found)).tolist()]
    return sorted(shuffled, key=lambda one: (-len(one.rows), min(totals[label] for label in one.labels)))


def _hungriest(cluster: _Cluster, totals: Counter[int], need: Mapping[int, list[float]], room: list[int]) -> int:
    """The split that lacks most rows of the cluster's rarest label, among those with room for it."""
    label = min(cluster.labels, key=lambda one: (totals[one], one))
    fits = [at for at in range(len(room)) if room[at] >= len(cluster.rows)]
    return max(fits or range(len(room)), key=lambda at: (need[label][at] if fits else room[at], room[at]))
