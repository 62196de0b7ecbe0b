"""Texts that are longer than the model reads, or so short that nothing can be meant by them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.core.schema import SPLITS
from tunewright.data.audit.base import Hit, Looked, Rule, per_row, rows_word
from tunewright.data.audit.pieces import picked

BATCH = 2_000
"""Texts that are cut into tokens together."""
TOLD_LABELS = 3
DOCUMENT, PART, SHORT = 400, 40, 20
"""Where texts usually have so many characters, one under this part of that is suspiciously short; and characters up to which a text is read
for what it says."""
MOST = 0.02
"""Share of the rows from which on such short texts are what the table consists of."""
_SAYS = (
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\x{2190}-\x{2BFF}\x{1F000}-\x{1FAFF}]|[\pL\pN].*[\pL\pN]|&#\d{4,};|[:;=][-^']?[()DPp3/*|]"
)
"""What a text must hold to say something: a character of a script in which one is a word, an emoji, an emoticon,
or two letters or digits."""


class OverLong(Rule):
    """Texts with more tokens than the model reads: what lies behind is cut off, and the label may stand there."""

    when: ClassVar = "split"
    streams: ClassVar = "row"
    uses: ClassVar = ("count_tokens",)
    cost: ClassVar = "what the tokenizer takes for the texts with more bytes than the model reads tokens"
    remedy: ClassVar = "Let the model read more (model.max_tokens), shorten or cut the texts into several rows, or let the rows go"
    recipe: ClassVar = "data.policy.over-long: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        count, limit = looked.services.count_tokens, looked.services.max_tokens
        if count is None or limit is None:
            return
        # A token stands for a byte at least: a text with no more bytes than the model reads tokens cannot be too long.
        bytes_ = np.stack([per_row(looked.rows[role], _bytes) for role in looked.text_roles]).sum(axis=0)
        suspects = np.flatnonzero(bytes_ > limit)
        tokens = np.stack([_tokens(looked.rows[role], suspects, count) for role in looked.text_roles]).sum(axis=0)
        rows, tokens = suspects[tokens > limit], tokens[tokens > limit]
        if len(rows):
            lost = tokens - limit
            reasons = [f"the text has {one:,} tokens, the model reads {limit:,}" for one in tokens.tolist()]
            figures = {"tokens_read": limit, "tokens": int(tokens.sum()), "tokens_lost": int(lost.sum())}
            yield Hit(_cut(looked, rows, lost, int(tokens.sum()), limit), rows, reasons, numbers=figures)


class TooShort(Rule):
    """Texts of one letter, of nothing but punctuation, or, among documents, of a few words; ``OK`` and emoji are not meant."""

    streams: ClassVar = "block"
    remedy: ClassVar = "Look whether the text was lost on the way; nothing so short tells its label"
    recipe: ClassVar = "data.policy.too-short: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        flags = np.any([_too_short(looked.rows[role]) & ~looked.empty_texts[role] for role in looked.text_roles], axis=0)
        rows = np.flatnonzero(flags)
        if 0 < len(rows) <= max(MOST * len(looked), 1):
            yield Hit(f"{rows_word(len(rows))} whose text is suspiciously short", rows, "the text is suspiciously short")


def _bytes(piece: pa.Array) -> np.ndarray:
    return np.asarray(pc.binary_length(piece).fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)


def _tokens(column: pa.ChunkedArray, rows: np.ndarray, count: Callable[[Sequence[str]], np.ndarray]) -> np.ndarray:
    """(rows,) the tokens of these texts, some thousand at a time."""
    parts = [np.zeros(0, dtype=np.int64)]
    for piece in picked(column, rows):
        texts = piece.fill_null("").to_pylist()
        parts += [np.asarray(count(texts[start : start + BATCH]), dtype=np.int64) for start in range(0, len(texts), BATCH)]
    return np.concatenate(parts)


def _cut(looked: Looked, rows: np.ndarray, lost: np.ndarray, tokens: int, limit: int) -> str:
    split, told = looked.split[rows], []
    for at in np.unique(split).tolist():
        here, total = split == at, int((looked.split == at).sum())
        told.append(f"{int(here.sum()):,} of {total:,} in {SPLITS[at]} (tokens lost: {int(lost[here].sum()):,})")
    head = f"{rows_word(len(rows))} longer than the {limit:,} tokens that the model can be given of a text: {', '.join(told)}"
    return f"{head}, {100 * lost.sum() / tokens:.0f} % of what these texts say" + _by_label(looked, rows, lost)


def _by_label(looked: Looked, rows: np.ndarray, lost: np.ndarray) -> str:
    """The labels that lose most tokens."""
    labels = looked.label_ids
    per_row_lost = np.zeros(len(looked), dtype=np.int64)
    per_row_lost[rows] = lost
    there = labels.ids >= 0
    lost_of = per_row_lost[labels.owners[there]]
    tokens = np.bincount(labels.ids[there], weights=lost_of, minlength=len(labels.names)).astype(np.int64).tolist()
    cut = np.bincount(labels.ids[there], weights=lost_of > 0, minlength=len(labels.names)).astype(np.int64).tolist()
    most = sorted(zip(labels.names, tokens, cut, strict=True), key=lambda one: (-one[1], one[0]))[:TOLD_LABELS]
    told = ", ".join(f"{name!r} ({rows_word(count)}, tokens lost: {total:,})" for name, total, count in most if total)
    return f"; most is lost of {told}" if told and len(labels.names) > 1 else ""


def _too_short(column: pa.ChunkedArray) -> np.ndarray:
    lengths = per_row(column, lambda piece: np.asarray(pc.utf8_length(piece).fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64))
    usual = float(np.median(lengths)) if len(lengths) else 0.0
    short = usual / PART if usual >= DOCUMENT else 0.0
    few = np.flatnonzero(lengths <= SHORT)
    says = np.concatenate([np.zeros(0, dtype=bool), *(_says(piece) for piece in picked(column, few))])
    silent = np.zeros(len(lengths), dtype=bool)
    silent[few[~says]] = True
    flags: np.ndarray = silent | (lengths < short)
    return flags


def _says(piece: pa.Array) -> np.ndarray:
    return np.asarray(pc.match_substring_regex(piece, _SAYS).fill_null(False))
