"""Typing mistakes as fingers make them: a neighbouring key, two keys in the wrong order, a key left out, a key hit twice."""

from __future__ import annotations

import random
import unicodedata

_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
# How often each slip is drawn where all four are possible. Our choice: the four kinds are those of Damerau 1964
# (doi:10.1145/363958.363994); their order of frequency depends on the typist and the device.
_WEIGHTS = {"neighbour": 3.0, "swap": 3.0, "omit": 3.0, "double": 1.5}


def typos(text: str, rng: random.Random, rate: float) -> tuple[str, list[int]]:
    """The text with typing mistakes, and where every place in it has moved.

    Only letters change, never the first one of a word: people look at where a word begins. Digits, blanks, punctuation and
    letters that carry a combining mark stay as they are.

    Args:
        rate: chance that a letter goes wrong, in [0, 1].

    Returns:
        The changed text; and the offsets, ``len(text) + 1`` numbers that never fall: ``offsets[i]`` is where the place before
        character ``i`` now lies, so the span (start, end) becomes (offsets[start], offsets[end]).

    >>> typos("parcel", random.Random(8), 0.0)
    ('parcel', [0, 1, 2, 3, 4, 5, 6])
    """
    pieces: list[str] = []
    offsets = [0]
    at = 0
    while at < len(text):
        used, new = _slip(text, at, rng) if _may_slip(text, at) and rng.random() < rate else (1, text[at])
        pieces.append(new)
        start = offsets[-1]
        offsets += [start + 1, start + 2] if used == 2 else [start + len(new)]
        at += used
    return "".join(pieces), offsets


def _slip(text: str, at: int, rng: random.Random) -> tuple[int, str]:
    """How many characters the mistake uses up, and what stands in their place."""
    letter = text[at]
    possible = ["omit", "double"]
    if near := neighbours(letter):
        possible.append("neighbour")
    if _may_slip(text, at + 1) and text[at + 1] != letter:
        possible.append("swap")
    kind = rng.choices(possible, [_WEIGHTS[one] for one in possible])[0]
    if kind == "neighbour":
        return 1, rng.choice(near)
    if kind == "swap":
        return 2, text[at + 1] + letter
    return 1, "" if kind == "omit" else letter * 2


def neighbours(letter: str) -> str:
    """The keys around a letter on a QWERTY keyboard, in the letter's own case; empty for letters that are not on it.

    >>> neighbours("S")
    'ADWEZX'
    """
    low = letter.lower()
    for number, keys in enumerate(_KEYBOARD):
        if len(low) == 1 and (column := keys.find(low)) >= 0:
            found = keys[max(column - 1, 0) : column] + keys[column + 1 : column + 2]
            # Each row of keys is shifted to the right of the one above it by about half a key.
            found += _KEYBOARD[number - 1][column : column + 2] if number else ""
            found += _KEYBOARD[number + 1][max(column - 1, 0) : column + 1] if number < 2 else ""
            return found.upper() if letter.isupper() else found
    return ""


def _may_slip(text: str, at: int) -> bool:
    """Whether this is a letter inside a word, with no combining mark that would be left on a stranger."""
    if not 0 < at < len(text) or not text[at].isalpha() or not text[at - 1].isalpha():
        return False
    return at + 1 == len(text) or not unicodedata.category(text[at + 1]).startswith("M")
