"""One text's entities, wanted and found, held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

KINDS = {
    "type": ("validation", "wrong type", "the place is right, the type is not"),
    "border": ("test", "wrong border", "the type is right, and the place overlaps with the wanted one"),
    "both": ("other", "wrong border and type", "the place overlaps with the wanted one, the type is another"),
    "missed": ("quarantine", "missed", "nothing was found where it stands"),
    "invented": ("invented", "invented", "found where nothing is wanted"),
}
"""Kind of mistake -> its looks in page.css, its name, and what it means."""


class Place(NamedTuple):
    """An entity in a text; two are the same where start, end and type are."""

    start: int
    end: int
    label: str
    probability: float | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and self[:3] == other[:3]

    def __hash__(self) -> int:
        return hash(self[:3])

    def overlaps(self, other: Place) -> bool:
        """Whether they share a character."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Mistake:
    """One thing that went wrong; a label is None where nothing was wanted, or nothing was found."""

    kind: str
    wanted_label: str | None
    found_label: str | None
    quote: str
    """The entity as wanted; an invented one as found."""
    start: int
    end: int


@dataclass(frozen=True)
class Compared:
    """A text with what was wanted and found in it."""

    file: str
    row: int
    text: str
    wanted: tuple[Place, ...]
    found: tuple[Place, ...]
    right: frozenset[Place]
    mistakes: tuple[Mistake, ...]

    @property
    def surest(self) -> float:
        """The probability of the surest wrong entity; 0 where none was found that is wrong."""
        return max((one.probability or 0.0 for one in self.found if one not in self.right), default=0.0)

    def shown(self, around: int) -> tuple[int, int]:
        """The part of the text that holds its first mistakes, with some characters before and behind."""
        first = min(one.start for one in self.mistakes)
        last = max(one.end for one in self.mistakes if one.start <= first + 2 * around)
        return max(0, first - around), min(len(self.text), last + around)


def compared(row: Mapping[str, Any]) -> Compared:
    """A row of ``predictions/`` with what went wrong in it. Each entity is part of one mistake: the nearest kind that explains it."""
    text = str(row["text"] or "")
    wanted = tuple(Place(one["start"], one["end"], one["label"]) for one in row["wanted"] or ())
    found = tuple(Place(one["start"], one["end"], one["label"], one["probability"]) for one in row["spans"] or ())
    right = frozenset(wanted) & frozenset(found)
    lost, odd = [one for one in dict.fromkeys(wanted) if one not in right], [one for one in found if one not in right]
    mistakes: list[Mistake] = []
    for kind in ("type", "border", "both"):
        for mine in list(lost):
            if (theirs := _like(kind, mine, odd)) is not None:
                lost.remove(mine)
                odd.remove(theirs)
                mistakes.append(_mistake(kind, text, mine, theirs))
    mistakes += [_mistake("missed", text, one, None) for one in lost] + [_mistake("invented", text, None, one) for one in odd]
    return Compared(str(row["_file"]), int(row["_row"]), text, wanted, found, right, tuple(mistakes))


def _like(kind: str, wanted: Place, odd: Sequence[Place]) -> Place | None:
    """A found entity that differs from a wanted one in this way."""
    for one in odd:
        same_place, same_label = one[:2] == wanted[:2], one.label == wanted.label
        if {"type": same_place, "border": same_label and one.overlaps(wanted), "both": one.overlaps(wanted)}[kind]:
            return one
    return None


def _mistake(kind: str, text: str, wanted: Place | None, found: Place | None) -> Mistake:
    one = wanted or found
    assert one is not None
    quote = text[max(0, one.start) : max(0, one.end)]
    both = [place for place in (wanted, found) if place is not None]
    labels = wanted.label if wanted else None, found.label if found else None
    return Mistake(kind, *labels, quote, max(0, min(place.start for place in both)), max(place.end for place in both))
