"""The audit of a stream: the same rules, block by block, with what must be remembered of the rows before in some bytes each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import PrivateAttr

from tunewright.data.audit import RULES
from tunewright.data.audit.apply import Chosen
from tunewright.data.audit.base import TEST, TRAIN, Hit, Looked, Rule, as_text, named, rows_word
from tunewright.data.audit.duplicates import ConflictingLabel, ExactDuplicate, NormalisedDuplicate
from tunewright.data.audit.groups import LeakGroup
from tunewright.data.audit.leaks import LeakExact
from tunewright.data.audit.missing import NEVER_A_CLASS, NULL_LIKE, MissingLabel, without_value
from tunewright.data.audit.near_duplicates import LeakNear
from tunewright.data.audit.normal import hashes, normal
from tunewright.data.audit.rows import LabelNotLearned
from tunewright.data.audit.variants import LabelVariant, spellings
from tunewright.data.streams.seen import Seen, both


@dataclass(frozen=True)
class HeldOut:
    """What the validation and test rows are known by.

    Args:
        texts: (texts,) uint64, hashes of their normalised texts, ascending.
        groups: (groups,) uint64, hashes of the values of ``data.split.group``, ascending.
        rows: the texts themselves under their roles, for those that say nearly the same; None where they are too many for that.
    """

    texts: np.ndarray
    groups: np.ndarray
    rows: pa.Table | None = None


@dataclass
class Memory:
    """What is known of the rows before a block.

    Args:
        labels: every label that was learned -> its rows in the prepared train split.
        held_out: the validation and test rows.
        most: rows whose copies are recognised.
        group: the column of ``data.split.group``.
    """

    labels: Mapping[str, int]
    held_out: HeldOut
    most: int
    group: str | None = None
    exact: Seen = field(init=False)
    alike: Seen = field(init=False)
    texts: Seen = field(init=False)
    conflicting: set[int] = field(default_factory=set)
    """Hashes of the texts that were met with several labels."""
    fresh: set[int] = field(default_factory=set)
    """Those among them that the block at hand has brought."""

    def __post_init__(self) -> None:
        self.exact, self.alike, self.texts = Seen(self.most), Seen(self.most), Seen(self.most)

    def remember(self, rows: np.ndarray, conflicting: set[int]) -> None:
        """Take note of rows that were met.

        Args:
            rows: (3, rows) uint64, as ``marks`` gives them.
            conflicting: hashes of texts that were met with several labels.
        """
        for seen, own in zip((self.exact, self.alike, self.texts), rows, strict=True):
            seen.add(own)
        self.conflicting |= conflicting


def marks(looked: Looked) -> np.ndarray:
    """(3, rows) uint64: what each row is remembered by: text and label, normalised text and label, normalised text. Rows without a text
    are left out: they are like no other."""
    there = ~_silent(looked)
    labels, texts = _labels(looked), _texts(looked, normalise=True)
    return np.stack([both(_texts(looked, normalise=False), labels), both(texts, labels), texts])[:, there]


def on_the_fly(chosen: Chosen, memory: Memory, made: bool) -> Chosen:
    """The rules of a recipe as they look at the blocks of a stream.

    Args:
        chosen: the rules of the recipe.
        memory: of the rows before.
        made: whether validation or test rows were made from the first rows: then rows that say the same, or nearly the same, or are of one
            group with them never come to train.
    """
    looking, policy = where_it_looks(chosen, memory), dict(chosen.policy)
    rules: dict[str, Rule] = {name: rule for name, rule in chosen.rules.items() if looking[name] != "first"}
    if made:
        leaks = ["leak-exact", *(["leak-near"] if memory.held_out.rows is not None else []), *(["leak-group"] if memory.group else [])]
        rules |= {name: RULES.build(name) for name in leaks if name not in rules}
        policy |= dict.fromkeys(leaks, "drop")
    for name, rule in rules.items():
        if name in REMEMBERING:
            rule = REMEMBERING[name](**{key: getattr(rule, key) for key in type(rule).model_fields})
        rules[name] = rule.with_memory(memory)
    return Chosen(rules, {name: policy[name] for name in rules})


def where_it_looks(chosen: Chosen, memory: Memory) -> dict[str, str]:
    """How each rule looks at a stream: at each ``row``, at each ``block``, at a row with what was ``remembered`` of those before, or at the
    ``first`` rows alone."""
    found: dict[str, str] = {}
    for name, rule in chosen.rules.items():
        lacks = (name == "leak-near" and memory.held_out.rows is None) or (name == "leak-group" and memory.group is None)
        found[name] = "first" if lacks else "remembered" if name in REMEMBERING else rule.streams
    return found


class _Remembering:
    """A rule that looks at a block and knows of the rows before it."""

    _memory: Memory = PrivateAttr()

    def with_memory(self, memory: Memory) -> Any:
        self._memory = memory
        return self


class StreamedExact(_Remembering, ExactDuplicate):
    """The same text with the same label as an earlier row of the stream."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        rows = both(_texts(looked, normalise=False), _labels(looked))
        yield from _copies(looked, rows, self._memory.exact, "saying word for word the same as an earlier row, label included")


