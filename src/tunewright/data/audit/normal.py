"""Texts in numbers: which are the same to the letter, and which but for case, blanks, punctuation and Unicode form.

Two texts get the same number when their 64-bit hashes (XXH3) are the same. That two different ones share a hash by chance has odds of
rows² / 2⁶⁵: for a million texts one in 37 million, for a hundred million one in 3,700.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

BLANK = ord(" ")
LETTERS = np.arange(256, dtype=np.uint8)
"""ASCII in small letters; punctuation and white space are blanks, as ``SAYS_NOTHING`` has them."""
LETTERS[ord("A") : ord("Z") + 1] += ord("a") - ord("A")
LETTERS[[*b"\t\n\v\f\r\x1c\x1d\x1e\x1f", *b"!\"#%&'()*,-./:;?@[\\]_{}"]] = BLANK
_BASE = np.uint64(0x9E3779B97F4A7C15)
SAYS_NOTHING = r"[\pP\pZ\s\v\x1c-\x1f]+"


def hashes(texts: pa.Array) -> np.ndarray:
    """(texts,) uint64; 0 for a missing one."""
    raw = pc.fill_null(texts, "").cast(pa.binary()).to_pylist()
    found = np.fromiter(map(xxh3_64_intdigest, raw), np.uint64, len(raw))
    if texts.null_count:
        found[texts.is_null().to_numpy(zero_copy_only=False)] = 0
    return found


def together(parts: Sequence[np.ndarray]) -> np.ndarray:
    """(rows,) uint64: one hash of several of each row."""
    mixed = parts[0]
    for part in parts[1:]:
        mixed = (mixed ^ (mixed >> np.uint64(29))) * _BASE + part
    return mixed


def numbered(hashed: np.ndarray) -> np.ndarray:
    """(texts,) int64 from 0, the same for the same hash; -1 for a missing text."""
    codes = np.unique(hashed, return_inverse=True)[1].astype(np.int64)
    missing = hashed == 0
    if missing.any():
        codes[missing] = -1
    return codes


def normal(texts: pa.Array) -> pa.Array:
    """Texts without their case, punctuation, repeated blanks and compatibility forms (Unicode NFKC); symbols and digits stay."""
    plain = pc.fill_null(pc.string_is_ascii(texts), True).to_numpy(zero_copy_only=False)
    if plain.all():
        return _normal_ascii(texts)
    if not plain.any():
        return _normal_unicode(texts)
    parts = [_normal_ascii(texts.filter(pa.array(plain))), _normal_unicode(texts.filter(pa.array(~plain)))]
    order = np.argsort(np.concatenate([np.flatnonzero(plain), np.flatnonzero(~plain)]))
    return pa.concat_arrays(parts).take(pa.array(order))


def composed(texts: pa.Array, form: Literal["NFC", "NFKC"]) -> pa.Array:
    """Texts in a normal form of Unicode, letters and their marks in one where there is such a one.

    Python's: that of the wheels of Arrow before 26 leaves them apart.
    """
    return pa.array([None if text is None else unicodedata.normalize(form, text) for text in texts.to_pylist()], pa.string())


def _normal_unicode(texts: pa.Array) -> pa.Array:
    folded = pc.utf8_trim_whitespace(pc.utf8_lower(composed(texts, "NFKC")))
    bare = pc.utf8_trim_whitespace(pc.replace_substring_regex(folded, SAYS_NOTHING, " "))
    return pc.if_else(pc.equal(bare, ""), folded, bare)


def _normal_ascii(texts: pa.Array) -> pa.Array:
    """The same for texts in ASCII, all letters at once: some five times as fast."""
    filled = pc.fill_null(texts, "")
    _, offsets, data = filled.buffers()
    ends = np.frombuffer(offsets, np.int32)[filled.offset : filled.offset + len(filled) + 1]
    letters = LETTERS[np.frombuffer(data or b"", np.uint8)[ends[0] : ends[-1]]]
    starts, letters = _blanks_once(ends - ends[0], letters)
    starts, letters = _without_first_blanks(starts, letters)
    bare = pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(starts), pa.py_buffer(letters)])
    silent = pc.and_(pc.equal(bare, ""), pc.not_equal(filled, ""))
    if pc.any(silent).as_py():
        bare = pc.if_else(silent, pc.utf8_trim_whitespace(pc.utf8_lower(filled)), bare)
    return pc.if_else(texts.is_valid(), bare, None) if texts.null_count else bare


def _blanks_once(starts: np.ndarray, letters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Texts that begin at ``starts``, with one blank for each row of blanks and none at their ends."""
    says = letters != BLANK
    stays = says.copy()
    stays[:-1] |= says[1:]
    last = starts[1:][starts[1:] > 0] - 1
    stays[last] = says[last]
    return _moved(starts, stays), letters[stays]


def _without_first_blanks(starts: np.ndarray, letters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    filled = starts[:-1][starts[1:] > starts[:-1]]
    first = filled[letters[filled] == BLANK]
    if not len(first):
        return starts, letters
    stays = np.ones(len(letters), dtype=bool)
    stays[first] = False
    return _moved(starts, stays), letters[stays]


def _moved(starts: np.ndarray, stays: np.ndarray) -> np.ndarray:
    """Where texts begin once the letters that do not stay are gone."""
    before = np.zeros(len(stays) + 1, dtype=np.int32)
    np.cumsum(stays, dtype=np.int32, out=before[1:])
    found: np.ndarray = before[starts]
    return found


def numbered_groups(codes: np.ndarray) -> np.ndarray:
    """The same groups, numbered from 0 in the order in which they first appear."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    numbered: np.ndarray = np.argsort(np.argsort(first))[inverse]
    return numbered
