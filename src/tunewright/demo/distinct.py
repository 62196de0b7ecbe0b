"""Keeps a generator from telling nearly the same thing twice, so that the planted duplicates are the only ones."""

from __future__ import annotations

import re
from itertools import pairwise
from math import ceil

_WORD = re.compile(r"\w+")


def normal(text: str) -> str:
    """The letters and digits of a text, in lower case, with one blank between words.

    >>> normal("Hello,  it's ME\\n")
    'hello it s me'
    """
    return " ".join(_WORD.findall(text.lower()))


class Distinct:
    """Remembers texts by their pairs of neighbouring words, and refuses one that shares too many with an earlier one."""

    def __init__(self, most_alike: float) -> None:
        self._most = most_alike
        self._known: list[set[str]] = []
        self._with: dict[str, list[int]] = {}

    def admit(self, text: str) -> bool:
        """Whether the text is unlike all those admitted so far; then it is remembered.

        Two texts are alike when the Jaccard similarity of their pairs of words reaches ``most_alike``.

        Source: prefix filtering, Chaudhuri et al. 2006 (doi:10.1109/ICDE.2006.9): two sets that are alike share one of the first
        few members in any fixed order.
        """
        words = ["", *normal(text).split(), ""]
        pairs = {f"{one} {two}" for one, two in pairwise(words)}
        least, most = self._most * len(pairs), len(pairs) / self._most
        first = sorted(pairs, key=_rare_first)[: len(pairs) - ceil(least) + 1]
        near = {one for pair in first for one in self._with.get(pair, ()) if least <= len(self._known[one]) <= most}
        if any(self._alike(pairs, self._known[one]) for one in near):
            return False
        for pair in first:
            self._with.setdefault(pair, []).append(len(self._known))
        self._known.append(pairs)
        return True

    def _alike(self, one: set[str], other: set[str]) -> bool:
        shared = len(one & other)
        return shared >= self._most * (len(one) + len(other) - shared)


def _rare_first(pair: str) -> tuple[bool, int, str]:
    """Pairs with a number first, then the long ones: the rarer the pairs that are looked up, the fewer texts must be compared."""
    return pair.isascii() and pair.replace(" ", "").isalpha(), -len(pair), pair
