"""Rows that say again what another row says: in the same split, with another label, or in another split."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.faults.alike import SHINGLES, jaccard, plain
from benchmarks.faults.alike import words as words_of
from benchmarks.faults.planting import Planting
from benchmarks.faults.table import Row
from benchmarks.faults.texts import wordy

NEAR = 0.8
"""Similarity from which two texts are near-duplicates."""
MISS = (0.45, 0.79)
"""Similarity of decoys: alike, and no near-duplicates."""
FEWEST_WORDS = 8
"""Different words of each text of a near pair, at least: with fewer, one word more or less changes what is said."""

_LATER = ("test", "test", "validation")
_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def _wide_word(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    at = rng.choice([at for at, word in enumerate(words) if word.isascii() and word] or [0])
    words[at] = words[at].translate(_WIDE)
    return " ".join(words)


def _wide_blanks(text: str, rng: random.Random) -> str:
    return text.replace(" ", rng.choice(("  ", "\u00a0", " \t", "\u2009", "   ")))


def _other_ends(text: str, rng: random.Random) -> str:
    return text.rstrip(" .!?") + rng.choice(("!", "!!!", "...", "?!", " .", ""))


def _without_marks(text: str, rng: random.Random) -> str:
    return text.replace(", ", " ").replace(". ", " ").replace("; ", " ").replace(": ", " ")


DRESSES: dict[str, Callable[[str, random.Random], str]] = {
    "capitals": lambda text, rng: text.upper(),
    "lower case": lambda text, rng: text.lower(),
    "title case": lambda text, rng: text.title() if "'" not in text and "’" not in text else text.swapcase(),
    "blanks": _wide_blanks,
    "blanks around": lambda text, rng: rng.choice((" ", "  ", "\n")) + text + rng.choice(("", " ", "\t")),
    "end of sentence": _other_ends,
    "no commas": _without_marks,
    "curly quotes": lambda text, rng: text.replace("'", "’").replace('"', "“"),
    "full width": _wide_word,
    "ligature": lambda text, rng: text.replace("fi", "ﬁ").replace("fl", "ﬂ"),
}
"""Ways to write a text so that only case, blanks, punctuation or the Unicode form differ."""


def dressed(text: str, rng: random.Random) -> tuple[str, str]:
    """The text written in another way, and which way."""
    for name in rng.sample(list(DRESSES), len(DRESSES)):
        changed = DRESSES[name](text, rng)
        if changed != text and plain(changed) == plain(text):
            return changed, name
    return text + " ", "blanks around"


def dressable(row: Row) -> bool:
    """Whether a change of case can be undone."""
    return row.text.upper().lower() == row.text.lower() and len(row.text.split()) >= 3


def near(text: str, low: float, high: float, planting: Planting, tries: int = 40) -> tuple[str, float] | None:
    """The text with some words changed, left out, put in or moved, so that its similarity lies in [low, high); None if that fails.

    Words with digits stay: which order, customer or day is meant would be another.
    """
    rng, shingles = planting.rng, planting.cut(text)
    for _ in range(tries):
        goal, words, alike, kept = rng.uniform(low, high), text.split(" "), 1.0, None
        for _ in range(3 * len(words)):
            if alike <= goal or len(words) <= 2:
                break
            words = _one_word_changed(words, planting)
            alike = jaccard(shingles, planting.cut(" ".join(words)))
            enough = len(words_of(" ".join(words))) >= FEWEST_WORDS
            kept = (" ".join(words), alike) if low <= alike < high and enough else kept
        if kept and plain(kept[0]) != plain(text) and plain(kept[0]) not in planting.used:
            return kept
    return None


def _one_word_changed(words: list[str], planting: Planting) -> list[str]:
    rng, at = planting.rng, planting.rng.randrange(len(words))
    if any(sign.isdigit() for sign in words[at]):
        return words
    how = rng.choice(("replace", "replace", "leave out", "put in", "swap"))
    if how == "replace":
        return [*words[:at], rng.choice(planting.words), *words[at + 1 :]]
    if how == "leave out":
        return words[:at] + words[at + 1 :]
    if how == "put in":
        return [*words[:at], rng.choice(planting.words), *words[at:]]
    at = min(at, len(words) - 2)
    return [*words[:at], words[at + 1], words[at], *words[at + 2 :]]


def _likeness(one: str, other: str) -> Mapping[str, float]:
    return {name: round(jaccard(cut(one), cut(other)), 4) for name, cut in SHINGLES.items()}


def exact(planting: Planting, number: int) -> None:
    """The same text and label again in the same split."""
    for row in planting.take(number):
        planting.mark("exact-duplicate", [row, planting.copy(row, row.text)], together=True)


def normalised(planting: Planting, number: int) -> None:
    """The same label, and a text that differs in case, blanks, punctuation or Unicode form, in the same split."""
    for row in planting.take(number, dressable):
        text, variant = dressed(row.text, planting.rng)
        planting.mark("normalised-duplicate", [row, planting.copy(row, text)], variant, together=True)


def conflicting(planting: Planting, number: int) -> None:
    """The same text, half of the times in another form, with another label."""
    for at, row in enumerate(planting.take(number, dressable)):
        text, variant = dressed(row.text, planting.rng) if at % 2 else (row.text, "word for word")
        label = planting.other_label(row.label)
        planting.mark("conflicting-label", [row, planting.copy(row, text, label=label)], variant, f"{row.label} / {label}", together=True)


def near_duplicates(planting: Planting, number: int) -> None:
    """The same label and nearly the same text in the same split; similarities are written down for every way to cut a text."""
    _near(planting, number, "near-duplicate", NEAR, 1.0)


def near_misses(planting: Planting, number: int) -> None:
    """Decoys: texts that are alike, and not enough."""
    _near(planting, number, "near-miss", *MISS)


def _near(planting: Planting, number: int, kind: str, low: float, high: float, elsewhere: bool = False) -> None:
    for at, (row, text, alike) in enumerate(_hosts(planting, number, low, high, elsewhere)):
        changes: dict[str, Any] = planting.elsewhere(row, _LATER[at % 3]) if elsewhere else {}
        copy = planting.copy(row, text, **changes)
        planting.mark(
            kind, [row, copy], f"{alike:.1f}", f"{alike:.3f}", row.text, numbers=_likeness(row.text, text), together=kind != "near-miss"
        )


def _hosts(planting: Planting, number: int, low: float, high: float, elsewhere: bool) -> list[tuple[Row, str, float]]:
    """Rows of which a changed copy of the wanted likeness could be made, with the copy's text."""
    made: dict[int, tuple[str, float]] = {}

    def fits(row: Row) -> bool:
        if len(words_of(row.text)) <= FEWEST_WORDS or (elsewhere and row.split != "train") or (high < NEAR and not wordy(row)):
            return False
        if (found := near(row.text, low, high, planting)) is None:
            return False
        planting.used.add(plain(found[0]))
        made[row.uid] = found
        return True

    return [(row, *made[row.uid]) for row in planting.take(number, fits)]