class StreamedAlike(_Remembering, NormalisedDuplicate):
    """The same label as an earlier row of the stream, and a text that differs from it in case, blanks, punctuation or Unicode form."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        rows = both(_texts(looked, normalise=True), _labels(looked))
        message = "saying the same as an earlier row but for case, blanks or punctuation, with the same label"
        yield from _copies(looked, rows, self._memory.alike, message)


class StreamedConflict(_Remembering, ConflictingLabel):
    """A text that stood with another label in an earlier row; the rows before the first that differs cannot be called back."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        memory, texts = self._memory, _texts(looked, normalise=True)
        pairs = both(texts, _labels(looked))
        differ = memory.texts.knows(texts) & ~memory.alike.knows(pairs)
        distinct = np.unique(pairs, return_index=True)[1]
        several, counts = np.unique(texts[distinct], return_counts=True)
        here = set(several[counts > 1].tolist()) | set(texts[differ].tolist())
        memory.fresh = here - memory.conflicting
        flags = np.isin(texts, np.fromiter(here | memory.conflicting, np.uint64)) & ~_silent(looked)
        if flags.any():
            rows = np.flatnonzero(flags)
            groups = np.unique(texts[rows], return_inverse=True)[1]
            message = f"{rows_word(len(rows))} whose text stands with another label elsewhere ({groups.max() + 1:,} texts)"
            yield Hit(message, rows, "the same text stands with another label elsewhere", groups)


class StreamedLeak(_Remembering, LeakExact):
    """A text that stands among the validation or test rows."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        flags = _within(_texts(looked, normalise=True), self._memory.held_out.texts) & ~_silent(looked)
        if flags.any():
            rows = np.flatnonzero(flags)
            yield Hit(f"{rows_word(len(rows))} of the stream whose text stands among the validation or test rows", rows,
                      "the text stands among the validation or test rows")  # fmt: skip


class StreamedNearLeak(_Remembering, LeakNear):
    """A text in nearly the words of a validation or test row."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        held = self._memory.held_out.rows
        if held is None or not held.num_rows:
            return
        here = looked.rows.select(held.column_names)
        both_rows = pa.concat_tables([held, here])
        split = np.repeat([TEST, TRAIN], [len(held), len(here)])
        together = replace(looked, rows=both_rows, split=split, number=np.arange(len(split)), group=None, time=None)
        near = together.near_texts
        flags = np.isin(near[len(held) :], near[: len(held)]) & ~_silent(looked)
        if flags.any():
            rows = np.flatnonzero(flags)
            yield Hit(f"{rows_word(len(rows))} of the stream in nearly the words of validation or test rows", rows,
                      "nearly the same text stands among the validation or test rows")  # fmt: skip


class StreamedGroupLeak(_Remembering, LeakGroup):
    """A row of a group that has validation or test rows."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        name = self._memory.group
        flags = _within(group_hashes(looked.rows[name]), self._memory.held_out.groups)
        if flags.any():
            rows = np.flatnonzero(flags)
            yield Hit(f"{rows_word(len(rows))} of the stream whose {name} has validation or test rows", rows,
                      f"rows of the same {name} stand among the validation or test rows")  # fmt: skip


class StreamedMissing(_Remembering, MissingLabel):
    """A row without a label; a word that stands for none is a class if it was learned as one."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        if looked.label_role is None:
            yield from without_value(looked)
            return
        names, owners = looked.label_names
        reasons = dict.fromkeys(_without_label(looked), _EMPTY)
        for name, owner in zip(names.to_pylist(), owners.tolist(), strict=True):
            word = (name or "").strip().lower()
            if name not in self._memory.labels and (not word or word in {*NULL_LIKE, *NEVER_A_CLASS}):
                reasons[owner] = f"the label {name!r} stands for no label" if word else _EMPTY
        if reasons:
            rows = np.array(sorted(reasons), dtype=np.int64)
            yield Hit(f"{rows_word(len(rows))} without a label", rows, [reasons[row] for row in rows.tolist()])


