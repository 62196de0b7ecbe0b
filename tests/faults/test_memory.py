"""Memory that fails in a step: the step is made in more passes, with the same gradient; told, and kept for a run that goes on."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import tiny
from tests.engines.test_contract import StopAt, cut, same, steady
from tunewright.core.errors import UserError
from tunewright.core.folder import read_lines
from tunewright.model.predict import Predictor
from tunewright.train import ENGINES, engine
from tunewright.train.callbacks.journal import Journal, RowJournal
from tunewright.train.checkpoint import latest
from tunewright.train.course import Course
from tunewright.train.memory import Passes


def even(count: int) -> list[dict[str, Any]]:
    """Rows whose texts all have 62 letters: 64 tokens."""
    return [{**row, "text": (row["text"] + " please" * 20)[:62]} for row in tiny.rows(count)]


class Short:
    """A device without memory for passes of more than ``most`` rows, from the ``first`` pass on: in the forward pass or in the backward."""

    def __init__(self, loss_fn: Any, most: int, first: int = 0, backward: bool = False) -> None:
        self.loss_fn, self.most, self.first, self.backward, self.rows = loss_fn, most, first, backward, []

    def __call__(self, model: Any, batch: Any) -> Any:
        self.rows.append(len(batch["labels"]))
        fails = len(batch["labels"]) > self.most and len(self.rows) > self.first
        if fails and not self.backward:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        loss = self.loss_fn(model, batch)
        if fails:
            loss.outputs.register_hook(_fail)
        return loss


def _fail(gradient: Any) -> None:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")


def fit(driver: str, folder: Path, base: Path, some: Any, most: int = 10**9, first: int = 0, backward: bool = False, **more: Any) -> Any:
    """A run and what its device saw."""
    callbacks = [*more.pop("callbacks", []), Journal(path=folder / "events.jsonl"), RowJournal(path=folder / "rows.jsonl")]
    job = tiny.job(
        folder, base, some, engine=driver, callbacks=callbacks, **{"optimizer": "sgd", "learning_rate": 0.05, "epochs": 2, **more}
    )
    short = Short(job.loss_fn, most, first, backward)
    return engine(driver)(tiny.without(job, loss_fn=short)), short


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("driver", sorted(ENGINES))
def test_a_step_in_more_passes_has_the_same_gradient(driver: str, backward: bool, still: Path, tmp_path: Path) -> None:
    """The second micro-batch of the second step is the first that fails: what the one before it has added must not count twice."""
    some, settings = even(16), {"order": cut(2, 4, 2, 8), "accumulate": 2, "batch_size": 8}
    whole, _ = fit(driver, tmp_path / "whole", still, some, **settings)
    parts, short = fit(driver, tmp_path / "parts", still, some, most=3, first=4, backward=backward, **settings)
    assert short.rows[:7] == [8, 2, 4, 2, 8, 2, 4] and set(short.rows[7:]) == {2}, "the longest is tried; the step begins anew twice"
    same(whole.model, parts.model, atol=1e-5)
    assert parts.pass_cells == 2 * 64 and whole.pass_cells is None
    one, other = (read_lines(tmp_path / name / "events.jsonl") for name in ("whole", "parts"))
    assert [(line["step"], line["cells"]) for line in other if line["event"] == "split"] == [(2, 4 * 64), (2, 2 * 64)]
    steps = [[line for line in told if line["event"] == "step"] for told in (one, other)]
    assert all(left["loss"] == pytest.approx(right["loss"], abs=1e-5) for left, right in zip(*steps, strict=True))
    assert [line["tokens"] for line in steps[0]] == [line["tokens"] for line in steps[1]]
    watched = [read_lines(tmp_path / name / "rows.jsonl") for name in ("whole", "parts")]
    assert [line["row"] for line in watched[0]] == [line["row"] for line in watched[1]]


def test_it_is_told_with_what_comes_of_it(still: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit("loop", tmp_path, still, even(16), most=4, batch_size=8)
    said = capsys.readouterr().err
    assert "Memory failed in step 1, in a pass over 8 row(s) of 64 tokens: CUDA out of memory" in said
    assert "a pass holds at most 256 tokens with their padding" in said and said.count("Memory failed") == 1


def test_both_engines_end_in_the_same_weights(moving: Path, tmp_path: Path) -> None:
    runs = {driver: fit(driver, tmp_path / driver, moving, tiny.rows(19), most=3, batch_size=8)[0] for driver in sorted(ENGINES)}
    one, other = runs.values()
    same(one.model, other.model)
    journals = [[steady(line) for line in read_lines(tmp_path / driver / "events.jsonl")] for driver in runs]
    assert journals[0] == journals[1] and any(line["event"] == "split" for line in journals[0])


@pytest.mark.parametrize("driver", sorted(ENGINES))
def test_a_run_that_goes_on_keeps_to_it_and_ends_bit_for_bit_the_same(driver: str, moving: Path, tmp_path: Path) -> None:
    some, settings = tiny.rows(19), {"batch_size": 8, "epochs": 3}
    whole, _ = fit(driver, tmp_path / "whole", moving, some, most=4, **settings)
    fit(driver, tmp_path / "parts", moving, some, most=4, callbacks=[StopAt(step=4)], **settings)
    checkpoint = latest(tmp_path / "parts")
    gone_on, short = fit(driver, tmp_path / "parts", moving, some, callbacks=[StopAt(step=-1)], resume=checkpoint, **settings)
    same(whole.model, gone_on.model)
    assert whole.pass_cells == gone_on.pass_cells is not None and max(short.rows) <= 8
    assert sum(short.rows) == 3 * 19 - (19 + 8) and len(short.rows) > 5, "passes are split, although memory would do now"


@pytest.mark.parametrize("driver", sorted(ENGINES))
def test_the_longest_batch_is_tried_first_and_leaves_no_trace(
    driver: str, moving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, short = fit(driver, tmp_path / "tried", moving, tiny.rows(19), batch_size=8)
    assert len(short.rows) == 1 + 6
    monkeypatch.setattr(Passes, "_try_longest", lambda self, one: None)
    plain, short = fit(driver, tmp_path / "plain", moving, tiny.rows(19), batch_size=8)
    assert len(short.rows) == 6
    same(tried.model, plain.model)
    assert read_lines(tmp_path / "tried" / "rows.jsonl") == read_lines(tmp_path / "plain" / "rows.jsonl")


@pytest.mark.parametrize("driver", sorted(ENGINES))
def test_memory_for_no_row_at_all_ends_with_what_to_lower(driver: str, still: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"memory failed in step 1, in a pass over 1 row\(s\) of 64 tokens(?s:.)*Lower model.max_tokens"):
        fit(driver, tmp_path, still, even(16), most=0, batch_size=4)
    assert "memory failed" in read_lines(tmp_path / "events.jsonl")[-1]["why"]


def test_another_error_is_not_taken_for_it(still: Path, tmp_path: Path) -> None:
    def broken(model: Any, batch: Any) -> Any:
        raise RuntimeError("a bug of mine")

    with pytest.raises(RuntimeError, match="a bug of mine"):
        engine("loop")(tiny.without(tiny.job(tmp_path, still, even(8)), loss_fn=broken))


def test_several_processes_stop_and_name_the_size_that_fits(still: Path, tmp_path: Path) -> None:
    job = tiny.job(tmp_path, still, even(16), batch_size=8, accumulate=2)
    course = Course(job, torch.device("cpu"))
    course.processes.count = 2
    failing: Callable[[Any], Any] = Short(job.loss_fn, 0)
    with pytest.raises(UserError, match=r"Set train.accumulate: 4 \(the same batch in passes of half as many rows\)"):
        course.passes.compute(job.collate(job.pieces[:2]), lambda part: failing(job.model, part))


@pytest.mark.parametrize("most", [8, 5, 1])
def test_rows_that_are_answered_are_shared_out_over_more_passes(still: Path, most: int, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tiny.rows(30)
    task = tiny.learned(rows)
    built, found = tiny.built(still, task, "full")
    predictor = Predictor(built.model, found.tokenizer, task, 64, batch_size=16)
    wanted, real, sizes = predictor.predict(rows), built.model.forward, []

    def short(*parts: Any, **batch: Any) -> Any:
        sizes.append(len(batch["input_ids"]))
        if sizes[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(*parts, **batch)

    built.model.forward = short
    for one, other in zip(predictor.predict(rows), wanted, strict=True):
        assert one["label"] == other["label"] and one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)
    assert sizes[0] == 16 and sizes.count(16) == 1, "a size that does not fit is tried once"
    assert f"from here on {predictor.batch_size} at a time" in " ".join(capsys.readouterr().err.split())
    assert predictor.batch_size == 2 ** int(math.log2(most))


def test_a_row_that_does_not_fit_by_itself_is_told(still: Path) -> None:
    rows = tiny.rows(3)
    task = tiny.learned(rows)
    built, found = tiny.built(still, task, "full")

    def fails(**batch: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    built.model.forward = fails
    with pytest.raises(UserError, match=r"a row of \d+ tokens was answered.*A single row does not fit"):
        Predictor(built.model, found.tokenizer, task, 64).predict(rows)


LIMITED = """
import os, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests import tiny
from tunewright.train import engine
from tunewright.train.callbacks.journal import Journal

base, out, driver, more = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[4], int(sys.argv[5])
some = [{**row, "text": (row["text"] + " please" * 20)[:62]} for row in tiny.rows(256)]
job = tiny.job(out, base, some, engine=driver, batch_size=128, epochs=1, callbacks=[Journal(path=out / "events.jsonl")])
import torch
torch.ones(64, 64) @ torch.ones(64, 64)  # what libraries set up at their first use
held = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (held + (more << 20), resource.RLIM_INFINITY))
run = engine(driver)(job)
print(run.step, run.pass_cells)
"""


@pytest.mark.slow
@pytest.mark.parametrize("driver", sorted(ENGINES))
def test_a_process_whose_memory_is_limited_trains_to_its_end(driver: str, tmp_path: Path) -> None:
    base = tiny.base_folder(tmp_path / "base", intermediate_size=4096, **tiny.STILL)
    command = [sys.executable, "-c", LIMITED, str(base), str(tmp_path / "out"), str(Path(__file__).parents[2]), driver]
    done = subprocess.run([*command, "400"], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    steps, cells = done.stdout.split()
    assert steps == "2" and cells != "None" and int(cells) < 128 * 64
    assert "Memory failed in step 1" in done.stderr
