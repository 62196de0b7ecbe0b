from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tiny
from tunewright.core.errors import BadConfig, UserError
from tunewright.tasks.base import Encoded
from tunewright.tasks.collate import Collate
from tunewright.tasks.text_classification import TextClassification, split_labels

TOKENIZER = tiny.tokenizer()
TASK = TextClassification(labels=("a", "b", "c"))
MULTI = TextClassification(labels=("a", "b", "c"), multi_label=True)
ANSWER = Encoded(({},), 0, 0)


def size(text: str) -> int:
    return len(text.encode())


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(texts=st.lists(st.tuples(TEXTS, st.sampled_from("abc")), min_size=1, max_size=8), longest=st.integers(4, 40))
@settings(deadline=None, max_examples=60)
def test_tokens_and_cuts_are_those_counted_by_hand_and_a_batch_equals_its_rows(texts: Any, longest: int) -> None:
    rows = [{"text": text, "label": label} for text, label in texts]
    found = TASK.encode(rows, TOKENIZER, longest)
    for row, one in zip(rows, found, strict=True):
        (piece,) = one.pieces
        assert one.tokens == size(row["text"]) + 2
        assert len(piece["input_ids"]) == min(one.tokens, longest)
        assert one.cut == max(0, one.tokens - longest) == max(0, size(row["text"]) - (longest - 2))
        assert piece["labels"] == "abc".index(row["label"])
        assert set(piece["attention_mask"]) == {1}
        kept = row["text"].encode()[: longest - 2]
        assert TOKENIZER.decode(piece["input_ids"][1:-1]) == kept.decode("utf-8", "replace")
    assert found == [TASK.encode([row], TOKENIZER, longest)[0] for row in rows]


@given(pairs=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6), longest=st.integers(5, 60))
@settings(deadline=None, max_examples=60)
def test_pairs_are_counted_by_hand_too(pairs: Any, longest: int) -> None:
    rows = [{"text": one, "text_pair": other} for one, other in pairs]
    found = TASK.encode(rows, TOKENIZER, longest)
    for (one, other), encoded in zip(pairs, found, strict=True):
        assert encoded.tokens == size(one) + size(other) + 3
        assert encoded.cut == max(0, encoded.tokens - longest)
        ids = encoded.pieces[0]["input_ids"]
        assert len(ids) == min(encoded.tokens, longest) and ids.count(2) == 2, "both marks stay"
        assert "labels" not in encoded.pieces[0]
    assert found == [TASK.encode([row], TOKENIZER, longest)[0] for row in rows]


def test_an_empty_cell_is_no_text_and_not_the_word_none() -> None:
    empty, word = TASK.encode([{"text": None}, {"text": "None"}], TOKENIZER, 20)
    assert (empty.tokens, word.tokens) == (2, 6)
    assert TASK.encode([{"text": "x", "text_pair": None}], TOKENIZER, 20)[0].tokens == 4
    assert TASK.encode([{"text": 12.5}], TOKENIZER, 20)[0].tokens == 6


def test_rows_with_and_without_a_pair_do_not_go_together() -> None:
    with pytest.raises(UserError, match=r"1 of 2 rows have a text_pair. All rows have one, or none"):
        TASK.encode([{"text": "x"}, {"text": "x", "text_pair": "y"}], TOKENIZER, 20)
    assert TASK.encode([], TOKENIZER, 20) == []


def label_of(task: TextClassification, label: Any) -> Any:
    (one,) = task.encode([{"text": "x", "label": label}], TOKENIZER, 20)
    return one.pieces[0].get("labels")


def test_a_label_becomes_its_number_and_one_never_trained_has_none() -> None:
    assert [label_of(TASK, label) for label in ("a", "c", "d", None)] == [0, 2, None, None]
    assert label_of(TextClassification(labels=("1", "2")), 2) == 1, "a number is a name like any other"


