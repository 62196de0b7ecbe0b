"""Texts as sets of words, hashed in numpy: some rows at a time, whatever the length of the table.

The words are those of the normalised text, or pairs of neighbouring characters in scripts that put no blanks between words. A word that
begins or ends with a digit counts twice, because a number often says which order, customer or day is meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.data.audit.normal import BLANK, LETTERS, normal

BLOCK_BYTES, ROW_BYTES = 1 << 20, 16
"""Bytes of text that are worked on at once; and what a row counts for even if it is empty."""
LONGEST = 1 << 18
"""Characters of one text that count."""

_DIGIT = np.isin(np.arange(256), list(b"0123456789"))
_BASE = 0x9E3779B97F4A7C15


def mixed(numbers: np.ndarray) -> np.ndarray:
    """Each number (uint64) as another one that looks like chance. Source: the finaliser of MurmurHash3 (A. Appleby, public domain)."""
    found: np.ndarray = numbers ^ (numbers >> np.uint64(33))
    found *= np.uint64(0xFF51AFD7ED558CCD)
    found ^= found >> np.uint64(33)
    found *= np.uint64(0xC4CEB9FE1A85EC53)
    found ^= found >> np.uint64(33)
    return found


_VALUES = mixed(np.arange(1, 257, dtype=np.uint64))


@dataclass(frozen=True)
class Words:
    """The hashed words of some rows, one row after the other; the words of a row are not in order and may stand there twice.

    Args:
        hashes: (words,) uint64.
        ends: (rows + 1,) int64, where the words of each row begin, and where the last ones end.
    """

    hashes: np.ndarray
    ends: np.ndarray

    def only(self, rows: np.ndarray) -> Words:
        """The words of the rows for which ``rows`` (bool, one per row) is true."""
        counts = np.diff(self.ends)
        return Words(self.hashes[np.repeat(rows, counts)], np.concatenate([[0], np.cumsum(counts[rows])]))


def words(texts: pa.Array, salt: int = 0) -> Words:
    """The words of each text, hashed to 64 bits; one that begins or ends with a digit stands there twice, with two hashes.

    Args:
        salt: texts with different salts share no words.
    """
    letters, borders = _bytes(texts)
    starts, ends = _word_bounds(letters, borders)
    powers, inverses = _powers((max(BLOCK_BYTES, len(letters)) - 1).bit_length())
    summed = np.zeros(len(letters) + 1, dtype=np.uint64)
    np.cumsum(_VALUES[letters] * powers[: len(letters)], out=summed[1:])
    hashes = mixed((summed[ends] - summed[starts]) * inverses[starts] + np.uint64(salt))
    number = np.flatnonzero(_DIGIT[letters[starts]] | _DIGIT[letters[ends - 1]]) if len(starts) else np.zeros(0, dtype=np.int64)
    first = np.searchsorted(starts, borders)
    if len(number):
        hashes = np.insert(hashes, number, mixed(hashes[number] ^ np.uint64(_BASE)))
        first = first + np.searchsorted(number, first)
    return Words(hashes, first)


def _bytes(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of all texts, blank between words; and where each text begins, with the end of the last."""
    filled = pc.fill_null(texts, "").cast(pa.string())
    if (pc.max(pc.binary_length(filled)).as_py() or 0) > LONGEST:
        filled = pc.utf8_slice_codeunits(filled, 0, LONGEST)
    foreign = pc.invert(pc.string_is_ascii(filled))
    if pc.any(foreign).as_py():
        filled = pc.replace_with_mask(filled, foreign, normal(filled.filter(foreign)))
    _, offsets, data = filled.buffers()
    borders = np.frombuffer(offsets, np.int32)[filled.offset : filled.offset + len(filled) + 1].astype(np.int64)
    return LETTERS[np.frombuffer(data or b"", np.uint8)[borders[0] : borders[-1]]], borders - borders[0]


