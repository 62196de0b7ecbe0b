"""Which rows were met before, in eight bytes each: a set of 64-bit hashes that forgets the oldest."""

from __future__ import annotations

import numpy as np

PARTS = 8
"""What is remembered lies in about so many sorted parts; the oldest is forgotten as a whole."""


class Seen:
    """A set of 64-bit hashes.

    Args:
        most: how many of the latest hashes are remembered at least; at most an eighth more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[np.ndarray] = []
        """Sorted, the oldest first."""

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def add(self, hashes: np.ndarray) -> None:
        """Remember hashes ((rows,) uint64), and forget the oldest ones beyond ``most``."""
        if not len(hashes):
            return
        self._parts.append(np.sort(hashes))
        while len(self._parts) > 1 and self._belong_together():
            last = self._parts.pop()
            self._parts[-1] = np.sort(np.concatenate([self._parts[-1], last]), kind="stable")
        while self._parts and len(self) - len(self._parts[0]) >= self._most:
            del self._parts[0]

    def knows(self, hashes: np.ndarray) -> np.ndarray:
        """(rows,) bool: which of these hashes were met before."""
        known = np.zeros(len(hashes), dtype=bool)
        for part in self._parts:
            at = np.searchsorted(part, hashes)
            known |= part[np.minimum(at, len(part) - 1)] == hashes
        return known

    def _belong_together(self) -> bool:
        """Whether the two newest parts are of like size: so there are few, and each hash is sorted again a few times only."""
        older, newer = len(self._parts[-2]), len(self._parts[-1])
        return older <= 2 * newer and older + newer <= max(self._most // PARTS, 1)


def both(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(rows,) uint64: one hash of two, in this order.

    Source: the last step is that of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
    """
    mixed = one * np.uint64(0x9E3779B97F4A7C15) + other
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: np.ndarray = mixed ^ (mixed >> np.uint64(31))
    return found
