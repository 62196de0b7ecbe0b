"""Texts that the source has cut: many of one length that end in the middle of a word, in dots, or in words that say so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.data.audit.base import Hit, Looked, Rule, rows_word
from tunewright.data.audit.normal import hashes
from tunewright.data.audit.pieces import evenly, picked, pieces_of, some

LONGEST, MOST_LETTERS = 70_000, 2_000
_WORDS = re.compile(r"[^\W\d_]+")
LIMITS = frozenset({
    100, 120, 128, 140, 150, 160, 200, 250, 254, 255, 256, 280, 300, 400, 500, 512, 767, 1000, 1023, 1024, 2000, 2048, 3000, 4000,
    4095, 4096, 5000, 8000, 8190, 8192, 10000, 16383, 16384, 32000, 32766, 32767, 32768, 65534, 65535, 65536,
})  # fmt: skip
"""Lengths at which databases, spreadsheets and forms cut: fewer texts of just this length are enough."""
FEWEST, FEWEST_AT_LIMIT = 5, 3
SHORTEST = 30
"""Characters under which many texts are as long as each other without having been cut."""
STEEP = 8.0
"""How many times more texts must end so at one length than do at a length near it."""
NEAR = 16
"""Lengths near it; and characters that may be missing where a text was cut at a blank and dots were put behind it."""
CHANCE = 6.0
"""Standard deviations by which more texts must end so at one length than near it: each of some thousand lengths could be the one."""
MORE_UNKNOWN, MORE_LETTERS = 0.1, 0.4
"""How much larger than among other texts the share of those must be that end in a word known from nowhere, or in a letter at all."""
DIFFERENT = 10
"""Different last words under which many texts end in the same way rather than being cut; of a few texts, half of them."""
MOSTLY = 0.9
"""Share of the unfinished texts of a length that must be more than there are of a length near it, before all of them are named."""
IN_DOTS, LONGER = 0.8, 0.2
"""Share of the texts ending in dots that are about as long as each other, before dots mean that they were cut; and how many texts may be
longer, for each of them."""
SAMPLE, TAIL = 5_000, 60
"""Texts whose words count as known, and characters at the end of each text that are looked at."""
_CLOSING = r"[\s\"'»”\])]*$"
_DOTS = rf"\s*[\[(]?(?:\.\.\.|…){_CLOSING}"
_SAID = (
    r"(?i)\s*(?:\.\.\.|…)?\s*(?:[\[(<{](?:\.\.\.|…)?\s*(?:(?:(?:text|message|content|comment|e-?mail) )?(?:truncated|clipped|cut off)"
    r"|(?:(?:read|see|show|view) )?more|\+\d+ char(?:acter)?s)(?:\.\.\.|…)?\s*[\])>}]|(?:\.\.\.|…)\s*(?:read|see|show|view) more)[\s.]*$"
)
_FINISHED = rf"[.!?。！？।]{_CLOSING}"
NONE, FINISHED, DOTS, SAID = range(4)


class TruncatedText(Rule):
    """Texts that were cut before they came here: many of one length that end in mid-word or dots, or any that say so, as ``[more]``."""

    cost: ClassVar = "one pass over the texts, in Arrow, and a look at the words of 5,000 of them"
    remedy: ClassVar = "Export the texts again from where they are whole"
    recipe: ClassVar = "data.policy.truncated-text: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        for role in looked.text_roles:
            column = looked.rows[role]
            where = f" of {role!r}" if len(looked.text_roles) > 1 else ""
            ends = Ends.of(column)
            cuts = _at_lengths(column, ends, ends.characters, "characters") or _at_lengths(column, ends, ends.bytes, "bytes")
            cuts = cuts or _about_a_length(ends)
            for rows, length, how in cuts:
                message = f"{rows_word(len(rows))} whose text{where} the source has cut at {length}: {how}"
                figures = {"median_characters": int(np.median(ends.characters[rows]))}
                yield Hit(message, rows, "the source has cut the text", numbers=figures)
            said = np.setdiff1d(np.flatnonzero(ends.marks == SAID), np.concatenate([[], *(rows for rows, _, _ in cuts)]).astype(np.int64))
            if len(said):
                example = pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(some(column, said[:1]), -20))[0].as_py()
                message = f"{rows_word(len(said))} whose text{where} says at its end that there was more, as {example!r}"
                yield Hit(message, said, "the text says at its end that it was cut")


@dataclass(frozen=True)
class Ends:
    """How texts end, (texts,) each.

    Args:
        characters: of the text in front of the mark of a cut, if there is one.
        bytes: of the same.
        words: uint64, hash of the last word in front of it; 0 where there is no letter.
        marks: what the text ends in: ``DOTS``, words of a cut (``SAID``), the sign that a sentence is ``FINISHED``, ``NONE`` of them.
    """

    characters: np.ndarray
    bytes: np.ndarray
    words: np.ndarray
    marks: np.ndarray

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Ends:
        """Piece by piece; it takes 17 bytes for a text."""
        parts = [_ends(piece) for piece in pieces_of(column)] or [_ends(pa.array([], pa.string()))]
        return cls(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _ends(piece: pa.Array) -> tuple[np.ndarray, ...]:
    piece = piece.fill_null("")
    tail = pc.utf8_slice_codeunits(piece, -TAIL)
    bare = tail
    marks = np.where(pc.match_substring_regex(tail, _FINISHED).to_numpy(zero_copy_only=False), FINISHED, NONE).astype(np.uint8)
    for mark, pattern in ((DOTS, _DOTS), (SAID, _SAID)):
        found = pc.match_substring_regex(tail, pattern)
        if pc.any(found).as_py():
            marks[found.to_numpy(zero_copy_only=False)] = mark
            bare = pc.if_else(found, pc.replace_substring_regex(tail, pattern, ""), bare)
    lengths = [pc.subtract(of(piece), pc.subtract(of(tail), of(bare))) for of in (pc.utf8_length, pc.binary_length)]
    last = pc.struct_field(pc.extract_regex(bare, r"(?P<last>\pL+)$"), "last")
    return (*(one.to_numpy(zero_copy_only=False).astype(np.int32) for one in lengths), hashes(pc.utf8_lower(last)), marks)


def _at_lengths(column: pa.ChunkedArray, ends: Ends, lengths: np.ndarray, unit: str) -> list[tuple[np.ndarray, str, str]]:
    """Texts cut at a length at which far more end as a cut text does than near it: their rows, the length, what tells it."""
    marked = ends.marks >= DOTS
    letter = marked | (ends.words > 0)
    unknown = marked | (letter & ~np.isin(ends.words, _known(column)))
    cuts = []
    for length in sorted({*_steep(lengths, unknown), *_steep(lengths, letter)}):
        here = lengths == length
        more = [flags[here].mean() - flags[~here & (lengths > 0)].mean() if (~here).any() else 0.0 for flags in (unknown, letter)]
        if more[0] < MORE_UNKNOWN and more[1] < MORE_LETTERS:
            continue
        rows = _named(lengths, length, (ends.marks != FINISHED, letter, unknown))
        different = np.unique(np.concatenate([hashes(piece) for piece in picked(column, rows)]))
        if len(different) >= FEWEST_AT_LIMIT and len(np.unique(ends.words[rows])) >= min(DIFFERENT, len(rows) / 2):
            told = "many are exactly so long and end in mid-word" + (" or in a mark of a cut" if marked[rows].any() else "")
            cuts.append((rows, f"{length:,} {unit}", told))
    return cuts


def _steep(lengths: np.ndarray, flags: np.ndarray) -> list[int]:
    """Lengths at which far more texts have the flag than at a length near it."""
    counts, most = _counts(lengths, flags), int(lengths.max(initial=0))
    found = []
    for length in np.flatnonzero(counts >= FEWEST_AT_LIMIT).tolist():
        few = FEWEST_AT_LIMIT if length in LIMITS and length == most else FEWEST
        near = _near(counts, length, most)
        if length >= SHORTEST and counts[length] >= max(few, STEEP * near, near + CHANCE * np.sqrt(near)):
            found.append(length)
    return found


def _named(lengths: np.ndarray, length: int, groups: tuple[np.ndarray, ...]) -> np.ndarray:
    """Rows of this length in the first group in which hardly any is a whole text, as it has so few of a length near it; or the last."""
    most = int(lengths.max(initial=0))
    for flags in groups:
        counts = _counts(lengths, flags)
        if _near(counts, length, most) <= (1 - MOSTLY) * counts[length]:
            break
    return np.flatnonzero(flags & (lengths == length))


def _counts(lengths: np.ndarray, flags: np.ndarray) -> np.ndarray:
    """How many texts with the flag have each length."""
    counted: np.ndarray = np.bincount(np.minimum(lengths[flags], LONGEST), minlength=LONGEST + 1)[:LONGEST]
    return counted


def _near(counts: np.ndarray, length: int, most: int) -> float:
    """How many there are of a length near this one, on average; above the greatest length there is none."""
    after = counts[length + 1 : length + 1 + NEAR] if length < most else counts[:0]
    near = np.concatenate([counts[max(0, length - NEAR) : length], after])
    return float(near.mean()) if len(near) else 0.0


def _about_a_length(ends: Ends) -> list[tuple[np.ndarray, str, str]]:
    """Texts that end in dots and are about as long as each other, where hardly any is longer."""
    dots = np.flatnonzero(ends.marks >= DOTS)
    counts = np.bincount(ends.characters[dots], minlength=1)
    sums = np.concatenate([[0], np.cumsum(counts)])
    within = sums[1:] - sums[np.maximum(np.arange(len(counts)) - NEAR, 0)]
    last = int(within.argmax())
    rows = dots[(ends.characters[dots] <= last) & (ends.characters[dots] >= last - NEAR)]
    longer = int((ends.characters > last).sum())
    if last < SHORTEST or len(rows) < max(FEWEST, IN_DOTS * len(dots)) or longer > LONGER * len(rows):
        return []
    return [(rows, f"about {last:,} characters", "they end in dots, and " + ("few are" if longer else "none is") + " longer")]


def _known(column: pa.ChunkedArray) -> np.ndarray:
    """Hashes of the words of some texts, but for the last of each."""
    texts = some(column, evenly(np.arange(len(column)), SAMPLE)).to_pylist()
    words = {word for text in texts for word in _WORDS.findall((text or "")[:MOST_LETTERS].lower())[:-1]}
    return hashes(pa.array(sorted(words), pa.string()))
