"""Characters that nobody sees: control characters, zero-width ones, directions of writing forced upon a text, and what no font knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.data.audit.base import Hit, Looked, Rule, rows_word
from tunewright.data.audit.pieces import Later, flags_of

CLASSES: dict[str, str] = {
    "control": r"\x00-\x08\x0B\x0C\x0E-\x1F\x7F\x81\x8D\x8F\x90\x9D",
    "zero-width": "\u00ad\u200b\u200c\u200d\u2060-\u2064\ufeff\u180e",
    "direction": "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069",
    "lost letter": "\ufffd",
    "private use": "\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd",
    "no character": "\ufdd0-\ufdef\ufffe\uffff\ufff9-\ufffb",
    "hidden tag": "\U000e0000-\U000e007f",
}
"""What each kind is called, and its characters as the inside of a regular expression class. The rest of U+0080 to U+009F is what letters of
windows-1252 become in a wrong encoding: the rule ``mojibake`` knows what they were."""
_JOIN_AFTER = (
    "\u0600-\u06ff\u0700-\u07ff\u08a0-\u08ff\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\ua840-\ua8ff"
    "\u200c\u200d"
)
"""Scripts in which a joiner or a non-joiner is spelling: Arabic, Syriac, the scripts of India, Tibetan, Burmese, Khmer, Mongolian."""
_EMOJI = "\u2190-\u2bff\u3030\u303d\ufe0f\U0001f000-\U0001faff"
_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
_ANY = "".join(CLASSES.values())
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_BREAKS = re.compile(r"[\x0b\x0c\x1c-\x1f]")
_FLAG = "\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"
_KEPT = re.compile(f"(?P<flag>{_FLAG})|(?<=[{_JOIN_AFTER}])[\u200c\u200d]|(?<=[{_EMOJI}])\u200d(?=[{_EMOJI}\u2640\u2642])")
_AWAY = re.compile(f"{_KEPT.pattern}|(?P<away>[{_ANY}])")
_DIRECTIONS, _OVERRIDES = re.compile(f"[{CLASSES['direction']}]"), re.compile("[\u202d\u202e]")


class ControlCharacters(Rule):
    """Characters that nobody sees and a model reads: control and zero-width characters, forced writing directions, lost letters.

    What spells a word or an emoji stays: joiners in Persian or Hindi and in emoji, direction marks in a text with right-to-left letters.
    """

    policies: ClassVar = ("keep", "drop", "fix", "refuse")
    streams: ClassVar = "row"
    cost: ClassVar = "one pass over the texts, in Arrow; some microseconds for a text that has such a character"
    remedy: ClassVar = "Have them removed; a lost letter comes back only by reading the file again with its true encoding"
    recipe: ClassVar = "data.policy.control-characters: fix"

    def look(self, looked: Looked) -> Iterator[Hit]:
        found = {role: flags_of(looked.rows[role], _kinds, np.uint8) for role in looked.text_roles}
        flags = np.bitwise_or.reduce(list(found.values()), axis=0)
        rows = np.flatnonzero(flags)
        if len(rows):
            counts = {kind: int((flags[rows] >> at & 1).sum()) for at, kind in enumerate(CLASSES)}
            told = ", ".join(f"{kind} ({count:,})" for kind, count in counts.items() if count)
            there = {role: looked.rows[role] for role, kinds in found.items() if kinds.any()}
            message = f"{rows_word(len(rows))} with characters that nobody sees: {told}"
            reason = "the text has characters that nobody sees"
            yield Hit(message, rows, reason, fixed=Later(there, rows, lambda role, piece: _mended(piece)), numbers=counts)


def visible(text: str) -> str:
    """The text without characters that nobody sees; a page break becomes a blank.

    >>> visible("one\\u200btwo\\x00 three\\x0cfour")
    'onetwo three four'
    """
    without = _BREAKS.sub(" ", _ESCAPE.sub("", text))
    keeps = _keeps_directions(without)
    return _AWAY.sub(lambda match: match[0] if not match["away"] or (keeps and _spells(match[0])) else "", without)


def _kinds(piece: pa.Array) -> np.ndarray:
    """(texts,) uint8: a bit for each of ``CLASSES`` that stands in the text."""
    flags = np.zeros(len(piece), dtype=np.uint8)
    suspects = np.flatnonzero(pc.match_substring_regex(piece, f"[{_ANY}]").fill_null(False).to_numpy(zero_copy_only=False))
    for at, text in zip(suspects.tolist(), piece.take(pa.array(suspects)).to_pylist(), strict=True):
        keeps = _keeps_directions(text)
        away = {match[0] for match in _AWAY.finditer(text) if match["away"] and not (keeps and _spells(match[0]))}
        flags[at] = sum(1 << bit for bit, inside in enumerate(CLASSES.values()) if any(re.match(f"[{inside}]", char) for char in away))
    return flags


def _keeps_directions(text: str) -> bool:
    return bool(re.search(f"[{_RIGHT_TO_LEFT}]", text))


def _spells(char: str) -> bool:
    """Whether this is a direction mark such as Hebrew and Arabic texts are written with."""
    return bool(_DIRECTIONS.match(char)) and not _OVERRIDES.match(char)


def _mended(texts: pa.Array) -> pa.Array:
    return pa.array([None if text is None else visible(text) for text in texts.to_pylist()], texts.type)
