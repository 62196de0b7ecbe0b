"""Entities by chance, and their tags in every scheme."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

LABELS = ("PER", "LOC", "a-b")


def spans(length: int) -> Any:
    """Entities that do not overlap, in a text of some tokens."""
    cuts = st.lists(st.integers(0, length), max_size=8, unique=True).map(sorted)
    labelled = st.tuples(cuts, st.lists(st.sampled_from(LABELS), min_size=9, max_size=9))
    return labelled.map(lambda one: [(a, b, label) for a, b, label in zip(one[0][::2], one[0][1::2], one[1], strict=False)])


def written(length: int, some: list[tuple[int, int, str]], scheme: str) -> list[str]:
    tags, behind = ["O"] * length, (0, "")
    for start, end, label in some:
        inside = ["I"] * (end - start)
        if scheme != "iob1" or behind == (start, label):
            inside[0] = "B"
        if scheme == "iobes":
            inside[-1] = "E" if end - start > 1 else "S"
        if scheme == "bilou":
            inside[-1] = "L" if end - start > 1 else "U"
        tags[start:end] = [f"{place}-{label}" for place in inside]
        behind = end, label
    return tags