def test_several_labels_become_a_row_of_zeros_and_ones() -> None:
    assert label_of(MULTI, ["c", "a"]) == [1.0, 0.0, 1.0]
    assert label_of(MULTI, '["c", "a"]') == label_of(MULTI, "c; a") == label_of(MULTI, "a|c") == [1.0, 0.0, 1.0]
    assert label_of(MULTI, []) == label_of(MULTI, "") == [0.0, 0.0, 0.0]
    assert label_of(MULTI, ["d", "b"]) == [0.0, 1.0, 0.0]
    assert label_of(MULTI, None) is None


@pytest.mark.parametrize(
    ("cell", "separator", "names"),
    [
        ("late; damaged, cracked", None, ["late", "damaged, cracked"]),
        ("late, damaged", None, ["late", "damaged"]),
        ("late|damaged", None, ["late", "damaged"]),
        ("late/damaged", "/", ["late", "damaged"]),
        ("late; damaged", "/", ["late; damaged"]),
        ('["late; very", "damaged"]', None, ["late; very", "damaged"]),
        ("[late", None, ["[late"]),
        ("[late, damaged]", None, ["late", "damaged"]),
        ("['late', 'damaged']", None, ["late", "damaged"]),
        ("['late' 'damaged']", None, ["late", "damaged"]),
        ("['late'\n 'damaged']", None, ["late", "damaged"]),
        ("['late' \"it's damaged\"]", None, ["late", "it's damaged"]),
        ("[\"it's late\"\n \"it's damaged\" 'lost']", None, ["it's late", "it's damaged", "lost"]),
        ("['it is late', \"it's damaged\"]", None, ["it is late", "it's damaged"]),
        ("{'late'}", None, ["late"]),
        ("[1, 2]", None, ["1", "2"]),
        ("[]", None, []),
        ("[late] [damaged]", None, ["[late] [damaged]"]),
        (" late ;; ", None, ["late"]),
        ("", None, []),
    ],
)
def test_the_labels_of_a_cell(cell: str, separator: str | None, names: list[str]) -> None:
    assert split_labels(cell, separator) == names


def test_the_separator_of_the_recipe_is_obeyed() -> None:
    task = TextClassification(multi_label=True, separator="/").learn([{"text": "x", "label": "late; very/damaged"}])
    assert task.labels == ("damaged", "late; very")


