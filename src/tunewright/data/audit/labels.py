"""How often each label occurs, and where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from tunewright.core.schema import SPLITS
from tunewright.data.audit.base import TRAIN, Hit, Looked, Rule, named, rows_word

FEW = 10
"""Rows below which a label is told: one in ten cannot be in every split, and its score rests on a row or two."""
UNEVEN = 5
"""How many times more rows the most frequent label has than the rarest, before it is told."""


class RareLabel(Rule):
    """Labels with too few rows to be learned, or to be in every split."""

    looks_at: ClassVar = ("label", "labels", "spans")
    remedy: ClassVar = "Collect more rows of these labels, merge them into one, or let them go"
    recipe: ClassVar = "data.policy.rare-label: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        pool = looked.split == TRAIN
        rare = {name: count for name, count in looked.label_counts(pool).items() if count < FEW}
        if rare:
            rows = np.flatnonzero(looked.rows_with(list(rare)) & pool)
            names = [f"{name!r} ({count})" for name, count in rare.items()]
            more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
            labels = "1 label has" if len(rare) == 1 else f"{len(rare):,} labels have"
            message = f"{labels} fewer than {FEW} rows: {', '.join(names[:5])}{more}"
            yield Hit(message, rows, f"its label has fewer than {FEW} rows", numbers={"labels": len(rare), "rows_wanted": FEW})


class LabelNeverTrained(Rule):
    """Labels in validation or test that no training row has: such rows stay in the score, as mistakes."""

    looks_at: ClassVar = ("label", "labels", "spans")
    when: ClassVar = "split"
    policies: ClassVar = ("keep", "refuse")
    remedy: ClassVar = "Add training rows with these labels, or correct their spelling"

    def look(self, looked: Looked) -> Iterator[Hit]:
        trained = looked.label_counts(looked.split == TRAIN)
        missing = {SPLITS[at]: [name for name in looked.label_counts(looked.split == at) if name not in trained] for at in (1, 2)}
        rows = [np.flatnonzero(looked.rows_with(names) & (looked.split == SPLITS.index(split))) for split, names in missing.items()]
        told = "; ".join(
            f"{rows_word(len(found))} of {split} with a label that no training row has: {named(names)}"
            for (split, names), found in zip(missing.items(), rows, strict=True)
            if names
        )
        if told:
            yield Hit(told, np.sort(np.concatenate(rows)), numbers={"labels": len({name for names in missing.values() for name in names})})


class Imbalance(Rule):
    """Labels of very different frequency: accuracy then says little about the rare ones."""

    looks_at: ClassVar = ("label", "labels", "spans")
    when: ClassVar = "split"
    severity: ClassVar = "info"
    policies: ClassVar = ("keep", "refuse")
    remedy: ClassVar = "Read the scores of each label, and let a score that counts every label alike choose the checkpoint"
    recipe: ClassVar = "train.best_by: f1_macro"

    def look(self, looked: Looked) -> Iterator[Hit]:
        counts = looked.label_counts(looked.split == TRAIN)
        if len(counts) > 1 and max(counts.values()) >= UNEVEN * min(counts.values()):
            most, least = next(iter(counts)), list(counts)[-1]
            share = 100 * counts[most] / int((looked.split == TRAIN).sum())
            yield Hit(
                f"labels of very different frequency in train: {most!r} has {rows_word(counts[most])} ({share:.1f} %), "
                f"{least!r} has {counts[least]:,}",
                numbers={"most": counts[most], "least": counts[least], "share_of_most": share / 100},
            )
