"""Answers out of a text, the whole road by the command line: generated questions with real dirt, a guessed recipe, a run, answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests import tiny
from tests.commands import asked
from tunewright.core.folder import read_json
from tunewright.demo.questions import Questions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("questions")
    Questions(questions=240, dirt=0.1, seed=1).write(folder)
    recipe = str(folder / "questions.yaml")
    told = asked("new", str(folder / "questions.json"), "--out", recipe)
    assert "question answering" in told.stdout and "answers is the column 'answers': it stands in the context" in told.stdout
    base = tiny.base_folder(folder / "base")
    training = ["train.max_steps=30", "train.learning_rate=3e-3", "train.head_learning_rate=1e-2", "task.stride=32", "model.max_tokens=120"]
    settings = [f"model.base={base}", *training, "evaluate.resamples=100", f"output_dir={folder}"]
    asked("run", recipe, "--json", *(word for one in settings for word in ("--set", one)))
    return folder


def test_planted_faults_are_mended_or_set_aside_and_told(road: Path) -> None:
    facts, planted = read_json(road / "runs" / "questions-1" / "data.json"), read_json(road / "planted.json")
    told = {one["rule"]: one for one in facts["findings"]}
    assert facts["rows"]["by_rule"]["answer-not-in-context"] == len(planted["absent"]) > 0
    assert told["answer-place"]["action"] == told["answer-spelling"]["action"] == "fix"
    assert facts["rows"]["read"] == facts["rows"]["kept"] + facts["rows"]["quarantined"]
    assert facts["truncation"]["splits"]["train"]["tokens_cut"] < 100, "of long questions a word; long contexts are read in windows"


def test_scores_baselines_threshold_and_proof_stand_in_the_run(road: Path) -> None:
    run = road / "runs" / "questions-1"
    metrics, kept = read_json(run / "metrics.json"), read_json(run / "model" / "tunewright.json")["task"]
    assert {"exact_match", "f1", "answered_f1", "no_answer_accuracy"} <= set(metrics["test"])
    assert {"no-answer", "first-sentence", "overlap"} <= set(metrics["baselines"])
    assert metrics["proof"]["ok"] and metrics["proof"]["loaded_with"] == "transformers.AutoModelForQuestionAnswering"
    assert kept["no_answer"] is True and kept["threshold"] == metrics["answers"]["threshold"] is not None
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "What became of the questions" in page and "AutoModelForQuestionAnswering" in (run / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_it_answers_a_file_in_every_format(road: Path, form: str, tmp_path: Path) -> None:
    source, out = tmp_path / "new.jsonl", tmp_path / f"answers.{form}"
    context = "Norvik Works was founded by Ada Brandt. Some 40 people work there. " * 6
    rows = [{"question": "Who founded Norvik Works?", "context": context}, {"question": "", "context": "x"}]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked("predict", str(road / "runs" / "questions-1"), str(source), "--out", str(out))
    if form == "csv":
        lines: list[dict[str, Any]] = list(csv.DictReader(out.open()))
    else:
        lines = pq.read_table(out).to_pylist() if form == "parquet" else [json.loads(line) for line in out.read_text().splitlines()]
    answer = lines[0]["answer"]
    if answer:
        assert context[int(lines[0]["start"]) : int(lines[0]["end"])] == answer
    assert 0 <= float(lines[0]["probability"]) <= 1 and "no question" in lines[1]["error"]


def test_show_shows_questions_with_their_windows(road: Path) -> None:
    told = asked(
        "show", str(road / "questions.yaml"), "--sample", "8", "--set", f"model.base={road / 'base'}", "--set", "model.max_tokens=100"
    )
    assert told.stdout.count("  answers ") == 8 and "next window" in told.stdout
