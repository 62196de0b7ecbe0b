"""The examples run, and do what they say."""

from __future__ import annotations

import csv
import runpy
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from tests import tiny

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


def test_every_example_has_a_test_here() -> None:
    assert [path.name for path in EXAMPLES] == ["own_loop.py"]


def test_a_loop_of_ones_own_ends_where_the_engines_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tunewright.pipeline.recipe import read
    from tunewright.pipeline.train import train

    tiny.base_folder(tmp_path / "base")
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["text", "label"])
        writer.writeheader()
        writer.writerows(tiny.rows(60, seed=4))
    settings = {"epochs": 2, "batch_size": 8, "precision": "fp32", "engine": "loop", "early_stopping": None}
    recipe = {
        "task": "text-classification",
        "data": {"source": "t.csv"},
        "model": {"base": "base", "max_tokens": 32},
        "train": settings,
        "evaluate": {"baselines": []},
    }
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(recipe))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["own_loop.py", str(tmp_path / "t.yaml")])
    runpy.run_path(str(EXAMPLES[0]), run_name="__main__")
    assert "epoch 2: loss" in capsys.readouterr().out
    own = next((tmp_path / "own" / "checkpoints").glob("checkpoint-*"))
    run = train(read(tmp_path / "t.yaml"), tmp_path, "t", "tunewright train t.yaml")
    engine, mine = (load_file(folder / "weights.safetensors") for folder in (run / "checkpoints" / own.name, own))
    assert engine.keys() == mine.keys() and all(torch.equal(value, mine[name]) for name, value in engine.items())
