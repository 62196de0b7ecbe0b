"""Labels that the other rows contradict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from tunewright.data.audit.base import Hit, Looked, Rule, per_row, rows_word
from tunewright.data.audit.noise import believed, doubt, folds, skill, unit, words

FEWEST, FEWEST_OF_LABEL = 100, 5
"""Rows below which nothing is looked for; rows of a label below which it is left out."""
LETTERS = 1000
"""Characters of a text that count for how long its vector takes: an encoder sees about as many."""
LEAST_SKILL = 0.2
"""How far beyond chance the labels must be told from the texts: below, nobody can say which of them are wrong."""
WORDS = 0.3
"""Weight of the words beside sentence vectors."""


@dataclass(frozen=True)
class Judged:
    """What was found of each row that could be judged.

    Args:
        rows: (judged,) their indices, ascending.
        score: (judged,), from 0 (the label is believed) to 1 (another is, and this one not at all).
        flagged: (judged,) bool, confident learning finds the label wrong.
        names: of the labels that were weighed.
        labels: (judged, labels) float32, 1 where the row has the label.
        probabilities: (judged, labels) float32, in which no row's own label has a part.
        suggested: (judged, labels) bool, those that are believed.
        belief: (judged,), probability of what is believed against the given label.
        skill: how far the labels can be told from the texts, from 0 (chance) to 1.
        by: what they were judged by, in words.
    """

    rows: np.ndarray
    score: np.ndarray
    flagged: np.ndarray
    names: tuple[str, ...]
    labels: np.ndarray
    probabilities: np.ndarray
    suggested: np.ndarray
    belief: np.ndarray
    skill: float
    by: str

    def suggestion(self, at: int) -> list[str]:
        """The labels that are believed of judged row number ``at``."""
        return [self.names[label] for label in np.flatnonzero(self.suggested[at]).tolist()]


class LabelNoise(Rule):
    """Rows whose label the other rows contradict: probably a mistake of the labelling."""

    most_rows: int = Field(100_000, ge=1)
    """Rows beyond which labels are not weighed: it would take minutes."""
    most_letters: int = Field(1_500_000, ge=0)
    """Characters of all texts together beyond which no sentence vectors are computed and the words alone are looked at (a CPU reads some
    20,000 to 50,000 a second); 0 never computes any."""
    sure: float = Field(0.88, gt=0, lt=1)
    """The score from which a row is told; a higher one tells fewer rows, more of them rightly."""

    looks_at: ClassVar = ("label", "labels")
    uses: ClassVar = ("embed",)
    cost: ClassVar = "seconds for ten thousand rows, besides their sentence vectors (200 to 600 short texts a second on a CPU)"
    remedy: ClassVar = "Look at them, the surest first: tunewright review labels DATASET writes a sheet and reads corrections back"
    recipe: ClassVar = "data.policy.label-noise: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        usable = usable_rows(looked)
        if usable.sum() > self.most_rows:
            yield Hit(
                f"wrong labels were not looked for: {rows_word(int(usable.sum()))} are more than data.rules.label-noise.most_rows "
                f"({self.most_rows:,})",
                told_only=True,
                numbers={"rows_usable": int(usable.sum())},
            )
            return
        judged = self.judged(looked)
        if judged is None or judged.skill < LEAST_SKILL:
            return
        wrong = np.flatnonzero(judged.flagged & (judged.score >= self.sure))
        if len(wrong):
            said = _said(looked, judged, wrong)
            label, looks, _ = said[int(judged.score[wrong].argmax())]
            message = (
                f"{rows_word(len(wrong))} with a label that the other rows contradict, judged by {judged.by}; "
                f"the surest is labelled {label} and looks like {looks}"
            )
            reasons = [f"labelled {label}, looks like {looks} ({belief:.2f})" for label, looks, belief in said]
            figures = {"surest": float(judged.score[wrong].max()), "skill": float(judged.skill), "rows_judged": len(judged.rows)}
            yield Hit(message, judged.rows[wrong], reasons, numbers=figures)

    def judged(self, looked: Looked) -> Judged | None:
        """Every row with a text and a label, judged by all others; None where there are too few rows or labels."""
        usable = usable_rows(looked)
        weighed = _labels(looked, usable)
        if weighed is None:
            return None
        rows, names, labels = weighed
        role = looked.label_role
        several = role is not None and role.kind == "labels"
        mine = looked.only(_flags(looked, rows)) if len(rows) < len(looked) else looked
        copies = mine.normal_texts
        spaces, by = self._spaces(mine)
        probabilities = believed(spaces, labels, copies, folds(looked.whole_labels[rows], copies), several)
        found = doubt(probabilities, labels, several)
        return Judged(
            rows,
            found.score,
            found.flagged,
            names,
            labels,
            probabilities,
            found.suggested,
            found.belief,
            skill(probabilities, labels, several),
            by,
        )

    def _spaces(self, rows: Looked) -> tuple[list[tuple[float, np.ndarray]], str]:
        """What the texts are compared in, each with its weight; and its name in a message."""
        columns = [rows.rows[name] for name in rows.text_roles]
        by_words = (WORDS, _joined([words(_chunks(column)) for column in columns]))
        services = rows.services
        letters = sum(int(np.minimum(per_row(column, _lengths), LETTERS).sum()) for column in columns)
        if services.embed is None or letters > self.most_letters:
            return [by_words], "their words"
        embed = services.embed
        vectors = [np.concatenate([embed(texts) for texts in _chunks(column)]) for column in columns]
        return [(1 - WORDS, _joined(vectors)), by_words], f"sentence vectors ({services.embed_name}) and words"


def usable_rows(looked: Looked) -> np.ndarray:
    """(rows,) bool: the row has a text and a label."""
    empty = np.all(list(looked.empty_texts.values()), axis=0)
    usable: np.ndarray = (looked.whole_labels >= 0) & ~empty
    return usable


def _labels(looked: Looked, usable: np.ndarray) -> tuple[np.ndarray, tuple[str, ...], np.ndarray] | None:
    """The rows that can be judged, the names of their labels, and (rows, names) which row has which; None where there are too few."""
    given = looked.label_ids.only(usable)
    counts = np.bincount(given.ids[given.ids >= 0], minlength=len(given.names))
    kept = np.flatnonzero(counts >= FEWEST_OF_LABEL)
    several = looked.label_role is not None and looked.label_role.kind == "labels"
    if len(kept) < (1 if several else 2):
        return None
    place = np.full(len(given.names) + 1, -1)
    place[kept] = np.arange(len(kept))
    rows, at = np.flatnonzero(usable), place[given.ids]
    labels = np.zeros((len(rows), len(kept)), dtype=np.float32)
    labels[given.owners[at >= 0], at[at >= 0]] = 1
    stays = np.ones(len(rows), dtype=bool) if several else labels.any(axis=1)
    if stays.sum() < FEWEST:
        return None
    return rows[stays], tuple(given.names[name] for name in kept.tolist()), labels[stays]


def _said(looked: Looked, judged: Judged, wrong: np.ndarray) -> list[tuple[str, str, float]]:
    """Of the judged rows with these numbers: the given labels, those that are believed, and how much."""
    role = looked.label_role
    assert role is not None, "the rule looks at labels"
    given = looked.rows[role.name].take(pa.array(judged.rows[wrong])).to_pylist()
    return [
        (_told(label if isinstance(label, list) else [label]), _told(judged.suggestion(at)), float(judged.belief[at]))
        for label, at in zip(given, wrong.tolist(), strict=True)
    ]


def _told(names: Sequence[str]) -> str:
    return " and ".join(map(repr, names)) if names else "nothing"


def _flags(looked: Looked, rows: np.ndarray) -> np.ndarray:
    flags = np.zeros(len(looked), dtype=bool)
    flags[rows] = True
    return flags


def _chunks(column: pa.ChunkedArray) -> Iterator[list[str]]:
    return (pc.fill_null(chunk, "").to_pylist() for chunk in column.chunks)


def _lengths(texts: pa.Array) -> np.ndarray:
    lengths: np.ndarray = pc.utf8_length(texts).fill_null(0).to_numpy(zero_copy_only=False)
    return lengths


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """The vectors of a row's texts as one; of two texts also where they differ and where they agree."""
    if len(parts) == 2:
        parts = [*parts, np.abs(parts[0] - parts[1]), parts[0] * parts[1]] if parts[0].shape == parts[1].shape else parts
    return unit(np.concatenate(parts, axis=1))
