"""Baselines of numbers: always the mean, and TF-IDF with ridge, which knows the sides of a pair."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from tunewright.evaluate.baselines.base import Asked
from tunewright.evaluate.baselines.numbers import mean_of, tfidf_of
from tunewright.metrics.numbers import measure

WORDS = {"awful": -2.0, "bad": -1.0, "fine": 0.0, "good": 1.0, "great": 2.0}
FILLERS = ["the", "food", "was", "and", "service", "Ünïcode", ""]


def rated(count: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        words = rng.choices(list(WORDS), k=3)
        rows.append({"text": " ".join(words + rng.choices(FILLERS, k=4)), "number": 3 + sum(WORDS[word] for word in words) / 3})
    return rows


def pairs(count: int, seed: int) -> list[dict[str, Any]]:
    """How many of six words the second text shares with the first."""
    rng = random.Random(seed)
    vocabulary = [f"word{at}" for at in range(400)]
    rows = []
    for _ in range(count):
        first = rng.sample(vocabulary, 6)
        same = rng.randint(0, 6)
        second = first[:same] + rng.sample(vocabulary, 6 - same)
        rng.shuffle(second)
        rows.append({"text": " ".join(first), "text_pair": " ".join(second), "number": float(same)})
    return rows


def asked(make: Any, train: int = 300) -> Asked:
    return Asked(None, make(train, 1), make(60, 2), make(100, 3), None, 0)  # type: ignore[arg-type]


def test_the_mean_is_the_mean_of_the_training_rows() -> None:
    question = asked(rated)
    found = mean_of(question)
    assert np.allclose(found.outcome.given, np.mean([row["number"] for row in question.train]))  # type: ignore[attr-defined]
    assert found.trained_rows == 300 and "pearson" not in measure(found.outcome)  # type: ignore[arg-type]


@pytest.mark.parametrize(("make", "least"), [(rated, 0.9), (pairs, 0.85)])
def test_tfidf_with_ridge_is_a_strong_baseline_for_texts_and_for_pairs(make: Any, least: float) -> None:
    question = asked(make)
    found, again = tfidf_of(question), tfidf_of(question)
    assert measure(found.outcome)["pearson"] > least  # type: ignore[arg-type]
    assert np.array_equal(found.outcome.given, again.outcome.given)  # type: ignore[attr-defined]
    numbers = [row["number"] for row in question.train]
    assert found.outcome.given.min() >= min(numbers) and found.outcome.given.max() <= max(numbers)  # type: ignore[attr-defined]


def test_rows_without_a_word_get_the_mean() -> None:
    question = asked(lambda count, seed: [{"text": "!?", "number": float(at % 3)} for at in range(count)])
    assert np.allclose(tfidf_of(question).outcome.given, mean_of(question).outcome.given)  # type: ignore[attr-defined]