def test_labels_are_learned_sorted_by_name() -> None:
    assert TextClassification().learn([{"label": "b"}, {"label": "a"}, {"label": "b"}, {"label": None}]).labels == ("a", "b")
    assert TextClassification(multi_label=True).learn([{"label": ["z", "a"]}, {"label": []}]).labels == ("a", "z")
    assert TextClassification(labels=("b", "a", "c")).learn([{"label": "a"}, {"label": "b"}]).labels == ("b", "a", "c")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["a", "a", "a"], "all 3 training rows have the label 'a'. A classifier needs rows of at least two labels.*data.columns.label"),
        ([None, None], "no training row has a label"),
        (["1", "2", "3", "4"], "each of the 4 training rows has a label of its own.*an id or a text may have been taken for the label"),
        ([*map(str, range(95)), "1", "1", "1", "1", "1"], r"nearly each of the 100 training rows has a label of its own \(95 labels\)"),
        (
            ["0.25", "3.5", "4", "3.5", "1.75", "4", "4", "4", "4", "4"],
            r"the labels are numbers with fractions \(0.25, 3.5, 1.75...\).*task: regression and data.columns: \{number",
        ),
    ],
)
def test_rows_that_cannot_be_learned_from_are_told(labels: list[Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        TextClassification().learn([{"text": "x", "label": label} for label in labels])


def test_labels_that_the_recipe_does_not_name_are_told() -> None:
    with pytest.raises(UserError, match=r"labels that task.labels does not name: 'aa', 'q'.*Did you mean 'a'\?"):
        TextClassification(labels=("a", "b")).learn([{"label": "aa"}, {"label": "q"}, {"label": "b"}])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"labels": ["a", "a"]}, "a label name stands twice"),
        ({"labels": ["a"]}, "labels needs two names or more"),
        ({"separator": ";"}, "belong to multi_label: true"),
        ({"thresholds": [0.5, 0.5], "labels": ["a", "b"]}, "belong to multi_label: true"),
        ({"multi_label": True, "labels": ["a", "b"], "thresholds": [0.5]}, "one number per name"),
        ({"multi_label": True, "labels": ["a"], "thresholds": [1.5]}, "a number of 1 at most was wanted"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        TextClassification.read(settings)


def test_the_answer_is_the_likeliest_label_with_every_probability() -> None:
    answer = TASK.decode({}, [np.array([1.0, 3.0, 2.0], np.float32)], ANSWER, None)
    total = math.exp(1) + math.exp(3) + math.exp(2)
    assert answer["label"] == "b"
    assert answer["probabilities"] == pytest.approx({"a": math.exp(1) / total, "b": math.exp(3) / total, "c": math.exp(2) / total})
    assert sum(TASK.decode({}, [np.array([1e4, -1e4, 0])], ANSWER, None)["probabilities"].values()) == pytest.approx(1)


def test_several_labels_are_given_from_their_thresholds() -> None:
    logits = [np.array([0.0, -0.1, 2.0])]
    answer = MULTI.decode({}, logits, ANSWER, None)
    assert answer["label"] == ["a", "c"]
    assert answer["probabilities"] == pytest.approx({"a": 0.5, "b": 1 / (1 + math.exp(0.1)), "c": 1 / (1 + math.exp(-2))})
    strict = MULTI.model_copy(update={"thresholds": (0.6, 0.4, 0.9)})
    assert strict.decode({}, logits, ANSWER, None)["label"] == ["b"]


def answers(task: TextClassification, logits: list[list[float]]) -> list[Any]:
    return [task.decode({}, [np.array(one)], ANSWER, None) for one in logits]


def test_the_outcome_holds_wanted_and_given_side_by_side() -> None:
    rows = [{"label": "a"}, {"label": "c"}, {"label": "never trained"}]
    outcome = TASK.outcome(rows, answers(TASK, [[3, 0, 0], [0, 3, 0], [0, 0, 3]]))
    assert outcome.wanted.tolist() == [0, 2, -1] and outcome.predicted.tolist() == [0, 1, 2]
    assert outcome.probabilities.shape == (3, 3) and outcome.names == ("a", "b", "c")
    assert TASK.measure(outcome)["accuracy"] == pytest.approx(1 / 3), "a label never trained counts as wrong"


def test_the_outcome_of_several_labels_has_a_column_for_one_never_trained() -> None:
    rows = [{"label": ["a", "new"]}, {"label": []}, {"label": "b; c"}]
    outcome = MULTI.outcome(rows, answers(MULTI, [[3, -3, -3], [-3, -3, -3], [-3, 3, 3]]))
    assert outcome.names == ("a", "b", "c", "new")
    assert outcome.wanted.tolist() == [[True, False, False, True], [False] * 4, [False, True, True, False]]
    assert outcome.predicted.tolist() == [[True, False, False, False], [False] * 4, [False, True, True, False]]
    assert (outcome.probabilities[:, 3] == 0).all()
    assert MULTI.measure(outcome)["f1_micro"] == pytest.approx(2 * 3 / (2 * 3 + 1))


def test_an_outcome_of_no_rows_has_its_shape() -> None:
    assert TASK.outcome([], []).probabilities.shape == (0, 3)
    assert MULTI.outcome([], []).wanted.shape == (0, 3)


def test_thresholds_are_tuned_on_validation_rows_unless_the_recipe_has_them() -> None:
    rows = [{"label": ["a"]}] * 4 + [{"label": []}] * 4
    outcome = MULTI.outcome(rows, answers(MULTI, [[-1, -5, -5]] * 4 + [[-2, -5, -5]] * 4))
    tuned = MULTI.tuned(outcome)
    assert tuned.thresholds is not None and 1 / (1 + math.e**2) < tuned.thresholds[0] <= 1 / (1 + math.e)
    own = MULTI.model_copy(update={"thresholds": (0.5, 0.5, 0.5)})
    assert own.tuned(outcome) is own
    assert TASK.tuned(TASK.outcome([], [])) is TASK


def test_what_the_model_and_the_recipe_must_know() -> None:
    head = TASK.head_settings()
    assert head == {
        "num_labels": 3,
        "id2label": {0: "a", 1: "b", 2: "c"},
        "label2id": {"a": 0, "b": 1, "c": 2},
        "problem_type": "single_label_classification",
    }
    assert MULTI.head_settings()["problem_type"] == "multi_label_classification"
    assert (TASK.default_criterion(), MULTI.default_criterion()) == ("cross-entropy", "binary-cross-entropy")
    assert (TASK.best_by(), MULTI.best_by()) == ("accuracy", "f1_micro")
    assert [(role.name, role.kind, role.needed) for role in TASK.roles()] == [
        ("text", "text", True),
        ("text_pair", "text", False),
        ("label", "label", True),
    ]
    assert MULTI.roles()[-1].kind == "labels"


@pytest.mark.parametrize("side", ["right", "left"])
def test_rows_are_padded_to_the_longest_on_the_side_of_the_tokenizer(side: str) -> None:
    tokenizer = tiny.tokenizer(side)
    pieces = [one.pieces[0] for one in TASK.encode([{"text": "ab", "label": "a"}, {"text": "abcd", "label": "c"}], tokenizer, 20)]
    batch = Collate(tokenizer)(pieces)
    assert {name: tuple(values.shape) for name, values in batch.items()} | {"labels": (2,)} == {
        name: (2, 6) for name in pieces[0] if name != "labels"
    } | {"labels": (2,)}
    pad = [tokenizer.pad_token_id] * 2
    short = list(pieces[0]["input_ids"])
    assert batch["input_ids"][0].tolist() == (short + pad if side == "right" else pad + short)
    assert batch["attention_mask"][0].tolist() == ([1] * 4 + [0, 0] if side == "right" else [0, 0] + [1] * 4)
    assert batch["input_ids"][1].tolist() == list(pieces[1]["input_ids"])
    assert batch["labels"].tolist() == [0, 2] and batch["input_ids"].dtype == batch["labels"].dtype


def test_padding_is_that_of_the_tokenizer_and_labels_of_tokens_have_their_own() -> None:
    tokenizer = tiny.tokenizer()
    tokenizer.pad_token = "[MASK]"
    batch = Collate(tokenizer, labels_pad=-100)(
        [{"input_ids": [5, 6], "labels": [1, 2]}, {"input_ids": [5], "labels": [1]}, {"input_ids": [], "labels": []}]
    )
    assert batch["input_ids"].tolist() == [[5, 6], [5, 3], [3, 3]]
    assert batch["labels"].tolist() == [[1, 2], [1, -100], [-100, -100]]


def test_labels_of_several_classes_keep_their_shape() -> None:
    batch = Collate(TOKENIZER)([{"input_ids": [5], "labels": [1.0, 0.0, 1.0]}, {"input_ids": [5, 6], "labels": [0.0, 0.0, 0.0]}])
    assert batch["labels"].tolist() == [[1, 0, 1], [0, 0, 0]]


def test_loss_and_margin_of_each_row_are_those_counted_by_hand() -> None:
    import torch

    logits = torch.tensor([[2.0, 1.0, -1.0], [0.0, 3.0, 1.0], [1.0, 1.0, 1.0]])
    found = TextClassification(labels=("a", "b", "c")).watch(logits, torch.tensor([0, 2, -100]))
    assert found[0].tolist() == pytest.approx([math.log(1 + math.exp(-1) + math.exp(-3)), 1.0], abs=1e-6)
    assert found[1].tolist() == pytest.approx([math.log(math.exp(-1) + math.exp(2) + 1), -2.0], abs=1e-6)
    assert found[2].isnan().all(), "a masked label has neither"
    several = TextClassification(labels=("a", "b"), multi_label=True).watch(torch.tensor([[2.0, -3.0]]), torch.tensor([[1.0, 1.0]]))
    assert several[0].tolist() == pytest.approx([(math.log(1 + math.exp(-2)) + math.log(1 + math.exp(3))) / 2, -3.0], abs=1e-6)
