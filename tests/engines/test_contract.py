"""The contract of every engine: what a job says is what happens to the weights, and the watchers see it as it was."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import PrivateAttr

from tests import tiny
from tests.engines.killing import StopAt
from tunewright.core.errors import Diverged, UserError
from tunewright.core.folder import read_lines
from tunewright.train import ENGINES, engine
from tunewright.train.callbacks.early_stop import EarlyStop
from tunewright.train.callbacks.journal import Journal
from tunewright.train.checkpoint import finished, is_whole, latest, step_of
from tunewright.train.memory import Passes
from tunewright.train.run import Callback, Run


@pytest.fixture(params=sorted(ENGINES))
def fit(request: pytest.FixtureRequest) -> Callable[[Any], Run]:
    return engine(request.param)


class Watcher(Callback):
    """Notes every event."""

    _seen: list[tuple[Any, ...]] = PrivateAttr(default_factory=list)

    def fit_start(self, run: Run) -> None:
        self._seen.append(("fit_start", run.step))

    def step_end(self, run: Run) -> None:
        self._seen.append(("step_end", run.step, run.loss, run.tokens, run.learning_rate, run.grad_norm))

    def evaluated(self, run: Run) -> None:
        self._seen.append(("evaluated", run.step, run.scores["accuracy"]))

    def saved(self, run: Run) -> None:
        self._seen.append(("saved", run.step))

    def fit_end(self, run: Run) -> None:
        self._seen.append(("fit_end", run.step))

    def state(self) -> dict[str, Any]:
        return {}


class Spoil(Callback):
    """Puts something that is no number into a weight, after one step."""

    step: int

    def step_end(self, run: Run) -> None:
        if run.step == self.step:
            with torch.no_grad():
                next(iter(run.model.parameters())).fill_(float("nan"))


def cut(*sizes: int) -> Callable[[int], list[list[int]]]:
    """The same rows in the same order, cut into micro-batches of these sizes."""

    def order(epoch: int) -> list[list[int]]:
        found, at = [], 0
        for size in sizes:
            found.append(list(range(at, at + size)))
            at += size
        return found

    return order


def same(one: Any, other: Any, **close: float) -> None:
    left, right = tiny.weights(one), tiny.weights(other)
    assert left.keys() == right.keys()
    for name, weight in left.items():
        torch.testing.assert_close(weight, right[name], rtol=0, **{"atol": 0, **close}, msg=lambda told, name=name: f"{name}: {told}")


KINDS = {
    "single": ({}, "cross-entropy", False),
    "smoothed": ({}, {"name": "cross-entropy", "smoothing": 0.2}, False),
    "multi-label": ({"multi_label": True}, "binary-cross-entropy", True),
    "weighted": ({"multi_label": True}, {"name": "binary-cross-entropy", "positive_weight": 3.0}, True),
}


@pytest.mark.parametrize("uneven", [(3, 5, 7), (7, 8), (1, 13, 1)])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_uneven_micro_batches_give_the_step_of_one_whole_batch(
    fit: Callable[[Any], Run], still: Path, tmp_path: Path, kind: str, uneven: Sequence[int]
) -> None:
    settings, criterion, multi = KINDS[kind]
    some = tiny.rows(15, multi_label=multi)
    runs = {}
    for name, sizes in (("whole", (15,)), ("uneven", uneven)):
        watcher = Watcher()
        train: dict[str, Any] = {
            "accumulate": len(sizes),
            "batch_size": 15 - 15 % len(sizes),
            "learning_rate": 0.1,
            "warmup": 0,
            "epochs": 2,
            "clip": 0.05,
            "optimizer": "sgd",
        }
        job = tiny.job(
            tmp_path / name,
            still,
            some,
            task=tiny.learned(some, **settings),
            criterion=criterion,
            order=cut(*sizes),
            callbacks=[watcher],
            evaluate=lambda model: {"accuracy": 0.0},
            best_by="accuracy",
            **train,
        )
        before = tiny.weights(job.model)
        runs[name] = fit(job), [event for event in watcher._seen if event[0] == "step_end"]
        assert any(not torch.equal(before[key], value) for key, value in tiny.weights(runs[name][0].model).items())
    (whole, told), (parts, told_of_parts) = runs["whole"], runs["uneven"]
    assert len(told) == len(told_of_parts) == 2
    for one, other in zip(told, told_of_parts, strict=True):
        assert one[3] == other[3], "tokens"
        assert one[2] == pytest.approx(other[2], abs=1e-6), "loss"
        assert one[5] == pytest.approx(other[5], rel=1e-4), "norm of the gradient"
    same(whole.model, parts.model, atol=2e-6)


def test_the_loss_told_is_the_mean_over_the_rows_before_the_update(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    some, watcher = tiny.rows(15), Watcher()
    job = tiny.job(tmp_path, still, some, order=cut(3, 5, 7), accumulate=3, batch_size=15, callbacks=[watcher])
    batch = job.collate(job.pieces)
    logits = job.model(**{name: values for name, values in batch.items() if name != "labels"}).logits
    wanted = torch.nn.functional.cross_entropy(logits, batch["labels"]).item()
    fit(job)
    _, step, loss, tokens, _, norm = next(event for event in watcher._seen if event[0] == "step_end")
    assert (step, tokens) == (1, int(batch["attention_mask"].sum()))
    assert loss == pytest.approx(wanted, abs=1e-6)
    assert norm > 0


def test_the_update_is_that_of_plain_torch(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    some = tiny.rows(8)
    settings = {
        "order": cut(3, 5),
        "accumulate": 2,
        "warmup": 0,
        "schedule": "constant",
        "weight_decay": 0.1,
        "clip": 0.5,
        "optimizer": {"name": "adamw", "epsilon": 1e-3},
    }
    job = tiny.job(tmp_path, still, some, learning_rate=1e-3, head_learning_rate=1e-2, **settings)
    twin = tiny.job(tmp_path / "twin", still, some).model
    fit(job)
    batch = job.collate(job.pieces)
    labels = batch.pop("labels")
    torch.nn.functional.cross_entropy(twin(**batch).logits, labels).backward()
    torch.nn.utils.clip_grad_norm_(twin.parameters(), 0.5)

    def group(name: str) -> tuple[float, float]:
        plain = name.endswith("bias") or "LayerNorm" in name
        return (1e-2 if name in job.head_weights else 1e-3), (0.0 if plain else 0.1)

    parameters = [{"params": [weight], "lr": group(name)[0], "weight_decay": group(name)[1]} for name, weight in twin.named_parameters()]
    torch.optim.AdamW(parameters, eps=1e-3).step()  # a large eps: where a gradient is all rounding, its sign must not decide
    same(job.model, twin, atol=2e-6)


def test_the_learning_rate_of_the_head_is_for_the_head_alone(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    some = tiny.rows(8)
    moved = {}
    for rate in (1e-4, 1e-2):
        job = tiny.job(tmp_path / str(rate), still, some, learning_rate=1e-4, head_learning_rate=rate, warmup=0, clip=0, weight_decay=0)
        before = tiny.weights(job.model)
        after = tiny.weights(fit(job).model)
        moved[rate] = {name: (after[name] - value).abs().max().item() for name, value in before.items() if value.is_floating_point()}
    new = job.head_weights
    assert {name.split(".")[-2] for name in new} == {"dense", "classifier"}
    for name, low in moved[1e-4].items():
        assert moved[1e-2][name] == pytest.approx(low * (100 if name in new else 1), rel=0.05, abs=1e-6), name


def test_events_come_in_order(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    watcher = Watcher()
    run = fit(tiny.job(tmp_path, still, tiny.rows(20), epochs=2, callbacks=[watcher], evaluate_every=2, save_every=3))
    seen = [event[:2] for event in watcher._seen]
    kinds = [("fit_start", 0)]
    saved = {step for kind, step in seen if kind == "saved"}
    for step in range(1, 7):
        kinds += [("step_end", step)] + [("evaluated", step)] * (step % 2 == 0) + [("saved", step)] * (step in saved)
    assert seen == [*kinds, ("fit_end", 6)]
    assert {3, 6, run.best_step} <= saved
    assert (run.step, run.total_steps, run.epoch, run.stop) == (6, 6, 2.0, "")


def told(scores: Sequence[float]) -> Callable[[Any], dict[str, float]]:
    left = iter(scores)
    return lambda model: {"accuracy": (value := next(left)), "loss": value}


@pytest.mark.parametrize(
    ("best_by", "scores", "best"),
    [
        ("accuracy", [0.1, 0.5, 0.3, 0.2], 2),
        ("accuracy", [0.1, 0.5, 0.5, 0.5], 2),
        ("accuracy", [0.1, 0.2, 0.3, 0.4], 4),
        ("loss", [0.9, 0.5, 0.7, 0.8], 2),
        ("loss", [0.9, 0.5, 0.5, 0.4], 4),
        ("accuracy", [math.nan, 0.5, math.nan, 0.2], 2),
    ],
)
def test_the_best_checkpoint_is_the_first_with_the_best_score(
    fit: Callable[[Any], Run], still: Path, tmp_path: Path, best_by: str, scores: list[float], best: int
) -> None:
    from tunewright.train.checkpoint import load_weights

    job = tiny.job(
        tmp_path, still, tiny.rows(8), batch_size=2, evaluate_every=1, save_total_limit=1, best_by=best_by, evaluate=told(scores)
    )
    kept: dict[int, Any] = {}

    class Keep(Callback):
        def step_end(self, run: Run) -> None:
            kept[run.step] = tiny.weights(run.model)

    run = fit(tiny.without(job, callbacks=[Keep()]))
    assert (run.best_step, run.best_score) == (best, scores[best - 1])
    left = {step_of(folder) for folder in finished(tmp_path)}
    assert left == {best, 4}, "the best and the last stay, nothing else"
    load_weights(run.model, tmp_path / f"checkpoint-{best}")
    for name, value in tiny.weights(run.model).items():
        assert torch.equal(value, kept[best][name]), name


def test_training_ends_when_patience_does(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    scores = [0.1, 0.5, 0.4, 0.5, 0.4, 0.9]
    job = tiny.job(tmp_path, still, tiny.rows(16), batch_size=2, evaluate_every=1, callbacks=[EarlyStop(patience=2)], evaluate=told(scores))
    run = fit(job)
    assert (run.step, run.best_step) == (4, 2)
    assert run.stop == "no better score in 2 evaluations" and not run.failed
    assert step_of(latest(tmp_path)) == 4


@pytest.mark.parametrize("clip", [1.0, 0.0])
def test_a_loss_that_is_no_number_ends_the_run_before_the_update(
    fit: Callable[[Any], Run], still: Path, tmp_path: Path, clip: float
) -> None:
    journal = Journal(path=tmp_path / "events.jsonl")
    job = tiny.job(tmp_path, still, tiny.rows(16), batch_size=4, clip=clip, callbacks=[journal, Spoil(step=2)])
    spoiled: dict[str, Any] = {}

    class Keep(Callback):
        def step_end(self, run: Run) -> None:
            spoiled.update(tiny.weights(run.model))

    with pytest.raises(Diverged, match=r"at step 3 the loss is nan.*this update was not made.*Lower train.learning_rate") as caught:
        fit(tiny.without(job, callbacks=[*job.callbacks, Keep()]))
    assert caught.value.exit_code == 4
    for name, value in tiny.weights(job.model).items():
        torch.testing.assert_close(value, spoiled[name], rtol=0, atol=0, equal_nan=True)
    last = read_lines(tmp_path / "events.jsonl")[-1]
    assert last["event"] == "stopped" and "the loss is nan" in last["why"]


def test_a_gradient_that_is_no_number_ends_the_run_even_without_clipping(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    from tunewright.train.run import Loss

    job = tiny.job(tmp_path, still, tiny.rows(16), batch_size=4, clip=0)

    def loss_fn(model: Any, batch: Any) -> Loss:
        loss = job.loss_fn(model, batch)
        square_root_of_nothing = (model.classifier.bias * 0).abs().sum().sqrt()  # 0, with an infinite slope
        return Loss(loss.total + square_root_of_nothing, loss.items, loss.outputs)

    before = tiny.weights(job.model)
    with pytest.raises(Diverged, match=r"norm of the gradient (nan|inf)"):
        fit(tiny.without(job, loss_fn=loss_fn))
    for name, value in tiny.weights(job.model).items():
        assert torch.equal(value, before[name]), name


def test_watchers_are_told_of_the_end_when_a_callback_breaks(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    class Broken(Callback):
        def step_end(self, run: Run) -> None:
            raise ZeroDivisionError("a bug")

    watcher, journal = Watcher(), Journal(path=tmp_path / "events.jsonl")
    with pytest.raises(ZeroDivisionError, match="a bug"):
        fit(tiny.job(tmp_path, still, tiny.rows(8), callbacks=[watcher, journal, Broken()]))
    assert watcher._seen[-1][0] == "fit_end"
    assert read_lines(tmp_path / "events.jsonl")[-1]["why"] == "ZeroDivisionError: a bug"


@pytest.mark.parametrize("event", ["on_step_end", "on_evaluate", "on_save"])
def test_a_callback_of_the_user_that_raises_is_named_and_what_was_trained_is_saved(
    fit: Callable[[Any], Run], still: Path, tmp_path: Path, event: str
) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "from transformers import TrainerCallback\n\nclass Broken(TrainerCallback):\n"
        f"    def {event}(self, args, state, control, **others):\n"
        "        if state.global_step == 3:\n            raise ZeroDivisionError('a bug')\n"
    )
    options = {"epochs": 3, "evaluate_every": 3, "save_every": 3, "train_callbacks": [f"{own}:Broken"]}
    with pytest.raises(UserError, match=rf"own\.py:Broken' raised ZeroDivisionError: a bug \(.*own\.py, line 6\) in {event}, at step 3"):
        fit(tiny.job(tmp_path / "broken", still, tiny.rows(16), **options))
    kept = latest(tmp_path / "broken")
    assert kept is not None and step_of(kept) == 3
    own.write_text(own.read_text().replace("raise ZeroDivisionError('a bug')", "pass"))
    sys.modules.pop(next(name for name in sys.modules if name.startswith("tunewright_own_")))
    mended = fit(tiny.job(tmp_path / "broken", still, tiny.rows(16), resume=kept, **options))
    whole = fit(tiny.job(tmp_path / "whole", still, tiny.rows(16), **options))
    assert mended.step == whole.step == 6
    assert all(value.equal(tiny.weights(mended.model)[name]) for name, value in tiny.weights(whole.model).items())


PLANS: dict[str, dict[str, Any]] = {
    "full": {"method": "full", "accumulate": 2},
    "lora": {"method": {"name": "lora", "rank": 4, "dropout": 0.1}, "accumulate": 2},
    "cosine": {"method": "full", "accumulate": 1, "schedule": "cosine"},
}


def steady(line: dict[str, Any]) -> dict[str, Any]:
    """An event without what the clock and the machine say."""
    return {name: value for name, value in line.items() if name not in {"seconds", "memory"}}


@pytest.mark.parametrize(("plan", "stops"), [("full", (2, 3, 5, 9)), ("lora", (2, 6)), ("cosine", (5,))])
def test_a_run_that_goes_on_ends_bit_for_bit_where_an_uninterrupted_one_does(
    fit: Callable[[Any], Run], moving: Path, tmp_path: Path, plan: str, stops: Sequence[int]
) -> None:
    """19 rows, 8 a step: three steps an epoch, the last of three rows. With accumulate 2 an epoch has five micro-batches."""
    some = tiny.rows(19)

    def job(name: str, *more: Callback, resume: Path | None = None) -> Any:
        callbacks = [EarlyStop(patience=20), *more, Journal(path=tmp_path / name / "events.jsonl")]
        settings = {**PLANS[plan], "epochs": 3, "evaluate_every": 2, "save_every": 1, "save_total_limit": 20}
        return tiny.job(tmp_path / name, moving, some, callbacks=callbacks, resume=resume, **settings)

    whole = fit(job("whole"))
    events = [steady(line) for line in read_lines(tmp_path / "whole" / "events.jsonl")]
    assert [line["event"] for line in events].count("step") == 9
    for stop in stops:
        name = f"stopped-{stop}"
        first = fit(job(name, StopAt(step=stop)))
        assert first.step == stop
        torch.manual_seed(999)  # whatever the process drew in between does not count
        second = fit(job(name, StopAt(step=-1), resume=latest(tmp_path / name)))
        assert (second.resumed_at, second.step, second.epoch) == (stop, 9, 3.0)
        same(whole.model, second.model)
        assert (second.best_step, second.best_score, second.tokens) == (whole.best_step, whole.best_score, whole.tokens)
        told = [steady(line) for line in read_lines(tmp_path / name / "events.jsonl")]
        assert [line for line in told if line["event"] in {"step", "evaluated"}] == [
            line for line in events if line["event"] in {"step", "evaluated"}
        ]
        assert [line["step"] for line in told if line["event"] == "resumed"] == [stop]


def test_a_run_that_had_ended_early_and_was_killed_before_it_was_saved_trains_no_further(
    fit: Callable[[Any], Run], still: Path, tmp_path: Path
) -> None:
    some = tiny.rows(16)
    settings: dict[str, Any] = {"batch_size": 2, "evaluate_every": 1}

    def job(*more: Callback, **parts: Any) -> Any:
        callbacks = [EarlyStop(patience=2), *more, Journal(path=tmp_path / "events.jsonl")]
        return tiny.job(tmp_path / "checkpoints", still, some, callbacks=callbacks, **settings, **parts)

    first = fit(job(Watcher(), evaluate=told([0.5, 0.4, 0.3])))
    watcher = Watcher()
    again = fit(job(watcher, evaluate=told([]), resume=latest(tmp_path / "checkpoints")))
    assert [event[0] for event in watcher._seen] == ["fit_start", "fit_end"], "no step, no look at the rows, no checkpoint"
    assert (again.stop, again.failed) == ("no better score in 2 evaluations", False)
    for name in ("step", "total_steps", "epoch", "tokens", "scores", "best_step", "best_score"):
        assert getattr(again, name) == getattr(first, name), name
    assert (again.step, again.total_steps, again.resumed_at, again.best_step) == (3, 8, 3, 1)
    same(first.model, again.model)
    assert [line["event"] for line in read_lines(tmp_path / "events.jsonl")][-2:] == ["resumed", "stopped"]


def test_patience_is_remembered_by_a_run_that_goes_on(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    some, scores = tiny.rows(16), [0.5, 0.4, 0.3, 0.2]
    settings: dict[str, Any] = {"batch_size": 2, "evaluate_every": 1}
    fit(tiny.job(tmp_path, still, some, callbacks=[EarlyStop(patience=3), StopAt(step=3)], evaluate=told(scores[:3]), **settings))
    later = tiny.job(
        tmp_path,
        still,
        some,
        callbacks=[EarlyStop(patience=3), StopAt(step=-1)],
        evaluate=told(scores[3:]),
        resume=latest(tmp_path),
        **settings,
    )
    run = fit(later)
    assert (run.step, run.best_step, run.best_score) == (4, 1, 0.5)


def test_a_checkpoint_of_another_recipe_is_refused(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    some = tiny.rows(8)
    fit(tiny.job(tmp_path, still, some, method="lora"))
    with pytest.raises(UserError, match=r"holds weights that this model does not have.*A checkpoint belongs to the recipe that wrote it"):
        fit(tiny.job(tmp_path, still, some, resume=latest(tmp_path)))


def test_every_row_is_seen_once_an_epoch_and_epochs_differ(
    fit: Callable[[Any], Run], still: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Passes, "_try_longest", lambda self, one: None)  # which looks at some rows before
    some, seen = tiny.rows(11), []
    job = tiny.job(tmp_path, still, some, batch_size=4, accumulate=2, epochs=2)
    texts = {tuple(piece["input_ids"]): index for index, piece in enumerate(job.pieces)}

    def collate(pieces: Any) -> Any:
        seen.extend(texts[tuple(piece["input_ids"])] for piece in pieces)
        return job.collate(pieces)

    fit(tiny.without(job, collate=collate))
    assert sorted(seen[:11]) == sorted(seen[11:]) == list(range(11))
    assert seen[:11] != seen[11:]
    assert seen == [row for epoch in (0, 1) for batch in job.order(epoch) for row in batch]


def test_rows_are_ordered_by_epoch_and_not_by_step(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    asked: dict[int, int] = {}
    for size in (2, 8):
        job = tiny.job(tmp_path / str(size), still, tiny.rows(16), batch_size=size, epochs=2)

        def order(epoch: int, of: Any = job.order, size: int = size) -> Any:
            asked[size] = asked.get(size, 0) + 1
            return of(epoch)

        assert fit(tiny.without(job, order=order)).step == 2 * 16 // size
    assert asked[2] == asked[8]


def test_what_a_kill_left_half_written_is_cleared_away(fit: Callable[[Any], Run], still: Path, tmp_path: Path) -> None:
    (tmp_path / ".checkpoint-1.deadbeef.part").mkdir()
    fit(tiny.job(tmp_path, still, tiny.rows(8)))
    assert [folder.name for folder in tmp_path.iterdir()] == ["checkpoint-1"]
    assert is_whole(tmp_path / "checkpoint-1")


def test_rows_that_processes_and_accumulation_do_not_divide_are_told(
    fit: Callable[[Any], Run], still: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    job = tiny.job(tmp_path, still, tiny.rows(8), batch_size=8)
    uneven = tiny.without(job, settings=job.settings.model_copy(update={"accumulate": 3}))
    with pytest.raises(UserError, match=r"train.batch_size 8 cannot be shared out over 1 processes and train.accumulate 3"):
        fit(uneven)
