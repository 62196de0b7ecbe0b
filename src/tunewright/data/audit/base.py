"""What a rule is, what it looks at, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.core.config import Config
from tunewright.core.schema import SPLITS, Place, Policy, Severity
from tunewright.tasks.base import Role

if TYPE_CHECKING:
    from tunewright.data.read import BadRow

TRAIN, VALIDATION, TEST = range(len(SPLITS))


@dataclass(frozen=True)
class Services:
    """What rules may call and this folder must not import; ``pipeline`` passes it in.

    Args:
        embed: (texts) -> (texts, width) float32 array: sentence vectors of a small frozen encoder, where one is at hand.
        embed_name: what that encoder is called in a message.
        count_tokens: (texts) -> (texts,) int array: tokens of each, without those that mark begin and end.
        max_tokens: tokens of a row beyond which the model cuts; None when no model is known.
    """

    embed: Callable[[Sequence[str]], np.ndarray] | None = None
    embed_name: str = ""
    count_tokens: Callable[[Sequence[str]], np.ndarray] | None = None
    max_tokens: int | None = None


@dataclass(frozen=True)
class Looked:
    """The rows that a rule looks at.

    Args:
        rows: roles under their own names (texts and label: string or null; several labels: list of strings or null), the table's
            other columns, ``_file`` and ``_row``.
        roles: the roles that have a column here, text roles first.
        split: (rows,), index into ``SPLITS``. Before missing splits are made, the rows they are made from stand in train.
        given: the splits that the source names; empty when it is one table.
        number: (rows,), number of each row in the whole table as read.
        bad: what the reader could not read.
        named: the labels that the recipe itself names, if it does.
        group: (rows,) int, the same number for rows of one group (``data.split.group``), -1 without one; None when the recipe names none.
        time: (rows,) float64, seconds since 1970 (``data.split.time``), NaN without one; None when the recipe names none.
        near_threshold: Jaccard similarity from which two texts are near-duplicates, in (0, 1].
        services: what rules may call.
    """

    rows: pa.Table
    roles: tuple[Role, ...]
    split: np.ndarray
    given: tuple[str, ...]
    number: np.ndarray
    bad: tuple[BadRow, ...] = ()
    named: tuple[str, ...] = ()
    group: np.ndarray | None = None
    time: np.ndarray | None = None
    near_threshold: float = 0.8
    services: Services = field(default_factory=Services)

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    @property
    def text_roles(self) -> list[str]:
        """The names of the roles that are texts."""
        return [role.name for role in self.roles if role.kind == "text"]

    @property
    def label_role(self) -> Role | None:
        """The role that is a label or several, if the task has one."""
        return next((role for role in self.roles if role.kind in {"label", "labels"}), None)

    @property
    def locked(self) -> np.ndarray:
        """(rows,) bool: rows of a test split that the source names. They are never dropped, relabelled or cut."""
        return self.split == TEST if "test" in self.given else np.zeros(len(self), dtype=bool)

    @cached_property
    def exact_texts(self) -> np.ndarray:
        """(rows,) int: the same number for the same text (for pairs: both texts). An empty text is like no other."""
        return self._apart([_codes(self.rows[name]) for name in self.text_roles])

    @cached_property
    def normal_texts(self) -> np.ndarray:
        """(rows,) int: the same number for texts that differ at most in case, blanks, punctuation and Unicode form.

        An empty text is like no other.
        """
        return self._apart([_codes(normalised(self.rows[name])) for name in self.text_roles])

    @cached_property
    def whole_labels(self) -> np.ndarray:
        """(rows,) int: the same number for the same label, or for the same set of labels; -1 without one."""
        role = self.label_role
        if role is None:
            return np.zeros(len(self), dtype=np.int64)
        column = self.rows[role.name]
        if role.kind == "label":
            return _codes(column)
        return _codes(pa.array([None if names is None else "\x1f".join(sorted(names)) for names in column.to_pylist()], pa.string()))

    @cached_property
    def label_names(self) -> tuple[pa.Array, np.ndarray]:
        """Every label name that stands in a row, one after the other; and the row of each, both of the same length."""
        role = self.label_role
        if role is None:
            return pa.array([], pa.string()), np.zeros(0, dtype=np.int64)
        column = one_chunk(self.rows[role.name])
        if role.kind == "labels":
            return pc.list_flatten(column), pc.list_parent_indices(column).to_numpy().astype(np.int64)
        there = pc.is_valid(column)
        return column.filter(there), np.flatnonzero(there.to_numpy(zero_copy_only=False))

    @cached_property
    def empty_texts(self) -> dict[str, np.ndarray]:
        """Text role -> (rows,) bool: the text is missing or holds nothing visible."""
        return {name: _empty(self.rows[name]) for name in self.text_roles}

    def _apart(self, parts: list[np.ndarray]) -> np.ndarray:
        codes = _together(parts)
        empty = np.all(list(self.empty_texts.values()), axis=0)
        return np.where(empty, len(self) + np.arange(len(self)), codes)

    def label_counts(self, rows: np.ndarray) -> dict[str, int]:
        """How many of ``rows`` (bool, one per row) have each label name, the most frequent first, then by name."""
        names, owners = self.label_names
        found = pc.value_counts(names.filter(pa.array(rows[owners])))
        pairs = [(one["values"], one["counts"]) for one in found.to_pylist()]
        return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))

    def only(self, rows: np.ndarray) -> Looked:
        """The rows for which ``rows`` (bool, one per row) is true."""
        chosen = replace(
            self,
            rows=self.rows.filter(pa.array(rows)),
            split=self.split[rows],
            number=self.number[rows],
            group=None if self.group is None else self.group[rows],
            time=None if self.time is None else self.time[rows],
        )
        return self._known(chosen, rows)

    def split_as(self, split: np.ndarray) -> Looked:
        """The same rows in other splits: (rows,), index into ``SPLITS``."""
        return self._known(replace(self, split=split), np.ones(len(self), dtype=bool))

    def _known(self, other: Looked, rows: np.ndarray) -> Looked:
        """Hand on what was computed already: texts are not normalised twice."""
        for name in ("exact_texts", "normal_texts", "whole_labels"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name][rows]
        return other

    def places(self, rows: np.ndarray) -> tuple[Place, ...]:
        """Where the rows with these indices were read."""
        chosen = self.rows.select(["_file", "_row"]).take(pa.array(rows))
        pairs = zip(chosen["_file"].to_pylist(), chosen["_row"].to_pylist(), strict=True)
        return tuple(Place(file=file, row=row) for file, row in pairs)


@dataclass(frozen=True)
class Hit:
    """What a rule found.

    Args:
        message: what was found, with counts; the rows are quoted behind it.
        rows: (hits,) indices of the rows concerned, ascending.
        reasons: why each of them may be removed, parallel to ``rows``; or one sentence for all.
        groups: (hits,) int, rows with the same number belong together.
        removable: (hits,) bool, those that ``drop`` removes; left out, all.
        fixed: column -> the values that ``fix`` puts into ``rows``, parallel to them.
        told_only: there is nothing to decide: whatever the policy says, the rows stay.
        places: the rows concerned, where they are not among the rows looked at.
    """

    message: str
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    reasons: Sequence[str] | str = ""
    groups: np.ndarray | None = None
    removable: np.ndarray | None = None
    fixed: Mapping[str, pa.Array] = field(default_factory=dict)
    told_only: bool = False
    places: tuple[Place, ...] = ()


class Rule(Config):
    """One thing that can be wrong with rows. It looks and tells; the policy of the recipe decides."""

    enabled: bool = True
    """Whether the rule looks at all; ``data.rules: {<rule>: false}`` is short for it."""

    tasks: ClassVar[tuple[str, ...]] = ()
    """The tasks it serves; empty: every task that has what it looks at."""
    looks_at: ClassVar[tuple[Literal["text", "label", "labels"], ...]] = ("text",)
    """Kinds of role, one of which the table must have."""
    uses: ClassVar[tuple[Literal["embed", "count_tokens"], ...]] = ()
    """The services that it calls: where it may change rows, they are part of what a dataset version stands for."""
    when: ClassVar[Literal["clean", "split"]] = "clean"
    """Before missing splits are made, or after."""
    severity: ClassVar[Severity] = "warning"
    cost: ClassVar[str] = "one pass over the column, in Arrow"
    """What looking takes, in words."""
    default: ClassVar[Policy] = "keep"
    policies: ClassVar[tuple[Policy, ...]] = ("keep", "drop", "refuse")
    """What a recipe may ask for."""
    remedy: ClassVar[str]
    """What to do about it, in a sentence."""
    recipe: ClassVar[str] = ""
    """The line of a recipe that does it, where there is one."""
    reaches_test: ClassVar[bool] = False
    """Whether ``drop`` also removes rows of a given test split. Only for rows that cannot be scored."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        """What is found in these rows, if anything."""
        raise NotImplementedError


def normalised(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts without their case, punctuation, repeated blanks and compatibility forms (Unicode NFKC); symbols and digits stay.

    A text that is nothing but punctuation keeps it, so that ``?`` and ``!`` stay different.
    """
    folded = pc.utf8_trim_whitespace(pc.utf8_lower(pc.utf8_normalize(column, form="NFKC")))
    bare = pc.utf8_trim_whitespace(pc.replace_substring_regex(folded, r"[\pP\pZ\s]+", " "))
    return pc.if_else(pc.equal(bare, ""), folded, bare)


