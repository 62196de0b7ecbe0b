"""What page and card say of a model that gives numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hostile import SCRIPT
from run_folders import change, rated

from tunewright.report import card, figures, page
from tunewright.report.facts import read
from tunewright.report.number_part import Numbers, part, ranges_of


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return rated(tmp_path / "run")


def test_the_page_draws_given_against_wanted_and_lists_the_widest_misses(run: Path) -> None:
    text = page.write(run).read_text(encoding="utf-8")
    assert text.count('class="dot"') == 700 and 'class="equal"' in text
    assert "The widest misses" in text and "Misses by range" in text and 'id="confusion"' not in text
    assert text.count('<ol class="mistakes">') == 2 and "10 more" in text
    assert "regression, numbers from 0 to 5" in text and "0.930 in Pearson correlation" in text.replace("&nbsp;", " ")
    assert "answers are too high by" in text, "the lowest numbers are answered too high, and the first screen says so"


def test_ranges_hold_every_row_once_and_few_values_stand_alone() -> None:
    rng = np.random.default_rng(0)
    wanted = rng.normal(size=500)
    found = ranges_of(Numbers("test", wanted, wanted + 1, None, ()))
    assert sum(one.rows for one in found) == 500 and len(found) == 8 and max(one.rows for one in found) < 70
    assert all(one.mean == pytest.approx(1) == pytest.approx(one.size) for one in found)
    stars = np.array([1.0, 2.0, 2.0, 5.0])
    assert [(one.low, one.high, one.rows) for one in ranges_of(Numbers("test", stars, stars, None, ()))] == [
        (1, 1, 1),
        (2, 2, 2),
        (5, 5, 1),
    ]


def test_of_many_points_some_are_drawn_and_the_widest_misses_always() -> None:
    wanted = [float(at % 7) for at in range(9000)]
    given = [*wanted[:-1], 99.0]
    picture, drawn = figures.scatter(wanted, given, "x")
    assert drawn == picture.count("<circle") <= 1700
    assert 'cy="4.2"' in picture or 'cy="0.0"' in picture


def test_the_card_tells_how_to_ask_and_what_to_expect(run: Path) -> None:
    text = card.write(run).read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---")[1])
    metrics = {one["type"]: one["value"] for one in front["model-index"][0]["results"][0]["metrics"]}
    assert metrics["pearsonr"] == 0.93 and metrics["rmse"] == 0.55 and front["pipeline_tag"] == "text-classification"
    assert 'function_to_apply="none"' in text and '"text_pair": "the second text"' in text
    assert "Half of its answers on the test split are within" in text and "from 0.0 to 5.0" in text
    change(run, "metrics.json", numbers={"zero": 2.5, "unit": 1.25, "low": None, "high": None})
    assert '["score"] * 1.25 + 2.5)' in card.write(run).read_text(encoding="utf-8"), "a head without a bias keeps its own scale"


def test_without_predictions_the_page_says_so(run: Path) -> None:
    (run / "predictions" / "test.parquet").unlink()
    assert "holds neither test.parquet nor validation.parquet" in page.write(run).read_text(encoding="utf-8")
    assert part(read(run)).kind == "numbers"


def test_texts_of_rows_cannot_run_anything(run: Path) -> None:
    place = run / "predictions" / "test.parquet"
    rows = pq.read_table(place).to_pylist()
    pq.write_table(pa.Table.from_pylist([{**row, "text": f"{SCRIPT} {row['text']}", "_file": SCRIPT} for row in rows]), place)
    text = page.write(run).read_text(encoding="utf-8")
    assert SCRIPT not in text and text.count("&lt;script&gt;window.broken=1") >= 40
