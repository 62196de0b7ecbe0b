"""Answers in a text: windows, the tokens of an answer on any text, spans back to characters, no answer, thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from tests import tiny
from tunewright.core.errors import UserError
from tunewright.tasks.question_answering import FAR_BELOW, IGNORED, QuestionAnswering, golds_of
from tunewright.train.criteria import CRITERIA

TOKENIZER = tiny.tokenizer()
TASK = QuestionAnswering(no_answer=True)
LETTERS = some.sampled_from([*"ab .é日🚚ﬁ", "e\u0301", "\u200d", "\n"])


def row(context: str, text: str | None, question: str = "who?", start: int | None = None) -> dict[str, Any]:
    answers = [] if text is None else [{"start": context.index(text) if start is None else start, "text": text}]
    return {"question": question, "context": context, "answers": answers}


def one_hot(encoded: Any, labels: list[list[int]]) -> list[np.ndarray]:
    """What a model would say that is sure of these tokens in each window."""
    found = []
    for piece, (first, last) in zip(encoded.pieces, labels, strict=True):
        logits = np.zeros((2, len(piece["input_ids"])))
        logits[0, first] = logits[1, last] = 9.0
        found.append(logits)
    return found


@settings(max_examples=150, deadline=None)
@given(some.lists(LETTERS, min_size=1, max_size=60).map("".join), some.integers(0, 59), some.integers(1, 8), some.integers(24, 40))
def test_the_tokens_of_an_answer_become_its_characters_again(context: str, start: int, length: int, limit: int) -> None:
    start = min(start, len(context) - 1)
    text = context[start : start + length].strip()
    if not text:
        return
    asked = row(context, text, start=context.index(text))
    (encoded,) = QuestionAnswering(stride=16).encode([asked], TOKENIZER, limit)
    labels = [piece["labels"] for piece in encoded.pieces]
    held = [label for label, beside in zip(labels, encoded.beside, strict=True) if label != [beside["none"]] * 2 and label != [IGNORED] * 2]
    if not held:
        assert len(text.encode()) > 8, "an answer shorter than half a window stands in one of them whole"
        assert all(label == [IGNORED] * 2 for label in labels)
        return
    answer = TASK.decode(asked, one_hot(encoded, labels), encoded, TOKENIZER)
    assert answer["answer"] == text and context[answer["start"] : answer["end"]] == text


def test_a_long_context_is_read_in_windows_behind_the_whole_question_and_nothing_is_lost() -> None:
    asked = row("x" * 150 + " Paris " + "y" * 90, "Paris")
    (encoded,) = QuestionAnswering(stride=8).encode([asked], TOKENIZER, 48)
    assert len(encoded.pieces) > 4 and encoded.cut == 0 and encoded.tokens == 4 + 247 + 3
    assert all(len(piece["input_ids"]) <= 48 for piece in encoded.pieces)
    covered = {
        at for beside in encoded.beside for first, last in zip(beside["start"], beside["end"], strict=True) for at in range(first, last)
    }
    assert covered >= set(range(247))
    starts = [piece["labels"] for piece in encoded.pieces if piece["labels"] != [0, 0]]
    assert len(starts) in {1, 2}, "the windows that hold it have it; the others say that they have none"
    answer = TASK.decode(asked, one_hot(encoded, [piece["labels"] for piece in encoded.pieces]), encoded, TOKENIZER)
    assert answer["answer"] == "Paris" and answer["start"] == 151


def test_an_answer_that_no_window_holds_is_not_trained_on_and_still_counts_as_missed() -> None:
    asked = row("start " + "z" * 120 + " end", "z" * 120)
    (encoded,) = QuestionAnswering(stride=4).encode([asked], TOKENIZER, 40)
    assert [piece["labels"] for piece in encoded.pieces] == [[IGNORED] * 2] * len(encoded.pieces)
    labels = torch.tensor([piece["labels"] for piece in encoded.pieces])
    assert CRITERIA.build("span-cross-entropy").count(labels) == 0
    answer = TASK.decode(asked, one_hot(encoded, [[0, 0]] * len(encoded.pieces)), encoded, TOKENIZER)
    assert TASK.measure(TASK.outcome([asked], [answer]))["exact_match"] == 0


def test_an_answer_that_does_not_stand_where_it_is_said_to_is_not_trained_on() -> None:
    wrong = {"question": "who?", "context": "Rome and Oslo", "answers": [{"start": 2, "text": "Oslo"}]}
    second = {**wrong, "answers": [{"start": 2, "text": "Oslo"}, {"start": 9, "text": "Oslo"}]}
    first, other = TASK.encode([wrong, second], TOKENIZER, 64)
    assert first.pieces[0]["labels"] == [IGNORED] * 2 and other.pieces[0]["labels"] != [IGNORED] * 2


def test_a_long_question_is_cut_and_told() -> None:
    asked = row("Rome", "Rome", question="why " * 40)
    (encoded,) = QuestionAnswering(question_tokens=12).encode([asked], TOKENIZER, 64)
    assert encoded.cut == 160 - 12 and encoded.tokens == 160 + 4 + 3 and len(encoded.pieces) == 1
    (encoded,) = TASK.encode([asked], TOKENIZER, 32)
    assert all(len(piece["input_ids"]) <= 32 for piece in encoded.pieces) and len(encoded.pieces) == 1


def test_padding_never_answers_and_the_loss_does_not_see_it() -> None:
    folder_free = torch.nn.Linear(1, 1)

    class Model(torch.nn.Module):
        def forward(self, input_ids: Any, attention_mask: Any, **rest: Any) -> Any:
            logits = input_ids.float() + folder_free.weight.sum() * 0
            return type("Told", (), {"start_logits": logits, "end_logits": logits})()

    short, long = TASK.encode([row("Rome", "Rome"), row("Rome is a town", "Rome")], TOKENIZER, 64)
    collate = TASK.collate(TOKENIZER)
    alone, both = (collate([one.pieces[0] for one in some_rows]) for some_rows in ([short], [short, long]))
    logits = TASK.forward(Model(), both)
    assert (logits[0, :, len(short.pieces[0]["input_ids"]) :] == FAR_BELOW).all()
    criterion = CRITERIA.build("span-cross-entropy")
    apart = criterion(TASK.forward(Model(), alone), alone["labels"])
    torch.testing.assert_close(criterion(logits[:1], both["labels"][:1]), apart)


@pytest.mark.parametrize(("threshold", "given"), [(None, ""), (5.0, "Rome"), (-9.0, "")])
def test_no_answer_is_given_where_it_outscores_the_best_span_by_the_threshold(threshold: float | None, given: str) -> None:
    asked = row("Rome", "Rome")
    (encoded,) = TASK.encode([asked], TOKENIZER, 64)
    logits = one_hot(encoded, [piece["labels"] for piece in encoded.pieces])
    logits[0][:, 0] = 10.0
    answer = QuestionAnswering(no_answer=True, threshold=threshold).decode(asked, logits, encoded, TOKENIZER)
    assert answer["answer"] == given and answer.margin == pytest.approx(2.0) and answer.best == "Rome"  # type: ignore[attr-defined]
    assert QuestionAnswering(no_answer=False, threshold=threshold).decode(asked, logits, encoded, TOKENIZER)["answer"] == "Rome"


def test_no_span_runs_backwards_into_the_question_or_is_too_long() -> None:
    asked = row("one two three", "two")
    (encoded,) = TASK.encode([asked], TOKENIZER, 64)
    begin = encoded.beside[0]["start"].index(0)
    logits = np.zeros((2, len(encoded.pieces[0]["input_ids"])))
    logits[0, begin + 8], logits[1, begin + 2], logits[0, 1], logits[1, 2] = 9.0, 9.0, 50.0, 50.0
    answer = TASK.decode(asked, [logits], encoded, TOKENIZER)
    assert answer["start"] is None or answer["start"] <= answer["end"]
    for first, last in answer.spans:  # type: ignore[attr-defined]
        assert 0 <= first < last <= 13
    short = QuestionAnswering(answer_tokens=3).decode(asked, [logits], encoded, TOKENIZER)
    assert all(last - first <= 3 for first, last in short.spans)  # type: ignore[attr-defined]


def test_what_is_learned_and_what_is_refused() -> None:
    rows = tiny.asked(14)
    assert QuestionAnswering().learn(rows).no_answer is True
    assert QuestionAnswering().learn([one for one in rows if one["answers"]]).no_answer is False
    with pytest.raises(UserError, match=r"none of the 1 training rows has an answer.*data\.columns\.answers"):
        QuestionAnswering().learn([row("x", None)])
    with pytest.raises(UserError, match=r"2 training rows have no answer, and task\.no_answer is false"):
        QuestionAnswering(no_answer=False).learn(rows)


def test_the_threshold_is_tuned_on_the_rows_that_it_is_given_and_only_once() -> None:
    rows = [row("Rome", "Rome"), row("Rome", None), row("Oslo", "Oslo"), row("Oslo", None)]
    encoded = TASK.encode(rows, TOKENIZER, 64)
    answers = []
    for asked, one, lead in zip(rows, encoded, (1.0, 6.0, 2.0, 7.0), strict=True):
        first = one.beside[0]["start"].index(0)
        logits = one_hot(one, [[first, first + 3]])
        logits[0][:, 0] = 9.0 + lead / 2
        answers.append(TASK.decode(asked, logits, one, TOKENIZER))
    assert TASK.measure(TASK.outcome(rows, answers))["f1"] == 0.5
    tuned = TASK.tuned(TASK.outcome(rows, answers))
    assert tuned.threshold == pytest.approx(4.0) and tuned.tuned(TASK.outcome(rows, answers)) == tuned
    assert QuestionAnswering(no_answer=False).tuned(TASK.outcome(rows, answers)).threshold is None
    assert golds_of({"answers": [{"text": "a", "start": 0}, {"text": "a", "start": 5}]}) == ("a",)
