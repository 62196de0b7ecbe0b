"""Where words begin and end in a text of any script: what a border of an entity may fall on."""

from __future__ import annotations

import unicodedata

UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # radicals of Han
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # kana
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),  # Han
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # narrow kana
    (0x20000, 0x3FFFF),
)
"""Scripts that are written without blanks: a word may end behind any of their characters."""


def is_letter(char: str) -> bool:
    """Whether a character is part of a word that goes on over several: a letter, a digit or a mark on one, of a script with blanks."""
    if char.isascii():
        return char.isalnum()
    code = ord(char)
    return unicodedata.category(char)[0] in "LNM" and not any(first <= code <= last for first, last in UNSPACED)


def joined(text: str, at: int) -> bool:
    """Whether the character at this place goes on with the word of the one before it.

    >>> [joined("don't", at) for at in range(6)]
    [False, True, True, False, False, False]
    """
    return 0 < at < len(text) and is_letter(text[at - 1]) and is_letter(text[at])


def with_marks(text: str, end: int) -> int:
    """The end of a piece of text, moved behind what belongs to its last character: accents, variation selectors, joiners."""
    while end < len(text) and (unicodedata.category(text[end])[0] == "M" or text[end] == "\u200d"):
        end += 1
    return end


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """A piece of text without the blanks at its edges; start = end where nothing else is in it.

    >>> trimmed("in  Paris ", 2, 10)
    (4, 9)
    """
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