def per_row(column: pa.ChunkedArray | pa.Array, function: Callable[[pa.Array], np.ndarray]) -> np.ndarray:
    """One number or flag for each value of a column, found chunk by chunk, so that memory does not grow with the texts.

    Args:
        function: (values of one chunk) -> (values,) array.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    found = [function(chunk) for chunk in chunks]
    return np.concatenate(found) if found else function(pa.array([], column.type))


def one_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def named(names: Sequence[str], most: int = 5) -> str:
    """The first names in quotes, and how many more there are.

    >>> named(["a", "b", "c"], 2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def rows_word(count: int) -> str:
    """``1 row``, ``2 rows``."""
    return "1 row" if count == 1 else f"{count:,} rows"


def _empty(column: pa.ChunkedArray) -> np.ndarray:
    flags: np.ndarray = pc.match_substring_regex(one_chunk(column), r"^[\s\pZ\pC]*$").fill_null(True).to_numpy(zero_copy_only=False)
    return flags


def _codes(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    encoded = one_chunk(column.dictionary_encode())
    codes: np.ndarray = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _together(parts: list[np.ndarray]) -> np.ndarray:
    """One number for each distinct row of several code columns."""
    codes = parts[0]
    for part in parts[1:]:
        codes = np.unique(codes * (part.max(initial=0) + 2) + part + 1, return_inverse=True)[1]
    return codes
