"""Numbers, the whole road by the command line: a dirty table of ratings, a recipe that is guessed, a run, answers in three formats."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests import tiny
from tests.commands import asked
from tunewright.cli import app
from tunewright.core.folder import read_json

pytestmark = pytest.mark.slow

WORDS = {"awful": 10.0, "poor": 25.0, "fair": 50.0, "good": 70.0, "superb": 95.0}
DIRT = {7: "ninety", 19: "", 33: "n/a", 46: "5000"}
"""Row -> what stands in the place of its number."""


def ratings(rows: int = 260) -> list[dict[str, str]]:
    """Numbers with a decimal comma, some words and gaps among them, copies, and one text with two numbers."""
    rng = random.Random(4)
    found = []
    for at in range(rows):
        words = rng.choices(list(WORDS), k=2)
        points = sum(WORDS[word] for word in words) / 2 + rng.uniform(-2, 2)
        text = f"visit {at}: the food was {words[0]} and the service {words[1]}"
        found.append({"id": f"v-{at}", "review": text, "points": DIRT.get(at, f"{points:.1f}".replace(".", ","))})
    return [*found, *found[60:68], *({**found[1], "points": points} for points in ("0,5", "99,5"))]


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ratings")
    rows = ratings()
    with (folder / "ratings.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    recipe = str(folder / "ratings.yaml")
    told = asked("new", str(folder / "ratings.csv"), "--out", recipe)
    assert "regression" in told.stdout and "number is the column 'points'" in told.stdout
    bounds = "task={name: regression, low: 0, high: 100}"
    refused = CliRunner().invoke(app, ["check", recipe, "--set", bounds])
    assert "1 training rows have a number outside task.low and task.high, as 5000" in str(refused.exception)
    base = tiny.base_folder(folder / "base")
    training = [f"model.base={base}", "train.max_steps=60", "train.learning_rate=3e-3", "train.head_learning_rate=1e-2"]
    settings = [*training, "evaluate.resamples=100", f"output_dir={folder}", bounds, "data.policy={number-outlier: drop}"]
    asked("run", recipe, "--json", *(word for one in settings for word in ("--set", one)))
    return folder


def test_every_row_is_accounted_for_and_each_fault_has_its_rule(road: Path) -> None:
    facts = read_json(road / "runs" / "ratings-1" / "data.json")
    assert facts["rows"]["read"] == 270
    copies = facts["rows"]["by_rule"].pop("exact-duplicate")
    assert facts["rows"]["by_rule"] == {"unreadable-label": 1, "missing-label": 2, "number-outlier": 1}
    assert 3 <= copies <= 8, "copies are dropped in train alone"
    assert facts["rows"]["kept"] + 4 + copies == facts["rows"]["kept"] + facts["rows"]["quarantined"] == 270
    told = {one["rule"]: one for one in facts["findings"]}
    assert told["unreadable-label"]["shown"][0]["row"] == 7 and "'ninety' is no number" in told["unreadable-label"]["message"]
    assert told["conflicting-number"]["rows"] == 3 and told["number-outlier"]["shown"][0]["row"] == 46
    assert not {"rare-label", "imbalance", "label-noise", "label-variant", "conflicting-label"} & set(told)


def test_it_learns_more_than_the_mean_and_the_saved_model_is_proved(road: Path) -> None:
    metrics = read_json(road / "runs" / "ratings-1" / "metrics.json")
    assert {"pearson", "spearman", "r2", "mean_absolute_error", "root_mean_squared_error"} == set(metrics["test"])
    assert set(metrics["baselines"]) >= {"mean", "tfidf", "verdict", "worth_it"} and "pearson" not in metrics["baselines"]["mean"]
    assert metrics["proof"]["ok"] and metrics["proof"]["rows"] > 10
    assert metrics["numbers"] | {"unit": 1.0, "zero": 0.0, "low": 0.0, "high": 100.0} == metrics["numbers"]
    assert metrics["validation"]["mean_absolute_error"]["value"] < metrics["numbers"]["deviation"]
    page = (road / "runs" / "ratings-1" / "report.html").read_text(encoding="utf-8")
    assert "Given against wanted" in page and 'id="confusion"' not in page


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_it_answers_a_file_in_every_format(road: Path, form: str, tmp_path: Path) -> None:
    source, out = tmp_path / "new.csv", tmp_path / f"answers.{form}"
    source.write_text('review\nthe food was superb and the service superb\n""\nthe food was awful and the service awful\n')
    asked("predict", str(road / "runs" / "ratings-1"), str(source), "--out", str(out))
    if form == "csv":
        lines: list[dict[str, Any]] = list(csv.DictReader(out.open()))
    else:
        lines = pq.read_table(out).to_pylist() if form == "parquet" else [json.loads(line) for line in out.read_text().splitlines()]
    numbers = [line["number"] for line in lines]
    assert len(lines) == 3 and numbers[1] in (None, "") and "review" in str(lines[1]["error"])
    assert 0 <= float(numbers[0]) <= 100 and 0 <= float(numbers[2]) <= 100 and numbers[0] != numbers[2]


def test_show_and_data_show_speak_of_the_number(road: Path) -> None:
    told = asked("show", str(road / "ratings.yaml"), "--sample", "3")
    assert told.stdout.count("  number ") == 3 and "label" not in told.stdout
    told = asked("data", "list", "--output-dir", str(road)) if "--output-dir" in asked("data", "list", "--help").stdout else None
    assert told is None or "ratings" in told.stdout
