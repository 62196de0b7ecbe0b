"""Which legacy encoding a text is in: each candidate reads it, and the one whose letters make up a language wins."""

from __future__ import annotations

import re
from collections.abc import Callable

SIGNS = frozenset("€£§°²«»“”„‘’‚‹›–—…•·¿¡©®™¼½¾×µ\u00a0\u00ad")
"""Signs that stand in ordinary text of any language written in Latin letters."""

WEST = ("äöüß", "éèêëàâçîïôûùüœæ", "áéíóúñüºª", "áâãàçéêíóôõúü", "àèéìíòóùú", "åäöé", "æøåéöô", "éëïóöüè", "áðéíóúýþæö")
CENTRE = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž")
TURKISH = ("çğıöşüiâî",)
CYRILLIC = frozenset("абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґў")
GREEK = frozenset("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ")
HEBREW = frozenset(map(chr, range(0x5D0, 0x5EB)))
ARABIC = frozenset(map(chr, range(0x621, 0x653))) | frozenset("،؛؟")

Score = Callable[[str], float]


def likeliest(sample: bytes) -> str:
    """The encoding of a text that is not UTF-8: a Python codec name.

    Args:
        sample: lines that hold bytes above 127, whole lines, at most some ten thousand bytes.

    Windows-1252 wins a draw, and is never taken for Latin-1, which differs from it only by control characters.
    """
    scores = {name: _share(sample, name, score) for name, score in CANDIDATES.items()}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] >= 0.5:
        return best
    return _second_opinion(sample) or ("cp1252" if scores["cp1252"] >= scores[best] else best)


def _second_opinion(sample: bytes) -> str:
    """What charset-normalizer says of a text in none of the languages known here."""
    from charset_normalizer import from_bytes

    found = from_bytes(sample).best()
    return str(found.encoding) if found and found.coherence > 0.3 else ""


def _share(sample: bytes, encoding: str, score: Score) -> float:
    """Share, in [0, 1], of the characters above 127 that fit, each line taken for the language that fits it best."""
    fits = total = 0.0
    for line in sample.decode(encoding, "replace").split("\n")[:500]:
        above = sum(char > "\x7f" for char in line)
        if above:
            fits, total = fits + score(line) * above, total + above
    return fits / total if total else 0.0


def _latin(alphabets: tuple[str, ...]) -> Score:
    sets = [frozenset(letters + letters.upper()) for letters in alphabets]

    def score(line: str) -> float:
        above = [char for char in line if char > "\x7f"]
        return max(sum(char in letters or char in SIGNS for char in above) for letters in sets) / len(above)

    return score


def _script(letters: frozenset[str]) -> Score:
    """Small letters count whole, capitals half: KOI8-R and Windows-1251 differ by having them the other way round."""

    def score(line: str) -> float:
        above = [char for char in line if char > "\x7f"]
        fits = (1.0 if char in letters else 0.5 if char.lower() in letters else 0.8 if char in SIGNS else 0.0 for char in above)
        return sum(fits) / len(above)

    return score


BESIDE_A_LETTER = re.compile(r"(?<=[A-Za-z])[^\x00-\x7f]|[^\x00-\x7f](?=[A-Za-z])")


def _east(weight: Callable[[str], float]) -> Score:
    """A single ideograph beside a Latin letter is an accented letter read wrongly, and counts nothing."""

    def score(line: str) -> float:
        above = sum(char > "\x7f" for char in line)
        return sum(weight(char) for char in BESIDE_A_LETTER.sub("", line) if char > "\x7f") / above

    return score


WIDE_SIGNS = frozenset(map(chr, range(0x3000, 0x3020))) | frozenset(map(chr, range(0xFF01, 0xFF5F))) | SIGNS


def _japanese(char: str) -> float:
    if "\u3040" <= char <= "\u30ff":
        return 1.0
    return 0.7 if "\u4e00" <= char <= "\u9fff" or char in WIDE_SIGNS else 0.0


def _korean(char: str) -> float:
    return 1.0 if len(char.encode("euc_kr", "ignore")) == 2 and "\uac00" <= char <= "\ud7a3" else 0.7 if char in WIDE_SIGNS else 0.0


def _chinese(charset: str, first: int, last: int) -> Callable[[str], float]:
    """Both national sets put their common characters first: there, a character counts whole."""

    def weight(char: str) -> float:
        code = char.encode(charset, "ignore")
        if "\u4e00" <= char <= "\u9fff":
            return 0.95 if code and first <= code[0] <= last else 0.3
        return 0.7 if char in WIDE_SIGNS else 0.0

    return weight


CANDIDATES: dict[str, Score] = {
    "cp1252": _latin(WEST),
    "cp1250": _latin(CENTRE),
    "cp1254": _latin(TURKISH),
    "iso8859_2": _latin(CENTRE),
    "cp1251": _script(CYRILLIC),
    "koi8_r": _script(CYRILLIC),
    "cp1253": _script(GREEK),
    "cp1255": _script(HEBREW),
    "cp1256": _script(ARABIC),
    "cp949": _east(_korean),
    "cp932": _east(_japanese),
    "euc_jp": _east(_japanese),
    "gb18030": _east(_chinese("gb2312", 0xB0, 0xD7)),
    "big5": _east(_chinese("big5", 0xA4, 0xC6)),
    "mac_roman": _latin(WEST),
    "cp850": _latin(WEST),
}
"""Codec name -> how well a line fits. In order of preference: the first of equals wins."""
