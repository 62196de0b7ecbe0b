"""Near-duplicates: texts that share most of their words, found by MinHash and verified pair by pair.

Two texts are near-duplicates when the Jaccard similarity of their sets of words (``word_sets``) reaches the threshold; rows of two texts,
when both do. Texts with fewer than ``FEWEST`` different words never are: there one word changes what is said.

Candidates are rows whose MinHash signatures agree in a whole band (Broder 1997; Indyk and Motwani 1998). Each is verified with the true
similarity: chance costs recall (``MISSED`` of the pairs that lie exactly at the threshold), never precision. The signatures are made in
numpy: rensa makes them faster, but hands them over as Python integers, which takes longer than all that is done here.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa

from tunewright.data.audit.word_sets import Texts, Words, cuts, mixed, parts
from tunewright.data.shelf import put_aside

FEWEST = 8
"""Different words below which a text is compared only as a whole."""
MISSED = 0.003
"""Share of the pairs exactly at the threshold that may meet in no band."""
MOST_HASHES, MOST_WIDE = 256, 16
"""Hash functions that a signature may have, and those that one band may have."""
SKETCH = 64
"""Bytes of each signature that stay in memory, to dismiss most candidates without reading their texts again."""
SMALL, LEADERS = 8, 16
"""In a bucket of up to ``SMALL`` rows each is compared with each; in a larger one with at most ``LEADERS`` of them, the earliest first."""
PAIRS, PAIRS_BYTES = 1 << 16, 1 << 25
"""Candidates that are verified at once, and the bytes of their texts."""
SOME = 1 << 9
"""Words or rows whose hashes are worked on at once: few enough for the processor's cache."""
WORKERS = min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def clusters(texts: Sequence[pa.ChunkedArray], same: np.ndarray, threshold: float) -> np.ndarray:
    """Which rows belong together, because each is a near-duplicate of another one among them.

    Memory: about 150 bytes a row, however long the texts are; another 130 or so go to a temporary file.

    Args:
        texts: a column of texts, or several that are compared side by side; of equal length.
        same: (rows,) int, the same number for rows that say the same; one of them is compared.
        threshold: Jaccard similarity from which two texts are near-duplicates, in (0, 1].

    Returns:
        (rows,) int64: the index of the first row of the cluster.

    Raises:
        UserError: there is no room on the disk.
    """
    _, first, inverse = np.unique(same, return_index=True, return_inverse=True)
    table = Texts(texts)
    signed = _Signed(table, np.sort(first), threshold)
    search = _Search(table, signed, threshold)
    for keys in signed.bands():
        search.meet(keys)
    search.finish()
    whole = np.arange(len(same))
    whole[signed.rows] = signed.rows[search.root]
    found: np.ndarray = whole[first[inverse]]
    return found


def bands_for(threshold: float) -> tuple[int, int]:
    """How many bands of how many hashes: the widest that still find a pair at the threshold, because wide ones find little else.

    >>> bands_for(0.8)
    (32, 8)
    """
    for width in range(MOST_WIDE, 1, -1):
        agrees = threshold**width
        count = 1 if agrees == 1 else math.ceil(math.log(MISSED) / math.log1p(-agrees))
        if count * width <= MOST_HASHES:
            return count, width
    return MOST_HASHES, 1


