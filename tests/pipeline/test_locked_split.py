"""The test split is locked: training never opens it, each look is written down, and the report says how often it was looked at."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import base_folder, rows
from tunewright.core.errors import UserError
from tunewright.core.folder import read_json, read_lines
from tunewright.pipeline.evaluate import evaluate
from tunewright.pipeline.prepare import prepare
from tunewright.pipeline.recipe import Recipe, build
from tunewright.pipeline.report import report
from tunewright.pipeline.train import train

OPENED: list[str] = []
WATCHING = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if WATCHING and event == "open" and isinstance(arguments[0], (str, bytes)):
        OPENED.append(os.fsdecode(arguments[0]))


@contextmanager
def watched() -> Iterator[list[str]]:
    """The names of all files that Python opens inside of the block. An audit hook stays for ever, so that there is one, with a switch."""
    global WATCHING
    if not hasattr(sys, "_tunewright_watched"):
        sys.addaudithook(_watch)
        sys._tunewright_watched = True  # type: ignore[attr-defined]
    OPENED.clear()
    WATCHING = True
    try:
        yield OPENED
    finally:
        WATCHING = False


def recipe(work: Path, source: Path) -> Recipe:
    return build({
        "task": "text-classification",
        "data": {"source": str(source)},
        "model": {"base": str(work / "base"), "max_tokens": 32},
        "train": {"max_steps": 2, "evaluate_every": 2, "batch_size": 8, "precision": "fp32"},
        "evaluate": {"resamples": 100, "baselines": []},
        "output_dir": str(work),
    })  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """A run on a dataset whose test file was no Parquet while it was trained, and what was opened meanwhile."""

    run: Path
    test: Path
    opened: tuple[str, ...]
    looks: tuple[Any, ...]


@pytest.fixture(scope="module", params=["folder", "source"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    work = tmp_path_factory.mktemp("locked")
    base_folder(work / "base")
    table = work / "t.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows(90, seed=4)))
    dataset = prepare(recipe(work, table), work)
    test = dataset.folder / "test.parquet"
    whole = test.read_bytes()
    test.write_bytes(random.Random(0).randbytes(len(whole)))  # what Arrow opens by itself no hook sees: it would meet no Parquet
    with watched() as opened:
        run = train(recipe(work, dataset.folder if request.param == "folder" else table), work, "tiny", "tunewright train tiny.yaml")
        seen = tuple(opened)
    looks = tuple(read_lines(run / "looks.jsonl"))
    test.write_bytes(whole)
    return Trained(run, test, seen, looks)


def test_training_opens_no_file_of_the_test_split(trained: Trained) -> None:
    assert any(name.endswith("train.parquet") for name in trained.opened), "the hook sees what is opened"
    assert not [name for name in trained.opened if name.endswith("test.parquet")]
    assert trained.looks == (), "nobody has looked"


def test_each_evaluation_is_a_look_a_report_is_none_and_the_page_says_how_often(trained: Trained) -> None:
    run = trained.run
    evaluate(run, "tunewright evaluate tiny-1")
    report(run)
    (look,) = read_lines(run / "looks.jsonl")
    assert look["command"] == "tunewright evaluate tiny-1" and look["rows"] == 9 and look["when"]
    assert look["model"] == read_json(run / "manifest.json")["served"]["sha256"]
    assert "It was looked at once, on " in (run / "report.html").read_text(encoding="utf-8")
    evaluate(run, "tunewright evaluate tiny-1 --again")
    report(run)
    assert [one["command"] for one in read_lines(run / "looks.jsonl")][1:] == ["tunewright evaluate tiny-1 --again"]
    assert "It was looked at 2 times, with 1 model" in (run / "report.html").read_text(encoding="utf-8")
    assert "test.parquet" not in {path.name for path in run.rglob("*") if "predictions" not in path.parts}


def test_a_test_split_that_was_changed_is_refused_when_it_is_looked_at(trained: Trained) -> None:
    whole = trained.test.read_bytes()
    trained.test.write_bytes(whole[:-1] + b"x")
    with pytest.raises(UserError, match=r"test\.parquet in .* not what was written"):
        evaluate(trained.run, "tunewright evaluate tiny-1")
    trained.test.write_bytes(whole)
