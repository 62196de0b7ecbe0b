"""What a rule is, what it looks at, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.core.config import Config
from tunewright.core.schema import SPLITS, Place, Places, Policy, Severity
from tunewright.data.audit.moved import moved_spans, written
from tunewright.data.audit.near import clusters
from tunewright.data.audit.normal import hashes, normal, numbered, together
from tunewright.data.origins import Origins
from tunewright.data.shelf import only
from tunewright.tasks.base import Kind, Role

if TYPE_CHECKING:
    from tunewright.data.read import BadRow

TRAIN, VALIDATION, TEST = range(len(SPLITS))
PLACE = ("_file", "_row")


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
class LabelIds:
    """The labels of rows: one, several or none each.

    Args:
        names: every label name that there is.
        ids: (labels given,), the number of each one's name; -1 where a list of labels has an empty place.
        owners: (labels given,), the row of each, ascending.
    """

    names: tuple[str, ...]
    ids: np.ndarray
    owners: np.ndarray

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> LabelIds:
        """From a column of label names, of lists of label names, or of lists of entities, of which each type counts once in a row."""
        several, known = pa.types.is_list(column.type), _Numbers()
        typed = several and pa.types.is_struct(column.type.value_type)
        ids, owners, at = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)], 0
        for chunk in column.chunks:
            there = pc.is_valid(chunk).to_numpy(zero_copy_only=False)
            names = pc.list_flatten(chunk) if several else chunk.filter(pa.array(there))
            mine = pc.list_parent_indices(chunk).to_numpy().astype(np.int64) if several else np.flatnonzero(there)
            numbers = known.of(names.field("label") if typed else names)
            if typed and len(mine):
                mine, numbers = np.unique(np.stack([mine, numbers]), axis=1)
            ids.append(numbers)
            owners.append(at + mine)
            at += len(chunk)
        return cls(tuple(known), np.concatenate(ids), np.concatenate(owners))

    def only(self, rows: np.ndarray) -> LabelIds:
        """The labels of the rows for which ``rows`` (bool, one per row) is true, which are counted anew."""
        stays = rows[self.owners]
        return LabelIds(self.names, self.ids[stays], (np.cumsum(rows) - 1)[self.owners[stays]])


class _Numbers(dict[str, int]):
    """Names, numbered in the order in which they are first met."""

    def of(self, names: pa.Array) -> np.ndarray:
        """(names,) int64; -1 for a missing one."""
        encoded = names.dictionary_encode()
        numbers = np.array([self.setdefault(name, len(self)) for name in encoded.dictionary.to_pylist()] + [-1], dtype=np.int64)
        found: np.ndarray = numbers[encoded.indices.fill_null(len(numbers) - 1).to_numpy(zero_copy_only=False)]
        return found


@dataclass(frozen=True)
class Looked:
    """The rows that a rule looks at.

    They may be more than fit into memory: ``rows`` lies on the disk, in chunks, and what is computed here takes some bytes for each row.

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
    bad: Sequence[BadRow] = ()
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
        """The role that is a label or several, or holds entities of several types, if the task has one."""
        return next((role for role in self.roles if role.kind in {"label", "labels", "spans"}), None)

    @property
    def gold_role(self) -> Role | None:
        """The role that holds what is wanted of a row: labels, a number."""
        return next((role for role in self.roles if role.kind != "text"), None)

    @property
    def own_columns(self) -> list[str]:
        """The table's own columns that play no role."""
        roles = {role.name for role in self.roles}
        return [name for name in self.rows.column_names if name not in roles and name not in PLACE and not is_fault_column(name)]

    @property
    def locked(self) -> np.ndarray:
        """(rows,) bool: rows of a test split that the source names. They are never dropped, relabelled or cut."""
        return self.split == TEST if "test" in self.given else np.zeros(len(self), dtype=bool)

    @cached_property
    def exact_texts(self) -> np.ndarray:
        """(rows,) int: the same number for the same text (for pairs: both texts). An empty text is like no other."""
        return self._apart([numbered(per_row(self.rows[name], hashes)) for name in self.text_roles])

    @cached_property
    def said(self) -> np.ndarray:
        """(rows,) uint64: a hash of what each row says, whatever its case, blanks, punctuation and Unicode form, and wherever it stands."""
        return together([per_row(self.rows[name], lambda texts: hashes(normal(texts))) for name in self.text_roles])

    @cached_property
    def normal_texts(self) -> np.ndarray:
        """(rows,) int: the same number for texts that differ at most in case, blanks, punctuation and Unicode form.

        An empty text is like no other.
        """
        return self._apart([numbered(self.said)])

    @cached_property
    def near_texts(self) -> np.ndarray:
        """(rows,) int64: the same number for near-duplicates and for normalised ones; a text alone in its cluster has a number of its own.

        Numbers name the first row of a cluster among the rows that they were first asked for.
        """
        return clusters([self.rows[name] for name in self.text_roles], self.normal_texts, self.near_threshold)

    @cached_property
    def whole_labels(self) -> np.ndarray:
        """(rows,) int: the same number for the same label, set of labels, number or whatever is wanted of a row; -1 without one."""
        role = self.gold_role
        if role is None:
            return np.zeros(len(self), dtype=np.int64)
        known, kind = _Numbers(), role.kind
        if kind == "spans":
            return known.of(pa.array(written(self.rows[role.beside or ""].to_pylist(), self.rows[role.name].to_pylist()), pa.string()))
        if kind != "label":
            return per_row(self.rows[role.name], lambda values: known.of(as_text(values, kind)))
        labels = self.label_ids
        codes = np.full(len(self), -1, dtype=np.int64)
        codes[labels.owners] = labels.ids
        return codes

    @cached_property
    def label_ids(self) -> LabelIds:
        """Every label that stands in a row, by the number of its name."""
        role = self.label_role
        if role is None:
            return LabelIds((), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        return LabelIds.of(self.rows[role.name])

    @cached_property
    def label_names(self) -> tuple[pa.Array, np.ndarray]:
        """Every label name that stands in a row, one after the other; and the row of each, both of the same length.

        ``label_ids`` says the same in less room.
        """
        labels = self.label_ids
        return pa.array(labels.names, pa.string()).take(pa.array(labels.ids, mask=labels.ids < 0)), labels.owners

    @cached_property
    def origins(self) -> Origins:
        """Where each row was read."""
        return Origins.of(self.rows)

    @cached_property
    def empty_texts(self) -> dict[str, np.ndarray]:
        """Text role -> (rows,) bool: the text is missing or holds nothing visible."""
        return {name: per_row(self.rows[name], _empty) for name in self.text_roles}

    def _apart(self, parts: list[np.ndarray]) -> np.ndarray:
        codes = _together(parts)
        empty = np.all(list(self.empty_texts.values()), axis=0)
        return np.where(empty, len(self) + np.arange(len(self)), codes)

    def label_counts(self, rows: np.ndarray) -> dict[str, int]:
        """How many of ``rows`` (bool, one per row) have each label name, the most frequent first, then by name."""
        labels = self.label_ids
        mine = labels.ids[rows[labels.owners] & (labels.ids >= 0)]
        counts = np.bincount(mine, minlength=len(labels.names)).tolist()
        pairs = [(name, count) for name, count in zip(labels.names, counts, strict=True) if count]
        return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))

    def rows_with(self, labels: Sequence[str]) -> np.ndarray:
        """(rows,) bool: the row has one of these labels."""
        found = self.label_ids
        wanted = np.isin(found.ids, [number for number, name in enumerate(found.names) if name in set(labels)])
        has = np.zeros(len(self), dtype=bool)
        has[found.owners[wanted]] = True
        return has

    def only(self, rows: np.ndarray) -> Looked:
        """The rows for which ``rows`` (bool, one per row) is true.

        Raises:
            UserError: there is no room on the disk for them.
        """
        chosen = replace(
            self,
            rows=only(self.rows, rows),
            split=self.split[rows],
            number=self.number[rows],
            group=None if self.group is None else self.group[rows],
            time=None if self.time is None else self.time[rows],
        )
        return self._known(chosen, rows)

    def split_as(self, split: np.ndarray) -> Looked:
        """The same rows in other splits: (rows,), index into ``SPLITS``."""
        return self._known(replace(self, split=split), np.ones(len(self), dtype=bool))

    def mended(self, columns: Mapping[str, pa.ChunkedArray]) -> Looked:
        """The same rows with other values in some columns. Entities keep to their characters where their text is changed."""
        rows = self.rows
        role = self.label_role
        if role is not None and role.kind == "spans" and role.beside in columns and role.name not in columns:
            text = role.beside or ""
            columns = {**columns, role.name: moved_spans(rows[text], columns[text], rows[role.name])}
        for name, values in columns.items():
            rows = rows.set_column(rows.column_names.index(name), name, values)
        other = self._known(replace(self, rows=rows), np.ones(len(self), dtype=bool))
        of_texts, of_labels = ("exact_texts", "said", "normal_texts", "near_texts", "empty_texts"), ("whole_labels", "label_ids")
        stale = {*(of_texts if set(self.text_roles) & set(columns) else ()), *(of_labels if set(columns) - set(self.text_roles) else ())}
        for name in stale & other.__dict__.keys():
            del other.__dict__[name]
        return other

    def _known(self, other: Looked, rows: np.ndarray) -> Looked:
        """Hand on what was computed already: texts are not normalised twice."""
        known = self.__dict__
        for name in ("exact_texts", "said", "normal_texts", "near_texts", "whole_labels"):
            if name in known:
                other.__dict__[name] = known[name][rows]
        for name in ("label_ids", "origins"):
            if name in known:
                other.__dict__[name] = known[name].only(rows)
        if "empty_texts" in known:
            other.__dict__["empty_texts"] = {name: flags[rows] for name, flags in known["empty_texts"].items()}
        return other

    def places(self, rows: np.ndarray) -> Places:
        """Where the rows with these indices were read."""
        return self.origins.only(rows).places()


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
        remedy: what to do, where it is not what the rule says of its other hits; the finding is then for information, without a line for
            the recipe.
        places: the rows concerned, where they are not among the rows looked at.
        numbers: the figures that only this rule measured, each under a name; shares lie in [0, 1]. What every rule could count (rows, their
            share, those of each split, clusters, removed ones) and the rule's own settings are added for it.
    """

    message: str
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    reasons: Sequence[str] | str = ""
    groups: np.ndarray | None = None
    removable: np.ndarray | None = None
    fixed: Mapping[str, pa.Array | pa.ChunkedArray] = field(default_factory=dict)
    told_only: bool = False
    remedy: str = ""
    places: Sequence[Place] = ()
    numbers: Mapping[str, int | float] = field(default_factory=dict)


class Rule(Config):
    """One thing that can be wrong with rows. It looks and tells; the policy of the recipe decides."""

    enabled: bool = True
    """Whether the rule looks at all; ``data.rules: {<rule>: false}`` is short for it."""

    switched_on: ClassVar[str] = "true"
    """What ``data.rules`` must say of it to have it, where it is off by default."""
    tasks: ClassVar[tuple[str, ...]] = ()
    """The tasks it serves; empty: every task that has what it looks at."""
    looks_at: ClassVar[tuple[Kind, ...]] = ("text",)
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
    streams: ClassVar[Literal["row", "block", "first"]] = "first"
    """How it looks at the rows of a stream: each ``row`` tells by itself what is wrong with it; or the rows of a ``block`` are compared
    with each other; or it needs the whole table, and looks at the ``first`` rows alone. A rule that must remember rows has a form of its
    own in ``audit/on_the_fly.py``."""
    vital: ClassVar[bool] = False
    """Whether nothing may be written where it raises and its policy is ``fix``: what it mends must not get through."""
    reaches_test: ClassVar[bool] = False
    """Whether ``drop`` also removes rows of a given test split. Only for rows that cannot be scored."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        """What is found in these rows, if anything."""
        raise NotImplementedError

    def stands_for(self) -> dict[str, Any]:
        """What of it decides what it finds, in plain values: part of what a dataset version stands for."""
        return self.model_dump(mode="json", exclude={"enabled"})

    def beside(self, folder: Path) -> Self:
        """The rule with the files that it names looked for where ``data.source`` is: in the folder of the recipe, then where one works."""
        return self

    def with_memory(self, memory: Any) -> Self:
        """The rule as it looks at the blocks of a stream, one after the other; what it says of a block must not depend on what it has seen
        of others, but for ``memory`` (``audit/on_the_fly.py``)."""
        return self


FAULT = "_fault_"


def fault_column(role: str, key: str = "") -> str:
    """The column that says why a value of this role could not be read: string, null where it could. Datasets do not keep it.

    With a ``key``, what the reader of the role hands on to rules under this name (``data/values``).
    """
    return f"{FAULT}{role}_{key}" if key else FAULT + role


def is_fault_column(name: str) -> bool:
    """Whether a column tells faults of another, or what else only rules must know."""
    return name.startswith(FAULT)


def normalised(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts without their case, punctuation, repeated blanks and compatibility forms (Unicode NFKC); symbols and digits stay.

    A text that is nothing but punctuation keeps it, so that ``?`` and ``!`` stay different.
    """
    return pa.chunked_array([normal(chunk) for chunk in column.chunks], pa.string())


