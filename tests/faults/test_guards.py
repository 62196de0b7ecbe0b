"""Every guard sees its symptom in a real run, and what it decides is done: the same in every engine, and after a resume."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import PrivateAttr

from tests import tiny
from tests.engines.test_contract import Spoil, StopAt, Watcher, cut, engine, same
from tunewright.core.errors import BadConfig, Diverged, UserError
from tunewright.core.folder import read_lines
from tunewright.train import ENGINES
from tunewright.train.callbacks.journal import Journal
from tunewright.train.checkpoint import finished, latest, load_weights
from tunewright.train.guards import GUARDS, chosen
from tunewright.train.run import Callback, Loss, Run

Fit = Callable[[Any], Run]
FAST = {"learning_rate": 1e-2, "head_learning_rate": 1e-2, "early_stopping": None}
MARK = "#"
"""A character that stands in the rows that break something, and in no other."""


@pytest.fixture(params=sorted(ENGINES))
def fit(request: pytest.FixtureRequest) -> Fit:
    return engine(request.param)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.base_folder(tmp_path_factory.mktemp("base"), **tiny.STILL)


def marked(count: int, *which: int) -> list[dict[str, Any]]:
    """Rows, some of them with the mark."""
    return [{**row, "text": f"{MARK} {row['text']}" if at in which else row["text"]} for at, row in enumerate(tiny.rows(count))]


def watched(folder: Path, base: Path, some: list[dict[str, Any]], guards: Mapping[str, Any], times: float = math.nan, **more: Any) -> Any:
    """A job under guard whose loss is multiplied by ``times`` for batches that hold a marked row."""
    callbacks = [Journal(path=folder / "events.jsonl"), *more.pop("callbacks", [])]
    usual = {"evaluate": lambda model: {"accuracy": 0.5}, "best_by": "accuracy", "batch_size": 4, "bucket": False}
    job = tiny.job(folder, base, some, callbacks=callbacks, **{**usual, **more})
    mark, plain = tiny.tokenizer().convert_tokens_to_ids(MARK), job.loss_fn

    def loss_fn(model: Any, batch: Any) -> Loss:
        loss: Loss = plain(model, batch)
        hit = times if bool((batch["input_ids"] == mark).any()) else 1.0
        return Loss(loss.total * hit, loss.items, loss.outputs)

    return tiny.without(job, loss_fn=loss_fn, guards=chosen(guards), place=lambda piece: f"rows.csv row {piece}")


def seen(folder: Path, *names: str) -> list[dict[str, Any]]:
    """What the guards told, those of these names or all."""
    found = [one for one in read_lines(folder / "events.jsonl") if one["event"] == "guard"]
    return [one for one in found if not names or one["guard"] in names]


def brief(folder: Path, *names: str) -> list[tuple[str, int, str]]:
    return [(one["guard"], one["step"], one["verdict"]) for one in seen(folder, *names)]


class Moves(Callback):
    """Notes what each step did to the weights, and the learning rate."""

    _before: dict[str, Any] = PrivateAttr(default_factory=dict)
    _moved: list[bool] = PrivateAttr(default_factory=list)
    _rates: list[float] = PrivateAttr(default_factory=list)

    def fit_start(self, run: Run) -> None:
        self._before = tiny.weights(run.model)

    def step_end(self, run: Run) -> None:
        now = tiny.weights(run.model)
        self._moved.append(any(not torch.equal(now[name], value) for name, value in self._before.items()))
        self._rates.append(run.learning_rate)
        self._before = now

    def state(self) -> dict[str, Any]:
        return {}


def test_a_step_that_is_not_finite_is_left_out_and_its_rows_are_named(
    fit: Fit, base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    moves, clean = Moves(), Moves()
    fit(watched(tmp_path / "clean", base, marked(16), {}, callbacks=[clean], order=cut(4, 4, 4, 4), warmup=0.25))
    run = fit(watched(tmp_path / "run", base, marked(16, 6), {}, callbacks=[moves], order=cut(4, 4, 4, 4), warmup=0.25))
    assert brief(tmp_path / "run") == [("not-finite", 2, "skip")]
    assert seen(tmp_path / "run")[0]["rows"] == [f"rows.csv row {at}" for at in (4, 5, 6, 7)]
    assert clean._moved[1:] == [True] * 3 and moves._moved[1:] == [False, True, True]
    assert moves._rates == clean._rates, "the schedule moves on"
    assert run.step == 4 and all(bool(value.isfinite().all()) for value in tiny.weights(run.model).values())
    told = capfd.readouterr().err.replace("\n", " ")
    assert "not-finite at step 2" in told and "rows.csv row 6" in told and "the update is left out" in told
    assert "lower train.learning_rate" in told


def test_weights_that_are_not_finite_are_taken_back_to_the_last_sound_checkpoint(fit: Fit, base: Path, tmp_path: Path) -> None:
    settings = {"save_every": 1, "save_total_limit": 1, "epochs": 2, "learning_rate": 1e-3, "warmup": 0, "schedule": "constant"}
    run = fit(watched(tmp_path, base, marked(24), {"not-finite": {"in_a_row": 2, "factor": 0.25}}, callbacks=[Spoil(step=4)], **settings))
    assert brief(tmp_path) == [("not-finite", 5, "skip"), ("not-finite", 6, "skip"), ("not-finite", 7, "restore")]
    assert (run.step, run.rate_factor) == (12, 0.25)
    steps = {one["step"]: one for one in read_lines(tmp_path / "events.jsonl") if one["event"] == "step"}
    assert [steps[at]["lr"] for at in (6, 7, 12)] == [1e-3, 2.5e-4, 2.5e-4]
    assert math.isfinite(steps[8]["loss"]) and all(bool(value.isfinite().all()) for value in tiny.weights(run.model).values())


def test_what_was_taken_back_is_what_the_checkpoint_holds(fit: Fit, base: Path, tmp_path: Path) -> None:
    class Held(Callback):
        def step_end(self, run: Run) -> None:
            if run.step == 5:
                found.update(tiny.weights(run.model))
            if run.step == 3:
                checkpoint.append(latest(tmp_path))

    found: dict[str, Any] = {}
    checkpoint: list[Any] = []
    guards = {"not-finite": {"in_a_row": 1}}
    job = watched(tmp_path, base, marked(24, 12, 16), guards, callbacks=[Held()], save_every=2, order=cut(*[4] * 6), save_total_limit=9)
    fit(job)
    assert brief(tmp_path) == [("not-finite", 4, "skip"), ("not-finite", 5, "restore")]
    twin = watched(tmp_path / "twin", base, marked(24), {}).model
    load_weights(twin, next(one for one in finished(tmp_path) if one.name == "checkpoint-4"))
    for name, value in tiny.weights(twin).items():
        assert torch.equal(value, found[name]), name


def test_a_run_without_a_sound_checkpoint_lowers_its_rate_and_gives_up_at_last(fit: Fit, base: Path, tmp_path: Path) -> None:
    guards = {"not-finite": {"in_a_row": 1, "most": 3}}
    with pytest.raises(Diverged, match=r"at step 5 the loss is nan.*rows: rows.csv row.*Training cannot go on") as caught:
        fit(watched(tmp_path, base, marked(32), guards, callbacks=[Spoil(step=1)]))
    assert caught.value.exit_code == 4
    assert [one[2] for one in brief(tmp_path)] == ["skip", "lower", "skip", "fail"]
    assert "the loss is nan" in read_lines(tmp_path / "events.jsonl")[-1]["why"]


@pytest.mark.parametrize(("action", "steps"), [("tell", 4), ("stop", 1)])
def test_not_finite_can_be_told_alone_or_end_the_run(base: Path, tmp_path: Path, action: str, steps: int) -> None:
    job = watched(tmp_path, base, marked(16, *range(4, 16)), {"not-finite": {"action": action, "in_a_row": 1}}, order=cut(4, 4, 4, 4))
    if action == "stop":
        with pytest.raises(Diverged, match="at step 2"):
            engine("loop")(job)
        assert brief(tmp_path) == [("not-finite", 2, "fail")]
    else:
        assert engine("loop")(job).step == steps
        assert brief(tmp_path) == [("not-finite", at, "skip") for at in (2, 3, 4)]


def test_a_loss_beyond_all_numbers_is_seen_as_well(fit: Fit, base: Path, tmp_path: Path) -> None:
    fit(watched(tmp_path, base, marked(16, 6), {}, times=math.inf, order=cut(4, 4, 4, 4)))
    assert brief(tmp_path) == [("not-finite", 2, "skip")] and "the loss is inf" in seen(tmp_path)[0]["message"]


@pytest.mark.parametrize("action", ["tell", "adjust", "stop"])
def test_a_step_of_masked_labels_has_nothing_to_learn(fit: Fit, base: Path, tmp_path: Path, action: str) -> None:
    moves = Moves()
    job = watched(tmp_path, base, marked(16), {"nothing-to-learn": {"action": action}}, callbacks=[moves], order=cut(4, 4, 4, 4))
    pieces = [{**piece, "labels": -100} if 8 <= at < 12 else piece for at, piece in enumerate(job.pieces)]
    run = fit(tiny.without(job, pieces=pieces))
    assert brief(tmp_path) == [("nothing-to-learn", 3, "end" if action == "stop" else "skip")]
    assert moves._moved[2:] == ([False] if action == "stop" else [False, True])
    assert run.step == (3 if action == "stop" else 4)
    assert run.stop.startswith("nothing-to-learn") is (action == "stop")


@pytest.mark.parametrize("action", ["tell", "adjust"])
def test_a_gradient_that_explodes_is_told_or_left_out(fit: Fit, base: Path, tmp_path: Path, action: str) -> None:
    moves = Moves()
    guards = {"exploding-gradients": {"window": 10, "action": action}}
    fit(watched(tmp_path, base, marked(24, 18), guards, times=1e4, callbacks=[moves], order=cut(*[4] * 6)))
    assert brief(tmp_path) == [("exploding-gradients", 5, "go" if action == "tell" else "skip")]
    assert "rows.csv row 18" in seen(tmp_path)[0]["rows"]
    assert moves._moved[4] is (action == "tell")


def test_a_layer_that_gets_no_gradient_is_named(fit: Fit, base: Path, tmp_path: Path) -> None:
    job = watched(tmp_path, base, marked(24), {"vanishing-gradients": {"every": 1, "looks": 2}})
    job.model.bert.embeddings.register_forward_hook(lambda module, given, output: output.detach())
    fit(job)
    assert brief(tmp_path) == [("vanishing-gradients", 2, "go")]
    assert "reaches bert.embeddings:" in seen(tmp_path)[0]["message"]


def test_a_head_that_is_cut_off_from_the_loss_is_seen_at_once(fit: Fit, base: Path, tmp_path: Path) -> None:
    job = watched(tmp_path, base, marked(16), {"dead-head": {"action": "stop"}})
    head = job.model.classifier
    dense = [module for name, module in job.model.named_modules() if f"{name}.weight" in job.head_weights]
    for module in dense:
        module.forward = partial(_without_gradient, module)
    assert head in dense
    run = fit(job)
    assert brief(tmp_path) == [("dead-head", 1, "end")] and run.step == 1


def _without_gradient(module: Any, given: Any) -> Any:
    return torch.nn.functional.linear(given, module.weight.detach(), module.bias.detach())


@pytest.mark.parametrize("action", ["tell", "adjust", "stop"])
def test_a_rate_that_is_far_too_high_is_told_lowered_or_stopped(fit: Fit, base: Path, tmp_path: Path, action: str) -> None:
    settings = {"learning_rate": 0.9, "head_learning_rate": 0.9, "warmup": 0, "clip": 0, "schedule": "constant", "epochs": 8}
    guards = {"rate-too-high": {"share": 1.0, "action": action}, "exploding-gradients": False}
    run = fit(watched(tmp_path, base, marked(24), guards, **settings))
    found = brief(tmp_path, "rate-too-high")
    assert found[0][1] <= 20 and found[0][2] == {"tell": "go", "adjust": "lower", "stop": "end"}[action]
    assert run.rate_factor == (0.5 ** len(found) if action == "adjust" else 1)
    assert run.learning_rate == 0.9 * run.rate_factor
    assert run.stop.startswith("rate-too-high") is (action == "stop")


def test_a_loss_that_stands_still_is_told_and_so_is_what_was_not_learned(base: Path, tmp_path: Path) -> None:
    settings = {"learning_rate": 1e-9, "head_learning_rate": 1e-9, "epochs": 60, "order": cut(8), "batch_size": 8}
    engine("loop")(watched(tmp_path, base, marked(8), {}, **settings))
    assert brief(tmp_path) == [("stalled-loss", 40, "go"), ("stalled-loss", 60, "go"), ("underfitting", 60, "go")]


def scores_on(base: Path, held: list[dict[str, Any]], task: Any) -> Callable[[Any], dict[str, float]]:
    """A look at other rows than those that are trained on."""
    from tunewright.model.predict import Predictor

    encoded = task.encode(held, tiny.tokenizer(), 64)

    def scores(model: Any) -> dict[str, float]:
        measured: dict[str, float] = task.measure(task.outcome(held, Predictor(model, tiny.tokenizer(), task, 64).answers(held, encoded)))
        return measured

    return scores


def words(count: int) -> list[dict[str, Any]]:
    """Rows of one word each: even a tiny model learns them in a few dozen steps."""
    names = sorted(tiny.LABELS)
    return [{"text": tiny.LABELS[names[at % 3]], "label": names[at % 3]} for at in range(count)]


@pytest.mark.parametrize("action", ["tell", "adjust", "stop"])
def test_validation_rows_that_are_answered_worse_and_worse_are_overfitting(fit: Fit, base: Path, tmp_path: Path, action: str) -> None:
    some, names = words(24), sorted(tiny.LABELS)
    held = [{**row, "label": names[(names.index(row["label"]) + 1) % 3]} for row in some]  # what is learned is wrong for these
    task = tiny.learned(some)
    more = {"evaluate": scores_on(base, held, task), "task": task, "epochs": 7, **FAST}
    run = fit(watched(tmp_path, base, some, {"overfitting": {"action": action}, "too-good": False}, **more))
    found = brief(tmp_path, "overfitting")
    assert found[0][2] == ("go" if action == "tell" else "end")
    assert (run.step == 42) is (action == "tell") and run.stop.startswith("overfitting") is (action != "tell")
    assert "log_loss went from" in seen(tmp_path, "overfitting")[0]["message"]


def test_validation_rows_that_are_too_easy_are_told(base: Path, tmp_path: Path) -> None:
    clean = words(24)
    noise = [{"text": "none", "label": sorted(tiny.LABELS)[at * 31 % 3]} for at in range(24)]
    some = [row for pair in zip(clean, noise, strict=True) for row in pair]
    task = tiny.learned(some)
    more = {"evaluate": scores_on(base, clean, task), "task": task, "epochs": 8, **FAST}
    for same_loss in ("log_loss", ""):
        folder = tmp_path / (same_loss or "smoothed")
        engine("loop")(tiny.without(watched(folder, base, some, {"too-good": {"share": 0.75}}, **more), same_loss=same_loss))
        assert bool(brief(folder, "too-good")) is bool(same_loss), "a loss that measures something else is not compared"


class Sleeps(Callback):
    """Takes its time from a step on."""

    begin: int

    def step_end(self, run: Run) -> None:
        if run.step >= self.begin:
            time.sleep(0.5)


class Hoards(Callback):
    """Keeps something of every step."""

    _kept: list[Any] = PrivateAttr(default_factory=list)

    def step_end(self, run: Run) -> None:
        self._kept.append(np.ones(1_000_000))

    def state(self) -> dict[str, Any]:
        return {}


def test_a_throughput_that_collapses_is_told(fit: Fit, base: Path, tmp_path: Path) -> None:
    job = watched(tmp_path, base, marked(4), {"slow": {"window": 5, "action": "stop"}}, epochs=60, callbacks=[Sleeps(begin=30)])
    run = fit(job)
    assert [(one[0], one[2]) for one in brief(tmp_path)] == [("slow", "end")] and 30 < run.step < 40


def test_time_for_looks_and_saving_is_no_collapse(base: Path, tmp_path: Path) -> None:
    def scores(model: Any) -> dict[str, float]:
        time.sleep(0.3)
        return {"accuracy": 0.5}

    guards = {"slow": {"window": 5, "factor": 8.0}}
    engine("loop")(watched(tmp_path, base, marked(4), guards, max_steps=37, evaluate_every=40, evaluate=scores))
    some = {"max_steps": 37, "evaluate_every": 1, "save_every": 99, "early_stopping": None}
    engine("loop")(watched(tmp_path / "looks", base, marked(4), guards, evaluate=lambda model: {"accuracy": 0.5}, **some))
    assert not brief(tmp_path / "looks", "slow")


def test_memory_that_grows_is_told(base: Path, tmp_path: Path) -> None:
    guards = {"growing-memory": {"least_bytes": 50_000_000, "share": 0.01}}
    engine("loop")(watched(tmp_path, base, marked(4), guards, epochs=125, callbacks=[Hoards()]))
    assert brief(tmp_path, "growing-memory") == [("growing-memory", 120, "go")]
    assert "GB in use" in seen(tmp_path, "growing-memory")[0]["message"]


@pytest.mark.parametrize("quiet", [100, 0])
def test_a_disk_that_is_nearly_full_is_told_and_repeated_only_after_a_while(
    base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], quiet: int
) -> None:
    engine("loop")(watched(tmp_path, base, marked(4), {"full-disk": {"least_bytes": 1 << 60, "quiet": quiet}}, epochs=21))
    assert brief(tmp_path, "full-disk") == [("full-disk", 1, "go"), ("full-disk", 20, "go")]
    assert capfd.readouterr().err.count("full-disk at step") == (2 if quiet == 0 else 1)


ACTING: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
    "skip": ({}, {}, {"skip"}),
    "restore": ({"not-finite": {"in_a_row": 1}}, {}, {"skip", "restore"}),
    "lower": ({"rate-too-high": {"share": 1.0, "action": "adjust"}}, {"epochs": 1, "order": cut(*[4] * 24)}, {"lower"}),
}


def acting(folder: Path, base: Path, what: str, **more: Any) -> tuple[Any, Watcher]:
    guards, settings, _ = ACTING[what]
    watcher = Watcher()
    usual = {"epochs": 4, "save_every": 1, "save_total_limit": 3, "order": cut(3, 5, 4, 4, 2, 6), "accumulate": 2, "batch_size": 8}
    callbacks = [watcher, *more.pop("callbacks", [])]
    some, times = (marked(96, *range(40, 96)), 3.0) if what == "lower" else (marked(24, 9, 17), math.nan)  # the loss climbs in step 6
    return watched(folder, base, some, guards, times=times, callbacks=callbacks, **{**usual, **settings, **more}), watcher


@pytest.mark.parametrize("what", sorted(ACTING))
def test_both_engines_end_bit_for_bit_alike_when_guards_act(base: Path, tmp_path: Path, what: str) -> None:
    ends = {}
    for name in sorted(ENGINES):
        job, watcher = acting(tmp_path / name, base, what)
        run = engine(name)(job)
        told = [{key: value for key, value in one.items() if key != "seconds"} for one in seen(tmp_path / name)]
        ends[name] = run.model, watcher._seen, told, run.rate_factor
    one, other = ends.values()
    assert {line["verdict"] for line in one[2]} >= ACTING[what][2]
    assert repr(one[1:]) == repr(other[1:])
    same(one[0], other[0])


@pytest.mark.parametrize("what", sorted(ACTING))
@pytest.mark.parametrize("stop", [3, 11])
def test_a_run_that_goes_on_behind_a_guards_action_ends_bit_for_bit_the_same(
    fit: Fit, base: Path, tmp_path: Path, what: str, stop: int
) -> None:
    whole = fit(acting(tmp_path / "whole", base, what)[0])
    fit(acting(tmp_path / "parts", base, what, callbacks=[StopAt(step=stop)])[0])
    again, _ = acting(tmp_path / "parts", base, what, callbacks=[StopAt(step=0)], resume=latest(tmp_path / "parts"))
    run = fit(again)
    assert (run.step, run.rate_factor, run.resumed_at) == (whole.step, whole.rate_factor, stop)
    assert brief(tmp_path / "parts") == brief(tmp_path / "whole")
    same(whole.model, run.model)


def test_a_run_goes_on_only_with_the_guards_that_it_began_with(base: Path, tmp_path: Path) -> None:
    engine("loop")(watched(tmp_path, base, marked(16), {}, callbacks=[StopAt(step=2)]))
    with pytest.raises(UserError, match=r"belongs to another run: guards.overfitting.looks was 2 and is 3"):
        engine("loop")(
            watched(tmp_path, base, marked(16), {"overfitting": {"looks": 3}}, callbacks=[StopAt(step=0)], resume=latest(tmp_path))
        )


def test_what_guards_remember_is_plain(base: Path, tmp_path: Path) -> None:
    some = tiny.rows(24)
    task = tiny.learned(some)
    job = watched(tmp_path, base, some, {}, evaluate=scores_on(base, some, task), task=task, epochs=4)
    engine("loop")(job)
    kept = [json.loads((folder / "run.json").read_text())["guards"] for folder in finished(tmp_path)]
    assert all(set(one) == set(GUARDS.places()) for one in kept)
    assert kept[-1]["overfitting"]["_losses"] and kept[-1]["stalled-loss"]["_count"]


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("slow", {"action": "adjust"}, "adjust would do nothing"),
        ("not-finite", False, "an update without finite numbers is never made"),
        ("overfitting", {"look": 3}, "did you mean 'looks'"),
    ],
)
def test_what_a_guard_cannot_do_is_refused(name: str, settings: Any, why: str) -> None:
    with pytest.raises(BadConfig, match=why):
        chosen({name: settings})
