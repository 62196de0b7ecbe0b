"""Answers as they come: nested SQuAD documents, records, JSON in cells, plain texts; and rules for those that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tunewright.core.errors import UserError
from tunewright.data.audit import RULES
from tunewright.data.audit.answers import nearest, respelled
from tunewright.data.audit.base import Hit, Looked
from tunewright.data.prepare import audit
from tunewright.data.settings import DataSettings
from tunewright.data.values.answers import ANSWERS, UNPLACED, read
from tunewright.demo.questions import Questions
from tunewright.tasks.base import Role
from tunewright.tasks.question_answering import QuestionAnswering

ROLE = Role("answers", "answers", "the answers")


def answers(cells: list[Any], kind: pa.DataType | None = None) -> tuple[list[Any], list[Any]]:
    found = read(pa.chunked_array([pa.array(cells, kind)]), ROLE, "answers")
    assert found.column.type == ANSWERS
    return found.column.to_pylist(), [None] * len(cells) if found.faults is None else found.faults.to_pylist()


PARIS = [{"start": 7, "text": "Paris"}]


@pytest.mark.parametrize(
    "cell",
    [
        {"text": ["Paris"], "answer_start": [7]},
        [{"text": "Paris", "answer_start": 7}],
        {"text": "Paris", "start": 7.0},
        '{"text": ["Paris"], "answer_start": [7]}',
        "{'text': ['Paris'], 'answer_start': [7]}",
        '[{"answer_start": 7, "text": "Paris"}]',
        [{"text": "Paris", "answer_start": 7}, {"text": "Paris", "answer_start": 7}],
    ],
)
def test_an_answer_is_read_as_it_is_written(cell: Any) -> None:
    assert answers([cell])[0] == [PARIS]


def test_plain_texts_have_no_place_yet_and_empty_lists_are_no_answer() -> None:
    assert answers(["Paris", "", None, "n/a"])[0] == [[{"start": UNPLACED, "text": "Paris"}], None, None, None]
    assert answers(["[]", '{"text": [], "answer_start": []}'])[0] == [[], []]
    assert answers([["Paris", "the capital"]])[0] == [[{"start": -1, "text": "Paris"}, {"start": -1, "text": "the capital"}]]
    assert answers([[], None], pa.list_(pa.string()))[0] == [[], None]
    assert answers(["[see below]"])[0] == [[{"start": UNPLACED, "text": "[see below]"}]]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ({"text": ["a", "b"], "answer_start": [1]}, "2 texts of answers and 1 places"),
        ('{"text": ["Paris"], "answer_start": [-3]}', "'-3' is no place in a context"),
        ({"text": ["  "], "answer_start": [0]}, "an answer without a text"),
        ('{"text": ["Paris"], "answer_start": ["x"]}', "'x' is no place"),
        ("[1, 2]", "'1' is no answer"),
    ],
)
def test_what_is_no_answer_is_a_fault_with_its_reason(cell: Any, reason: str) -> None:
    found, faults = answers([cell])
    assert found == [None] and reason in faults[0]


def test_a_column_of_numbers_is_refused() -> None:
    with pytest.raises(UserError, match=r"the column 'answers' for the role 'answers' holds int64.*data\.columns\.answers"):
        answers([1, 2])


def test_a_squad_document_becomes_a_row_for_each_question(tmp_path: Path) -> None:
    from tunewright.data.read import read as read_table

    document, planted = Questions(questions=60, seed=2).document()
    asked = [one for article in document["data"] for part in article["paragraphs"] for one in part["qas"]]
    document["data"][1]["paragraphs"].append("torn page")
    document["data"].append({"title": "empty"})
    (tmp_path / "q.json").write_text(json.dumps(document))
    table = read_table(str(tmp_path / "q.json"))
    rows = table.rows.to_pylist()
    assert [row["id"] for row in rows] == [one["id"] for one in asked] and len(table.bad) == 2
    assert {row["title"] for row in rows} == {article["title"] for article in document["data"][:-1]}
    impossible = {one["id"] for one in asked if one["is_impossible"]}
    assert {row["id"] for row in rows if row["answers"] == "[]"} == impossible and planted
    assert any("questions of its paragraphs" in finding.message for finding in table.findings)


def looked(rows: list[tuple[str, list[dict[str, Any]] | None]]) -> Looked:
    table = pa.table({
        "question": pa.chunked_array([["What?"] * len(rows)]),
        "context": pa.chunked_array([[context for context, _ in rows]]),
        "answers": pa.chunked_array([pa.array([found for _, found in rows], ANSWERS)]),
        "_file": pa.chunked_array([["t.json"] * len(rows)]),
        "_row": pa.chunked_array([np.arange(len(rows))]),
    })  # fmt: skip
    roles = QuestionAnswering().roles()
    return Looked(table, roles, np.zeros(len(rows), dtype=np.int64), ("train",), np.arange(len(rows)))


def hits(rule: str, rows: list[tuple[str, list[dict[str, Any]] | None]]) -> list[Hit]:
    return list(RULES.get(rule).read({}).look(looked(rows)))


GOOD = ("He saw Paris and Rome.", [{"start": 7, "text": "Paris"}])


def test_a_wrong_place_is_mended_to_the_nearest_right_one() -> None:
    text = "an ant and an ant"
    rows = [GOOD, (text, [{"start": 12, "text": "ant"}]), ("x", []), ("y", None), ("Rome", [{"start": 0, "text": "Paris"}])]
    (hit,) = hits("answer-place", rows)
    assert hit.rows.tolist() == [1] and "'ant' stands at 14, not at 12" in hit.message
    assert hit.fixed["answers"].to_pylist() == [[{"start": 14, "text": "ant"}]]
    assert nearest("ant", text, 4) == 3


def test_an_answer_without_a_place_is_looked_for_and_several_places_are_told() -> None:
    plain = {"start": UNPLACED, "text": "ant"}
    placed, doubtful = hits("answer-place", [GOOD, ("one ant", [plain]), ("ant, ant", [plain])])
    assert placed.rows.tolist() == [1, 2] and placed.fixed["answers"].to_pylist()[1] == [{"start": 0, "text": "ant"}]
    assert doubtful.rows.tolist() == [2] and doubtful.told_only and "stands at 2 places" in doubtful.message


def test_another_spelling_is_mended_to_the_words_of_the_context() -> None:
    rows = [GOOD, ("In New\u00a0York it rained", [{"start": 0, "text": "new  york"}]), ("Ünïcode ﬁre", [{"start": 1, "text": "FIRE"}])]
    (hit,) = hits("answer-spelling", rows)
    assert hit.rows.tolist() == [1, 2]
    assert [found[0] for found in hit.fixed["answers"].to_pylist()] == [{"start": 3, "text": "New\u00a0York"}, {"start": 8, "text": "ﬁre"}]
    assert respelled("Straße", "in der STRASSE") == (7, 14) and respelled("", "x") is None


def test_an_answer_that_stands_nowhere_is_told_and_a_row_with_another_stays() -> None:
    rows = [GOOD, ("Rome", [{"start": 0, "text": "Paris"}]), ("Rome", [{"start": 0, "text": "Rome"}, {"start": 0, "text": "Oslo"}])]
    (hit,) = hits("answer-not-in-context", rows)
    assert hit.rows.tolist() == [1, 2] and hit.removable is not None and hit.removable.tolist() == [True, False]


def test_every_planted_fault_is_found_mended_or_set_aside(tmp_path: Path) -> None:
    made = Questions(questions=400, dirt=0.15, seed=5)
    source = made.write(tmp_path)
    planted = json.loads((tmp_path / "planted.json").read_text())
    assert set(planted) == {"place", "spelling", "absent", "empty"} and min(map(len, planted.values())) >= 3
    found = audit(DataSettings(source=str(source)), QuestionAnswering(), 0, tmp_path)
    facts = found.summary()
    removed = facts["rows"]["by_rule"]
    assert removed["answer-not-in-context"] == len(planted["absent"]) and removed["empty-text"] == len(planted["empty"])
    told = {one["rule"]: one for one in facts["findings"]}
    assert told["answer-place"]["rows"] == len(planted["place"]) and told["answer-place"]["action"] == "fix"
    kept = [row for split in ("train", "validation", "test") for row in found.rows(split).to_pylist()]
    for row in kept:
        for one in row["answers"]:
            assert row["context"].startswith(one["text"], one["start"]), row["id"]
    assert facts["rows"]["read"] == len(kept) + facts["rows"]["quarantined"]
    assert not {"rare-label", "imbalance", "label-noise", "label-variant", "conflicting-label"} & set(told)
    without = {split: np.mean([not row["answers"] for row in found.rows(split).to_pylist()]) for split in ("train", "validation", "test")}
    assert max(without.values()) - min(without.values()) < 0.12 and found.task.no_answer