def _word_bounds(letters: np.ndarray, borders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each word begins, and where it ends; words never reach over the border of a text."""
    inside = letters != BLANK
    cut = np.zeros(len(letters) + 1, dtype=bool)
    cut[borders] = True
    starts, ends = inside.copy(), inside.copy()
    starts[1:] &= ~inside[:-1] | cut[1:-1]
    ends[:-1] &= ~inside[1:] | cut[1:-1]
    if len(letters) and letters.max() >= 0xE0:
        _part_dense(letters, cut, starts, ends)
    return np.flatnonzero(starts), np.flatnonzero(ends) + 1


def _part_dense(letters: np.ndarray, cut: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> None:
    """Where a script puts no blanks between words, each pair of neighbouring characters becomes a word; one without a neighbour is one."""
    second = np.append(letters[1:], 0)
    thai_lao = (letters == 0xE0) & (second >= 0xB8) & (second <= 0xBB)
    myanmar_khmer = (letters == 0xE1) & ((second <= 0x82) | (second == 0x9E) | (second == 0x9F))
    dense = ((letters >= 0xE3) & (letters <= 0xE9)) | thai_lao | myanmar_khmer
    before = _shifted(dense, 3) & dense & ~cut[:-1]
    after = _shifted(before, -3)
    body = dense | _shifted(dense, 1) | _shifted(dense, 2)
    other = (letters != BLANK) & ~body
    starts &= other
    ends &= other
    starts |= (other & _shifted(body, 1)) | (dense & (after | ~before))
    ends |= (other & _shifted(body, -1)) | _shifted(dense & (before | ~after), 2)


def _shifted(flags: np.ndarray, by: int) -> np.ndarray:
    moved = np.zeros_like(flags)
    if by > 0:
        moved[by:] = flags[:-by]
    else:
        moved[:by] = flags[-by:]
    return moved


@lru_cache(maxsize=1)
def _powers(bits: int) -> tuple[np.ndarray, np.ndarray]:
    """The first 2^bits powers of a number modulo 2^64, and those of its inverse: with them one running sum hashes every word."""
    up, down = np.full(1 << bits, _BASE, dtype=np.uint64), np.full(1 << bits, pow(_BASE, -1, 1 << 64), dtype=np.uint64)
    up[0] = down[0] = 1
    return np.multiply.accumulate(up, out=up), np.multiply.accumulate(down, out=down)


class Texts:
    """Columns of texts, of which some rows at a time are read and hashed.

    Args:
        columns: of equal length.
    """

    def __init__(self, columns: Sequence[pa.ChunkedArray]) -> None:
        self.chunks = [column.chunks for column in columns]
        self.starts = [np.cumsum([0, *map(len, column.chunks)]) for column in columns]
        self.bytes = np.full(len(columns[0]), ROW_BYTES, dtype=np.int64)
        """(rows,) what each row counts for."""
        for chunks, starts in zip(self.chunks, self.starts, strict=True):
            for chunk, start in zip(chunks, starts.tolist(), strict=False):
                self.bytes[start : start + len(chunk)] += pc.fill_null(pc.binary_length(chunk), 0).to_numpy(zero_copy_only=False)

    def words(self, rows: np.ndarray) -> list[Words]:
        """The words of some rows, ascending, one member for each column."""
        return [_stacked([words(texts, salt) for texts in self._read(salt, rows)]) for salt in range(len(self.chunks))]

    def blocks(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """The rows, ascending, some at a time."""
        yield from parts(rows, cuts(self.bytes[rows], BLOCK_BYTES))

    def _read(self, at: int, rows: np.ndarray) -> Iterator[pa.Array]:
        chunk_of = np.searchsorted(self.starts[at], rows, side="right") - 1
        for part in parts(rows, np.flatnonzero(np.diff(chunk_of)) + 1):
            chunk = int(np.searchsorted(self.starts[at], part[0], side="right")) - 1
            for some in self.blocks(part):
                yield self.chunks[at][chunk].take(pa.array(some - self.starts[at][chunk]))


def cuts(sizes: np.ndarray, most: int) -> np.ndarray:
    """Where to cut so that no part is larger than ``most``, unless one member alone is."""
    total = np.cumsum(sizes)
    found = [0]
    while found[-1] < len(sizes):
        reached = total[found[-1] - 1] if found[-1] else 0
        found.append(max(found[-1] + 1, int(np.searchsorted(total, reached + most, side="right"))))
    return np.array(found[1:-1], dtype=np.int64)


def parts(values: np.ndarray, borders: np.ndarray) -> list[np.ndarray]:
    """The values between the borders, where there are any."""
    return [part for part in np.split(values, borders) if len(part)]


def _stacked(some: list[Words]) -> Words:
    counts = [np.zeros(1, np.int64), *(np.diff(one.ends) for one in some)]
    return Words(np.concatenate([np.zeros(0, np.uint64), *(one.hashes for one in some)]), np.cumsum(np.concatenate(counts)))
