"""Scores of answers in words: exact match and F1 as the official script of SQuAD 2.0 has them."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.core.errors import UserError

Array = NDArray[Any]

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = dict.fromkeys(map(ord, string.punctuation))


@dataclass(frozen=True, eq=False)
class AnswerOutcome:
    """What was wanted and what was given, row by row.

    Args:
        wanted: of each row the answers that are right; none where the question has no answer.
        given: the answer to each row; empty for none.
        spans: the best answer to each row that is a span, whether it was given or not; None where nobody told.
        margins: (rows,) by how much no answer outscores that span; None where nobody told.
    """

    wanted: tuple[tuple[str, ...], ...]
    given: tuple[str, ...]
    spans: tuple[str, ...] | None = None
    margins: Array | None = None

    def __len__(self) -> int:
        return len(self.given)

    def take(self, rows: Array) -> AnswerOutcome:
        """The outcome over the rows with these numbers; a number may come several times."""
        arrays = {"right": self.right, "overlaps": self.overlaps, "answerable": self.answerable}
        chosen = rows.tolist()
        taken = copy(self)
        # What was computed for the whole holds for each row of it, and a bootstrap takes a thousand times.
        vars(taken).update({name: values.take(rows) for name, values in arrays.items()})
        vars(taken).update(wanted=tuple(self.wanted[row] for row in chosen), given=tuple(self.given[row] for row in chosen))
        vars(taken).update(spans=None, margins=None)
        return taken

    @cached_property
    def right(self) -> Array:
        """(rows,) bool: the answer is one of the wanted ones, but for case, punctuation, articles and blanks."""
        return np.array([exact(given, wanted) for given, wanted in zip(self.given, self.wanted, strict=True)], dtype=bool)

    @cached_property
    def overlaps(self) -> Array:
        """(rows,) F1 of each answer, in [0, 1]."""
        return np.array([f1(given, wanted) for given, wanted in zip(self.given, self.wanted, strict=True)], dtype=np.float64)

    @cached_property
    def answerable(self) -> Array:
        """(rows,) bool: the question has an answer."""
        return np.array([bool(wanted) for wanted in self.wanted], dtype=bool)


def normalised(text: str) -> str:
    """An answer as it is compared: lower case, without ASCII punctuation, the articles a, an, the, and blanks in a row.

    >>> normalised("The  Eiffel-Tower!")
    'eiffeltower'

    Source: the official evaluation script of SQuAD (Rajpurkar et al. 2016, 2018).
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact(given: str, wanted: Sequence[str]) -> bool:
    """Whether an answer is one of the wanted ones; of a question without answers, whether it is empty."""
    return normalised(given) in {normalised(one) for one in _golds(wanted)}


def f1(given: str, wanted: Sequence[str]) -> float:
    """Balance of precision and recall over the words, for the wanted answer that it fits best, in [0, 1]."""
    return max(_f1(normalised(given).split(), normalised(one).split()) for one in _golds(wanted))


def measure(outcome: AnswerOutcome) -> dict[str, float]:
    """Every score of an outcome, in [0, 1]: ``exact_match`` and ``f1``.

    Where some questions have no answer, also ``answered_exact_match`` and ``answered_f1`` over those that have one, and
    ``no_answer_accuracy`` over those that have none.

    Raises:
        UserError: there are no rows.
    """
    if not len(outcome):
        raise UserError("there is no row to measure", "a split with at least one question was wanted",
                        "Look at what was removed and how the table was split in data.json of the run")  # fmt: skip
    found = {"exact_match": float(outcome.right.mean()), "f1": float(outcome.overlaps.mean())}
    some = outcome.answerable
    if some.all():
        return found
    if some.any():
        found |= {"answered_exact_match": float(outcome.right[some].mean()), "answered_f1": float(outcome.overlaps[some].mean())}
    return found | {"no_answer_accuracy": float(outcome.right[~some].mean())}


def rows_behind(outcome: AnswerOutcome) -> dict[str, int]:
    """How many rows the scores over a part of them rest on."""
    answered = int(outcome.answerable.sum())
    rest = len(outcome) - answered
    return {"answered_exact_match": answered, "answered_f1": answered, "no_answer_accuracy": rest}


def best_threshold(outcome: AnswerOutcome) -> float:
    """By how much no answer must outscore the best span to be given, for the best mean F1; ties go to the one nearest 0.

    For validation rows only. An answer is empty where the margin is above the threshold.

    Source: find_best_thresh of the official script; thresholds between two neighbouring margins are equal, the middle is taken.
    """
    assert outcome.spans is not None and outcome.margins is not None
    margins = outcome.margins.astype(np.float64)
    as_span = np.array([f1(span, wanted) for span, wanted in zip(outcome.spans, outcome.wanted, strict=True)])
    as_none = (~outcome.answerable).astype(np.float64)
    order = np.argsort(margins, kind="stable")
    values = margins[order]
    # threshold below the k-th margin: rows before it answer with their span, the others with nothing
    totals = np.concatenate([[0.0], np.cumsum(as_span[order])]) + np.concatenate([np.cumsum(as_none[order][::-1])[::-1], [0.0]])
    edges = np.concatenate([[values[0] - 1], values, [values[-1] + 1]])
    middles = (edges[:-1] + edges[1:]) / 2
    possible = np.concatenate([[True], values[1:] > values[:-1], [True]])
    middles = np.where((edges[:-1] <= 0) & (edges[1:] > 0), 0.0, middles)
    best = totals[possible].max()
    good = middles[possible][totals[possible] >= best - 1e-12]
    return float(good[np.abs(good).argmin()])


def exact_match(outcome: AnswerOutcome) -> float:
    """Share of rows whose answer is one of the wanted ones but for case, punctuation, articles and blanks, in [0, 1]."""
    return measure(outcome)["exact_match"]


def mean_f1(outcome: AnswerOutcome) -> float:
    """Mean F1 of the words of an answer, for the wanted one that it fits best, in [0, 1]."""
    return measure(outcome)["f1"]


def no_answer_accuracy(outcome: AnswerOutcome) -> float:
    """Share of the questions without an answer that got none, in [0, 1]; NaN where each has one."""
    return measure(outcome).get("no_answer_accuracy", float("nan"))


def _golds(wanted: Sequence[str]) -> Sequence[str]:
    """The official script: answers that are nothing once normalised do not count, and a question without any wants the empty one."""
    return [one for one in wanted if normalised(one)] or [""]


def _f1(given: list[str], wanted: list[str]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    same = sum((Counter(given) & Counter(wanted)).values())
    if not same:
        return 0.0
    precision, recall = same / len(given), same / len(wanted)
    return 2 * precision * recall / (precision + recall)
