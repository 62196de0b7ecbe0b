"""Groups and times in the splits that the source names: customers on both sides, and a test that is older than what was learned."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import ClassVar

import numpy as np

from tunewright.core.schema import SPLITS
from tunewright.data.audit.base import TRAIN, Hit, Looked, Rule, rows_word

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC).timestamp(), datetime(2200, 1, 1, tzinfo=UTC).timestamp()
"""Seconds since 1970 that are told as a date; other numbers, such as years, are told as they are."""


class LeakGroup(Rule):
    """Groups (customers, threads: ``data.split.group``) of which the source has rows in two splits. Splits made here never do."""

    looks_at: ClassVar = ("text", "label", "labels")
    cost: ClassVar = "one pass over the column of groups"
    severity: ClassVar = "error"
    remedy: ClassVar = "Remove the rows of shared groups from train (and those of test from validation), or let splits be made by group"
    recipe: ClassVar = "data.policy.leak-group: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        if looked.group is None:
            return
        group, split = looked.group, looked.split
        concerned, earlier, told = np.zeros(len(looked), dtype=bool), np.zeros(len(looked), dtype=bool), []
        present = [at for at in range(len(SPLITS)) if (split == at).any()]
        for first, second in [(one, other) for one in present for other in present if one < other]:
            shared = np.intersect1d(group[(split == first) & (group >= 0)], group[split == second])
            if not len(shared):
                continue
            both = np.isin(group, shared)
            in_first, in_second = both & (split == first), both & (split == second)
            total = int((split == second).sum())
            told.append(
                f"{rows_word(int(in_second.sum()))} of {SPLITS[second]} ({100 * in_second.sum() / total:.1f} %) in {len(shared):,} "
                f"group(s) that {SPLITS[first]} has too ({rows_word(int(in_first.sum()))} there)"
            )
            concerned |= in_first | in_second
            earlier |= in_first
        rows = np.flatnonzero(concerned)
        if len(rows):
            groups = np.unique(group[rows], return_inverse=True)[1]
            yield Hit("; ".join(told), rows, "its group stands in a later split of the source too", groups, earlier[rows])


class LeakTime(Rule):
    """Validation or test rows of the source that are older than the newest row of train (``data.split.time``)."""

    looks_at: ClassVar = ("text", "label", "labels")
    cost: ClassVar = "one pass over the column of times"
    policies: ClassVar = ("keep", "refuse")
    remedy: ClassVar = "If the model is to answer rows of the future, train on older rows than you test on, or let splits be made by time"
    recipe: ClassVar = "data.split.by: time"

    def look(self, looked: Looked) -> Iterator[Hit]:
        if looked.time is None:
            return
        times, split = looked.time, looked.split
        known = ~np.isnan(times)
        trained = known & (split == TRAIN)
        if not trained.any():
            return
        newest = times[trained].max()
        older, told = np.zeros(len(looked), dtype=bool), []
        for at in (1, 2):
            mine = known & (split == at)
            early = mine & (times < newest)
            if early.any():
                share, later = 100 * early.sum() / (split == at).sum(), int((trained & (times > times[mine].min())).sum())
                told.append(
                    f"{rows_word(int(early.sum()))} of {SPLITS[at]} ({share:.1f} %) older than the newest row of train, which is of "
                    f"{_told(newest)}; train has {rows_word(later)} newer than the oldest of {SPLITS[at]}"
                )
                older |= early
        if told:
            yield Hit("; ".join(told), np.flatnonzero(older), numbers={"newest_of_train": float(newest)})


def _told(seconds: float) -> str:
    if EARLIEST <= seconds <= LATEST and abs(seconds) >= 1e6:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
    return f"{seconds:g}"
