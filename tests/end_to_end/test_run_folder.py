"""What one whole run leaves behind, and what can be done with it; every test here shares one trained run."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from tunewright.core.errors import UserError
from tunewright.core.folder import file_hash, read_json, read_lines

pytestmark = pytest.mark.slow

WANTED_FILES = [
    "recipe.yaml",
    "manifest.json",
    "events.jsonl",
    "data.json",
    "looks.jsonl",
    "metrics.json",
    "report.html",
    "README.md",
    "model/model.safetensors",
    "model/config.json",
    "model/tokenizer.json",
    "model/tunewright.json",
    "predictions/test.parquet",
    "predictions/validation.parquet",
]


def test_the_folder_holds_what_the_design_says_and_no_pickle_where_a_model_is(trained_run: Path) -> None:
    assert [name for name in WANTED_FILES if not (trained_run / name).is_file()] == []
    assert not [path for path in (trained_run / "model").rglob("*") if path.suffix in {".bin", ".pt", ".pth", ".pkl", ".pickle"}]
    assert not list(trained_run.rglob("*.part"))


def test_the_manifest_names_every_file_with_its_hash(trained_run: Path) -> None:
    manifest = read_json(trained_run / "manifest.json")
    assert manifest["status"] == "evaluated"
    assert len(manifest["files"]) >= len(WANTED_FILES) - 2
    assert {name: file_hash(trained_run / name) for name in manifest["files"]} == manifest["files"]
    assert manifest["served"]["sha256"] == file_hash(trained_run / "model" / "model.safetensors")
    assert manifest["seed"] == 0 and manifest["versions"]["torch"] and manifest["machine"]["cores"] >= 1


def test_every_setting_is_written_with_where_it_came_from_and_runs_again(trained_run: Path, tickets: Path) -> None:
    from tunewright.pipeline.recipe import read

    text = (trained_run / "recipe.yaml").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) >= 40 and all("#" in line or line.rstrip().endswith(":") for line in lines)
    assert "max_steps: 16  # yours" in text and "batch_size: 32  # default" in text
    assert "learning_rate: 0.0002  # auto: for width 384" in text and "learned from the training rows" in text
    assert "auto" not in {value for value in yaml.safe_load(text)["train"].values() if isinstance(value, str)}
    again = read(trained_run / "recipe.yaml")
    assert again.data.source == str(tickets / "tickets.csv") and len(again.task.model_dump()["labels"]) == 8


def test_each_row_is_accounted_for(trained_run: Path, tickets: Path) -> None:
    facts = read_json(trained_run / "data.json")
    rows = facts["rows"]
    assert rows["read"] == 400 == rows["kept"] + rows["quarantined"] and rows["quarantined"] > 0
    quarantine = pq.read_table(Path(facts["folder"]) / "quarantine.parquet")
    assert quarantine.num_rows == rows["quarantined"] == sum(rows["by_rule"].values())
    assert set(quarantine["_rule"].to_pylist()) == set(rows["by_rule"])
    assert sum(split["rows"] for split in facts["splits"].values()) == rows["kept"]
    planted = json.loads((tickets / "planted.json").read_text())
    assert rows["by_rule"]["empty-text"] == len(planted["empty-text"])
    cut = facts["truncation"]["splits"]
    assert set(cut) == {"train", "validation", "test"} and cut["train"]["rows_cut"] > 0 and cut["train"]["tokens_cut"] > 0
    assert cut["train"]["rows_cut"] == sum(one["rows_cut"] for one in cut["train"]["labels"].values())


def test_every_step_and_event_is_in_the_journal(trained_run: Path) -> None:
    events = read_lines(trained_run / "events.jsonl")
    steps = [line for line in events if line["event"] == "step"]
    assert [line["step"] for line in steps] == list(range(1, 17))
    assert all({"epoch", "loss", "lr", "grad_norm", "tokens", "seconds", "memory"} <= set(line) for line in steps)
    assert [line["step"] for line in events if line["event"] == "evaluated"] == [8, 16]
    assert events[-1]["event"] == "finished" and steps[-1]["loss"] < steps[0]["loss"]
    assert max(line["lr"] for line in steps) == pytest.approx(2e-4, rel=0.1) and steps[-1]["lr"] < 2e-5


def test_the_test_split_was_looked_at_once_and_it_is_written_down(trained_run: Path) -> None:
    looks = read_lines(trained_run / "looks.jsonl")
    assert len(looks) == 1
    assert looks[0]["rows"] == read_json(trained_run / "data.json")["splits"]["test"]["rows"]
    assert (
        looks[0]["command"] == "tunewright run tickets.yaml"
        and looks[0]["model"] == read_json(trained_run / "manifest.json")["served"]["sha256"]
    )


def test_scores_have_intervals_and_stand_beside_baselines(trained_run: Path) -> None:
    metrics = read_json(trained_run / "metrics.json")
    rows = read_json(trained_run / "data.json")["splits"]["test"]["rows"]
    for name in ("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "mcc", "log_loss"):
        for scores in (metrics["test"], metrics["baselines"]["majority"], metrics["baselines"]["tfidf"]):
            assert scores[name]["low"] <= scores[name]["value"] <= scores[name]["high"] and scores[name]["rows"] == rows, name
    assert sum(metrics["support"].values()) == rows == np.sum(metrics["confusion"]["matrix"])
    difference = metrics["baselines"]["difference"]["tfidf"]["accuracy"]["value"]
    assert difference == pytest.approx(metrics["test"]["accuracy"]["value"] - metrics["baselines"]["tfidf"]["accuracy"]["value"])
    assert "TF-IDF" in metrics["baselines"]["verdict"]
    assert metrics["efficiency"]["peak_memory_bytes"] > 1e8 and metrics["efficiency"]["rows_per_second"] > 0


def test_quoted_scores_follow_from_the_saved_answers(trained_run: Path) -> None:
    answers = pq.read_table(trained_run / "predictions" / "test.parquet").to_pylist()
    right = np.mean([row["wanted"] == row["label"] for row in answers])
    assert right == pytest.approx(read_json(trained_run / "metrics.json")["test"]["accuracy"]["value"])
    assert all(row["probability"] == pytest.approx(max(row["probabilities"])) for row in answers)
    assert len({(row["_file"], row["_row"]) for row in answers}) == len(answers)


def test_the_proof_was_made_in_a_fresh_process_by_transformers_alone(trained_run: Path) -> None:
    proof = read_json(trained_run / "metrics.json")["proof"]
    assert proof["ok"] and proof["rows"] == proof["same_labels"] > 30 and proof["loaded_with"] == "transformers.pipeline"
    assert proof["largest_difference"] < 1e-4 and proof["batch_of_one"]["largest_difference"] < 1e-4


def test_transformers_alone_gives_our_labels_and_scores(trained_run: Path) -> None:
    rows = pq.read_table(trained_run / "predictions" / "test.parquet").slice(0, 20).to_pylist()
    program = (
        "import json, sys; from transformers import pipeline; ask = pipeline('text-classification', model=sys.argv[1]);"
        "print(json.dumps([ask(text, truncation=True)[0] for text in json.loads(sys.stdin.read())]));"
        "assert not any(name.startswith('tunewright') for name in sys.modules)"
    )
    asked = json.dumps([row["text"] for row in rows])
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(trained_run / "model")], input=asked, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert [one["label"] for one in found] == [row["label"] for row in rows]
    assert np.allclose([one["score"] for one in found], [row["probability"] for row in rows], atol=1e-5)


def test_a_list_of_texts_is_answered_in_python(trained_run: Path) -> None:
    import tunewright

    specialist = tunewright.load(trained_run)
    rows = pq.read_table(trained_run / "predictions" / "test.parquet").slice(0, 5).to_pylist()
    answers = specialist.predict([row["text"] for row in rows])
    assert [answer["label"] for answer in answers] == [row["label"] for row in rows]
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_files_are_answered_in_order_and_a_bad_row_is_told_by_number(trained_run: Path, tmp_path: Path, form: str) -> None:
    from tunewright.pipeline.predict import predict

    table = tmp_path / "new.csv"
    table.write_text('body,other\n"where is my parcel?",1\n,2\n"too, many",3,4\n"I was charged twice",5\n')
    out = tmp_path / f"answers.{form}"
    told = predict(trained_run, str(table), out, form)  # type: ignore[arg-type]
    lines = _read(out, form)
    assert [int(line["row"]) for line in lines] == [0, 1, 2, 3] and (told.answered, told.failed) == (2, 2)
    assert lines[0]["label"] and lines[3]["label"] and not lines[1]["label"] and not lines[2]["label"]
    assert "body" in lines[1]["error"] and lines[2]["error"]
    assert float(lines[0]["probability"]) > 0


def _read(path: Path, form: str) -> list[dict[str, Any]]:
    import csv

    if form == "csv":
        with path.open(newline="") as stream:
            return list(csv.DictReader(stream))
    if form == "jsonl":
        return [{"label": None, "error": None, **json.loads(line)} for line in path.read_text().splitlines()]
    return list(pq.read_table(path).to_pylist())


def test_a_prediction_holds_few_rows_at_a_time(trained_run: Path) -> None:
    from tunewright.model.predict import WINDOW
    from tunewright.pipeline.predict import load

    asked = 0

    def endless() -> Any:
        nonlocal asked
        while True:
            asked += 1
            yield {"text": "where is my parcel?"}

    stream = load(trained_run).stream(endless())
    for _ in range(3):
        next(stream)
    assert asked <= WINDOW


def test_a_second_look_at_the_test_split_is_counted(trained_run: Path, tmp_path: Path) -> None:
    import shutil

    from tunewright.pipeline.evaluate import evaluate
    from tunewright.pipeline.report import report

    copy = tmp_path / "copy"
    shutil.copytree(trained_run, copy, ignore=shutil.ignore_patterns("checkpoints"))
    before = read_json(copy / "metrics.json")
    evaluate(copy, "tunewright evaluate copy")
    after = read_json(copy / "metrics.json")
    assert after["test"] == before["test"], "the same model on the same rows has the same scores and intervals"
    assert len(read_lines(copy / "looks.jsonl")) == 2
    page = report(copy).read_text()
    assert "tunewright evaluate copy" in page


def test_a_run_that_is_no_run_is_told_with_the_nearest(trained_run: Path) -> None:
    from tunewright.pipeline.runs import find

    assert find(trained_run) == trained_run and find(trained_run / "model") == trained_run
    with pytest.raises(UserError, match="tickets-1"):
        find("ticket-1", str(trained_run.parents[1]))


def test_what_a_training_made_of_each_row_is_kept_and_ranks_doubtful_labels(trained_run: Path, tmp_path: Path) -> None:
    from tunewright.pipeline import review

    lines, data = read_lines(trained_run / "rows.jsonl"), read_json(trained_run / "data.json")
    rows = data["splits"]["train"]["rows"]
    assert [line["step"] for line in lines] == list(range(1, 17))
    epoch = [row for line in lines[: -(-rows // 32)] for row in line["row"]]
    assert sorted(epoch) == list(range(rows)), "every row once in the first epoch"
    root, name = trained_run.parents[1] / "datasets", f"{data['name']}/{data['version']}"
    sheets = {}
    for run in (None, str(trained_run)):
        facts = review.sheet(name, root, tmp_path / "sheet.csv", 60, overwrite=True, run=run)
        with (tmp_path / "sheet.csv").open(encoding="utf-8-sig", newline="") as stream:
            sheets[run] = list(csv.DictReader(stream))
        assert (f"how {run} learned its training rows" in review.told_of_sheet(facts)) is (run is not None)
    plain, learned = sheets.values()
    assert "training" not in plain[0] and [line["key"] for line in plain] != [line["key"] for line in learned]
    assert all(line["training"].startswith("loss ") is (line["split"] == "train") for line in learned)
    scores = [float(line["score"]) for line in learned]
    assert scores == sorted(scores, reverse=True)


def test_a_run_on_something_else_or_that_watched_nothing_ranks_no_labels(trained_run: Path, tmp_path: Path) -> None:
    from tunewright.pipeline import review

    data, root = read_json(trained_run / "data.json"), trained_run.parents[1] / "datasets"
    name = f"{data['name']}/{data['version']}"
    other = tmp_path / "other"
    shutil.copytree(trained_run, other, ignore=shutil.ignore_patterns("model", "checkpoints"))

    def refused(why: str) -> None:
        with pytest.raises(UserError, match=why):
            review.sheet(name, root, tmp_path / "sheet.csv", 60, run=str(other))
        assert not (tmp_path / "sheet.csv").exists()

    (other / "rows.jsonl").write_text('{"step": 1, "row": [99999], "loss": [1.0], "margin": [1.0]}\n')
    refused(r"rows.jsonl is damaged: a line names row 99999")
    (other / "rows.jsonl").unlink()
    refused(r"it did not watch its rows.*\n?.*train.watch_rows")
    (other / "data.json").write_text(json.dumps({**data, "version": "0123456789ab"}))
    refused(rf"was trained on {data['name']}/0123456789ab, not on {name}")