def leaked(planting: Planting, number: int) -> None:
    """A training row that stands in test or validation too, half of the times in another form."""
    for at, row in enumerate(planting.take(number, lambda row: row.split == "train" and dressable(row))):
        text, variant = dressed(row.text, planting.rng) if at % 2 else (row.text, "word for word")
        planting.mark("leak-exact", [row, planting.copy(row, text, **planting.elsewhere(row, _LATER[at % 3]))], variant, together=True)


def leaked_nearly(planting: Planting, number: int) -> None:
    """A training row of which test or validation has a near-duplicate."""
    _near(planting, number, "leak-near", NEAR, 1.0, elsewhere=True)


def leaked_by_group(planting: Planting, number: int) -> None:
    """A group with two rows in train and one in test."""
    trained = planting.take(2 * number, lambda row: row.split == "train")
    for at, row in enumerate(planting.take(number, lambda row: row.split == "test")):
        rows = [*trained[2 * at : 2 * at + 2], row]
        for one in rows:
            one.group = f"L-{at:04}"
        planting.mark("leak-group", rows, detail=rows[0].group, together=True)


def leaked_by_time(planting: Planting, number: int) -> None:
    """A test row that is older than most of train."""
    times = sorted(row.time for row in planting.clean if row.split == "train")
    for row in planting.take(number, lambda row: row.split == "test"):
        before, row.time = row.time, planting.rng.choice(times[: int(0.9 * len(times))])
        planting.mark("leak-time", [row], detail=f"{before} became {row.time}")
