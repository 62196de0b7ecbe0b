"""The same recipe in every engine: the same events, losses, states and final weights, bit for bit, on a processor in float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.engines.test_contract import KINDS, Watcher, cut, engine, same, steady
from tunewright.core.folder import file_hash, read_json, read_lines
from tunewright.train import ENGINES
from tunewright.train.callbacks.early_stop import EarlyStop
from tunewright.train.callbacks.journal import Journal, RowJournal
from tunewright.train.checkpoint import HASHES, latest, step_of
from tunewright.train.run import Run

STEPS = 50
SIZES = (3, 5, 7)
"""Rows of the micro-batches of an epoch: with accumulate 2 a step of 3 + 5 and one of 7."""
CLIP = 0.05
ROADS: dict[str, dict[str, Any]] = {
    "full": {},
    "lora": {"method": {"name": "lora", "rank": 4, "dropout": 0.1}},
    "cosine and sgd": {"schedule": "cosine", "optimizer": {"name": "sgd", "momentum": 0.9}, "learning_rate": 0.05},
    "by import path": {
        "schedule": {"name": "torch.optim.lr_scheduler:ExponentialLR", "gamma": 0.97},
        "optimizer": {"name": "torch.optim:NAdam", "decoupled_weight_decay": True},
        "warmup": 0.0,
    },
    "weights in groups": {"no_decay": ["*embeddings*"], "head_learning_rate": 1e-2, "weight_decay": 0.1},
}
CASES = [(kind, "full") for kind in sorted(KINDS)] + [("single", road) for road in sorted(ROADS) if road != "full"]


class AllScores(Watcher):
    """Notes every event, with all scores."""

    def evaluated(self, run: Run) -> None:
        self._seen.append(("evaluated", run.step, dict(run.scores)))


def story(driver: str, folder: Path, base: Path, kind: str, road: str) -> tuple[Run, Watcher]:
    settings, criterion, multi = KINDS[kind]
    some, watcher = tiny.rows(sum(SIZES), multi_label=multi), AllScores()
    job = tiny.job(
        folder,
        base,
        some,
        engine=driver,
        task=tiny.learned(some, **settings),
        criterion=criterion,
        order=cut(*SIZES),
        batch_size=8,
        accumulate=2,
        epochs=STEPS / 2,
        clip=CLIP,
        evaluate_every=10,
        early_stopping=None,
        callbacks=[watcher, EarlyStop(patience=99), Journal(path=folder / "events.jsonl"), RowJournal(path=folder / "rows.jsonl")],
        **ROADS[road],
    )
    return engine(driver)(job), watcher


@pytest.mark.parametrize(("kind", "road"), CASES)
def test_all_engines_end_in_the_same_weights_by_the_same_steps(moving: Path, tmp_path: Path, kind: str, road: str) -> None:
    told = {name: story(name, tmp_path / name, moving, kind, road) for name in sorted(ENGINES)}
    (one, first), *others = told.values()
    steps = [event for event in first._seen if event[0] == "step_end"]
    assert len(steps) == STEPS and all(norm > CLIP for *_, norm in steps), "clipping is active in every step"
    assert len({loss for _, _, loss, *_ in steps}) == STEPS
    assert len(others) >= 1
    for other, watcher in others:
        assert watcher._seen == first._seen
        same(one.model, other.model)
        for name in ("step", "total_steps", "epoch", "tokens", "scores", "best_step", "best_score", "stop", "loss", "grad_norm"):
            assert getattr(one, name) == getattr(other, name), name


def test_their_journals_and_the_states_in_their_checkpoints_are_the_same(moving: Path, tmp_path: Path) -> None:
    for name in sorted(ENGINES):
        story(name, tmp_path / name, moving, "single", "full")
    left, right = ([steady(line) for line in read_lines(tmp_path / name / "events.jsonl")] for name in ("loop", "trainer"))
    assert left == right and len(left) > STEPS
    one, other = (read_lines(tmp_path / name / "rows.jsonl") for name in ("loop", "trainer"))
    assert one == other and len(one) == STEPS and all(len(line["row"]) == len(line["loss"]) == len(line["margin"]) for line in one)
    losses = {line["step"]: line["loss"] for line in left if line["event"] == "step"}
    assert all(sum(line["loss"]) / len(line["loss"]) == pytest.approx(losses[line["step"]], abs=1e-4) for line in one)
    checkpoints = {name: latest(tmp_path / name) for name in ENGINES}
    files = {name: set(read_json(folder / HASHES)) for name, folder in checkpoints.items() if folder}
    assert files["trainer"] - files["loop"] == {"trainer_state.json"} and files["loop"] < files["trainer"]
    states = sorted(files["loop"] - {"run.json"})
    assert states == ["chance-0.json", "optimizer.safetensors", "schedule.json", "weights.safetensors"]
    for state in states:
        hashes = {file_hash(folder / state) for folder in checkpoints.values() if folder}
        assert len(hashes) == 1, state
    assert {step_of(folder) for folder in checkpoints.values() if folder} == {STEPS}


def test_a_callback_that_only_watches_and_looks_more_often_change_nothing_of_the_weights(moving: Path, tmp_path: Path) -> None:
    some = tiny.rows(16)
    for driver in sorted(ENGINES):
        plain = engine(driver)(tiny.job(tmp_path / f"{driver}-1", moving, some, engine=driver, epochs=3))
        watched = {"evaluate_every": 1, "save_every": 1, "callbacks": [Watcher()], "train_callbacks": ["tests.train.guests:Idle"]}
        other = engine(driver)(tiny.job(tmp_path / f"{driver}-2", moving, some, engine=driver, epochs=3, **watched))
        same(plain.model, other.model)
