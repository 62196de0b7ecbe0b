"""Puts placeholders where private values stand: in texts, in lists and records of texts, in a whole table."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.data.audit.pieces import OURS, pieces_of
from tunewright.data.audit.private import Kind, Value, private_values, same_value
from tunewright.data.audit.suspects import names_values, suspects
from tunewright.data.shelf import remade

Style = Literal["typed", "mask"]


@dataclass(frozen=True)
class Redaction:
    """What is looked for, and what is put in its place.

    Args:
        kinds: those that are redacted.
        style: ``typed`` puts ``[EMAIL_1]`` there; ``mask`` puts ``*`` in place of every letter and digit, so that lengths stay.
        numbers: kind -> value -> number. The same value, however it is written, gets the same number; numbers go by first appearance, so
            that nothing in the dataset leads back to the value.
        each_text: begin anew with every text: the rows of a stream have no order in which they were all seen.
        names: the spaCy pipeline that tells names of people, where ``kinds`` holds ``name``.
    """

    kinds: tuple[Kind, ...]
    style: Style = "typed"
    numbers: dict[Kind, dict[str, int]] = field(default_factory=dict)
    each_text: bool = False
    names: str = ""

    def text(self, text: str, values: Sequence[Value]) -> str:
        """The text with every one of these values replaced."""
        parts, at = [], 0
        if self.each_text:
            self.numbers.clear()
        for value in values:
            parts += [text[at : value.start], self._stand_in(value.kind, text[value.start : value.end])]
            at = value.end
        return "".join([*parts, text[at:]])

    def _stand_in(self, kind: Kind, value: str) -> str:
        if self.style == "mask":
            return re.sub(r"[^\W_]", "*", value)
        known = self.numbers.setdefault(kind, {})
        return f"[{kind.upper()}_{known.setdefault(same_value(kind, value), len(known) + 1)}]"


def redact(texts: pa.Array, redaction: Redaction, before: str = "") -> pa.Array:
    """The same values, of the same type, without what ``redaction`` looks for. Pure but for the numbers that ``redaction`` gives out.

    Args:
        texts: strings, or lists and records of strings; a column of numbers is touched only where its name says what it holds.
        redaction: what is looked for.
        before: the name of the column, in words, where that says what its values are.
    """
    if is_number(texts.type):
        away = found_in(texts, redaction.kinds, before, redaction.names).any(axis=1)
        return pc.if_else(pa.array(away), pa.scalar(None, texts.type), texts) if away.any() else texts
    return _mapped(texts, lambda strings: _redacted(strings, redaction, before))


def found_in(texts: pa.Array, kinds: Sequence[Kind], before: str = "", names: str = "") -> np.ndarray:
    """(values, kinds) int32: how many values of each kind stand in each text, list or record.

    Args:
        texts: as in ``redact``.
        kinds: what is looked for.
        before: as in ``redact``.
        names: as in ``Redaction``.
    """
    counts = np.zeros((len(texts), len(kinds)), dtype=np.int32)
    for strings, owners in _strings_in(_numbers_as_text(texts, before)):
        for at, _, values in _private(strings, kinds, before, names):
            for value in values:
                counts[owners[at], kinds.index(value.kind)] += 1
    return counts


def redacted(table: pa.Table, redaction: Redaction, spare: Collection[str] = ()) -> pa.Table:
    """A table in which no column holds what ``redaction`` looks for, but for ``_file``, ``_row`` and the columns of ``spare``.

    Raises:
        UserError: there is no room on the disk for it.
    """
    for at, name in enumerate(table.column_names):
        before = words_of(name)
        if (
            name not in OURS
            and name not in spare
            and any(found_in(piece, redaction.kinds, before, redaction.names).any() for piece in pieces_of(table[name]))
        ):
            column = remade(table[name], lambda piece, words=before: redact(piece, redaction, words), table[name].type)  # type: ignore[misc]
            table = table.set_column(at, name, column)
    return table


def words_of(name: str) -> str:
    """The name of a column in words, where it may say what its values are.

    >>> words_of("customerPhone"), words_of("contact_text")
    ('customer Phone', '')
    """
    words = re.sub(r"[\W_]+|(?<=[a-z])(?=[A-Z])", " ", name).strip()
    return "" if _VERBS.search(words) else words


_VERBS = re.compile(r"\b(?:call\w*|ring|dial|te?xts?|reach|contact|signal|sms|line|body|message|description)\b", re.IGNORECASE)


def is_number(kind: pa.DataType) -> bool:
    """Whether these are plain numbers, in which a telephone or card number may have been read as one."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _private(strings: pa.Array, kinds: Sequence[Kind], before: str, names: str) -> Iterator[tuple[int, str, list[Value]]]:
    """Where private values stand: the index of the text, the text, its values. Only suspects leave Arrow."""
    flags = {kind: suspects(strings, kind, before) for kind in kinds}
    rows = np.flatnonzero(np.any(list(flags.values()), axis=0)) if flags else np.zeros(0, dtype=np.int64)
    for at, text in zip(rows.tolist(), strings.take(pa.array(rows)).to_pylist(), strict=True):
        if values := private_values(text, [kind for kind in kinds if flags[kind][at]], before, names):
            yield at, text, values


