"""Faults in the text of a single row."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from benchmarks.faults.planting import Planting
from benchmarks.faults.table import Row

LONG_WORDS = 700
"""Words of an over-long row, at least: more than 512 tokens for every tokenizer."""

BLANK = {
    "nothing": "",
    "blank": " ",
    "blanks": "    ",
    "tab": "\t",
    "line": "\n",
    "no-break space": "\u00a0",
    "zero width": "\u200b",
    "byte order mark": "\ufeff",
}
CONTROL = {
    "bell": "\x07",
    "backspace": "\x08",
    "vertical tab": "\x0b",
    "form feed": "\x0c",
    "escape": "\x1b[31m",
    "unit separator": "\x1f",
    "delete": "\x7f",
    "C1": "\x85",
    "replacement character": "\ufffd",
    "direction override": "\u202e",
    "private use": "\ue000",
}
SHORT = "abcdefghijklmnopqrstuvwxyz0123456789"
MARKUP = {
    "HTML": ("<br/>", "<p>&nbsp;</p>", "<div class='c{}'></div>", "&nbsp;", "<img src='img{}.png'/>", "<span id='s{}'> </span>", "<hr>",
             "<table><tr><td></td></tr></table>", "<!-- block {} -->"),
    "Markdown": ("![]({}.png)", "![](https://example.org/{}.jpg)", "![]({}.gif)\n\n---", "![]({}.png)\n\n***"),
    "mail": ("[image: {}.jpg]", "[cid:{}]", "-----\n[image: {}.png]"),
}  # fmt: skip
ACCENTS = str.maketrans({"'": "’", '"': "„", "-": "–"})
_LATIN = re.compile("[a-zA-Z]")


def wordy(row: Row) -> bool:
    """A text of words alone: no digits, no addresses, no markup, which other rules might name."""
    return len(row.text.split()) >= 4 and not re.search(r"[\d@<>&\\/_\[\]|{}]|www|http", row.text) and row.text.isprintable()


def garbled(text: str) -> str:
    """UTF-8 read as Windows-1252; the five bytes that it leaves open become control characters, as most programs have it.

    >>> garbled("café")
    'cafÃ©'
    """
    return "".join(bytes([byte]).decode("cp1252") if byte not in _OPEN else chr(byte) for byte in text.encode())


_OPEN = {0x81, 0x8D, 0x8F, 0x90, 0x9D}


def accented(text: str, rng: random.Random) -> str:
    """The text as a careful typist has it: curly quotes, long dashes, an accent or a sign of money."""
    words = text.translate(ACCENTS).split(" ")
    words.insert(
        rng.randrange(1, len(words) + 1), rng.choice(("café", "naïve", "Zoë", "Müller", "€", "£", "São", "façade", "jalapeño", "Łódź"))
    )
    return " ".join(words)


def empty(planting: Planting, number: int) -> None:
    """Texts that hold nothing visible."""
    for row in planting.take(number):
        before, (variant, row.text) = row.text, planting.rng.choice(list(BLANK.items()))
        planting.mark("empty-text", [row], variant, repr(row.text), before)


def mojibake(planting: Planting, number: int) -> None:
    """Texts with accents, quotes or signs, read with the wrong encoding; every sixth twice."""
    for at, row in enumerate(planting.take(number, wordy)):
        before = accented(row.text, planting.rng)
        row.text = garbled(garbled(before)) if at % 6 == 5 else garbled(before)
        planting.mark("mojibake", [row], "twice" if at % 6 == 5 else "once", row.text, before)


def accents(planting: Planting, number: int) -> None:
    """Decoys: accents, quotes, dashes and emoji as they should be."""
    for row in planting.take(number, wordy):
        before, row.text = row.text, accented(row.text, planting.rng) + planting.rng.choice(("", " 🙂", " 👩‍👩‍👧", " ✓", "…"))
        planting.mark("accents", [row], before=before)


def control(planting: Planting, number: int) -> None:
    """A control character, or another that shows nothing and means nothing, within the text."""
    for row in planting.take(number, wordy):
        before, (variant, sign) = row.text, planting.rng.choice(list(CONTROL.items()))
        at = planting.rng.randrange(1, len(row.text))
        row.text = row.text[:at] + sign + row.text[at:]
        planting.mark("control-characters", [row], variant, f"{sign!r} at {at}", before)


def over_long(planting: Planting, number: int) -> None:
    """A text that goes on and on, in the words of other rows."""
    donors = [row.text for row in planting.clean if wordy(row)]
    for row in planting.take(number, wordy):
        before, parts = row.text, [row.text]
        while sum(len(part.split()) for part in parts) < LONG_WORDS:
            parts.append(planting.rng.choice(donors))
        row.text = " ".join(parts)
        planting.mark("over-long", [row], detail=f"{len(row.text.split())} words", before=before)


def too_short(planting: Planting, number: int) -> None:
    """One or two letters, no two rows the same."""
    for row in planting.take(number):
        width = planting.rng.choice((1, 2))
        before, row.text = row.text, planting.fresh(lambda width=width: "".join(planting.rng.choices(SHORT, k=width)))  # type: ignore[misc]
        planting.mark("too-short", [row], f"{width} letters", row.text, before)


def markup(planting: Planting, number: int) -> None:
    """Tags, entities and images, and no word between them."""
    for row in planting.take(number):
        before, variant = row.text, planting.rng.choice(list(MARKUP))
        while row.text == before or row.text in planting.used:
            parts = planting.rng.choices(MARKUP[variant], k=planting.rng.randint(1, 5))
            row.text = planting.rng.choice(("", " ", "\n")).join(part.format(planting.rng.randint(1, 999)) for part in parts)
        planting.used.add(row.text)
        planting.mark("markup-only", [row], variant, row.text, before)


def foreign(planting: Planting, number: int) -> None:
    """A sentence of another language."""
    chosen = planting.rng.sample(planting.foreign, number)
    for row, text in zip(planting.take(number), chosen, strict=True):
        before, row.text = row.text, text
        planting.mark("wrong-language", [row], "other letters" if not _LATIN.search(text) else "Latin letters", text, before)


def truncated(planting: Planting, number: int) -> None:
    """Long texts that an export has cut: all at one length that few others reach, in the middle of a word; every third says so."""
    sizes = sorted((len(row.text) for row in planting.lend(lambda row: True)), reverse=True)
    width = sizes[min(number, len(sizes) - 1)]

    def within_a_word(row: Row) -> bool:
        return len(row.text) > width + 2 and row.text[width - 2 : width + 2].isalpha()

    while planting.could(within_a_word) < number and width > 10:
        width -= 1
    for at, row in enumerate(planting.take(number, within_a_word)):
        variant, mark = (
            planting.rng.choice((("dots", "..."), ("dots", "…"), ("words", " [truncated]"), ("words", " (more)")))
            if at % 3 == 2
            else ("", "")
        )
        before, row.text = row.text, row.text[:width] + mark
        planting.mark("truncated-text", [row], f"then {variant}" if mark else "in mid-word", f"after {width} characters", before)


def ragged(planting: Planting, number: int) -> None:
    """Lines that fall apart into too many cells."""
    ways: dict[str, Callable[[Row], bool]] = {
        "unquoted commas": lambda row: "," in row.text and not set('"\n\r') & set(row.text),
        "a cell too many": lambda row: True,
    }
    half = min(number // 2, planting.could(ways["unquoted commas"]))
    for way, count in (("unquoted commas", half), ("a cell too many", number - half)):
        for row in planting.take(count, ways[way]):
            row.ragged = way
            planting.mark("unreadable-row", [row], way)
