"""Learning rates of their own, and weights that are not trained from the start: the same in every engine, and over a resume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import PrivateAttr

from tests import tiny
from tests.engines.test_contract import StopAt, engine, same
from tunewright.train import ENGINES
from tunewright.train.checkpoint import latest
from tunewright.train.run import Callback, Run

GRADUAL = {"name": "full", "unfreeze": "gradual", "unfrozen_by": 0.6}
STEADY: dict[str, Any] = {"learning_rate": 1e-3, "warmup": 0, "schedule": "constant", "weight_decay": 0, "clip": 0}


class Weights(Callback):
    """Keeps the weights after each step, and which of them need a gradient when a step is over."""

    _seen: list[dict[str, torch.Tensor]] = PrivateAttr(default_factory=list)
    _still: list[bool] = PrivateAttr(default_factory=list)

    def step_end(self, run: Run) -> None:
        self._seen.append(tiny.weights(run.model))
        self._still.append(any(not weight.requires_grad for weight in run.model.parameters()))

    def state(self) -> dict[str, Any]:
        return {}


@pytest.fixture(params=sorted(ENGINES))
def fit(request: pytest.FixtureRequest) -> Callable[[Any], Run]:
    return engine(request.param)


def first_moves(fit: Callable[[Any], Run], folder: Path, base: Path, method: Any) -> dict[str, float]:
    """How far each weight goes in the first step of AdamW: its learning rate."""
    watcher = Weights()
    job = tiny.job(folder, base, tiny.rows(8), method=method, callbacks=[watcher], head_learning_rate=5e-3, max_steps=1, **STEADY)
    before = tiny.weights(job.model)
    fit(job)
    return {name: (watcher._seen[0][name] - value).abs().max().item() for name, value in before.items() if value.is_floating_point()}


def test_the_rate_falls_from_layer_to_layer_and_is_the_heads_own_for_the_head(
    fit: Callable[[Any], Run], still: Path, tmp_path: Path
) -> None:
    moves = first_moves(fit, tmp_path, still, {"name": "full", "layer_decay": 0.5})
    wanted = {"encoder.layer.1.": 1e-3, "encoder.layer.0.": 5e-4, "embeddings.word": 2.5e-4, "classifier.": 5e-3, "pooler.": 5e-3}
    for part, rate in wanted.items():
        found = max(move for name, move in moves.items() if part in name)
        assert found == pytest.approx(rate, rel=0.02), part


def test_the_rate_of_the_second_matrix_is_a_multiple_of_the_firsts(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    for factor in (1.0, 16.0):
        method = {"name": "lora", "rank": 2, "b_rate_factor": factor, "init": "gaussian"}
        moves = first_moves(fit, tmp_path / str(factor), still, method)
        assert max(move for name, move in moves.items() if "lora_B" in name) == pytest.approx(1e-3 * factor, rel=0.02)
        assert max(move for name, move in moves.items() if "modules_to_save" in name) == pytest.approx(5e-3, rel=0.02)


def test_the_rate_that_is_told_is_the_encoders_own(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    for method in ({"name": "full", "layer_decay": 0.5}, {"name": "lora", "rank": 2, "b_rate_factor": 0.5}):
        job = tiny.job(tmp_path / method["name"], still, tiny.rows(8), method=method, max_steps=1, **STEADY)
        assert fit(job).learning_rate == pytest.approx(1e-3)


def test_layers_thaw_from_the_top_and_stay_bit_for_bit_until_then(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    watcher = Weights()
    job = tiny.job(tmp_path, still, tiny.rows(80), method=GRADUAL, callbacks=[watcher], **STEADY)
    states = [tiny.weights(job.model)]
    run = fit(job)
    states += watcher._seen
    assert run.total_steps == len(watcher._seen) == 10
    first = {}
    for part in ("classifier.weight", "encoder.layer.1.output.dense.weight", "encoder.layer.0.output.dense.weight", "word_embeddings"):
        name = next(one for one in states[0] if part in one)
        first[part] = next(at for at in range(10) if not torch.equal(states[at][name], states[at + 1][name]))
    assert list(first.values()) == [0, 0, 3, 6], "two levels below the top layer, spread over 0.6 of the run"
    assert not any(watcher._still), "between steps all that is ever trained needs a gradient, so that checkpoints keep it"


def test_a_run_that_was_stopped_before_all_had_thawed_ends_in_the_same_weights(
    fit: Callable[[Any], Run], still: Path, tmp_path: Path
) -> None:
    def job(name: str, stop: int, resume: Path | None = None) -> Any:
        callbacks = [StopAt(step=stop)]
        return tiny.job(tmp_path / name, still, tiny.rows(80), method=GRADUAL, callbacks=callbacks, resume=resume, save_every=2, **STEADY)

    whole = fit(job("whole", -1))
    for stop in (2, 5):
        fit(job(f"cut-{stop}", stop))
        again = fit(job(f"cut-{stop}", -1, latest(tmp_path / f"cut-{stop}")))
        assert again.resumed_at == stop and again.step == 10
        same(whole.model, again.model)


def test_dora_and_taken_apart_weights_go_on_bit_for_bit(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    for method in ({"name": "lora", "rank": 2, "dora": True}, {"name": "lora", "rank": 2, "init": "pissa"}, {"name": "qlora", "rank": 2}):

        def job(name: str, stop: int, resume: Path | None = None, method: Any = method) -> Any:
            folder = tmp_path / f"{method}{name}".replace("/", "")
            return tiny.job(
                folder, still, tiny.rows(32), method=method, callbacks=[StopAt(step=stop)], resume=resume, save_every=1, **STEADY
            )

        whole = fit(job("whole", -1))
        fit(job("cut", 2))
        again = fit(job("cut", -1, latest(job("cut", -1).folder)))
        assert again.resumed_at == 2
        same(whole.model, again.model)
