"""A probe: can a simple classifier tell the rows of train from those of the test?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from tunewright.core.chance import array_generator
from tunewright.data.audit.base import TEST, TRAIN, Hit, Looked, Rule

FEWEST = 100
"""Rows of a split below which nothing can be told apart with any certainty."""
LETTERS = 1000
"""Characters of a text that are looked at."""
SHOWN = 6
"""Words that are named, for each side."""


class CovariateShift(Rule):
    """Train and test differ so much in their words that a simple classifier can tell them apart (not where splits are made by chance)."""

    when: ClassVar = "split"
    cost: ClassVar = "a linear classifier on the words of some thousand rows: a few seconds, however long the table is"
    policies: ClassVar = ("keep", "refuse")
    remedy: ClassVar = "Ask whether train rows are like those that the model will meet; if test is, collect more of its kind to train on"

    auc: float = Field(0.6, ge=0.5, lt=1)
    """Told when the area under the ROC curve is surely above this: 0.5 is chance, 1 is perfect."""
    rows: int = Field(4000, ge=200)
    """Rows of each split that are looked at, by chance."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        if not looked.text_roles or not ("test" in looked.given or looked.time is not None or looked.group is not None):
            return
        texts, side = self._sample(looked)
        if min((side == 0).sum(), (side == 1).sum()) < FEWEST:
            return
        words, counted = _counted(texts)
        answers = _out_of_fold(counted, side)
        area, low, high = _area(answers, side)
        if low > self.auc:
            yield Hit(
                f"train and test can be told apart by their words: a linear classifier reaches an AUC of {area:.2f} "
                f"[{low:.2f}, {high:.2f}] out of fold on {len(side):,} rows, where 0.5 is chance" + _signs(words, counted, side),
                numbers={"area": area, "area_low": low, "area_high": high, "rows_compared": len(side)},
            )

    def _sample(self, looked: Looked) -> tuple[list[str], np.ndarray]:
        """Texts of train and of test, no text twice in a split, and 0 or 1 for each."""
        chance = array_generator(0, "covariate-shift")
        chosen = []
        for at in (TRAIN, TEST):
            rows = np.flatnonzero(looked.split == at)
            rows = chance.permutation(rows)[: 2 * self.rows]
            rows = rows[np.sort(np.unique(looked.normal_texts[rows], return_index=True)[1])][: self.rows]
            chosen.append(np.sort(rows))
        most = min(len(rows) for rows in chosen) * 4
        chosen = [rows if len(rows) <= most else np.sort(chance.permutation(rows)[:most]) for rows in chosen]
        side = np.repeat([0, 1], [len(rows) for rows in chosen])
        columns = [looked.rows[name].take(pa.array(np.concatenate(chosen))) for name in looked.text_roles]
        cut = [pc.utf8_slice_codeunits(pc.fill_null(column, ""), 0, LETTERS).to_pylist() for column in columns]
        return [" ".join(parts) for parts in zip(*cut, strict=True)], side


def _counted(texts: list[str]) -> tuple[np.ndarray, Any]:
    """Words that stand in three texts at least; and (texts, words), 1 where a text has a word."""
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(binary=True, min_df=3, max_features=20_000, token_pattern=r"(?u)\b\w+\b|[^\w\s]")
    counted = vectorizer.fit_transform(texts)
    return vectorizer.get_feature_names_out(), counted.astype(np.float64)


def _out_of_fold(counted: Any, side: np.ndarray) -> np.ndarray:
    """(rows,), how much a row looks like test to a classifier that has not seen it."""
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    weighed = TfidfTransformer(sublinear_tf=True).fit_transform(counted)
    answers = np.zeros(len(side))
    for train, held_out in StratifiedKFold(3, shuffle=True, random_state=0).split(weighed, side):
        model = LogisticRegression(class_weight="balanced", max_iter=200).fit(weighed[train], side[train])
        answers[held_out] = model.decision_function(weighed[held_out])
        answers[held_out] -= np.median(answers[held_out])
    return answers


def _area(answers: np.ndarray, side: np.ndarray) -> tuple[float, float, float]:
    """Area under the ROC curve with its 95 % interval. Source: Hanley and McNeil 1982."""
    from sklearn.metrics import roc_auc_score

    area = float(roc_auc_score(side, answers))
    ones, zeros = int(side.sum()), int((1 - side).sum())
    both, same = area / (2 - area), 2 * area**2 / (1 + area)
    error = math.sqrt((area * (1 - area) + (ones - 1) * (both - area**2) + (zeros - 1) * (same - area**2)) / (ones * zeros))
    return area, max(area - 1.96 * error, 0.0), min(area + 1.96 * error, 1.0)


def _signs(words: np.ndarray, counted: Any, side: np.ndarray) -> str:
    """The words whose shares of rows differ most, by the standard error of the difference."""
    shares = [np.asarray(counted[side == at].mean(axis=0)).ravel() for at in (0, 1)]
    both = np.asarray(counted.mean(axis=0)).ravel()
    apart = (shares[1] - shares[0]) / np.sqrt(both * (1 - both) + 1e-9)
    order = np.argsort(-np.abs(apart), kind="stable")[:SHOWN]
    told = [f"{words[at]!r} in {100 * shares[0][at]:.1f} % of train and {100 * shares[1][at]:.1f} % of test" for at in order.tolist()]
    return f". Most telling: {'; '.join(told)}" if told else ""
