"""What one stage hands to the next. These classes are the contract between folders."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar, overload

from pydantic import Field, PlainSerializer, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from tunewright.core.config import Config

Row = Mapping[str, Any]
"""One example: column name to value. Columns that begin with ``_`` are ours (``_file``, ``_row``...)."""

Severity = Literal["info", "warning", "error"]
Policy = Literal["keep", "drop", "fix", "refuse"]
SPLITS = ("train", "validation", "test")


class Score(Config):
    """A number that may be quoted: never without its size and its interval."""

    value: float
    low: float
    """Lower end of the 95 % interval (bootstrap over rows)."""
    high: float
    rows: int

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not all(map(math.isfinite, (self.value, self.low, self.high))):
            raise ValueError("a score is a finite number; what could not be measured says so in words")
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} is outside its own interval [{self.low}, {self.high}]")
        return self

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] n={self.rows}"


class Place(Config):
    """Where a row was read: its file, and its number in that file's data, from 0."""

    file: str
    row: int

    def __str__(self) -> str:
        return f"{self.file} row {self.row}"


One = TypeVar("One")


class Compact(Sequence[One]):
    """A sequence that keeps its items in some bytes each and makes them when they are asked for. It equals a tuple of the same items."""

    __slots__ = ()

    def part(self, which: slice) -> Self:
        """A slice of it."""
        raise NotImplementedError

    def item(self, at: int) -> One:
        """One item, counted from 0."""
        raise NotImplementedError

    @overload
    def __getitem__(self, at: int) -> One: ...

    @overload
    def __getitem__(self, at: slice) -> Self: ...

    def __getitem__(self, at: int | slice) -> One | Self:
        return self.part(at) if isinstance(at, slice) else self.item(range(len(self))[at])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (tuple, Compact)):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:5]))
        return f"({shown}, and {len(self) - 5:,} more)" if len(self) > 5 else f"({shown})"


class Numbers(Compact[int]):
    """Whole numbers, eight bytes each.

    Args:
        values: of the type code ``q``; not changed from now on.
    """

    __slots__ = ("values",)

    def __init__(self, values: array[int]) -> None:
        self.values = values

    @classmethod
    def of(cls, numbers: Iterable[int]) -> Numbers:
        """From any whole numbers; these themselves, if they are compact already."""
        return numbers if isinstance(numbers, Numbers) else cls(array("q", numbers))

    def __len__(self) -> int:
        return len(self.values)

    def item(self, at: int) -> int:
        return self.values[at]

    def part(self, which: slice) -> Self:
        return type(self)(self.values[which])


class Places(Compact[Place]):
    """Where rows were read, twelve bytes each: a finding may concern millions.

    Args:
        files: their names.
        codes: for each row, which of the files; of the type code ``i``.
        rows: for each row, its number in that file's data; of the type code ``q``. Neither is changed from now on.
    """

    __slots__ = ("codes", "files", "rows")

    def __init__(self, files: tuple[str, ...], codes: array[int], rows: array[int]) -> None:
        self.files, self.codes, self.rows = files, codes, rows

    @classmethod
    def of(cls, places: Iterable[Place]) -> Places:
        """From any places; these themselves, if they are compact already."""
        if isinstance(places, Places):
            return places
        files: dict[str, int] = {}
        codes, rows = array("i"), array("q")
        for place in places:
            codes.append(files.setdefault(place.file, len(files)))
            rows.append(place.row)
        return cls(tuple(files), codes, rows)

    @classmethod
    def in_file(cls, file: str, rows: Iterable[int]) -> Places:
        """Rows of one file."""
        numbers = array("q", rows)
        return cls((file,), array("i", bytes(len(numbers) * array("i").itemsize)), numbers)

    def __len__(self) -> int:
        return len(self.rows)

    def item(self, at: int) -> Place:
        return Place(file=self.files[self.codes[at]], row=self.rows[at])

    def part(self, which: slice) -> Self:
        return type(self)(self.files, self.codes[which], self.rows[which])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Places) and self.files == other.files:
            return self.codes == other.codes and self.rows == other.rows
        return super().__eq__(other)

    __hash__ = Compact.__hash__

    def in_files(self, names: Mapping[str, str]) -> Places:
        """The same rows with other names for their files; a file that ``names`` does not know keeps its own."""
        return Places(tuple(names.get(file, file) for file in self.files), self.codes, self.rows)


def _places(value: Any, read: ValidatorFunctionWrapHandler) -> Places:
    return value if isinstance(value, Places) else Places.of(read(value))


def _numbers(value: Any, read: ValidatorFunctionWrapHandler) -> Numbers:
    return value if isinstance(value, Numbers) else Numbers.of(read(value))


def done(action: str, rows: int, numbers: Mapping[str, int | float]) -> str:
    """What was done with the rows of a finding, in words.

    Args:
        action: the policy that was followed.
        rows: how many the finding concerns.
        numbers: its figures; ``removed`` and ``repaired`` among them where not all rows were.

    >>> done("drop", 120, {"removed": 50})
    '50 of them removed'
    """
    word = {"keep": "left as found", "drop": "removed", "fix": "repaired", "refuse": "refused"}.get(action, action)
    touched = numbers.get(word, rows)
    return word if touched == rows else f"{touched:,} of them {word}"


class Finding(Config):
    """Something a check saw: which rows, what it means, what was done, and the remedy."""

    rule: str
    severity: Severity
    message: str
    remedy: str
    action: Policy = "keep"
    """What was done with the rows: ``keep`` (told only), ``drop`` (to quarantine), ``fix`` (repaired), ``refuse``."""
    places: Annotated[Sequence[Place], WrapValidator(_places), PlainSerializer(tuple, return_type=tuple[Place, ...])] = ()
    """Every row concerned."""
    groups: Annotated[Sequence[int], WrapValidator(_numbers), PlainSerializer(tuple, return_type=tuple[int, ...])] = ()
    """Parallel to ``places``: rows with the same number belong together (duplicates of each other). Empty when there are no groups."""
    recipe: str = ""
    """The line of a recipe that applies the remedy, as ``data.policy.<rule>: drop``."""
    kept: Annotated[Sequence[int], WrapValidator(_numbers), PlainSerializer(tuple, return_type=tuple[int, ...])] = ()
    """Parallel to ``places``: 1 for a row that stays, 0 for one that was removed. Empty when ``action`` holds for all of them."""
    numbers: dict[str, int | float] = Field(default_factory=dict)
    """The figures of the message, and what they were measured against, each under a name; shares lie in [0, 1]."""

    def is_kept(self, at: int) -> bool:
        """Whether the row with this index in ``places`` is still among those of the dataset."""
        return bool(self.kept[at]) if len(self.kept) else self.action != "drop"

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"
