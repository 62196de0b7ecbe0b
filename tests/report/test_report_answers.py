"""What page and card say of a model that answers questions out of a text."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hostile import SCRIPT
from run_folders import questions

from tunewright.report import card, page
from tunewright.report.answer_part import KINDS, asked, marked, part
from tunewright.report.facts import read


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return questions(tmp_path / "run")


def test_the_page_counts_what_became_of_the_questions_and_marks_answers_in_their_contexts(run: Path) -> None:
    text = page.write(run).read_text(encoding="utf-8")
    assert all(words in text for words in KINDS.values()) and "question-answering, answers out of a text, or none" in text
    assert text.count('<mark class="wanted">') > 10 and '<mark class="given">' in text and '<mark class="both">' in text
    assert "outscores the best span by 1.25" in text and "The most frequent mistake is" in text
    assert 'id="confusion"' not in text and "characters left out" in text


@pytest.mark.parametrize(
    ("wanted", "answer", "place", "kind"),
    [
        (["Ada Lindqvist"], "ada lindqvist", (4, 17), "right"),
        (["Ada Lindqvist"], "Ada", (4, 7), "near"),
        (["Ada Lindqvist"], "here", (22, 26), "elsewhere"),
        (["Ada Lindqvist"], "", None, "missed"),
        ([], "Ada", (4, 7), "invented"),
        ([], "", None, "right"),
        (["not there"], "Ada", (4, 7), "elsewhere"),
    ],
)
def test_what_became_of_a_question(wanted: list[str], answer: str, place: tuple[int, int] | None, kind: str) -> None:
    start, end = place or (None, None)
    row = {"context": "And Ada Lindqvist was here", "wanted": wanted, "answer": answer, "start": start, "end": end}
    assert asked(row).kind == kind


def test_a_context_keeps_every_marked_character_and_says_how_much_is_left_out() -> None:
    context = "a" * 500 + "<b>" + "c" * 900 + "give" + "d" * 10
    found = str(marked(context, [(500, 503)], (1403, 1407)))
    assert '<mark class="wanted">&lt;b&gt;</mark>' in found and '<mark class="given">give</mark>' in found
    left_out = [int(word.replace(",", "")) for word in found.split("[")[1:] for word in word.split(" ")[:1]]
    assert sum(left_out) + found.count("a" * 140) * 0 > 800 and found.endswith("</q>")
    assert "both" in str(marked("x yz", [(2, 4)], (2, 4))) and "left out" not in str(marked("x yz", [(2, 4)], None))


def test_the_card_tells_how_to_ask_and_what_to_expect(run: Path) -> None:
    text = card.write(run).read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---")[1])
    assert front["pipeline_tag"] == "question-answering"
    assert {one["type"] for one in front["model-index"][0]["results"][0]["metrics"]} == {"exact_match", "f1"}
    assert "AutoModelForQuestionAnswering" in text and "word for word, or with nothing where the text has no answer" in text
    assert "Of 240 test questions, 30 questions got an answer from another place" in text


def test_without_predictions_the_page_says_so(run: Path) -> None:
    (run / "predictions" / "test.parquet").unlink()
    assert "holds neither test.parquet nor validation.parquet" in page.write(run).read_text(encoding="utf-8")
    assert not part(read(run)).hints


def test_texts_of_rows_cannot_run_anything(run: Path) -> None:
    place = run / "predictions" / "test.parquet"
    rows = [
        {**row, "context": f"{row['context']}{SCRIPT}", "question": SCRIPT, "_file": SCRIPT} for row in pq.read_table(place).to_pylist()
    ]
    pq.write_table(pa.Table.from_pylist(rows), place)
    text = page.write(run).read_text(encoding="utf-8")
    assert SCRIPT not in text and text.count("&lt;script&gt;window.broken=1") >= 40
