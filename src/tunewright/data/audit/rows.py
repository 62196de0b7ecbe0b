"""Rows that cannot be used as they are: unreadable, or without a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from tunewright.core.schema import Place, Places, Policy
from tunewright.data.audit.base import Hit, Looked, Rule, rows_word


class UnreadableRow(Rule):
    """Rows that the reader could not make sense of, such as a row with too many cells."""

    looks_at: ClassVar = ("text", "label", "labels")
    severity: ClassVar = "error"
    cost: ClassVar = "nothing: the reader has found them"
    default: ClassVar[Policy] = "drop"
    policies: ClassVar = ("drop", "refuse")
    streams: ClassVar = "row"
    remedy: ClassVar = "Correct the rows in the file; quarantine.parquet holds what was read of each"
    recipe: ClassVar = "data.policy.unreadable-row: refuse"
    reaches_test: ClassVar = True

    def look(self, looked: Looked) -> Iterator[Hit]:
        if looked.bad:
            reasons = Counter(bad.reason for bad in looked.bad)
            told = "; ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(3))
            places = Places.of(Place(file=bad.file, row=bad.row) for bad in looked.bad)
            yield Hit(f"{rows_word(len(places))} cannot be read: {told}", places=places)


class EmptyText(Rule):
    """Rows whose text is missing or holds nothing visible; of a pair, one empty text is enough."""

    default: ClassVar[Policy] = "drop"
    policies: ClassVar = ("keep", "drop", "refuse")
    streams: ClassVar = "row"
    remedy: ClassVar = "Fill in the texts, or let the rows go"
    recipe: ClassVar = "data.policy.empty-text: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        empty = looked.empty_texts
        rows = np.flatnonzero(np.any(list(empty.values()), axis=0))
        if len(rows):
            roles = " and ".join(f"{int(flags.sum()):,} in {role}" for role, flags in empty.items() if flags.any())
            where = f" ({roles})" if len(empty) > 1 else ""
            yield Hit(f"{rows_word(len(rows))} with nothing in the text{where}", rows, "the text is empty")


class LabelNotLearned(Rule):
    """Rows behind the first ones of a stream whose label none of the prepared training rows has. A whole table has no such rows."""

    looks_at: ClassVar = ("label", "labels")
    cost: ClassVar = "one pass over the labels of each block"
    default: ClassVar[Policy] = "drop"
    policies: ClassVar = ("drop", "refuse")
    remedy: ClassVar = "Let more rows be prepared, so that each label is among them: data.streaming.first_rows; or correct the labels"
    recipe: ClassVar = "data.policy.label-not-learned: refuse"

    def look(self, looked: Looked) -> Iterator[Hit]:
        yield from ()  # audit/on_the_fly.py knows what was learned