def _redacted(strings: pa.Array, redaction: Redaction, before: str) -> pa.Array:
    found = [(at, redaction.text(text, values)) for at, text, values in _private(strings, redaction.kinds, before, redaction.names)]
    if not found:
        return strings
    mask = np.zeros(len(strings), dtype=bool)
    mask[[at for at, _ in found]] = True
    return pc.replace_with_mask(strings, pa.array(mask), pa.array([text for _, text in found], strings.type))


def _numbers_as_text(values: pa.Array, before: str) -> pa.Array:
    """Numbers as texts, where the name of their column says that they are telephone, card or personal numbers."""
    if not is_number(values.type):
        return values
    if not names_values(before):
        return pa.nulls(len(values), pa.string())
    whole = values if pa.types.is_integer(values.type) else pc.cast(pc.if_else(pc.is_finite(values), values, None), pa.int64(), safe=False)
    return whole.cast(pa.string())


def _strings_in(values: pa.Array) -> Iterator[tuple[pa.Array, np.ndarray]]:
    """Every array of strings in these values, and for each string the index of the value that holds it."""
    kind = values.type
    if _is_string(kind):
        yield values, np.arange(len(values))
    elif pa.types.is_dictionary(kind) and _is_string(kind.value_type):
        yield values.dictionary_decode(), np.arange(len(values))
    elif pa.types.is_struct(kind):
        for at in range(kind.num_fields):
            yield from _strings_in(pc.struct_field(values, [at]))
    elif pa.types.is_map(kind):
        yield from _strings_in(values.cast(_as_list(kind)))
    elif _is_list(kind):
        parents = pc.list_parent_indices(values).to_numpy(zero_copy_only=False)
        for strings, owners in _strings_in(pc.list_flatten(values)):
            yield strings, parents[owners]


def _mapped(values: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """The same values with every array of strings in them changed."""
    kind = values.type
    if _is_string(kind):
        return change(values)
    if pa.types.is_dictionary(kind) and _is_string(kind.value_type):
        return change(values.dictionary_decode()).dictionary_encode().cast(kind)
    if pa.types.is_struct(kind):
        fields = [_mapped(pc.struct_field(values, [at]), change) for at in range(kind.num_fields)]
        return pa.StructArray.from_arrays(fields, fields=list(kind), mask=pc.is_null(values))
    if pa.types.is_map(kind):
        pairs = _mapped(values.cast(_as_list(kind)), change)
        return pa.MapArray.from_arrays(
            pairs.offsets, pairs.values.field(0), pairs.values.field(1), type=kind, mask=pc.is_null(values) if values.null_count else None
        )
    if _is_list(kind):
        lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64() if pa.types.is_large_list(kind) else pa.int32())
        inner = _mapped(pc.list_flatten(values), change)
        if pa.types.is_fixed_size_list(kind):
            return _mapped(values.cast(pa.list_(kind.value_field)), change).cast(kind)
        return (pa.LargeListArray if pa.types.is_large_list(kind) else pa.ListArray).from_arrays(
            offsets, inner, type=kind, mask=pc.is_null(values)
        )
    return values


def _as_list(kind: pa.DataType) -> pa.DataType:
    """A map as what it is: a list of pairs."""
    return pa.list_(pa.struct([pa.field("key", kind.key_type, nullable=False), pa.field("value", kind.item_type)]))


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
