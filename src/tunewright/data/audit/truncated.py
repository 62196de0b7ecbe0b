"""Texts that the source has cut: many of exactly the greatest length, ending in the middle of a word or in dots."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.data.audit.base import Hit, Looked, Rule, per_row, rows_word
from tunewright.data.audit.normal import hashes
from tunewright.data.audit.pieces import evenly, picked, some

LONGEST, MOST_LETTERS = 70_000, 2_000
_LAST, _WORDS = re.compile(r"[^\W\d_]+$"), re.compile(r"[^\W\d_]+")
LIMITS = frozenset({
    100, 120, 128, 140, 150, 160, 200, 250, 254, 255, 256, 280, 300, 400, 500, 512, 767, 1000, 1023, 1024, 2000, 2048, 3000, 4000,
    4095, 4096, 5000, 8000, 8190, 8192, 10000, 16383, 16384, 32000, 32766, 32767, 32768, 65534, 65535, 65536,
})  # fmt: skip
"""Lengths at which databases, spreadsheets and forms cut: fewer texts of just this length are enough."""
FEWEST, FEWEST_AT_LIMIT = 5, 3
SHORTEST = 30
"""Characters under which many texts are as long as each other without having been cut."""
STEEP = 8.0
"""How many times more texts there must be of one length than of a length near it."""
NEAR = 16
"""Lengths near it; and characters that may be missing where a text was cut at a blank and dots were put behind it."""
MORE_UNKNOWN, MORE_LETTERS = 0.1, 0.4
"""How much larger than among other texts the share of those must be that end in a word known from nowhere, or in a letter at all."""
DIFFERENT = 10
"""Different last words under which many texts end in the same way rather than being cut; of a few texts, half of them."""
IN_DOTS = 0.8
"""Share of the texts ending in dots that are about as long as each other, before dots mean that they were cut."""
SAMPLE, ENDS = 5_000, 400
"""Texts whose words count as known, and texts whose ends are looked at."""
_DOTS = r"(?:\.\.\.|…)[\s\"'»”\])]*$"


class TruncatedText(Rule):
    """Texts that were cut before they came here: many of exactly the same length that end in mid-word, or in dots."""

    cost: ClassVar = "one pass over the texts, in Arrow, and a look at the words of 5,000 of them"
    remedy: ClassVar = "Export the texts again from where they are whole"
    recipe: ClassVar = "data.policy.truncated-text: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        for role in looked.text_roles:
            column = looked.rows[role]
            where = f" of {role!r}" if len(looked.text_roles) > 1 else ""
            cuts = _in_words(column, _characters, "characters") or _in_words(column, _bytes, "bytes") or _in_dots(column)
            for rows, length, how in cuts:
                yield Hit(
                    f"{rows_word(len(rows))} whose text{where} the source has cut at {length}: {how}", rows, "the source has cut the text"
                )


def _characters(piece: pa.Array) -> np.ndarray:
    return np.asarray(pc.utf8_length(piece).fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)


def _bytes(piece: pa.Array) -> np.ndarray:
    return np.asarray(pc.binary_length(piece).fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)


def _in_words(column: pa.ChunkedArray, measure: Callable[[pa.Array], np.ndarray], unit: str) -> list[tuple[np.ndarray, str, str]]:
    """Texts cut at a length that stands out: their rows, the length, what tells it."""
    lengths, cuts = per_row(column, measure), []
    steep = _steep(lengths)
    known = _known(column) if steep else frozenset()
    for length, wanted in steep.items():
        rows = np.flatnonzero(lengths == length)
        different = np.unique(np.concatenate([hashes(piece) for piece in picked(column, rows)]))
        if len(different) < wanted:  # copies of one text are as long as each other
            continue
        here, there = _ends(column, rows, known), _ends(column, np.flatnonzero((lengths != length) & (lengths > 0)), known)
        in_mid_word = here.unknown >= there.unknown + MORE_UNKNOWN or here.letter >= there.letter + MORE_LETTERS
        if in_mid_word and here.different >= min(DIFFERENT, len(rows) / 2):
            cuts.append((rows, f"{length:,} {unit}", "many are exactly so long and end in mid-word"))
    return cuts


@dataclass(frozen=True)
class Ends:
    """How some texts end: the shares of those that end in a letter and in a word known from nowhere; how many last words there are."""

    letter: float
    unknown: float
    different: int


def _ends(column: pa.ChunkedArray, rows: np.ndarray, known: frozenset[str]) -> Ends:
    """How these texts end; some of them, from all over."""
    looked_at = evenly(rows, ENDS)
    last = [found[0].lower() for text in some(column, looked_at).to_pylist() if (found := _LAST.search(text or ""))]
    count = max(len(looked_at), 1)
    return Ends(len(last) / count, sum(word not in known for word in last) / count, len(set(last)))


def _steep(lengths: np.ndarray) -> dict[int, float]:
    """Lengths that far more texts have than have a length near it -> how many they must be; above the greatest length there is none."""
    counts = np.bincount(np.minimum(lengths, LONGEST), minlength=LONGEST + 1)[:LONGEST]
    most = int(lengths.max(initial=0))
    found = {}
    for length in np.flatnonzero(counts >= FEWEST_AT_LIMIT).tolist():
        near = np.concatenate(
            [counts[max(0, length - NEAR) : length], counts[length + 1 : length + 1 + NEAR] if length < most else counts[:0]]
        )
        few = FEWEST_AT_LIMIT if length in LIMITS and length == most else FEWEST
        wanted = max(few, STEEP * near.mean() if len(near) else 0.0)
        if length >= SHORTEST and counts[length] >= wanted:
            found[length] = wanted
    return found


def _in_dots(column: pa.ChunkedArray) -> list[tuple[np.ndarray, str, str]]:
    """Texts that end in dots and are about as long as each other, and longer than all others."""
    lengths = per_row(column, _characters)
    dots = np.flatnonzero(per_row(column, _end_in_dots))
    most = int(lengths.max(initial=0))
    at_end = dots[lengths[dots] >= most - NEAR]
    if len(at_end) < max(FEWEST, IN_DOTS * len(dots)) or most < SHORTEST:
        return []
    return [(at_end, f"about {most:,} characters", "they end in dots, and none is longer")]


def _end_in_dots(piece: pa.Array) -> np.ndarray:
    return np.asarray(pc.match_substring_regex(piece, _DOTS).fill_null(False))


def _known(column: pa.ChunkedArray) -> frozenset[str]:
    """The words of some texts, but for the last of each."""
    texts = some(column, evenly(np.arange(len(column)), SAMPLE)).to_pylist()
    return frozenset(word for text in texts for word in _WORDS.findall((text or "")[:MOST_LETTERS].lower())[:-1])
