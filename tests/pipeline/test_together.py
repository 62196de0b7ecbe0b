"""Whole runs of two processes, as torchrun starts them: one table read, one folder written, and what one process would have found."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from safetensors.torch import load_file

from tests import tiny
from tunewright.core.errors import UserError
from tunewright.core.folder import read_json, read_lines
from tunewright.pipeline.recipe import read
from tunewright.pipeline.run import run
from tunewright.pipeline.train import resume, train

pytestmark = pytest.mark.slow

ALONE = [sys.executable, "-m", "tunewright"]
TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tunewright"]
QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
TRAIN = {"epochs": 3, "batch_size": 8, "precision": "fp32", "save_every": 5, "optimizer": {"name": "adamw", "epsilon": 1e-3}}


def recipe(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "task": "text-classification",
        "data": {"source": str(folder / "t.csv")},
        "model": {"base": str(folder / "base"), "max_tokens": 32},
        "train": TRAIN,
        "evaluate": {"resamples": 100, "baselines": []},
        "output_dir": str(folder),
        **more,
    }


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a base without dropout, and recipes."""
    folder = tmp_path_factory.mktemp("together")
    tiny.base_folder(folder / "base", **tiny.STILL)
    with (folder / "t.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["text", "label"])
        writer.writeheader()
        writer.writerows(tiny.rows(190, seed=4))
    streamed = {"source": str(folder / "t.csv"), "streaming": {"first_rows": 100, "buffer_rows": 48}}
    for name, more in {
        "table": {},
        "stream": {"data": streamed, "train": {**TRAIN, "engine": "loop"}},
        "bad": {"data": {"source": "none.csv"}},
    }.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(recipe(folder, **more)))
    return folder


def alone(verb: Any, work: Path, name: str, run: str) -> Any:
    """What a verb gives in this process."""
    return verb(read(work / f"{name}.yaml", {"name": run}), work, name, "a test")


def started(work: Path, *words: str) -> subprocess.Popen[str]:
    """A command, given to two processes."""
    environment = {**os.environ, **QUIET}
    return subprocess.Popen([*TWO, *words], cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    said, told = process.communicate(timeout=300)
    return process.returncode, said, told


@pytest.fixture(scope="module")
def both(work: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metrics of the runs ``alone`` and ``two`` of the table."""
    _, metrics = alone(run, work, "table", "alone")
    code, said, told = ended(started(work, "run", "table.yaml", "--set", "name=two", "--json"))
    assert code == 0, told[-3000:]
    assert told.count("Scoring the test rows") == 1, "the first process speaks for both"
    return metrics, json.loads(said)["metrics"]


def test_a_run_of_two_processes_finds_what_one_finds(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    one, two = both
    assert two["proof"]["ok"] and two["proof"]["same_labels"] == one["proof"]["same_labels"]
    for split in ("validation", "test"):
        assert one[split].keys() == two[split].keys()
        for name, found in one[split].items():
            for part, value in found.items():
                assert two[split][name][part] == pytest.approx(value, abs=1e-5), f"{split} {name} {part}"


def test_every_step_has_the_loss_and_every_epoch_the_rows_of_one_process(work: Path, both: Any) -> None:
    one, two = (work / "runs" / name for name in ("alone", "two"))
    events = [[line for line in read_lines(run / "events.jsonl") if line["event"] == "step"] for run in (one, two)]
    assert len(events[0]) == 57
    for left, right in zip(*events, strict=True):
        assert left["loss"] == pytest.approx(right["loss"], abs=1e-5) and left["tokens"] == right["tokens"]
    seen = Counter(row for line in read_lines(two / "rows.jsonl") for row in line["row"])
    rows = read_json(two / "data.json")["splits"]["train"]["rows"]
    assert seen == dict.fromkeys(range(rows), 3), "each row once an epoch"
    assert read_json(one / "data.json") == read_json(two / "data.json")


def test_a_worker_that_dies_ends_the_others_and_the_run_goes_on_to_the_same_weights(work: Path, both: Any) -> None:
    process, killed_run = started(work, "train", "table.yaml", "--set", "name=killed"), work / "runs" / "killed"
    deadline = time.monotonic() + 120
    while not any(line.get("step", 0) >= 12 for line in read_lines(killed_run / "events.jsonl")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    workers = psutil.Process(process.pid).children(recursive=True)
    next(one for one in workers if one.environ().get("RANK") == "1").kill()
    killed = time.monotonic()
    code, _, told = ended(process)
    assert code != 0 and time.monotonic() - killed < 60 and not psutil.wait_procs(workers, timeout=5)[1]
    assert "another process of this run ended before its time" in told or "Ending after this step" in told
    assert read_json(killed_run / "manifest.json")["status"] == "training"

    with pytest.raises(UserError, match="processes was 2 and is 1"):
        resume(killed_run)
    code, _, told = ended(started(work, "train", "--resume", "killed"))
    assert code == 0, told[-3000:]
    wanted = load_file(work / "runs" / "two" / "model" / "model.safetensors")
    found = load_file(killed_run / "model" / "model.safetensors")
    assert wanted.keys() == found.keys() and all(value.equal(found[name]) for name, value in wanted.items())
    steps = [line["step"] for line in read_lines(killed_run / "events.jsonl") if line["event"] == "step"]
    assert steps == list(range(1, 58))


def test_a_stream_is_shared_out_and_written_down_once(work: Path) -> None:
    alone(train, work, "stream", "streamed-alone")
    code, _, told = ended(started(work, "train", "stream.yaml", "--set", "name=streamed-two"))
    assert code == 0, told[-3000:]
    one, two = (work / "runs" / name for name in ("streamed-alone", "streamed-two"))
    assert read_json(one / "data.json") == read_json(two / "data.json") and read_json(two / "data.json")["stream"]["blocks"]
    wanted, found = (load_file(run / "model" / "model.safetensors") for run in (one, two))
    assert all(value.allclose(found[name], rtol=0, atol=1e-4) for name, value in wanted.items())


def test_an_error_before_the_first_step_is_told_once_and_ends_all(work: Path) -> None:
    process = started(work, "run", "bad.yaml")
    code, said, told = ended(process)
    assert code != 0 and not said and told.count("none.csv") == 1


def test_commands_that_are_not_shared_are_done_by_the_first_process_alone(work: Path) -> None:
    environment = {**os.environ, **QUIET, "WORLD_SIZE": "2"}
    said = [
        subprocess.run(
            [*ALONE, "check", "table.yaml", "--json"],
            cwd=work,
            timeout=120,
            env={**environment, "RANK": rank},
            capture_output=True,
            check=True,
        ).stdout
        for rank in ("0", "1")
    ]
    assert said[0].startswith(b"{") and not said[1]
