"""A whole run that is killed goes on to the same model and the same metrics; one whose recipe or data were changed does not go on."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests import tiny
from tests.pipeline import killing_runs
from tunewright.core.errors import UserError
from tunewright.core.folder import file_hash, read_json, read_lines
from tunewright.pipeline.recipe import read
from tunewright.pipeline.train import resume, train
from tunewright.train import ENGINES

TIMES = {"train_seconds", "training_processor_seconds", "rows_per_second", "peak_memory_bytes", "training_memory_bytes", "seconds"}


@pytest.fixture(params=sorted(ENGINES))
def recipe(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    tiny.base_folder(tmp_path / "base")
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["text", "label"])
        writer.writeheader()
        writer.writerows(tiny.rows(60, seed=4))
    settings = {"epochs": 2, "batch_size": 8, "precision": "fp32", "engine": request.param, "evaluate_every": 3, "save_every": 4}
    (tmp_path / "t.yaml").write_text(
        yaml.safe_dump(
            {
                "task": "text-classification",
                "data": {"source": "t.csv"},
                "model": {"base": "base", "max_tokens": 32},
                "train": settings,
                "evaluate": {"baselines": []},
                "output_dir": str(tmp_path),
            }
        )
    )
    return tmp_path / "t.yaml"


def start(recipe: Path, run: Path, moment: str) -> int:
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "src")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(torch.get_num_threads()), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, killing_runs.__file__, str(recipe), str(run), moment]
    return subprocess.run(command, env=environment, check=False, capture_output=True).returncode


def lasting(metrics: Any) -> Any:
    """Metrics without what the clock and the machine say."""
    if isinstance(metrics, dict):
        return {name: lasting(value) for name, value in metrics.items() if name not in TIMES}
    return metrics


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_model_and_the_same_metrics(recipe: Path) -> None:
    whole = train(read(recipe), recipe.parent, "whole", "tunewright train t.yaml")
    run = recipe.parent / "runs" / "t-1"
    moments = {"trainer": ("2", "saving"), "loop": ("6", "saving")}[read(recipe).train.engine]
    for moment in moments:  # before the first checkpoint; after one; with the model saved and without its name
        assert start(recipe, run, moment) == -signal.SIGKILL
    resume(run)
    assert file_hash(run / "model" / "model.safetensors") == file_hash(whole / "model" / "model.safetensors")
    left, right = (lasting(read_json(folder / "metrics.json")) for folder in (whole, run))
    assert left == right and left["efficiency"]["steps"] == 12
    steps = [line["step"] for line in read_lines(run / "events.jsonl") if line["event"] == "step"]
    assert steps == list(range(1, 13))


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["loop"], indirect=True)
def test_a_run_whose_recipe_was_changed_does_not_go_on(recipe: Path) -> None:
    run = recipe.parent / "runs" / "t-1"
    assert start(recipe, run, "6") == -signal.SIGKILL
    kept = (run / "recipe.yaml").read_text()
    rate = next(line for line in kept.splitlines() if line.strip().startswith("learning_rate:"))
    (run / "recipe.yaml").write_text(kept.replace(rate, "  learning_rate: 0.01"))
    with pytest.raises(UserError, match=r"belongs to another run: train.learning_rate was .* and is 0.01"):
        resume(run)
    (run / "recipe.yaml").write_text(kept)
    manifest = next((recipe.parent / "datasets").rglob("train.parquet"))
    table = manifest.read_bytes()
    manifest.write_bytes(table[:-1])
    with pytest.raises(UserError, match=r"(?s)train.parquet"):
        resume(run)