def per_row(column: pa.ChunkedArray | pa.Array, function: Callable[[pa.Array], np.ndarray]) -> np.ndarray:
    """One number or flag for each value of a column, found chunk by chunk, so that memory does not grow with the texts.

    Args:
        function: (values of one chunk) -> (values,) array.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    found = [function(chunk) for chunk in chunks]
    return np.concatenate(found) if found else function(pa.array([], column.type))


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


def _empty(texts: pa.Array) -> np.ndarray:
    flags: np.ndarray = pc.match_substring_regex(texts, r"^[\s\pZ\pC]*$").fill_null(True).to_numpy(zero_copy_only=False)
    return flags


def as_text(values: pa.Array, kind: Kind) -> pa.Array:
    """What is wanted of each row as one text, the same for the same (a set of labels in any order); null where there is none."""
    if kind == "labels":
        sets = [None if names is None else sorted({name for name in names if name is not None}) for names in values.to_pylist()]
        return pa.array([None if names is None else "\x1f".join(names) for names in sets], pa.string())
    if not pa.types.is_nested(values.type):
        return values.cast(pa.string())
    return pa.array([None if value is None else repr(value) for value in values.to_pylist()], pa.string())


def _together(parts: list[np.ndarray]) -> np.ndarray:
    """One number for each distinct row of several code columns."""
    codes = parts[0]
    for part in parts[1:]:
        codes = np.unique(codes * (part.max(initial=0) + 2) + part + 1, return_inverse=True)[1]
    return codes
