"""What costs nothing for entities: none at all, and the most frequent tag of each known word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tunewright.evaluate.baselines import BASELINES
from tunewright.evaluate.baselines.base import Asked, worth_it
from tunewright.evaluate.baselines.spans import answered, lookup, lookup_of, nothing_of, words_of
from tunewright.tasks.token_classification import TokenClassification

TASK = TokenClassification(labels=("LOC", "PER"))


def row(text: str, *spans: tuple[str, str]) -> dict[str, Any]:
    places = [(text.index(quote), quote, label) for quote, label in spans]
    return {"text": text, "spans": [{"start": at, "end": at + len(quote), "label": label} for at, quote, label in places]}


TRAIN = [
    row("Anna Bell met Bob", ("Anna Bell", "PER"), ("Bob", "PER")),
    row("the bell in Rome rang", ("Rome", "LOC")),
    row("Rome won, Bell lost", ("Bell", "LOC")),
    row("Bell, of Anna Bell", ("Anna Bell", "PER")),
    {"text": "Rome", "spans": None},
]


def test_each_word_has_the_tag_that_it_has_most_often() -> None:
    known = lookup(TRAIN)
    assert known == {"Anna": "B-PER", "Bell": "I-PER", "Bob": "B-PER", "Rome": "B-LOC"}
    assert answered("Anna Bell, Rome Bob", known) == [(0, 9, "PER"), (11, 15, "LOC"), (16, 19, "PER")]
    assert answered("nobody", known) == []


def test_words_are_letters_together_and_marks_alone() -> None:
    text = "don't go, 東京 9.5"
    assert [text[a:b] for a, b in words_of(text)] == ["don", "'", "t", "go", ",", "東", "京", "9", ".", "5"]


def test_both_are_measured_on_the_same_rows_and_held_against_a_model() -> None:
    test = [row("Anna met nobody", ("Anna", "PER")), row("to Oslo", ("Oslo", "LOC")), row("nothing")] * 10
    ours = TASK.outcome(test, [{"spans": [{**one, "text": "", "probability": 1.0} for one in each["spans"]]} for each in test])
    asked = Asked(TASK, TRAIN, [], test, ours, 0)
    none, known = nothing_of(asked), lookup_of(asked)
    assert TASK.measure(none.outcome)["f1"] == 0.0 and TASK.measure(none.outcome)["exact_rows"] == pytest.approx(1 / 3)
    assert TASK.measure(known.outcome)["recall"] == 0.5 and known.trained_rows == 5
    told = worth_it(TASK, ours, known.outcome, "f1", np.random.default_rng(0), "the table", 100)
    assert told["verdict"] == "better" and told["ours"] == 1.0 and 0 <= told["mcnemar_p"] < 0.01


def test_the_recipe_knows_them() -> None:
    assert set(BASELINES["token-classification"]) == {"nothing", "lookup"} == set(TokenClassification.baselines)


def test_on_public_slots_it_reaches_what_others_measured(real_data: Path) -> None:
    """The index of the sets gives 51.2 for it."""
    from tunewright.data.values.spans import read
    from tunewright.tasks.base import Role

    def rows(split: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in (real_data / "mit_restaurant" / f"{split}.jsonl").read_text().splitlines()]
        tokens = pa.chunked_array([pa.array([line["tokens"] for line in lines])])
        spans = read(pa.chunked_array([pa.array([line["tags"] for line in lines])]), Role("spans", "spans", ""), "tags", tokens).column
        return [{"text": " ".join(line["tokens"]), "spans": found} for line, found in zip(lines, spans.to_pylist(), strict=True)]

    known, test = lookup(rows("train"), blanks=True), rows("test")
    found = TASK.measure(TASK.counted(test, [answered(one["text"], known, blanks=True) for one in test]))
    assert round(found["f1"], 3) == 0.512
