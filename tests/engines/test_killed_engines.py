"""A run that was killed and goes on ends bit for bit where an uninterrupted one does; and each state in a checkpoint is needed for it."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests import tiny
from tests.engines import killing
from tests.engines.killing import difference, facts, job_for
from tunewright.core.errors import UserError
from tunewright.train import ENGINES, chance_state, checkpoint, course, engine
from tunewright.train.checkpoint import HASHES, PROGRESS, damage, finished, latest, seal, step_of
from tunewright.train.course import KEPT_OF_A_RUN, Course
from tunewright.train.run import Callback, Run

KILLED = -signal.SIGKILL
MOMENTS = ("step:2", "step:5", "looking:3", "evaluated:6", "saved:3", "saved:6", "fsync:9", "fsync:33", "rename:2", "rename:12", "end:1")
"""Before the first checkpoint, between two, within a look, after one, after a checkpoint, and within the writing of one."""


@pytest.fixture(params=sorted(ENGINES))
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class Killer:
    """A process that has imported everything and forks one child for each run."""

    def __init__(self, base: Path) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        self.base = base
        self.process = subprocess.Popen(
            [sys.executable, killing.__file__], text=True, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def run(self, driver: str, folder: Path, stream: bool, moment: str = "never") -> int:
        """Train, or go on; minus the signal that ended it, 0 when it came to its end by itself."""
        assert self.process.stdin and self.process.stdout
        order = {"driver": driver, "base": str(self.base), "folder": str(folder), "stream": stream, "moment": moment}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return os.waitstatus_to_exitcode(int(self.process.stdout.readline()))


@pytest.fixture(scope="module")
def killer(moving: Path) -> Iterator[Killer]:
    found = Killer(moving)
    yield found
    assert found.process.stdin and found.process.stdout
    found.process.stdin.close()
    found.process.wait()
    found.process.stdout.close()


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "facts.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True], ids=["rows", "stream"])
def test_a_kill_at_any_moment_loses_nothing(killer: Killer, driver: str, stream: bool, tmp_path: Path) -> None:
    assert killer.run(driver, tmp_path / "whole", stream) == 0, (tmp_path / "whole.log").read_text()
    whole = read(tmp_path / "whole")
    assert "no better score" in whole["stop"] and 6 < whole["step"] < whole["total_steps"] and whole["best_step"] < whole["step"]
    for moment in MOMENTS[1::3] if stream else MOMENTS:
        folder = tmp_path / moment
        assert killer.run(driver, folder, stream, moment) == KILLED, (moment, (tmp_path / f"{moment}.log").read_text())
        assert killer.run(driver, folder, stream) == 0, (moment, (tmp_path / f"{moment}.log").read_text())
        assert difference(whole, read(folder)) == [], moment
        assert [line["step"] for line in read(folder)["steps"]] == list(range(1, whole["step"] + 1))


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_comes_to_the_same_end(killer: Killer, driver: str, tmp_path: Path) -> None:
    assert killer.run(driver, tmp_path / "whole", False) == 0
    for moment in ("step:2", "step:4", "fsync:5", "looking:1", "step:7"):
        assert killer.run(driver, tmp_path / "often", False, moment) == KILLED, moment
    assert killer.run(driver, tmp_path / "often", False) == 0, (tmp_path / "often.log").read_text()
    assert difference(read(tmp_path / "whole"), read(tmp_path / "often")) == []


def whole_and_parts(driver: str, base: Path, folder: Path, stream: bool = False, stop: int = 5) -> tuple[dict[str, Any], Callable[[], Any]]:
    """The facts of an uninterrupted run; a run that was stopped; and a function that goes on with it and gives its facts."""
    whole = facts(engine(driver)(job_for(driver, base, folder / "whole", stream, [killing.StopAt(step=-1)])), folder / "whole")
    engine(driver)(job_for(driver, base, folder / "parts", stream, [killing.StopAt(step=stop)]))

    def go_on() -> dict[str, Any]:
        torch.manual_seed(999)  # whatever the process drew in between does not count
        resume = latest(folder / "parts" / "checkpoints")
        job = job_for(driver, base, folder / "parts", stream, [killing.StopAt(step=-1)], resume)
        return facts(engine(driver)(job), folder / "parts")

    return whole, go_on


@pytest.mark.parametrize("stream", [False, True], ids=["rows", "stream"])
def test_nothing_is_ever_pickled(driver: str, stream: bool, moving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*parts: Any, **named: Any) -> Any:
        raise AssertionError("this would pickle")

    for owner, names in ((torch, ("save", "load")), (pickle, ("dump", "dumps", "load", "loads"))):
        for name in names:
            monkeypatch.setattr(owner, name, refused)
    whole, go_on = whole_and_parts(driver, moving, tmp_path, stream)
    assert difference(whole, go_on()) == []
    kinds = {path.suffix for path in (tmp_path / "parts" / "checkpoints").rglob("*") if path.is_file()}
    assert kinds == {".json", ".safetensors"}


def without_state(monkeypatch: pytest.MonkeyPatch, left_out: str) -> None:
    """Have a run go on without one of the states that its checkpoint keeps."""
    if left_out == "weights":
        monkeypatch.setattr(course, "load_weights", lambda model, folder: None)
    elif left_out in {"optimizer", "schedule"}:
        states = checkpoint.Parts.states
        only = lambda parts: {name: part for name, part in states(parts).items() if name != left_out}  # noqa: E731
        monkeypatch.setattr(checkpoint.Parts, "states", only)
    elif left_out in {"python", "numpy", "torch"}:
        real = chance_state.put_chance_back
        random.random(), np.random.rand(), torch.rand(1)  # or the streams would stand where the run that was stopped has left them
        now = chance_state.chance_state(torch.device("cpu"))[left_out]
        monkeypatch.setattr(course, "put_chance_back", lambda state, device: real({**state, left_out: now}, device))
    elif left_out == "stream":
        monkeypatch.setattr(Course, "resumed_position", property(lambda self: None, lambda self, value: None), raising=False)
    else:
        real_progress = course.progress_of
        fresh: dict[str, Any] = {name: getattr(Run(torch.nn.Linear(1, 1)), name) for name in KEPT_OF_A_RUN}
        fresh |= {"callbacks": [{}] * 4}
        monkeypatch.setattr(course, "progress_of", lambda folder: {**real_progress(folder), left_out: fresh[left_out]})


ALWAYS_NEEDED = ("weights", "optimizer", "schedule", "python", "numpy", "torch", "callbacks", "step", "tokens", "best_step", "best_score")


@pytest.mark.parametrize("left_out", ["nothing", *ALWAYS_NEEDED, "stream"])
def test_the_comparison_notices_each_state_that_is_left_out(
    driver: str, left_out: str, moving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, go_on = whole_and_parts(driver, moving, tmp_path, stream=left_out == "stream")
    if left_out != "nothing":
        without_state(monkeypatch, left_out)
    try:
        noticed = bool(difference(whole, go_on()))
    except ValueError:  # the rows of the step that it takes for the next one are not those of its batches
        noticed = left_out == "step"
    assert noticed is (left_out != "nothing")


def test_every_file_of_a_checkpoint_is_needed(driver: str, moving: Path, tmp_path: Path) -> None:
    _, go_on = whole_and_parts(driver, moving, tmp_path)
    folder = latest(tmp_path / "parts" / "checkpoints")
    assert folder is not None
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) >= 6 and {HASHES, PROGRESS} <= set(names)
    for name in set(names) - {HASHES}:
        kept = (folder / name).read_bytes()
        (folder / name).unlink()
        assert damage(folder) == f"{name} is missing"
        seal(folder)  # as if it had never been written
        with pytest.raises((UserError, FileNotFoundError, KeyError)):
            go_on()
        (folder / name).write_bytes(kept)
        seal(folder)


def test_a_damaged_checkpoint_is_told_and_the_one_before_is_gone_on_from(
    driver: str, moving: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, go_on = whole_and_parts(driver, moving, tmp_path, stop=7)
    newest = finished(tmp_path / "parts" / "checkpoints")[-1]
    data = (newest / "optimizer.safetensors").read_bytes()
    (newest / "optimizer.safetensors").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    found = latest(tmp_path / "parts" / "checkpoints")
    assert found is not None and step_of(found) < 7
    assert difference(whole, go_on()) == []
    assert "optimizer.safetensors has other bytes than were written. Going back to the one before" in capsys.readouterr().err


def test_without_a_checkpoint_a_run_begins_again_with_step_1(driver: str, moving: Path, tmp_path: Path) -> None:
    class Dies(Callback):
        def step_end(self, run: Run) -> None:
            if run.step == 2:
                raise KeyboardInterrupt

        def fit_end(self, run: Run) -> None:
            raise KeyboardInterrupt

    whole, _ = whole_and_parts(driver, moving, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        engine(driver)(job_for(driver, moving, tmp_path / "early", False, [Dies()]))
    assert latest(tmp_path / "early" / "checkpoints") is None
    again = job_for(driver, moving, tmp_path / "early", False, [killing.StopAt(step=-1)])
    assert difference(whole, facts(engine(driver)(again), tmp_path / "early")) == []


def test_a_run_goes_on_with_what_it_began_with_or_not_at_all(driver: str, moving: Path, tmp_path: Path) -> None:
    engine(driver)(job_for(driver, moving, tmp_path, False, [killing.StopAt(step=5)]))
    job = job_for(driver, moving, tmp_path, False, [killing.StopAt(step=-1)], latest(tmp_path / "checkpoints"))
    changed = tiny.without(job, settings=job.settings.model_copy(update={"learning_rate": 1e-4, "clip": 0.5}))
    with pytest.raises(
        UserError, match=r"belongs to another run: train.clip was 1.0 and is 0.5; train.learning_rate was 0.003 and is 0.0001"
    ):
        engine(driver)(changed)
    with pytest.raises(UserError, match=r"fingerprint of the data was None and is 'abc'.*the recipe and the data that it began with"):
        engine(driver)(tiny.without(job, identity={"fingerprint of the data": "abc"}))
    with pytest.raises(UserError, match=r"training rows was 19 and is 18"):
        engine(driver)(tiny.without(job, pieces=job.pieces[:18]))
    with pytest.raises(UserError, match=r"train.engine was"):
        other = next(name for name in ENGINES if name != driver)
        engine(other)(tiny.without(job, settings=job.settings.model_copy(update={"engine": other})))
    allowed = tiny.without(job, settings=job.settings.model_copy(update={"save_every": 4, "save_total_limit": 5}))
    assert engine(driver)(allowed).resumed_at == 5


def test_a_run_that_goes_on_reads_no_row_of_the_steps_before(driver: str, moving: Path, tmp_path: Path) -> None:
    class Asked(list[Any]):
        def __getitem__(self, index: Any) -> Any:
            seen.append(index)
            return super().__getitem__(index)

    seen: list[int] = []
    engine(driver)(job_for(driver, moving, tmp_path, False, [killing.StopAt(step=4)]))
    job = job_for(driver, moving, tmp_path, False, [killing.StopAt(step=5)], latest(tmp_path / "checkpoints"))
    engine(driver)(tiny.without(job, pieces=Asked(job.pieces)))
    fifth = [row for batch in job.order(1)[2:4] for row in batch]  # three steps an epoch, two micro-batches a step
    assert [index for index in seen if index in fifth or index] and set(seen) - {0} <= set(fifth)


def test_a_state_that_is_no_plain_value_is_refused_before_the_first_step(driver: str, moving: Path, tmp_path: Path) -> None:
    from pydantic import PrivateAttr

    class Grasping(Callback):
        _seen: Any = PrivateAttr(default_factory=set)

        def step_end(self, run: Run) -> None:
            raise AssertionError("a step was done")

    with pytest.raises(UserError, match=r"callback Grasping remembers _seen = set\(\), which JSON does not give back.*override state\(\)"):
        engine(driver)(tiny.job(tmp_path, moving, tiny.rows(8), engine=driver, callbacks=[Grasping()]))


def test_the_state_of_a_scaler_is_kept_too(tmp_path: Path) -> None:
    def parts(scale: float) -> checkpoint.Parts:
        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.ConstantLR(optimizer)
        return checkpoint.Parts(model, optimizer, schedule, torch.amp.GradScaler("cpu", init_scale=scale))

    checkpoint.write(tmp_path / "checkpoint-1", parts(512.0), [], {})
    assert (tmp_path / "checkpoint-1" / "scaler.json").exists()
    fresh = parts(2.0)
    checkpoint.put_back(tmp_path / "checkpoint-1", fresh)
    assert fresh.scaler.get_scale() == 512.0
