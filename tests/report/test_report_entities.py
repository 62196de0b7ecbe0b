"""What the page and the card say of entities."""

from __future__ import annotations

from pathlib import Path

import pytest
from entity_runs import TYPES, entities, hostile_entities

from tunewright.report import card, page
from tunewright.report.entity_mistakes import compared


def row(wanted: list[tuple[int, int, str]], found: list[tuple[int, int, str]]) -> dict[str, object]:
    spans = [{"start": a, "end": b, "label": name, "text": "", "probability": 0.5} for a, b, name in found]
    return {
        "_file": "x",
        "_row": 3,
        "text": "Anna flew to New York with ACME",
        "wanted": [{"start": a, "end": b, "label": name} for a, b, name in wanted],
        "spans": spans,
    }


@pytest.mark.parametrize(
    ("found", "kinds"),
    [
        ([(13, 21, "LOC")], []),
        ([(13, 21, "ORG")], [("type", "LOC", "ORG")]),
        ([(13, 16, "LOC")], [("border", "LOC", "LOC")]),
        ([(13, 16, "ORG")], [("both", "LOC", "ORG")]),
        ([], [("missed", "LOC", None)]),
        ([(13, 21, "LOC"), (0, 4, "PER")], [("invented", None, "PER")]),
        ([(13, 16, "LOC"), (17, 21, "LOC")], [("border", "LOC", "LOC"), ("invented", None, "LOC")]),
    ],
)
def test_each_mistake_has_one_name(found: list[tuple[int, int, str]], kinds: list[object]) -> None:
    one = compared(row([(13, 21, "LOC")], found))
    assert [(mistake.kind, mistake.wanted_label, mistake.found_label) for mistake in one.mistakes] == kinds
    assert len(one.right) == ((13, 21, "LOC") in found)


def test_a_mistake_is_shown_with_what_stands_around_it() -> None:
    one = compared({**row([(513, 521, "LOC")], []), "text": "x" * 513 + "New York" + "y" * 500})
    assert one.mistakes[0].quote == "New York" and one.shown(90) == (423, 611)


def test_the_page_has_types_examples_and_mistakes(tmp_path: Path) -> None:
    text = page.write(entities(tmp_path / "run")).read_text()
    assert all(f'id="{anchor}"' in text and f'href="#{anchor}"' in text for anchor in ("classes", "examples", "mistakes"))
    assert "Which label is taken for which" not in text
    assert text.count('<mark class="entity') > 20 and "Place_<wbr>of_<wbr>birth" in text
    assert all(
        word in text for word in ("wrong border", "wrong type", "missed", "invented", "The longest that were missed", "entities of 4 types")
    )
    assert "Most often wrong: " in text


def test_the_card_says_what_the_model_is_and_how_to_ask_it(tmp_path: Path) -> None:
    text = card.write(entities(tmp_path / "run")).read_text()
    assert "pipeline_tag: token-classification" in text and "A recogniser of entities of 4 types" in text
    assert 'pipeline("token-classification"' in text and "type: f1" in text and "Reads texts in windows of" in text
    assert all(name.replace("_", "\\_") in text for name in TYPES)


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    run = entities(tmp_path / "run")
    (run / "predictions" / "test.parquet").unlink()
    assert "Not measured: predictions/ holds neither test.parquet nor validation.parquet." in page.write(run).read_text()
    (run / "predictions" / "test.parquet").write_bytes(b"no parquet")
    assert "Not measured: test.parquet cannot be read" in page.write(run).read_text()
    (run / "metrics.json").unlink()
    assert "metrics.json is missing" in page.write(run).read_text()


def test_nothing_breaks_out(tmp_path: Path) -> None:
    text = page.write(hostile_entities(tmp_path / "run")).read_text()
    assert "<script>window" not in text and "\u202e" not in text and "\x00" not in text
    assert "&lt;script&gt;window.broken=1&lt;/script&gt;" in text
