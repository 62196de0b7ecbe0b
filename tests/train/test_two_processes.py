"""Two processes are one run: the same rows per step, the same weights, one journal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests import tiny
from tunewright.core.folder import read_lines
from tunewright.train import ENGINES

SCRIPT = Path(__file__).with_name("two_processes.py")
KINDS = [f"{driver}-{kind}" for driver in sorted(ENGINES) for kind in ("single", "multi", "resumed", "streamed", "poisoned")]


def start(command: list[str], base: Path, out: Path) -> None:
    out.mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*command, str(SCRIPT), str(base), str(out), *KINDS], capture_output=True, text=True, check=False, env=environment, timeout=500
    )
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("processes")
    base = tiny.base_folder(root / "base", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    start([sys.executable], base, root / "one")
    start([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"], base, root / "two")
    return root / "one", root / "two"


def told(folder: Path, kind: str, process: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{kind}-{process}.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_end_where_one_does(both: tuple[Path, Path], kind: str) -> None:
    one, two = both
    assert told(one, kind, 0)["processes"] == 1 and told(two, kind, 0)["processes"] == 2
    wanted = load_file(one / f"{kind}-0.safetensors")
    for process in (0, 1):
        found = load_file(two / f"{kind}-{process}.safetensors")
        for name, value in wanted.items():
            torch.testing.assert_close(found[name], value, rtol=0, atol=1e-5, msg=lambda said, name=name: f"{name}: {said}")
        alike = ("steps", "best", "score", "tokens", "epoch")
        said = told(two, kind, process)
        keys = alike if process == 0 else ("steps", "best", "score", "tokens")
        assert [said[key] for key in keys] == [told(one, kind, 0)[key] for key in keys]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_one_journal_is_written_and_it_is_that_of_one_process(both: tuple[Path, Path], kind: str) -> None:
    one, two = (read_lines(folder / kind / "events.jsonl") for folder in both)
    assert [(line["event"], line["step"]) for line in one] == [(line["event"], line["step"]) for line in two]
    steps = [(left, right) for left, right in zip(one, two, strict=True) if left["event"] == "step"]
    assert len(steps) == 6
    for left, right in steps:
        assert left["tokens"] == right["tokens"]
        assert left["lr"] == right["lr"]
        if left["loss"] is None and kind.endswith("poisoned"):
            assert right["loss"] is None
            continue
        assert left["loss"] == pytest.approx(right["loss"], abs=1e-5)
        assert left["grad_norm"] == pytest.approx(right["grad_norm"], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("driver", sorted(ENGINES))
def test_a_step_that_one_process_cannot_finish_is_left_out_by_both(both: tuple[Path, Path], driver: str) -> None:
    one, two = (
        [line for line in read_lines(folder / f"{driver}-poisoned" / "events.jsonl") if line["event"] == "guard"] for folder in both
    )
    assert len(one) == len(two) == 2, "once an epoch"
    for left, right in zip(one, two, strict=True):
        told = ("guard", "step", "verdict", "factor")
        assert [left[name] for name in told] == [right[name] for name in told] == ["not-finite", left["step"], "skip", 1.0]
        assert sorted(left["rows"]) == sorted(right["rows"]) and len(left["rows"]) in (3, 8)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_that_are_watched_are_those_of_one_process(both: tuple[Path, Path], kind: str) -> None:
    one, two = (read_lines(folder / kind / "rows.jsonl") for folder in both)
    assert len(one) == len(two) == 6 and all(line["row"] for line in one) is not kind.endswith("streamed")
    for left, right in zip(one, two, strict=True):
        mine, other = (
            {row: values for row, *values in zip(*(line[name] for name in ("row", "loss", "margin")), strict=True)}
            for line in (left, right)
        )
        assert mine.keys() == other.keys() and all(values == pytest.approx(other[row], abs=1e-3) for row, values in mine.items())
