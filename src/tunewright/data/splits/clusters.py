"""Rows that belong together, and the labels that they have: what a split is made from, in arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Labels:
    """The labels of rows, one, several or none each: labels of one text, or the types of the spans in it.

    Args:
        owners: (labels given,), the row of each.
        ids: (labels given,), its number from 0; -1 is none. Which number stands for which name decides nothing.
    """

    owners: np.ndarray
    ids: np.ndarray


def numbered(codes: np.ndarray) -> np.ndarray:
    """The same groups, numbered from 0 in the order in which they first appear.

    >>> numbered(np.array([7, 3, 7, -1])).tolist()
    [0, 1, 0, 2]
    """
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    found: np.ndarray = rank[inverse]
    return found


def united(*codes: np.ndarray) -> np.ndarray:
    """Rows that any of these groupings holds together, directly or over other rows, get the same number.

    Args:
        codes: (rows,) int each, rows with the same number belong together; -1 belongs to nobody.

    Returns:
        (rows,) int from 0, in the order in which the groups first appear; a row that belongs to nobody has a number of its own.

    >>> united(np.array([0, 0, 1, 2]), np.array([-1, 5, 5, -1])).tolist()
    [0, 0, 0, 1]
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    whole = np.arange(len(codes[0]))
    for one in codes:
        there = np.flatnonzero(one >= 0)
        known = numbered(one[there])
        rows = len(whole)
        nodes = rows + int(known.max(initial=-1)) + 1
        graph = coo_matrix((np.ones(len(there), dtype=bool), (whole[there], rows + known)), shape=(nodes, nodes))
        whole = connected_components(graph, directed=False)[1][whole]
    return numbered(whole)


@dataclass(frozen=True)
class Clusters:
    """Clusters of rows, and how many rows of each have each label. A row without a label counts as one of a label of its own.

    Clusters are numbered by what they say and not by where they stand: their order is that of chance, and it stays as it is when other rows
    come, go or are labelled anew. Labels are numbered in the order in which they appear there.

    Args:
        of_row: (rows,), the cluster of each row, from 0.
        key: (clusters,) uint64, ascending: a number that looks like chance, of the seed and of what the rows say.
        size: (clusters,), its rows.
        starts: (clusters + 1,), where the labels of each cluster begin in the two arrays that follow.
        label: (cluster and label,), labels are numbered from 0.
        count: (cluster and label,), rows of the cluster that have the label.
        nobody: the number that rows without a label have instead of one; -1 if there are none.
    """

    of_row: np.ndarray
    key: np.ndarray
    size: np.ndarray
    starts: np.ndarray
    label: np.ndarray
    count: np.ndarray
    nobody: int

    @classmethod
    def gather(cls, clusters: np.ndarray, labels: Labels | None, said: np.ndarray, seed: int) -> Self:
        """From the cluster of each row; without labels all rows are alike.

        Args:
            clusters: (rows,) int, rows with the same number belong together.
            labels: of the rows.
            said: (rows,) uint64, the same number for rows that say the same. A cluster goes by the smallest one, mixed with the seed.
            seed: of this use, below 2**32.
        """
        of_row, key = _by_content(numbered(clusters), _mixed(said ^ _mixed(np.array([seed], dtype=np.uint64))))
        size = np.bincount(of_row)
        if labels is None:
            return cls(of_row, key, size, np.arange(len(size) + 1), np.zeros(len(size), dtype=np.int64), size, -1)
        there = np.flatnonzero(labels.ids >= 0)
        order = there[np.argsort(of_row[labels.owners[there]], kind="stable")]
        owners, ids = labels.owners[order], numbered(labels.ids[order])
        bare = np.ones(len(of_row), dtype=bool)
        bare[owners] = False
        nobody = int(ids.max(initial=-1)) + 1
        rows = np.concatenate([owners, np.flatnonzero(bare)])
        ids = np.concatenate([ids, np.full(int(bare.sum()), nobody)])
        rows, ids = np.divmod(_runs(rows * (nobody + 1) + ids)[0], nobody + 1)  # a label counts once in a row
        pairs, count = _runs(of_row[rows] * (nobody + 1) + ids)
        cluster, label = np.divmod(pairs, nobody + 1)
        return cls(of_row, key, size, np.searchsorted(cluster, np.arange(len(size) + 1)), label, count, nobody if bare.any() else -1)

    def __len__(self) -> int:
        return len(self.size)

    def chance_of(self, chosen: np.ndarray) -> np.ndarray:
        """(some,), a number in [0, 1) for each of some clusters, which has nothing to do with its place in their order."""
        return np.asarray((_mixed(self.key[chosen]) >> np.uint64(11)) * 2.0**-53)

    @cached_property
    def owner(self) -> np.ndarray:
        """(cluster and label,), the cluster of each pair."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    @cached_property
    def totals(self) -> np.ndarray:
        """(labels,), rows of each label."""
        return np.bincount(self.label, self.count).astype(np.int64)

    @cached_property
    def kind(self) -> np.ndarray:
        """(clusters,), the same number for clusters of the same size with the same labels as often, in the order of appearance."""
        marks = _mixed(self.label.astype(np.uint64) * np.uint64(0x1_0000_0001) + self.count.astype(np.uint64))
        return numbered((np.add.reduceat(marks, self.starts[:-1]) + _mixed(self.size.astype(np.uint64))).view(np.int64))

    def pairs_of(self, chosen: np.ndarray) -> np.ndarray:
        """Where the labels of some clusters stand, one cluster after the other."""
        lengths = self.starts[chosen + 1] - self.starts[chosen]
        ends = np.cumsum(lengths)
        found: np.ndarray = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(self.starts[chosen] - ends + lengths, lengths)
        return found

    def table(self, chosen: np.ndarray, part: np.ndarray, parts: int) -> np.ndarray:
        """(labels, parts), the rows of each label that some clusters bring to each part; ``part`` is parallel to ``chosen``."""
        at = self.pairs_of(chosen)
        to = np.repeat(part, self.starts[chosen + 1] - self.starts[chosen])
        found = np.bincount(self.label[at] * parts + to, self.count[at], len(self.totals) * parts)
        return found.reshape(len(self.totals), parts)


def _by_content(of_row: np.ndarray, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The clusters numbered by the smallest mark among their rows; and these marks, ascending."""
    key = np.full(int(of_row.max(initial=-1)) + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(key, of_row, marks)
    order = np.argsort(key, kind="stable")
    rank = np.empty(len(key), dtype=np.int64)
    rank[order] = np.arange(len(key))
    return rank[of_row], key[order]


def _runs(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different keys, ascending, and how often each occurs. Sorting is faster here than the hash table of ``numpy.unique``."""
    keys = np.sort(keys)
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[first], np.diff(first, append=len(keys))


def _mixed(values: np.ndarray) -> np.ndarray:
    """A 64-bit number that looks like chance for each number. Source: Steele et al. 2014, SplitMix."""
    mixed = (values + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0x94D049BB133111EB)
    found: np.ndarray = mixed ^ (mixed >> np.uint64(31))
    return found
