"""Rows that stand in two splits of the source: what is scored there was seen before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from tunewright.core.schema import SPLITS
from tunewright.data.audit.base import Hit, Looked, Rule, rows_word


class LeakExact(Rule):
    """Splits of the source that share texts, but for case, blanks and punctuation. Splits made here never do."""

    severity: ClassVar = "error"
    cost: ClassVar = "one pass over the texts, in Arrow"
    remedy: ClassVar = "Remove the shared rows from train (and those of test from validation); the test split stays as it is"
    recipe: ClassVar = "data.policy.leak-exact: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        texts = looked.normal_texts
        present = [at for at in range(len(SPLITS)) if (looked.split == at).any()]
        concerned, earlier, told = np.zeros(len(looked), dtype=bool), np.zeros(len(looked), dtype=bool), []
        for first in present:
            for second in (at for at in present if at > first):
                shared = np.intersect1d(texts[looked.split == first], texts[looked.split == second])
                both = np.isin(texts, shared)
                in_first, in_second = both & (looked.split == first), both & (looked.split == second)
                if len(shared):
                    total = int((looked.split == second).sum())
                    told.append(
                        f"{SPLITS[second]} shares {in_second.sum():,} of its {rows_word(total)} ({100 * in_second.sum() / total:.1f} %) "
                        f"with {SPLITS[first]} ({rows_word(int(in_first.sum()))} there)"
                    )
                concerned |= in_first | in_second
                earlier |= in_first
        rows = np.flatnonzero(concerned)
        if len(rows):
            groups = np.unique(texts[rows], return_inverse=True)[1]
            yield Hit("; ".join(told), rows, "the text stands in a later split of the source too", groups, earlier[rows])
