"""The bed in which faults are planted: which rows are free, and what was done to the others."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarks.faults.alike import SHINGLES, clusters, plain
from benchmarks.faults.table import SPLITS, Fault, Row

APART = 0.65
"""Similarity below which two clean rows count as strangers. Faults are planted in rows that are strangers to all others."""


class Planting:
    """A table while faults are planted in it. Every fault takes rows that no other fault has touched and that are like no other row.

    Args:
        rows: a clean table; it is not changed.
        seed: with the rows and the rates it decides everything.
        shingles: what likeness is measured on.
        foreign: sentences in other languages than the table's; those that are like another one are left out.
    """

    def __init__(self, rows: Sequence[Row], seed: int, shingles: str, foreign: Sequence[str] = ()) -> None:
        self.rows = [replace(row, more=dict(row.more)) for row in rows]
        self.clean = rows
        self.seed, self.cut = seed, SHINGLES[shingles]
        strangers = Counter(cluster := clusters(foreign, APART, self.cut))
        self.foreign = [text for text, number in zip(foreign, cluster, strict=True) if strangers[number] == 1]
        self.faults: list[Fault] = []
        self.rng = random.Random(f"{seed}/hosts")
        cluster = clusters([row.text for row in rows], APART, self.cut)
        sizes = Counter(cluster)
        self._cluster = {row.uid: number for row, number in zip(rows, cluster, strict=True)}
        self._free = [row for row in self.rows if sizes[self._cluster[row.uid]] == 1 and row.text.strip() and row.label.strip()]
        self.rng.shuffle(self._free)
        self.labels = sorted({row.label for row in rows})
        self.words = sorted(
            {word for row in rows for word in plain(row.text).split() if word.isascii() and word.isalpha() and len(word) > 2}
        )
        self.used = {plain(row.text) for row in rows}
        self._next = 1 + max(row.uid for row in rows)

    def begin(self, kind: str) -> None:
        """A stream of chance of its own for each kind, so that one kind more moves no other's words."""
        self.rng = random.Random(f"{self.seed}/{kind}")

    def take(self, number: int, fits: Callable[[Row], bool] = lambda row: True) -> list[Row]:
        """Free rows, which are free no longer.

        Raises:
            ValueError: there are not so many that fit.
        """
        taken: list[Row] = []
        left: list[Row] = []
        for row in self._free:
            (taken if len(taken) < number and fits(row) else left).append(row)
        if len(taken) < number:
            raise ValueError(f"only {len(taken)} free rows fit, {number} were wanted: choose lower rates or a larger table")
        self._free = left
        return taken

    def withdrawn(self, fits: Callable[[Row], bool]) -> list[Row]:
        """All rows that fit, alike or not; none of them is free any longer."""
        self._free = [row for row in self._free if not fits(row)]
        return [row for row in self.rows if fits(row)]

    def kin(self, rows: Sequence[Row]) -> tuple[int, ...]:
        """``uid`` of every other clean row that is in one cluster with one of these."""
        touched, own = {self._cluster[row.uid] for row in rows}, {row.uid for row in rows}
        return tuple(uid for uid, number in self._cluster.items() if number in touched and uid not in own)

    def could(self, fits: Callable[[Row], bool]) -> int:
        """How many free rows fit."""
        return sum(fits(row) for row in self._free)

    def lend(self, fits: Callable[[Row], bool]) -> list[Row]:
        """Free rows that fit, to be read and left as they are."""
        return [row for row in self._free if fits(row)]

    def copy(self, row: Row, text: str, **changes: str) -> Row:
        """A new row somewhere among the others, with another text, and with whatever else is changed."""
        new = replace(row, uid=self._next, origin=row.uid, text=text, more=dict(row.more), **changes)
        new.more["ticket"] = f"N{self._next}"
        self._next += 1
        self.rows.insert(self.rng.randrange(len(self.rows) + 1), new)
        return new

    def elsewhere(self, row: Row, split: str) -> dict[str, str]:
        """What a copy in another split needs, so that nothing but its text leaks: a group of its own, and a time of that split."""
        times = [one.time for one in self.clean if one.split == split]
        return {"split": split, "group": f"N-{self._next}", "time": self.rng.choice(times)}

    def other_label(self, label: str) -> str:
        """Any other label."""
        return self.rng.choice([one for one in self.labels if one != label])

    def fresh(self, make: Callable[[], str]) -> str:
        """A text that no row has yet, in plain form.

        Raises:
            ValueError: there is none among a thousand.
        """
        for _ in range(1000):
            text = make()
            if plain(text) not in self.used:
                self.used.add(plain(text))
                return text
        raise ValueError("no text was found that is not in the table yet")

    def mark(self, kind: str, rows: Sequence[Row], variant: str = "", detail: str = "", before: str | None = None, **more: object) -> None:
        """Write a fault down."""
        self.faults.append(Fault(kind, tuple(row.uid for row in rows), variant, detail, before, **more))  # type: ignore[arg-type]

    def sorted_rows(self) -> list[Row]:
        """All rows, split after split."""
        return sorted(self.rows, key=lambda row: SPLITS.index(row.split))