class StreamedVariant(_Remembering, LabelVariant):
    """Another spelling of a label that was learned."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        known = self._memory.labels
        new = dict.fromkeys(name for name in looked.label_counts(np.ones(len(looked), dtype=bool)) if name not in known)
        learned = {name.strip(): name for name in known}
        found = spellings({**known, **dict.fromkeys(new, 0)})
        better = {name: learned[right] for name, right in found.items() if name in new and right in learned}
        if better:
            yield self.hit(looked, better, looked.label_counts(np.ones(len(looked), dtype=bool)))


class StreamedNotLearned(_Remembering, LabelNotLearned):
    """A label that no prepared training row has."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        names, owners = looked.label_names
        unknown = pc.invert(pc.is_in(names, value_set=pa.array(list(self._memory.labels), pa.string())))
        rows = np.unique(owners[unknown.to_numpy(zero_copy_only=False)])
        if len(rows):
            told = named(list(dict.fromkeys(names.filter(unknown).to_pylist())))
            yield Hit(f"{rows_word(len(rows))} with a label that was not learned: {told}", rows, "its label was not learned")


REMEMBERING: dict[str, Any] = {
    "missing-label": StreamedMissing,
    "label-variant": StreamedVariant,
    "label-not-learned": StreamedNotLearned,
    "conflicting-label": StreamedConflict,
    "leak-exact": StreamedLeak,
    "leak-near": StreamedNearLeak,
    "leak-group": StreamedGroupLeak,
    "exact-duplicate": StreamedExact,
    "normalised-duplicate": StreamedAlike,
}
"""Rule -> how it looks at a stream, where a block alone does not tell it."""

_EMPTY = "the label is empty"


def group_hashes(column: pa.ChunkedArray) -> np.ndarray:
    """(rows,) uint64: of the values of a column, as text without blanks around it; 0 where there is none."""
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return _hashes(pc.if_else(pc.equal(texts, ""), None, texts))


def text_hashes(looked: Looked) -> np.ndarray:
    """(texts,) uint64: of the normalised texts of rows, those without a text left out."""
    found: np.ndarray = _texts(looked, normalise=True)[~_silent(looked)]
    return found


def _texts(looked: Looked, normalise: bool) -> np.ndarray:
    columns = [looked.rows[name] for name in looked.text_roles]
    found = [_hashes(column, normalise) for column in columns]
    whole: np.ndarray = found[0]
    for other in found[1:]:
        whole = both(whole, other)
    return whole


def _labels(looked: Looked) -> np.ndarray:
    role = looked.gold_role
    if role is None:
        return np.zeros(len(looked), dtype=np.uint64)
    column = looked.rows[role.name]
    return _hashes(
        column if role.kind == "label" else pa.chunked_array([as_text(chunk, role.kind) for chunk in column.chunks], pa.string())
    )


def _hashes(column: pa.ChunkedArray, normalise: bool = False) -> np.ndarray:
    parts = [hashes(normal(chunk) if normalise else chunk) for chunk in column.chunks]
    return np.concatenate([np.zeros(0, dtype=np.uint64), *parts])


def _silent(looked: Looked) -> np.ndarray:
    """(rows,) bool: all texts are empty."""
    silent: np.ndarray = np.all(list(looked.empty_texts.values()), axis=0)
    return silent


def _without_label(looked: Looked) -> list[int]:
    role = looked.label_role
    missing: list[int] = [] if role is None else np.flatnonzero(looked.rows[role.name].is_null().to_numpy()).tolist()
    return missing


def _within(found: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(rows,) bool: which are among ``known``, which is sorted; 0 stands for nothing."""
    if not len(known):
        return np.zeros(len(found), dtype=bool)
    at = np.minimum(np.searchsorted(known, found), len(known) - 1)
    flags: np.ndarray = (known[at] == found) & (found != 0)
    return flags


def _copies(looked: Looked, rows: np.ndarray, seen: Seen, what: str) -> Iterator[Hit]:
    first = np.zeros(len(rows), dtype=bool)
    first[np.unique(rows, return_index=True)[1]] = True
    later = np.flatnonzero((seen.knows(rows) | ~first) & ~_silent(looked))
    if len(later):
        yield Hit(f"{rows_word(len(later))} {what}", later, "an earlier row of train says the same")
