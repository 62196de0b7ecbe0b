"""Ctrl-C and kill -9 lose nothing: the run goes on from its last checkpoint and ends with the same weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from tests import tiny
from tunewright.core.errors import UserError
from tunewright.core.folder import read_json, read_lines
from tunewright.pipeline.recipe import read
from tunewright.pipeline.train import resume, train

pytestmark = pytest.mark.slow

STEPS = 90
RECIPE = """\
task: text-classification
data: {{source: {tickets}, columns: {{text: body, label: queue}}, rules: {{label-noise: false}}}}
model: {{base: {base}, max_tokens: 32}}
train: {{max_steps: {steps}, batch_size: 8, evaluate_every: 20, save_every: 4, early_stopping: null}}
evaluate: {{resamples: 100}}
output_dir: {out}
name: {name}
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from tunewright.cli import main; main()", *words]


def stop_at(step: int, number: int, recipe: Path, run: Path) -> subprocess.Popen[str]:
    """Start a training and send it a signal once the journal tells of a step."""
    process = subprocess.Popen(command("train", str(recipe)), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 240
    while not any(line.get("step", 0) >= step for line in read_lines(run / "events.jsonl")):
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < until, "the training did not get there"
        time.sleep(0.02)
    os.kill(process.pid, number)
    return process


def test_a_run_that_was_interrupted_and_killed_ends_as_one_that_was_not(tickets: Path, tmp_path: Path) -> None:
    recipes = {}
    given = {"tickets": tickets / "tickets.csv", "base": tiny.base_folder(tmp_path / "base"), "steps": STEPS, "out": tmp_path}
    for name in ("whole", "stopped"):
        recipes[name] = tmp_path / f"{name}.yaml"
        recipes[name].write_text(RECIPE.format(**given, name=name))
    run = tmp_path / "runs" / "stopped"

    process = stop_at(3, signal.SIGINT, recipes["stopped"], run)
    _, words = process.communicate(timeout=240)
    assert process.returncode == 130
    assert f"tunewright train --resume {run}" in words and "Traceback" not in words

    resumed = subprocess.Popen(command("train", "--resume", str(run)), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 240
    while not any(line.get("step", 0) >= 45 for line in read_lines(run / "events.jsonl")):
        assert resumed.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    resumed.kill()
    resumed.communicate()
    assert read_json(run / "manifest.json")["status"] == "training"

    last = subprocess.run(command("train", "--resume", str(run)), capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stderr
    train(read(recipes["whole"]), tmp_path, "whole", "tunewright train whole.yaml")

    ours, theirs = (load_file(tmp_path / "runs" / name / "model" / "model.safetensors") for name in ("stopped", "whole"))
    assert ours.keys() == theirs.keys() and all((ours[name] == theirs[name]).all() for name in ours)
    steps = {
        name: [(line["step"], line["loss"]) for line in read_lines(tmp_path / "runs" / name / "events.jsonl") if line["event"] == "step"]
        for name in recipes
    }
    assert steps["stopped"] == steps["whole"] and len(steps["whole"]) == STEPS
    assert not list(run.rglob("*.part"))

    with pytest.raises(UserError, match="is finished"):
        resume(run)
