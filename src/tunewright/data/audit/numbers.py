"""Numbers that cannot both be right, and numbers far from all others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field

from tunewright.core.schema import Policy
from tunewright.data.audit.base import Hit, Looked, Rule, rows_word
from tunewright.data.audit.normal import numbered_groups

NORMAL = 1.349
"""Distance between the quartiles of a normal distribution, in standard deviations."""
SHOWN = 5
"""Numbers that a message shows."""


class ConflictingNumber(Rule):
    """The same text (but for case, blanks and punctuation) with clearly different numbers."""

    looks_at: ClassVar = ("number",)
    cost: ClassVar = "one pass over the texts, in Arrow"
    remedy: ClassVar = "Have the rows rated again; drop removes all of them, because nothing here says which number is right"
    recipe: ClassVar = "data.policy.conflicting-number: drop"

    apart: float = Field(1.0, gt=0)
    """From which distance on numbers of one text are clearly different, in standard deviations of all numbers (told by their quartiles,
    so that a wild number does not hide a conflict)."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        numbers, texts = numbers_of(looked), looked.normal_texts
        there = np.flatnonzero(np.isfinite(numbers))
        if not len(there):
            return
        groups = numbered_groups(texts[there])
        low, high = np.full(groups.max() + 1, np.inf), np.full(groups.max() + 1, -np.inf)
        np.minimum.at(low, groups, numbers[there])
        np.maximum.at(high, groups, numbers[there])
        far = (high - low >= self.apart * deviation(numbers[there])) & (high > low)
        rows = there[far[groups]]
        if len(rows):
            widest = int((high - low).argmax())
            message = (f"{rows_word(len(rows))} whose text stands with a clearly different number elsewhere ({int(far.sum()):,} texts; "
                       f"the widest from {low[widest]:g} to {high[widest]:g})")  # fmt: skip
            figures = {"widest_from": float(low[widest]), "widest_to": float(high[widest])}
            why = "the same text stands with a clearly different number elsewhere"
            yield Hit(message, rows, why, numbered_groups(texts[rows]), numbers=figures)


MOST = 0.05
"""Share of the numbers that can be outliers: more of them are no accident."""


class NumberOutlier(Rule):
    """Numbers far from all others, as a slip of the keyboard or a code for "unknown" (-1, 999) leaves them. Source: Tukey 1977, fences."""

    looks_at: ClassVar = ("number",)
    severity: ClassVar = "info"
    cost: ClassVar = "one pass over the numbers"
    default: ClassVar[Policy] = "keep"
    remedy: ClassVar = "Look whether these numbers are meant; the criterion huber is less moved by them"
    recipe: ClassVar = "data.policy.number-outlier: drop"

    fences: float = Field(3.0, gt=0)
    """How far beyond the quartiles a number must lie, in distances between the quartiles; doubled while more than 5 % of them do."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        numbers = numbers_of(looked)
        there = numbers[np.isfinite(numbers)]
        if len(there) < 4:
            return
        first, third = np.quantile(there, [0.25, 0.75])
        spread, fences = NORMAL * deviation(there), self.fences
        while True:
            low, high = first - fences * spread, third + fences * spread
            rows = np.flatnonzero((numbers < low) | (numbers > high))
            if len(rows) <= MOST * len(there):
                break
            fences *= 2  # so many are a part of what is measured; a slip of the keyboard lies farther away still
        if len(rows):
            found = numbers[rows]
            shown = ", ".join(f"{one:g}" for one in sorted(set(found.tolist()), key=lambda one: -abs(one - np.median(there)))[:SHOWN])
            message = f"{rows_word(len(rows))} with a number below {low:.4g} or above {high:.4g}, far from the others: {shown}"
            reasons = [f"{one:g} lies far from the other numbers" for one in found]
            yield Hit(message, rows, reasons, numbers={"low": float(low), "high": float(high), "fences": fences})


def deviation(numbers: np.ndarray) -> float:
    """Standard deviation that a normal distribution with these quartiles has; the plain one where half of the numbers are the same."""
    first, third = np.quantile(numbers, [0.25, 0.75])
    return float((third - first) / NORMAL or numbers.std())


def numbers_of(looked: Looked) -> np.ndarray:
    """(rows,) float64, NaN where there is none."""
    role = next((role for role in looked.roles if role.kind == "number"), None)
    found = np.full(len(looked), np.nan) if role is None else looked.rows[role.name].to_numpy().astype(np.float64)
    return np.asarray(found, dtype=np.float64)
