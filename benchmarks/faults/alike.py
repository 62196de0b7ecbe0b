"""How alike two texts are, computed without approximation: the truth that fast methods are held against."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

BLOCK = 2000


def plain(text: str) -> str:
    """A text without case, punctuation, repeated blanks and compatibility forms (Unicode NFKC); symbols and digits stay.

    >>> plain("Don't  PANIC!")
    'don t panic'
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    bare = "".join(" " if unicodedata.category(char)[0] in "PZ" or char.isspace() else char for char in folded)
    return " ".join(bare.split()) or folded.strip()


def words(text: str) -> frozenset[str]:
    """The different words of a text, in plain form."""
    return frozenset(plain(text).split())


def word_pairs(text: str) -> frozenset[str]:
    """The different pairs of neighbouring words of a text, in plain form."""
    found = plain(text).split()
    return frozenset(map(" ".join, pairwise(found))) or frozenset(found)


def letters(text: str, width: int = 5) -> frozenset[str]:
    """The different runs of ``width`` characters of a text, in plain form."""
    bare = plain(text)
    return frozenset(bare[at : at + width] for at in range(max(1, len(bare) - width + 1)))


SHINGLES: dict[str, Callable[[str], frozenset[str]]] = {"words": words, "word pairs": word_pairs, "5 letters": letters}
"""Name -> what a text is cut into, before two are compared."""


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared shingles over all shingles of the two, in [0, 1]."""
    return len(one & other) / len(one | other) if one or other else 1.0


def pairs(texts: Sequence[str], threshold: float, shingles: Callable[[str], frozenset[str]]) -> list[tuple[int, int, float]]:
    """Every pair of texts with at least this Jaccard similarity: (index, later index, similarity).

    Exact: of two sets that are so alike, the rarest ``n - ceil(threshold * n) + 1`` shingles of each share at least what the overlap
    that they need leaves over, when all the others of the larger rest are shared.

    Source: prefix filter, Bayardo, Ma and Srikant 2007 (WWW), section 4; its bound on the rest, Xiao et al. 2008 (WWW), section 4.
    """
    sets = [shingles(text) for text in texts]
    sizes = np.array([len(one) for one in sets], dtype=np.int64)
    rests = np.ceil(threshold * sizes - 1e-9).astype(np.int64) - 1
    table = _rarest(sets, sizes - rests)
    found: list[tuple[int, int, float]] = []
    for start in range(0, len(sets), BLOCK):
        near = (table[start : start + BLOCK] @ table.T).tocoo()
        firsts, seconds = near.row.astype(np.int64) + start, near.col.astype(np.int64)
        needed = threshold / (1 + threshold) * (sizes[firsts] + sizes[seconds]) - 1e-9
        fits = (firsts < seconds) & (near.data + np.maximum(rests[firsts], rests[seconds]) >= needed)
        for first, second in zip(firsts[fits].tolist(), seconds[fits].tolist(), strict=True):
            if (alike := jaccard(sets[first], sets[second])) >= threshold:
                found.append((first, second, alike))
    return found


def _rarest(sets: Sequence[frozenset[str]], numbers: np.ndarray) -> sparse.csr_matrix:
    """(texts, shingles) of ones: for each set its ``numbers`` rarest shingles, in one order for all."""
    counts = Counter(shingle for one in sets for shingle in one)
    order = {shingle: rank for rank, shingle in enumerate(sorted(counts, key=lambda name: (counts[name], name)))}
    heads = [sorted(order[shingle] for shingle in one)[:number] for one, number in zip(sets, numbers.tolist(), strict=True)]
    ends = np.cumsum([0, *map(len, heads)])
    columns = np.array([rank for head in heads for rank in head], dtype=np.int32)
    return sparse.csr_matrix((np.ones(len(columns), dtype=np.int32), columns, ends), shape=(len(sets), max(len(order), 1)))


def clusters(texts: Sequence[str], threshold: float, shingles: Callable[[str], frozenset[str]]) -> list[int]:
    """For each text a number that it has in common with every text that it is like, and with those that these are like, and so on."""
    edges = pairs(texts, threshold, shingles)
    ones, others = [edge[0] for edge in edges], [edge[1] for edge in edges]
    graph = sparse.coo_matrix((np.ones(len(edges)), (ones, others)), shape=(len(texts), len(texts)))
    numbers: list[int] = connected_components(graph, directed=False)[1].tolist()
    return numbers
