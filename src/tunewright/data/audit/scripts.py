"""Texts in other letters than the rest: Japanese among English ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.data.audit.pieces import flags_of, picked

KANA, HAN = "Japanese", "Chinese characters"
SCRIPTS = {
    KANA: r"\p{Hiragana}\p{Katakana}", HAN: r"\p{Han}", "Korean": r"\p{Hangul}", "Cyrillic letters": r"\p{Cyrillic}",
    "Arabic letters": r"\p{Arabic}", "Greek": r"\p{Greek}", "Hebrew letters": r"\p{Hebrew}", "Devanagari letters": r"\p{Devanagari}",
    "Thai": r"\p{Thai}", "Bengali letters": r"\p{Bengali}", "Gurmukhi letters": r"\p{Gurmukhi}", "Gujarati": r"\p{Gujarati}",
    "Tamil": r"\p{Tamil}", "Telugu": r"\p{Telugu}", "Kannada": r"\p{Kannada}", "Malayalam": r"\p{Malayalam}", "Sinhala": r"\p{Sinhala}",
    "Georgian": r"\p{Georgian}", "Armenian": r"\p{Armenian}", "Ethiopic letters": r"\p{Ethiopic}", "Khmer": r"\p{Khmer}",
    "Lao": r"\p{Lao}", "Burmese letters": r"\p{Myanmar}",
}  # fmt: skip
"""What a text is said to be in -> its letters. Latin ones are at home everywhere, in names of products if nowhere else."""
_EAST_ASIAN = SCRIPTS[KANA] + SCRIPTS[HAN]
LATIN = r"\p{Latin}"
FEW, RUN, TIMES = 4, 3, 1.5
"""Letters of other scripts that tell; so many of one script must stand beside each other, as they do in words and not in faces such as
``ಠ_ಠ``; and how many there must be for each letter that belongs here."""
AT_HOME = 0.05
"""Share of the letters of a table from which on a script belongs to it."""
NOT_WORDS = r"(?i)(?:https?://|www\.)\S+|\S+@\S+|[@#]\w+|&#?\w+;|<[^<>]*>|[\d_]+"
READ = 500
"""Characters of a text that are looked at."""


def words_of(texts: pa.Array, most: int = READ) -> pa.Array:
    """The beginnings of the texts without addresses, names of users, tags and digits."""
    return pc.replace_substring_regex(pc.utf8_slice_codeunits(texts.fill_null(""), 0, most), NOT_WORDS, " ")


def not_latin(column: pa.ChunkedArray) -> np.ndarray:
    """The rows that have a word in other letters than Latin ones; in most tables there is none, and nothing else has to be asked."""
    word = rf"[{''.join(SCRIPTS.values())}]{{{RUN}}}"
    return np.flatnonzero(
        flags_of(column, lambda piece: pc.match_substring_regex(piece, word).fill_null(False).to_numpy(zero_copy_only=False), bool)
    )


def at_home(texts: pa.Array) -> frozenset[str]:
    """The scripts that these texts are written in, but for Latin letters."""
    words = words_of(texts)
    counts = {name: _letters(words, letters).sum() for name, letters in SCRIPTS.items()}
    total = sum(counts.values()) + _letters(words, LATIN).sum()
    return frozenset(name for name, count in counts.items() if count and count >= AT_HOME * total)


def strangers(column: pa.ChunkedArray, rows: np.ndarray, home: frozenset[str]) -> tuple[np.ndarray, list[str]]:
    """Those of these rows, which ascend, that are written in other scripts than the ones at home; and what each is in."""
    found, names, start = [np.zeros(0, dtype=np.int64)], [], 0
    away = [name for name in SCRIPTS if name not in home]
    word = "|".join(f"[{_EAST_ASIAN if name in (KANA, HAN) and HAN in away else SCRIPTS[name]}]{{{RUN}}}" for name in away)
    ours = LATIN + "".join(SCRIPTS[name] for name in home)
    for piece in picked(column, rows):
        words = words_of(piece)
        counts = np.stack([_letters(words, SCRIPTS[name]) for name in away])
        total = counts.sum(axis=0)
        strange = (total >= FEW) & (total >= TIMES * _letters(words, ours)) & np.asarray(pc.match_substring_regex(words, word))
        at = np.flatnonzero(strange)
        found.append(rows[start + at])
        names += [_name({name: int(count) for name, count in zip(away, counts[:, one], strict=True)}) for one in at.tolist()]
        start += len(piece)
    return np.concatenate(found), names


def _letters(words: pa.Array, letters: str) -> np.ndarray:
    """(texts,) how many of these letters, and of the signs that belong to them, each text has."""
    counted: np.ndarray = pc.count_substring_regex(words, f"[{letters}]").to_numpy(zero_copy_only=False)
    return counted


def _name(counts: dict[str, int]) -> str:
    return KANA if counts.get(KANA) else max(counts, key=lambda name: counts[name])
