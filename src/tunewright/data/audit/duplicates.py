"""The same text more than once: with the same label, nearly the same, or with another label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np

from tunewright.core.schema import SPLITS, Compact, Places, Policy
from tunewright.data.audit.base import TRAIN, Hit, Looked, Rule, rows_word
from tunewright.data.audit.normal import numbered_groups


class Why(Compact[str]):
    """Why each copy may go, made when it is asked for: the row that stays in its place.

    Args:
        stays: for each copy, where the row was read that stays.
        says: what the copy says, as ``"the same"``.
    """

    __slots__ = ("says", "stays")

    def __init__(self, stays: Places, says: str) -> None:
        self.stays, self.says = stays, says

    def __len__(self) -> int:
        return len(self.stays)

    def item(self, at: int) -> str:
        return f"says {self.says} as {self.stays[at]}, which stays because it was read first"

    def part(self, which: slice) -> Self:
        return type(self)(self.stays[which], self.says)


class ConflictingLabel(Rule):
    """The same text (but for case, blanks and punctuation) with different labels: at most one of them can be right."""

    looks_at: ClassVar = ("label", "labels", "spans")
    cost: ClassVar = "one pass over the texts, in Arrow"
    remedy: ClassVar = "Have the rows labelled again; drop removes all of them, because nothing here says which one is right"
    recipe: ClassVar = "data.policy.conflicting-label: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        texts, labels = looked.normal_texts, looked.whole_labels
        rows = np.flatnonzero(_varied(texts, labels))
        if len(rows):
            groups = numbered_groups(texts[rows])
            message = f"{rows_word(len(rows))} whose text stands with another label elsewhere ({groups.max() + 1:,} texts)"
            yield Hit(message, rows, "the same text stands with another label elsewhere", groups)


class ExactDuplicate(Rule):
    """The same text with the same label again in the same split. Only train lets copies go: a given share of copies is part of the test."""

    when: ClassVar = "split"
    severity: ClassVar = "info"
    cost: ClassVar = "one pass over the texts, in Arrow"
    default: ClassVar[Policy] = "drop"
    remedy: ClassVar = "Keep one copy of each row in train"
    recipe: ClassVar = "data.policy.exact-duplicate: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        yield from _copies(
            looked,
            _pairs(looked.exact_texts, looked.whole_labels),
            "saying word for word the same as an earlier row, label included",
            "word for word the same",
        )


class NormalisedDuplicate(Rule):
    """The same label, and texts that differ only in case, blanks, punctuation or Unicode form, in the same split."""

    when: ClassVar = "split"
    severity: ClassVar = "info"
    cost: ClassVar = "one pass over the texts, in Arrow"
    remedy: ClassVar = "Keep one row of each group in train"
    recipe: ClassVar = "data.policy.normalised-duplicate: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        alike = _pairs(looked.normal_texts, looked.whole_labels)
        differ = _varied(_pairs(alike, looked.split.astype(np.int64)), looked.exact_texts)
        message = "saying the same as an earlier row but for case, blanks or punctuation, with the same label"
        says = "the same but for case, blanks or punctuation"
        yield from _copies(looked.only(differ), alike[differ], message, says, np.flatnonzero(differ))


def _copies(looked: Looked, same: np.ndarray, what: str, says: str, numbers: np.ndarray | None = None) -> Iterator[Hit]:
    """One hit for all rows that have the same number as another row of their split; removable are the later ones in train.

    Args:
        what: of the later rows, for the message.
        says: of the later rows, for the reason.
        numbers: the index of each row among all rows, where ``looked`` holds only some.
    """
    keys = _pairs(same, looked.split.astype(np.int64))
    rows = np.flatnonzero(_shared(keys))
    if not len(rows):
        return
    groups, split = numbered_groups(keys[rows]), looked.split[rows]
    first = np.unique(groups, return_index=True)[1][groups]
    later = first != np.arange(len(rows))
    counts = {SPLITS[at]: int((later & (split == at)).sum()) for at in np.unique(split).tolist()}
    told = ", ".join(f"{count:,} in {name}" for name, count in counts.items())
    message = f"{rows_word(int(later.sum()))} {what} ({told})"
    whole = rows if numbers is None else numbers[rows]
    yield Hit(message, whole, Why(looked.places(rows[first]), says), groups, later & (split == TRAIN), numbers={"copies": int(later.sum())})


def _pairs(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(rows,) int: the same number where both are the same."""
    codes: np.ndarray = np.unique(one * (other.max(initial=0) + 2) + other + 1, return_inverse=True)[1]
    return codes


def _shared(codes: np.ndarray) -> np.ndarray:
    """(rows,) bool: another row has the same number."""
    _, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    shared: np.ndarray = counts[inverse] > 1
    return shared


def _varied(codes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(rows,) bool: rows with the same number have different values."""
    _, inverse = np.unique(codes, return_inverse=True)
    low, high = np.full(inverse.max(initial=-1) + 1, np.iinfo(np.int64).max), np.full(inverse.max(initial=-1) + 1, -1)
    np.minimum.at(low, inverse, values)
    np.maximum.at(high, inverse, values)
    varied: np.ndarray = low[inverse] != high[inverse]
    return varied
