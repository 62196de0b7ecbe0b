from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tunewright.core import log
from tunewright.core.folder import read_lines
from tunewright.train.callbacks.journal import Journal, RowJournal
from tunewright.train.callbacks.progress import Progress
from tunewright.train.run import Run, Watched


def run(**state: Any) -> Run:
    return Run(torch.nn.Linear(1, 1), **{"total_steps": 4, "step": 1, "loss": 0.5, "epoch": 0.25, "seconds": 1.23456, **state})


def test_a_line_per_step_and_per_event(tmp_path: Path) -> None:
    journal = Journal(path=tmp_path / "events.jsonl")
    journal.fit_start(run(step=0))
    journal.step_end(run(learning_rate=1e-3, grad_norm=2.0, tokens=99))
    journal.evaluated(run(scores={"accuracy": 0.5, "own": math.nan}))
    journal.saved(run())
    journal.fit_end(run())
    step, evaluated, saved, ended = read_lines(tmp_path / "events.jsonl")
    memory = step.pop("memory")
    assert memory > 1 << 20
    assert step == {"event": "step", "step": 1, "epoch": 0.25, "loss": 0.5, "lr": 1e-3, "grad_norm": 2.0, "tokens": 99, "seconds": 1.235}
    assert evaluated == {"event": "evaluated", "step": 1, "seconds": 1.235, "epoch": 0.25, "scores": {"accuracy": 0.5, "own": None}}
    assert (saved["event"], ended["event"]) == ("saved", "finished")


def test_a_gradient_without_a_number_is_null(tmp_path: Path) -> None:
    journal = Journal(path=tmp_path / "events.jsonl")
    journal.fit_start(run(step=0))
    journal.step_end(run(grad_norm=math.inf))
    assert read_lines(tmp_path / "events.jsonl")[0]["grad_norm"] is None


def test_a_run_that_goes_on_drops_what_came_after_its_checkpoint_and_a_fresh_one_drops_all(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = Journal(path=path)
    journal.fit_start(run(step=0))
    for step in (1, 2, 3):
        journal.step_end(run(step=step))
    with path.open("ab") as stream:
        stream.write(b'{"event": "st')
    again = Journal(path=path)
    again.fit_start(run(step=2, resumed_at=2))
    again.step_end(run(step=3))
    again.fit_end(run(step=3, stop="interrupted"))
    assert [(line["event"], line["step"]) for line in read_lines(path)] == [
        ("step", 1),
        ("step", 2),
        ("resumed", 2),
        ("step", 3),
        ("stopped", 3),
    ]
    assert read_lines(path)[-1]["why"] == "interrupted"
    Journal(path=path).fit_start(run(step=0))
    assert read_lines(path) == []


def test_progress_says_a_line_per_evaluation(capsys: pytest.CaptureFixture[str]) -> None:
    log._console = None
    progress = Progress(best_by="accuracy")
    progress.fit_start(run(step=0))
    progress.step_end(run())
    progress.evaluated(run(scores={"accuracy": 0.75}, best_step=1))
    progress.evaluated(run(step=2, scores={"accuracy": 0.5}, best_step=1))
    progress.fit_end(run())
    log._console = None
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "step 1 of 4, epoch 0.25: loss 0.500, validation accuracy 0.7500 (best so far), 1 s",
        "step 2 of 4, epoch 0.25: loss 0.500, validation accuracy 0.5000, 1 s",
    ]


def test_rows_of_a_step_are_written_and_numbers_that_are_none_are_null(tmp_path: Path) -> None:
    journal = RowJournal(path=tmp_path / "rows.jsonl")
    journal.fit_start(run(step=0))
    journal.step_end(run(watched=(Watched(7, 0.123456, 2.0), Watched(3, math.nan, -math.inf))))
    journal.fit_end(run())
    assert read_lines(tmp_path / "rows.jsonl") == [{"step": 1, "row": [7, 3], "loss": [0.1235, None], "margin": [2.0, None]}]
