"""Baselines on real data where it is at hand (TUNEWRIGHT_DATA), else on generated tickets."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest

from tunewright.core.errors import UserError
from tunewright.evaluate.baselines import classes as baselines
from tunewright.evaluate.baselines.base import worth_it
from tunewright.evaluate.baselines.classes import Labelled, majority, paired_texts, tfidf
from tunewright.metrics.classes import ClassOutcome, measure
from tunewright.tasks.text_classification import TextClassification

TASK = TextClassification()
WORDS = {
    "billing": ["invoice", "charged", "refund", "twice", "card"],
    "bug": ["crash", "error", "screen", "blank", "crashes"],
    "access": ["password", "login", "locked", "reset", "2fa"],
}
FILLERS = ["please", "help", "my", "the", "today!!", "", "Ünïcode"]


def rows_of(name, split):
    path = Path(os.environ["TUNEWRIGHT_DATA"]) / name / f"{split}.jsonl"
    assert path.is_file(), f"TUNEWRIGHT_DATA is set and {path} is missing"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row["text"] for row in rows], [row["label"] for row in rows]


def generated(rows, seed):
    """Dirty tickets: every fifth has a label at random."""
    rng = random.Random(seed)
    labels = [rng.choice(list(WORDS)) for _ in range(rows)]
    texts = [" ".join(rng.choices(WORDS[label], k=2) + rng.choices(FILLERS, k=4)) for label in labels]
    return texts, [rng.choice(list(WORDS)) if rng.random() < 0.2 else label for label in labels]


def dataset(name, train, test):
    names = tuple(sorted(set(train[1])))
    ids = {label: place for place, label in enumerate(names)}
    return name, names, *(Labelled(texts, np.array([ids.get(label, -1) for label in labels])) for texts, labels in (train, test))


def real_or_generated(name):
    if os.environ.get("TUNEWRIGHT_DATA"):
        return dataset(name, rows_of(name, "train"), rows_of(name, "test"))
    return dataset("generated", generated(600, 1), generated(300, 2))


@pytest.mark.parametrize("name", ["banking77", "sms_spam"])
def test_tfidf_is_a_strong_baseline_and_the_same_each_time(name):
    kind, names, train, test = real_or_generated(name)
    found, again = (tfidf(names, train, test, seed=3) for _ in range(2))
    accuracy = measure(found.outcome)["accuracy"]
    assert accuracy > {"banking77": 0.89, "sms_spam": 0.98, "generated": 0.75}[kind]
    assert found.trained_rows == len(train.texts) and 0 < found.seconds < 120
    np.testing.assert_array_equal(found.outcome.probabilities, again.outcome.probabilities)
    assert measure(found.outcome)["log_loss"] < measure(majority(names, train.wanted, test.wanted).outcome)["log_loss"]


def test_majority_answers_the_most_frequent_class_with_its_share():
    found = majority(("ham", "spam"), np.array([0, 0, 0, 1, -1]), np.array([1, 0, -1]))
    assert found.outcome.predicted.tolist() == [0, 0, 0]
    assert found.outcome.probabilities[0].tolist() == [0.75, 0.25]
    assert found.trained_rows == 4 and measure(found.outcome)["accuracy"] == pytest.approx(1 / 3)


def test_rows_with_a_label_that_was_never_trained_are_answered_and_counted_as_mistakes():
    _, names, train, test = dataset("generated", generated(200, 1), generated(50, 2))
    strange = Labelled(test.texts, np.full(50, -1))
    assert measure(tfidf(names, train, strange).outcome)["accuracy"] == 0.0


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [(["all one", "class here"], [1, 1]), (["", "!!! ..."], [0, 1]), (["a"], [0])],
    ids=["one class", "no words", "one row"],
)
def test_training_rows_that_teach_nothing_answer_like_the_majority(texts, wanted):
    test = Labelled(["what now", ""], np.array([0, 1]))
    train = np.array(wanted)
    found = tfidf(("a", "b"), Labelled(texts, train), test)
    np.testing.assert_array_equal(found.outcome.probabilities, majority(("a", "b"), train, test.wanted).outcome.probabilities)


def test_a_thousand_rows_that_share_no_word_do_not_crash():
    texts = [f"word{place}" for place in range(1000)]
    found = tfidf(("a", "b"), Labelled(texts, np.arange(1000) % 2), Labelled(["word1", "word2"], np.array([1, 0])))
    assert found.outcome.predicted.tolist() == [1, 0]


def test_a_class_that_no_training_row_has_gets_probability_zero():
    train = Labelled(["red apple", "green pear", "blue plum"], np.array([0, 2, 3]))
    found = tfidf(("a", "missing", "b", "c"), train, Labelled(["green pear"], np.array([1])))
    assert found.outcome.probabilities[0, 1] == 0.0 and found.outcome.predicted.tolist() == [2]


def test_text_without_spaces_has_words_too():
    train = Labelled(["請求書が二重です", "請求の金額が違う", "画面が真っ白", "画面が固まる"] * 3, np.array([0, 0, 1, 1] * 3))
    found = tfidf(("billing", "bug"), train, Labelled(["請求を確認したい", "画面が出ない"], np.array([0, 1])))
    assert found.outcome.predicted.tolist() == [0, 1]


def several(rows, seed):
    rng = random.Random(seed)
    wanted = np.array([[rng.random() < share for share in (0.6, 0.3, 0.15)] for _ in range(rows)])
    words = [[rng.choice(some) for flag, some in zip(row, WORDS.values(), strict=True) if flag] for row in wanted]
    texts = [" ".join(["hello", *some]) for some in words]
    return Labelled(texts, wanted)


def test_multi_label_rows_get_one_answer_per_label_and_thresholds_from_validation():
    train, test = several(400, 1), several(200, 2)
    names = (*WORDS, "never")
    train, test = (Labelled(part.texts, np.hstack([part.wanted, np.zeros((len(part.wanted), 1), dtype=bool)])) for part in (train, test))
    found = tfidf(names, train, test)
    assert measure(found.outcome)["f1/billing"] > 0.95 and measure(found.outcome)["f1/access"] > 0.9
    assert not found.outcome.predicted[:, 3].any()
    reversed_flags = Labelled(test.texts[:50], ~test.wanted[:50])
    moved = tfidf(names, train, test, validation=reversed_flags)
    assert (moved.outcome.predicted != found.outcome.predicted).any(), "validation chooses the thresholds"
    np.testing.assert_allclose(moved.outcome.probabilities, found.outcome.probabilities)


def test_multi_label_majority_gives_the_labels_of_at_least_half_of_the_rows():
    found = majority(("a", "b"), np.array([[True, False], [True, True], [False, False]]), np.zeros((2, 2), dtype=bool))
    assert found.outcome.predicted.tolist() == [[True, False], [True, False]]


def test_paired_texts_tell_the_sides_apart():
    here, there = ["yes indeed", "no never"] * 20, ["no never", "yes indeed"] * 20
    wanted = np.array([0, 1] * 20)
    together = Labelled([f"{one} {other}" for one, other in zip(here, there, strict=True)], wanted)
    assert paired_texts(["A b"], ["請求 b"])[0].split() == ["\ue001A", "\ue001b", "\ue002請", "\ue002求", "\ue002b"]
    apart = Labelled(paired_texts(here, there), wanted)
    assert measure(tfidf(("a", "b"), apart, apart).outcome)["accuracy"] == 1.0
    shuffled = Labelled(["yes no", "no yes"], np.array([0, 1]))
    sides = Labelled(paired_texts(["yes", "no"], ["no", "yes"]), np.array([0, 1]))
    assert measure(tfidf(("a", "b"), apart, sides).outcome)["accuracy"] == 1.0
    plain = tfidf(("a", "b"), together, shuffled).outcome.probabilities
    assert abs(plain[0, 0] - plain[1, 0]) < 0.5, "without marks only the word order can tell"


def test_a_training_split_that_is_too_large_is_drawn_from_and_told(monkeypatch):
    _, names, train, test = dataset("generated", generated(600, 1), generated(300, 2))
    monkeypatch.setattr(baselines, "TRAINED_ROWS", 150)
    few = tfidf(names, train, test, seed=1)
    assert few.trained_rows == 150 and measure(few.outcome)["accuracy"] > 0.6
    assert (tfidf(names, train, test, seed=2).outcome.probabilities != few.outcome.probabilities).any()
    monkeypatch.setattr(baselines, "TRAINED_CHARACTERS", 2000)
    assert 10 < tfidf(names, train, test, seed=1).trained_rows < 100
    monkeypatch.setattr(baselines, "VOCABULARY_CHARACTERS", 500)
    assert measure(tfidf(names, train, test, seed=1).outcome)["accuracy"] > 0.4


def test_no_labelled_training_row_says_so():
    with pytest.raises(UserError, match="no training row has a label"):
        majority(("a", "b"), np.array([-1, -1]), np.array([0]))


def outcome(accuracy, seed, wanted):
    rng = np.random.default_rng(seed)
    predicted = np.where(rng.random(len(wanted)) < accuracy, wanted, 1 - wanted)
    return ClassOutcome(("ham", "spam"), wanted, predicted, np.where(np.eye(2)[predicted] == 1, 0.9, 0.1))


WANTED = np.random.default_rng(0).integers(0, 2, 500)


@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "log_loss"])
@pytest.mark.parametrize(
    ("ours", "theirs", "verdict", "sentence"),
    [
        (0.95, 0.80, "better", "Fine-tuning is worth it here: "),
        (0.90, 0.90, "no proven difference", "It is not proven that fine-tuning is worth it here: "),
        (0.70, 0.90, "worse", "Fine-tuning is not worth it here: "),
    ],
)
def test_whether_fine_tuning_is_worth_it_is_answered_in_three_ways(ours, theirs, verdict, sentence, name):
    answer = worth_it(TASK, outcome(ours, 1, WANTED), outcome(theirs, 2, WANTED), name, np.random.default_rng(0), "TF-IDF", resamples=300)
    assert answer["verdict"] == verdict
    assert answer["sentence"].startswith(sentence) and "500 rows" in answer["sentence"] and name in answer["sentence"]
    assert answer["difference"]["value"] == pytest.approx(answer["ours"] - answer["baseline"])
    assert (answer["mcnemar_p"] < 0.05) == (verdict != "no proven difference")
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer


def test_other_rows_are_not_compared():
    with pytest.raises(UserError, match="not measured on the same rows"):
        worth_it(TASK, outcome(0.9, 1, WANTED), outcome(0.9, 1, 1 - WANTED), "accuracy", np.random.default_rng(0), "TF-IDF")
