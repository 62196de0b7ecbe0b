"""Exact match and F1 equal the official script of SQuAD 2.0, whose functions stand here as it has them."""

from __future__ import annotations

import collections
import re
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tunewright.core.chance import array_generator
from tunewright.core.errors import UserError
from tunewright.metrics.answers import AnswerOutcome, best_threshold, exact, f1, measure, rows_behind
from tunewright.metrics.intervals import bootstrap


def normalize_answer(s):
    """The official script, version 2.0."""

    def remove_articles(text):
        regex = re.compile(r"\b(a|an|the)\b", re.UNICODE)
        return re.sub(regex, " ", text)

    def white_space_fix(text):
        return " ".join(text.split())

    def remove_punc(text):
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    def lower(text):
        return text.lower()

    return white_space_fix(remove_articles(remove_punc(lower(s))))


def get_tokens(s):
    return normalize_answer(s).split() if s else []


def compute_exact(a_gold, a_pred):
    return int(normalize_answer(a_gold) == normalize_answer(a_pred))


def compute_f1(a_gold, a_pred):
    gold_toks, pred_toks = get_tokens(a_gold), get_tokens(a_pred)
    common = collections.Counter(gold_toks) & collections.Counter(pred_toks)
    num_same = sum(common.values())
    if len(gold_toks) == 0 or len(pred_toks) == 0:
        return int(gold_toks == pred_toks)
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(pred_toks)
    recall = 1.0 * num_same / len(gold_toks)
    return (2 * precision * recall) / (precision + recall)


def official(golds, pred):
    gold_answers = [a for a in golds if normalize_answer(a)] or [""]
    return max(compute_exact(a, pred) for a in gold_answers), max(compute_f1(a, pred) for a in gold_answers)


TEXT = some.lists(
    some.sampled_from(
        ["the", "The", "a", "an", "cat", "Cat.", "12,5", "İstanbul", "naïve", "日本", "--", "end-of", "!", " ", "\t", "ß", "anthem"]
    ),
    max_size=6,
).map(" ".join) | some.text(max_size=12)


@settings(max_examples=300, deadline=None)
@given(some.lists(TEXT, max_size=4), TEXT)
def test_every_answer_scores_as_in_the_official_script(golds: list[str], answer: str) -> None:
    right, overlap = official(golds, answer)
    assert exact(answer, golds) == bool(right) and f1(answer, golds) == pytest.approx(overlap)


@settings(max_examples=60, deadline=None)
@given(some.lists(some.tuples(some.lists(TEXT, max_size=2), TEXT), min_size=1, max_size=12))
def test_scores_of_rows_are_means_of_the_official_ones(rows: list[tuple[list[str], str]]) -> None:
    outcome = AnswerOutcome(tuple(tuple(golds) for golds, _ in rows), tuple(answer for _, answer in rows))
    found, wanted = measure(outcome), [official(golds, answer) for golds, answer in rows]
    assert found["exact_match"] == pytest.approx(np.mean([one for one, _ in wanted]))
    assert found["f1"] == pytest.approx(np.mean([other for _, other in wanted]))
    none = [pair for (golds, _), pair in zip(rows, wanted, strict=True) if not golds]
    assert ("no_answer_accuracy" in found) == bool(none)
    if none:
        assert found["no_answer_accuracy"] == pytest.approx(np.mean([one for one, _ in none]))
        assert rows_behind(outcome)["no_answer_accuracy"] == len(none)


def test_scores_have_intervals_over_rows() -> None:
    outcome = AnswerOutcome((("Paris",), (), ("1912",), ("a cat",)), ("paris", "", "1913", "The cat!"))
    assert measure(outcome) == {
        "exact_match": 0.75,
        "f1": 0.75,
        "answered_exact_match": 2 / 3,
        "answered_f1": 2 / 3,
        "no_answer_accuracy": 1,
    }
    drawn = bootstrap(outcome, measure, array_generator(0, "bootstrap"), resamples=200)
    assert drawn["f1"].low < 0.75 < drawn["f1"].high
    assert outcome.take(np.array([2, 2])).right.tolist() == [False, False]
    with pytest.raises(UserError, match="no row to measure"):
        measure(AnswerOutcome((), ()))


@settings(max_examples=100, deadline=None)
@given(some.lists(some.tuples(some.booleans(), some.booleans(), some.integers(-4, 4)), min_size=1, max_size=14))
def test_the_threshold_is_the_best_of_all(rows: list[tuple[bool, bool, int]]) -> None:
    wanted = tuple(("Paris",) if has else () for has, _, _ in rows)
    spans = tuple("Paris" if right else "Rome" for _, right, _ in rows)
    margins = np.array([float(margin) for _, _, margin in rows])

    def reached(threshold: float) -> float:
        given = tuple("" if margin > threshold else span for margin, span in zip(margins, spans, strict=True))
        return measure(AnswerOutcome(wanted, given))["f1"]

    found = best_threshold(AnswerOutcome(wanted, spans, spans, margins))
    assert reached(found) == pytest.approx(max(reached(one) for one in np.arange(-5.5, 6, 0.5)))
