"""What the columns of a table look like, told from their first rows: free text, labels, ids, times... Pure, and loads nothing heavy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tunewright.core.cells import listed, value_of

Kind = Literal["text", "words", "label", "labels", "constant", "id", "time", "address", "number", "lists", "empty"]

DATE = r"(\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}/\d{1,2}/\d{1,2})"
TIME = re.compile(DATE + r"([ T]\d{1,2}:\d{2}.*)?$|\d{1,2}:\d{2}(:\d{2})?( ?[ap]m)?$", re.I)
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+$|(https?://|www\.)\S+$|\+?[\d ()/-]{7,20}$", re.I)
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?$")
ID = re.compile(r"(?=\S*\d)[!-~]+$")
ID_NAME = re.compile(r"(^|_)(id|ids|idx|index|uuid|guid|key|hash|number|no|nr)$")
SEPARATORS = (";", "|", ",", "/", "+")
LONGEST_LABEL = 60
"""Characters of a label name, on average, beyond which a column is taken for text however often its values come back."""
MOST_LABELS = 300
MOSTLY = 0.9
"""The share of values that must fit a pattern."""


@dataclass(frozen=True)
class Look:
    """What one column looks like.

    Args:
        name: of the column.
        kind: the part it could play; ``words`` are short texts, ``lists`` are lists that are no labels.
        why: that kind in words, ready to stand behind "it is".
        rows: rows looked at.
        filled: those of them with a value.
        distinct: different values (of ``labels``: different names).
        letters: characters of a value, on average.
        words: words of a value, on average.
        top: the most frequent label names and their rows, for ``label``, ``labels`` and ``constant``.
        separator: what stands between several labels, where they are text; empty for lists, and where the text writes a list.
    """

    name: str
    kind: Kind
    why: str
    rows: int
    filled: int
    distinct: int
    letters: float = 0.0
    words: float = 0.0
    top: tuple[tuple[str, int], ...] = ()
    separator: str = ""

    @property
    def numeric(self) -> bool:
        """Whether its label names are numbers."""
        return bool(self.top) and all(NUMBER.match(name) for name, _ in self.top)


def look(name: str, values: Sequence[Any]) -> Look:
    """Look at the first values of a column; None and blank ones are missing."""
    there = [value for value in values if value is not None and (not isinstance(value, str) or value.strip())]
    if not there:
        return Look(name, "empty", "a column without values", len(values), 0, 0)
    if all(isinstance(value, list) for value in there):
        return _lists(name, len(values), there)
    texts = [_plain(value) for value in there]
    counts = Counter(texts)
    letters = sum(map(len, texts)) / len(texts)
    words = sum(len(text.split()) for text in texts) / len(texts)
    facts = _Facts(name, len(values), texts, counts, letters, words)
    kind, why, separator = _kind(facts)
    if kind == "labels":
        names = Counter(part for text in texts for part in _parts(text, separator))
        return Look(name, kind, why, len(values), len(texts), len(names), letters, words, tuple(names.most_common(5)), separator)
    top = tuple(counts.most_common(5)) if kind in {"label", "constant"} else ()
    return Look(name, kind, why, len(values), len(texts), len(counts), letters, words, top)


@dataclass(frozen=True)
class _Facts:
    name: str
    rows: int
    texts: list[str]
    counts: Counter[str]
    letters: float
    words: float

    @property
    def share(self) -> float:
        """Different values per value."""
        return len(self.counts) / len(self.texts)

    def mostly(self, pattern: re.Pattern[str]) -> bool:
        return sum(bool(pattern.match(text)) for text in self.texts) >= MOSTLY * len(self.texts)


def _kind(facts: _Facts) -> tuple[Kind, str, str]:
    """The kind, why, and the separator of several labels."""
    distinct, filled = len(facts.counts), len(facts.texts)
    if distinct == 1 and filled > 1:
        return "constant", "the same value in every row", ""
    if facts.mostly(TIME):
        return "time", "a date or a time", ""
    number = facts.mostly(NUMBER)
    if number:
        return _number(facts)
    if facts.mostly(ADDRESS):
        return "address", "an e-mail address, a link or a telephone number", ""
    if facts.share > 0.98 and filled >= 5 and facts.mostly(ID):
        return "id", "an id (every value differs)", ""
    if _lists_as_text(facts):
        return "labels", "lists written as text", ""
    if separator := _separator(facts):
        return "labels", f"names with {separator!r} between them", separator
    if _repeats(distinct, filled) and facts.letters <= LONGEST_LABEL and not (facts.letters > 30 and facts.words > 5):
        return "label", f"{distinct} values that come back", ""
    if facts.words >= 3 or facts.letters >= 20:
        return "text", f"free text, {_middle(facts.texts)}, {_differ(distinct, filled)}", ""
    return "words", f"short text, {_differ(distinct, filled)}", ""


def _number(facts: _Facts) -> tuple[Kind, str, str]:
    distinct, filled = len(facts.counts), len(facts.texts)
    whole = all(float(text.replace(",", ".")).is_integer() for text in facts.counts if NUMBER.match(text))
    if not whole:
        return "number", f"numbers with fractions, {_differ(distinct, filled)}", ""
    if distinct > 2 and (facts.share > 0.98 or ID_NAME.search(facts.name.lower())):
        return "id", "an id (a number for each row or thing)", ""
    if _repeats(distinct, filled) and distinct <= MOST_LABELS // 2:
        return "label", f"{distinct} whole numbers that come back", ""
    return "number", f"numbers, {_differ(distinct, filled)}", ""


def _lists(name: str, rows: int, values: list[list[Any]]) -> Look:
    items = [_plain(item) for value in values for item in value if item is not None]
    counts = Counter(items)
    several = sum(len(value) > len(set(map(str, value))) for value in values)
    if items and _repeats(len(counts), len(items)) and several < 0.2 * len(values) and len(items) < 12 * len(values):
        return Look(name, "labels", "lists of names that come back", rows, len(values), len(counts), top=tuple(counts.most_common(5)))
    return Look(name, "lists", "lists that are no labels (tokens of a text, or tags for them)", rows, len(values), len(counts))


def _lists_as_text(facts: _Facts) -> bool:
    """Whether every cell writes a list; one name between brackets, as [ERROR], is none."""
    lists = {text: listed(text) for text in facts.counts}
    return None not in lists.values() and any(len(names or ()) > 1 or isinstance(value_of(text), list) for text, names in lists.items())


def _separator(facts: _Facts) -> str:
    """The sign between several labels in a cell: its parts are short, few, and come back in other combinations."""
    for sign in SEPARATORS:
        cells = [text for text in facts.texts if sign in text]
        if len(cells) < max(2, 0.05 * len(facts.texts)):
            continue
        parts = Counter(part for text in facts.texts for part in _parts(text, sign))
        short = all(len(part) <= 40 and len(part.split()) <= 4 for part in parts)
        alone = sum(len(_parts(text, sign)) == 1 for text in facts.counts)
        mixed = len(parts) < len(facts.counts) or alone > 0
        if short and mixed and _repeats(len(parts), sum(parts.values())) and _recur(parts, cells, sign):
            return sign
    return ""


def _recur(parts: Counter[str], cells: Sequence[str], sign: str) -> bool:
    """Whether the parts of most cells stand in other cells too, in another company."""
    company: dict[str, set[str]] = {}
    for cell in set(cells):
        for part in _parts(cell, sign):
            company.setdefault(part, set()).add(cell)
    elsewhere = [
        part for part, where in company.items() if len(where) > 1 or parts[part] > sum(_parts(cell, sign).count(part) for cell in cells)
    ]
    return len(elsewhere) >= 0.5 * len(company)


def _parts(text: str, separator: str) -> list[str]:
    if not separator:
        return listed(text) or []
    return [part.strip() for part in text.split(separator) if part.strip()]


def _repeats(distinct: int, filled: int) -> bool:
    """Whether values come back often enough to be learned: two rows for each at least, four in longer tables."""
    return 2 <= distinct <= min(MOST_LABELS, filled / (2 if filled < 200 else 4))


def _middle(texts: Sequence[str]) -> str:
    """How long the texts are: of a row in the middle, because a few very long ones say nothing of the others."""
    words = sorted(len(text.split()) for text in texts)[len(texts) // 2]
    return f"half of the rows with up to {words:,} word{'s' * (words != 1)}"


def _differ(distinct: int, filled: int) -> str:
    return "no two alike" if distinct == filled else f"{distinct:,} of {filled:,} different"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
