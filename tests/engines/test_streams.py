"""Every engine drives a stream as it drives prepared rows, and goes on from a position bit for bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import tiny
from tests.engines.steps import Stream
from tests.engines.test_contract import StopAt, Watcher, engine, same
from tunewright.core.folder import read_json
from tunewright.train import ENGINES
from tunewright.train.checkpoint import finished, latest
from tunewright.train.run import Run


@pytest.fixture(params=sorted(ENGINES))
def fit(request: pytest.FixtureRequest) -> Callable[[Any], Run]:
    return engine(request.param)


def job(folder: Path, base: Path, stream: bool, accumulate: int = 1, **more: Any) -> Any:
    """24 rows, three steps an epoch, eight steps in all."""
    made = tiny.job(folder, base, tiny.rows(24), accumulate=accumulate, max_steps=8, evaluate_every=3, save_total_limit=20, **more)
    return tiny.without(made, stream=Stream(made)) if stream else made


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_stream_of_the_same_batches_gives_the_same_weights(
    fit: Callable[[Any], Run], still: Path, tmp_path: Path, accumulate: int
) -> None:
    told = {}
    for stream in (False, True):
        watcher = Watcher()
        done = fit(job(tmp_path / str(stream), still, stream, accumulate, callbacks=[watcher]))
        told[stream] = done, [event for event in watcher._seen if event[0] == "step_end"]
    assert told[True][1] == told[False][1] and len(told[True][1]) == 8
    same(told[True][0].model, told[False][0].model)
    assert told[True][0].epoch == pytest.approx(8 / 3)


def test_a_run_goes_on_from_the_position_that_its_checkpoint_keeps(fit: Callable[[Any], Run], moving: Path, tmp_path: Path) -> None:
    whole = fit(job(tmp_path / "whole", moving, True))
    for stop in (2, 3, 7, 8):
        folder = tmp_path / f"stopped-{stop}"
        fit(job(folder, moving, True, callbacks=[StopAt(step=stop)]))
        assert read_json(latest(folder) / "run.json")["stream"] == {"step": stop}
        torch.manual_seed(999)
        again = job(folder, moving, True, callbacks=[StopAt(step=-1)], resume=latest(folder))
        done = fit(again)
        assert again.stream.asked == ([{"step": stop}] if stop < 8 else []), "a run that had its last step trains no further"
        assert (done.resumed_at, done.step, done.best_score, done.tokens) == (stop, 8, whole.best_score, whole.tokens)
        same(whole.model, done.model)
    kept = [json.loads((one / "run.json").read_text())["stream"]["step"] for one in finished(tmp_path / "whole")]
    assert kept == [int(one.name.rpartition("-")[2]) for one in finished(tmp_path / "whole")]
