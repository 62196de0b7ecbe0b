"""What costs nothing where a number is wanted: always the mean, and TF-IDF with ridge regression, over the same test rows as the model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.core.schema import Row
from tunewright.evaluate.baselines.base import Asked, Baseline
from tunewright.evaluate.baselines.classes import TRAINED_CHARACTERS, TRAINED_ROWS, drawn, texts_of, vectorizer_of
from tunewright.metrics.numbers import NumberOutcome

Array = NDArray[Any]

ALPHAS = (0.1, 1.0, 10.0)
"""Strengths of ridge; the one that does best on the validation rows is taken, as the model's checkpoint is."""


def mean_of(asked: Asked) -> Baseline:
    """Always the mean of the training rows."""
    begun = time.perf_counter()
    wanted = _numbers(asked.train)
    given = np.full(len(asked.test), wanted.mean())
    return Baseline(NumberOutcome(_numbers(asked.test), given), time.perf_counter() - begun, len(wanted))


def tfidf_of(asked: Asked) -> Baseline:
    """TF-IDF of words and word pairs with ridge regression; of a pair of texts each word by its side, and how alike the two are.

    Where the training rows hold no words it answers as ``mean_of`` does.
    """
    begun = time.perf_counter()
    texts = texts_of(asked.train)
    rows = drawn(texts, np.arange(len(texts)), TRAINED_ROWS, TRAINED_CHARACTERS, asked.seed)
    train = [asked.train[row] for row in rows]
    reader = _Reader(train, asked.seed)
    if not reader.reads:
        return mean_of(asked)
    wanted, tested = _numbers(train), _numbers(asked.test)
    low, high = float(wanted.min()), float(wanted.max())
    best = None
    known, held_out, test = reader(train), reader(asked.validation), reader(asked.test)
    for alpha in ALPHAS:
        model = _ridge(alpha).fit(known, wanted)
        missed = np.square(model.predict(held_out) - _numbers(asked.validation)).mean() if len(asked.validation) else 0.0
        if best is None or missed < best[0]:
            best = missed, np.clip(model.predict(test), low, high)
    assert best is not None
    return Baseline(NumberOutcome(tested, best[1]), time.perf_counter() - begun, len(train))


class _Reader:
    """Rows as features."""

    def __init__(self, rows: Sequence[Row], seed: int) -> None:
        self._words = vectorizer_of(texts_of(rows), seed)
        self._paired = bool(rows) and "text_pair" in rows[0]
        sides = [str(row[name]) for row in rows for name in ("text", "text_pair")] if self._paired else []
        self._alike = vectorizer_of(sides, seed) if sides else None

    @property
    def reads(self) -> bool:
        return self._words is not None

    def __call__(self, rows: Sequence[Row]) -> Any:
        from scipy.sparse import csr_matrix, hstack

        assert self._words is not None
        words = self._words.transform(texts_of(rows))
        if self._alike is None:
            return words
        first, second = (self._alike.transform([str(row[name]) for row in rows]) for name in ("text", "text_pair"))
        cosine = np.asarray(first.multiply(second).sum(axis=1)).reshape(-1, 1)
        return hstack([words, csr_matrix(np.hstack([cosine, np.square(cosine)]) * 3)]).tocsr()


def _ridge(alpha: float) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=alpha, solver="sparse_cg", tol=1e-5)


def _numbers(rows: Sequence[Row]) -> Array:
    return np.array([row["number"] for row in rows], dtype=np.float64)
