"""Entities, the whole road by the command line: an annotated table with faults and long documents, a guessed recipe, a run, answers."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests import tiny
from tests.commands import asked
from tunewright import load
from tunewright.core.folder import read_json

pytestmark = pytest.mark.slow

NAMES = {"PER": ["Zara", "Zeno", "Zoe Xu"], "LOC": ["Quito", "Quebec", "Qatar"]}
FILLERS = ["the", "letter", "went", "over", "to", "them", "and", "was", "read", "again", "by", "all", "of", "us", "there"]
FAULTS: dict[int, Any] = {5: [[0, 900, "PER"]], 6: None, 7: "no entities", 8: [[0, 3, ""]], 9: [[2, 2, "LOC"]]}
"""Row -> what stands in the place of its entities."""


def letters(rows: int = 240) -> list[dict[str, Any]]:
    """Texts of which some are longer than the model, with entities from the beginning to the end."""
    rng = random.Random(3)
    found = []
    for at in range(rows):
        text, spans = f"{at}:", []
        for _ in range(rng.choice((1, 2, 6))):
            kind = rng.choice(sorted(NAMES))
            name = rng.choice(NAMES[kind])
            text += f" {' '.join(rng.choices(FILLERS, k=3))} "
            spans.append([len(text), len(text) + len(name), kind])
            text += f"{name},"
        found.append({"id": at, "text": text, "label": FAULTS.get(at, spans)})
    return found


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("letters")
    (folder / "letters.jsonl").write_text("".join(json.dumps(row) + "\n" for row in letters()))
    recipe, base = str(folder / "letters.yaml"), tiny.base_folder(folder / "base")
    told = asked("new", str(folder / "letters.jsonl"), "--out", recipe)
    assert "token classification" in told.stdout and "spans is the column 'label'" in told.stdout
    rates = ["train.learning_rate=5e-3", "train.head_learning_rate=1e-2"]
    sizes = [
        f"model.base={base}",
        "model.max_tokens=64",
        "task.stride=16",
        "train.epochs=8",
        "train.batch_size=16",
        "evaluate.resamples=100",
    ]
    settings = [*rates, *sizes, f"output_dir={folder}"]
    asked("run", recipe, "--json", *(word for one in settings for word in ("--set", one)))
    return folder


def test_every_fault_is_told_and_nothing_is_lost(road: Path) -> None:
    facts = read_json(road / "runs" / "letters-1" / "data.json")
    assert facts["rows"]["by_rule"] == {"missing-label": 1, "unreadable-label": 2, "span-mismatch": 2}
    assert facts["rows"]["kept"] + 5 == facts["rows"]["read"] == 240
    told = {one["rule"]: one["message"] for one in facts["findings"]}
    assert "PER at 0-900" in told["span-mismatch"] and "LOC at 2-2: it is empty" in told["span-mismatch"]
    assert "'no entities' is no list of entities; entity 1 has no type" in told["unreadable-label"]
    assert not {"shortcut", "label-noise", "over-long"} & set(told)
    splits = facts["splits"]
    assert all(splits[split]["entities"]["PER"] >= splits[split]["labels"]["PER"] > 0 for split in splits)
    assert facts["truncation"]["splits"]["train"]["tokens_cut"] == 0


def test_entities_beyond_the_length_of_the_model_are_found_and_scored(road: Path) -> None:
    run = road / "runs" / "letters-1"
    metrics, rows = read_json(run / "metrics.json"), pq.read_table(run / "predictions" / "test.parquet").to_pylist()
    assert metrics["test"]["f1"]["value"] > 0.8 and metrics["proof"]["ok"]
    wanted = sum(len(row["wanted"]) for row in rows)
    assert sum(one["wanted"] for one in metrics["entities"].values()) == wanted
    far = [(row, one) for row in rows for one in row["wanted"] if one["start"] > 64]
    hits = [
        any((got["start"], got["end"], got["label"]) == (one["start"], one["end"], one["label"]) for got in row["spans"])
        for row, one in far
    ]
    assert len(far) > 10 and sum(hits) > 0.7 * len(far)
    assert all(got["text"] == row["text"][got["start"] : got["end"]] for row in rows for got in row["spans"])
    page = (run / "report.html").read_text()
    assert ("Type by type" in page and page.count('<mark class="entity') > 0) or "Every entity of every row" in page
    assert metrics["baselines"]["lookup"]["f1"]["value"] > metrics["baselines"]["nothing"]["f1"]["value"] == 0.0


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_it_answers_a_file_in_every_format(road: Path, form: str, tmp_path: Path) -> None:
    source, out = tmp_path / "new.csv", tmp_path / f"answers.{form}"
    source.write_text('text\n"they went with Zara, to Quito,"\n""\n"nobody was there"\n')
    asked("predict", str(road / "runs" / "letters-1"), str(source), "--out", str(out))
    if form == "csv":
        lines: list[dict[str, Any]] = list(csv.DictReader(out.open()))
        spans = [json.loads(line["spans"]) if line["spans"] else None for line in lines]
    else:
        lines = pq.read_table(out).to_pylist() if form == "parquet" else [json.loads(line) for line in out.read_text().splitlines()]
        spans = [line["spans"] for line in lines]
    assert [(one["text"], one["label"]) for one in spans[0] or ()] == [("Zara", "PER"), ("Quito", "LOC")]
    assert spans[1] is None and lines[1]["error"] == "no text"
    (alone,) = load(road / "runs" / "letters-1").predict(["nobody was there"])
    assert [(one["start"], one["end"], one["label"]) for one in spans[2]] == [
        (one["start"], one["end"], one["label"]) for one in alone["spans"]
    ]


def test_the_pipeline_of_transformers_loads_it_by_our_names(road: Path) -> None:
    from transformers import pipeline

    find: Any = pipeline("token-classification", model=str(road / "runs" / "letters-1" / "model"), device=-1)
    assert set(find.model.config.label2id) == {"O", "B-LOC", "I-LOC", "B-PER", "I-PER"}
    told = find("they went with Zara, to Quito,")
    assert {one["entity"] for one in told if one["start"] == 15} == {"B-PER"}


def test_show_prints_windows_and_entities(road: Path) -> None:
    base = road / "base"
    told = asked("show", str(road / "letters.yaml"), "--sample", "4", "--set", f"model.base={base}", "--set", "model.max_tokens=32")
    assert told.stdout.count("  spans [") == 4 and "next window" in told.stdout and " cut" not in told.stdout


def test_the_python_face_answers_texts(road: Path) -> None:
    import tunewright

    specialist = tunewright.load(road / "runs" / "letters-1")
    (answer,) = specialist.predict(["they went with Zara, there"])
    assert [(one["start"], one["end"], one["label"]) for one in answer["spans"]] == [(15, 19, "PER")]


def test_a_slice_of_real_slots_goes_the_whole_road(real_data: Path, tmp_path: Path) -> None:
    for split, rows in (("train", 150), ("test", 40)):
        lines = (real_data / "mit_restaurant" / f"{split}.jsonl").read_text().splitlines()[:rows]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines))
    recipe, base = str(tmp_path / "slots.yaml"), tiny.base_folder(tmp_path / "base")
    asked("new", str(tmp_path), "--out", recipe)
    settings = [f"model.base={base}", "train.max_steps=4", "evaluate.resamples=100", f"output_dir={tmp_path}"]
    asked("run", recipe, *(word for one in settings for word in ("--set", one)))
    metrics = read_json(tmp_path / "runs" / "slots-1" / "metrics.json")
    assert metrics["test"]["f1"]["rows"] == 40 and metrics["proof"]["ok"]