class _Signed:
    """The rows that are compared, with what their signatures say: a piece in memory, the keys of their bands on the disk.

    Args:
        chosen: indices of the rows to compare, ascending; those with too few words are left out.
    """

    def __init__(self, table: Texts, chosen: np.ndarray, threshold: float) -> None:
        self.table = table
        self.count, self.width = bands_for(threshold)
        self.seeds = mixed(np.arange(1, -(-self.count * self.width // 4) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
        self.rows, self.sketches = chosen.copy(), np.empty((len(chosen), min(SKETCH, self.count * self.width)), dtype=np.uint8)
        self._sizes: list[int] = []
        self._file = put_aside(self._signed(chosen))
        self.rows, self.sketches = self.rows[: sum(self._sizes)], self.sketches[: sum(self._sizes)]

    def bands(self) -> Iterator[np.ndarray]:
        """(compared,) uint32, band after band: rows with the same number are candidates."""
        for band in range(self.count):
            found, start = [], 0
            for size in self._sizes:
                self._file.seek(4 * (start + band * size))
                found.append(np.frombuffer(self._file.read(4 * size), dtype=np.uint32))
                start += self.count * size
            yield np.concatenate([*found, np.zeros(0, dtype=np.uint32)])

    def _signed(self, chosen: np.ndarray) -> Iterator[bytes]:
        done = 0
        for rows, keys, sketches in _side_by_side(self._block, self.table.blocks(chosen)):
            self.rows[done : done + len(rows)], self.sketches[done : done + len(rows)] = rows, sketches
            done += len(rows)
            self._sizes.append(len(rows))
            yield keys.tobytes()

    def _block(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        words = self.table.words(rows)
        enough = np.sum([np.diff(one.ends) for one in words], axis=0) >= FEWEST
        signature = _signature([one.only(enough) for one in words], self.seeds)
        return rows[enough], _keys(signature, self.count, self.width), signature[:, : self.sketches.shape[1]].astype(np.uint8)


def _side_by_side(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """What the function makes of each item, in order, on up to ``WORKERS`` threads (numpy and Arrow let each other run)."""
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Any] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _signature(columns: list[Words], seeds: np.ndarray) -> np.ndarray:
    """(rows, 4 * seeds) uint16: the least hash of the words of each row, for each of many hash functions."""
    least = _least(columns[0], seeds)
    for column in columns[1:]:
        np.minimum(least, _least(column, seeds), out=least)
    return least


def _least(words: Words, seeds: np.ndarray) -> np.ndarray:
    """As ``_signature``, of one column. Each 64-bit hash serves as four of 16 bits: that these meet by chance costs time, not truth."""
    encoded = pa.array(words.hashes).dictionary_encode()
    which, distinct = encoded.indices.to_numpy(), encoded.dictionary.to_numpy()
    hashes = np.empty((len(distinct), 4 * len(seeds)), dtype=np.uint16)
    for low in range(0, len(distinct), SOME):
        hashes[low : low + SOME] = mixed(distinct[low : low + SOME, None] ^ seeds).view(np.uint16)
    counts = np.diff(words.ends)
    least = np.full((len(counts), 4 * len(seeds)), np.iinfo(np.uint16).max, dtype=np.uint16)
    longest_first = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    for low in range(0, len(longest_first), SOME):
        rows = longest_first[low : low + SOME]
        least[rows] = _least_of(hashes, which, words.ends[rows], counts[rows])
    return least


def _least_of(hashes: np.ndarray, which: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(rows, hashes) the least of each row, the longest row first: word by word, for all rows at once."""
    least: np.ndarray = hashes[which[starts]]
    word = np.empty_like(least)
    having = np.searchsorted(-counts, -np.arange(1, counts[0]))
    for at, rows in enumerate(having.tolist(), 1):
        np.take(hashes, which[starts[:rows] + at], axis=0, out=word[:rows], mode="clip")
        np.minimum(least[:rows], word[:rows], out=least[:rows])
    return least


def _keys(signature: np.ndarray, count: int, width: int) -> np.ndarray:
    """(bands, rows) uint32: the same number where the hashes of a band are the same."""
    bands = signature[:, : count * width].reshape(len(signature), count, width)
    keys = np.zeros(bands.shape[:2], dtype=np.uint32)
    for at in range(width):
        keys *= np.uint32(0x9E3779B1)
        keys += bands[:, :, at]
    found: np.ndarray = np.ascontiguousarray(keys.T)
    return found


class _Search:
    """Rows that are found to be near are joined, band after band."""

    def __init__(self, table: Texts, signed: _Signed, threshold: float) -> None:
        self.table, self.rows, self.sketches, self.threshold = table, signed.rows, signed.sketches, threshold
        self.fewest = _fewest_alike(self.sketches.shape[1], threshold)
        self.root = np.arange(len(self.rows))
        """(compared,) the first member of the cluster of each, as far as it is known."""
        self._aside: list[np.ndarray] = []

    def meet(self, keys: np.ndarray) -> None:
        """Compare the rows that have the same key."""
        member = np.sort(keys.astype(np.uint64) << np.uint64(32) | np.arange(len(keys), dtype=np.uint64))
        again = np.zeros(len(keys), dtype=bool)
        again[1:] = np.diff(member >> np.uint64(32)) == 0
        shared = again.copy()
        shared[:-1] |= again[1:]
        member, bucket = (member[shared] & np.uint64(0xFFFFFFFF)).astype(np.int64), np.cumsum(~again[shared]) - 1
        small = (np.bincount(bucket) <= SMALL)[bucket]
        self._each_with_each(member[small], bucket[small])
        self._with_leaders(member[~small], bucket[~small])

    def _each_with_each(self, member: np.ndarray, bucket: np.ndarray) -> None:
        """Put the pairs of small buckets aside, until there are enough of them to be verified together."""
        for apart in range(1, SMALL):
            left = np.flatnonzero(bucket[apart:] == bucket[:-apart])
            one, other = member[left], member[left + apart]
            alike = self._alike(one, other)
            self._aside.append(np.stack([one[alike], other[alike]]))
        if sum(pairs.shape[1] for pairs in self._aside) >= PAIRS:
            self.finish()

    def finish(self) -> None:
        """Verify what was put aside."""
        pairs = np.concatenate([np.zeros((2, 0), dtype=np.int64), *self._aside], axis=1)
        self._aside = []
        self._joined(*_distinct(pairs, len(self.rows)))

    def _with_leaders(self, member: np.ndarray, bucket: np.ndarray) -> None:
        """Compare the rows of large buckets with the first that are near to no leader yet; several at once if there is room."""
        done = 0
        while len(member) and done < LEADERS:
            leaders = min(max(1, PAIRS // len(member)), LEADERS - done)
            new = np.append(True, np.diff(bucket) != 0)
            start = np.flatnonzero(new)[np.cumsum(new) - 1]
            rank = np.arange(len(member)) - start
            pairs = [(start[rows] + at, rows) for at in range(leaders) for rows in [np.flatnonzero(rank > at)]]
            one, other = (np.concatenate(rows) for rows in zip(*pairs, strict=True))
            joined = rank < leaders
            joined[other[self._joined(member[one], member[other])]] = True
            member, bucket, done = member[~joined], bucket[~joined], done + leaders

    def _joined(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """(pairs,) bool: the two are in one cluster, or are near and now in one."""
        joined: np.ndarray = self.root[one] == self.root[other]
        alike = np.flatnonzero(self._alike(one, other))
        size = self.table.bytes[self.rows[one[alike]]] + self.table.bytes[self.rows[other[alike]]]
        for part in parts(alike, cuts(np.maximum(size, PAIRS_BYTES // PAIRS), PAIRS_BYTES)):
            near = part[self._near(one[part], other[part])]
            joined[near] = True
            self._join(one[near], other[near])
        return joined

    def _alike(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """(pairs,) bool: the two are not in one cluster yet, and their sketches do not rule out that they are near."""
        alike: np.ndarray = self.root[one] != self.root[other]
        for part in parts(np.flatnonzero(alike), np.arange(PAIRS, len(one), PAIRS)):
            alike[part] = np.count_nonzero(self.sketches[one[part]] == self.sketches[other[part]], axis=1) >= self.fewest
        return alike

    def _near(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """(pairs,) bool: the true similarity reaches the threshold."""
        rows, at = np.unique(np.concatenate([one, other]), return_inverse=True)
        left, right = at[: len(one)], at[len(one) :]
        near, sizes = np.ones(len(one), dtype=bool), np.zeros(len(rows), dtype=np.int64)
        for part in self.table.words(self.rows[rows]):
            sets = _sets(part)
            size = np.diff(sets.indptr)
            shared = np.diff(sets[left].multiply(sets[right]).indptr)
            near &= shared + 1e-9 >= self.threshold * (size[left] + size[right] - shared)
            sizes += size
        found: np.ndarray = near & (sizes[left] >= FEWEST) & (sizes[right] >= FEWEST)
        return found

    def _join(self, one: np.ndarray, other: np.ndarray) -> None:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        if not len(one):
            return
        roots, at = np.unique(self.root[np.concatenate([one, other])], return_inverse=True)
        graph = coo_array((np.ones(len(one), dtype=bool), (at[: len(one)], at[len(one) :])), shape=(len(roots), len(roots)))
        _, part = connected_components(graph, directed=False)
        first = np.full(part.max(initial=-1) + 1, len(self.root))
        np.minimum.at(first, part, roots)
        whole = np.arange(len(self.root))
        whole[roots] = first[part]
        self.root = whole[self.root]


def _distinct(pairs: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """(2, pairs) each pair once."""
    found = np.unique(pairs[0] * rows + pairs[1])
    return found // rows, found % rows


def _sets(part: Words) -> Any:
    """(rows, 2^63) a sparse matrix of ones: the words that each row has."""
    from scipy.sparse import csr_array

    columns = (part.hashes >> np.uint64(1)).astype(np.int64)
    sets = csr_array((np.ones(len(columns), dtype=np.int8), columns, part.ends), shape=(len(part.ends) - 1, np.iinfo(np.int64).max))
    sets.sum_duplicates()
    sets.data[:] = 1
    return sets


def _fewest_alike(hashes: int, threshold: float) -> int:
    """How many of so many hashes two near texts have in common, but for one pair in ten thousand at the threshold."""
    missed, count = 0.0, 0
    while missed <= 1e-4 and count <= hashes:
        missed += math.comb(hashes, count) * threshold**count * (1 - threshold) ** (hashes - count)
        count += 1
    return count - 1
