"""What a run will take on this machine: a few of its own steps are run on throwaway weights, and counted up."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PrivateAttr

from tunewright.core.chance import generator
from tunewright.core.errors import Diverged
from tunewright.core.folder import write_bytes
from tunewright.model.device import Watch
from tunewright.model.size import (
    Size,
    looks_and_saves,
    mean_step_seconds,
    size_of,
    size_without_weights,
    step_costs,
    steps_to_time,
    total_steps,
)
from tunewright.pipeline.frozen import frozen_states, plan_bytes
from tunewright.pipeline.job import job_of, scorer
from tunewright.pipeline.plan import Plan, order_of
from tunewright.pipeline.room import needed_bytes
from tunewright.pipeline.trial import Enough, try_steps
from tunewright.train.run import Callback, Run

if TYPE_CHECKING:
    from torch import nn

ROUNDS = 4
"""How often each chosen step is timed at most."""
LEAST_STEPS = 8
BUDGET_S = 20.0
"""Seconds after which no further step is begun, once ``LEAST_STEPS`` were run."""
LOOKED_AT_ROWS = 256
"""Validation rows whose scoring is timed."""
DISK_BYTES = 1 << 24
AROUND_S = 25.0
"""Seconds of a run on two cores that are no training: loading, the proof in a fresh process, baselines, intervals, the report. Measured:
docs/lab-log.md."""
GROWTH = 1.1
"""Resident memory of a whole run over that of the trial: batches of more shapes leave more holes, and the trained model is saved and loaded
again beside itself. Measured: 0.87 to 1.0 on the shipped recipes (docs/lab-log.md), more on short runs."""


def estimate(plan: Plan) -> dict[str, Any]:
    """Parameters, memory, seconds and disk of a run, measured on its own batches with drawn weights; nothing is kept.

    Args:
        plan: of the run.

    Returns:
        ``parameters, trainable, memory_bytes, train_seconds, total_seconds, steps, ...``; what could not be measured says why.

    Raises:
        UserError: the settings cannot be trained with, as when ``train.best_by`` names no score.
    """
    import torch

    from tunewright.model.build import skeleton
    from tunewright.model.device import keep_less

    keep_less(small=plan_bytes(plan) > 0)  # as a run does
    recipe = plan.recipe
    size = size_without_weights(plan.base, recipe.model, recipe.task, recipe.method)
    known = {
        "parameters": size.parameters,
        "trainable": size.trainable,
        "checkpoint_bytes": size.checkpoint_bytes,
        "frozen_cache_bytes": plan_bytes(plan),
        "disk_bytes": needed_bytes(plan, size) + plan_bytes(plan),
    }
    if why := _too_large(size):
        return known | _not_measured(why)
    steps, costs = _steps(plan)
    watch, memory = _Watch(), Watch()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            with torch.random.fork_rng():
                model = skeleton(plan.base, recipe.model, recipe.task, recipe.method)
            looked, caching = _trial(plan, model.to(getattr(torch, recipe.model.precision)), steps, costs, watch, Path(scratch))
            writing = _seconds_per_byte(Path(scratch))
        except (RuntimeError, MemoryError, Diverged) as error:
            return known | _not_measured(
                f"a step of this run does not work here: {(str(error) or type(error).__name__).splitlines()[0][:200]}"
            )
        finally:
            memory.end()
    gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    saved = size_of(model).weight_bytes - size.weight_bytes  # the trial has full weights where the run has quantised ones
    taken = {"memory_bytes": int(memory.peak * GROWTH) + gpu - saved, "gpu_memory_bytes": gpu}
    return known | taken | _seconds(plan, size, costs, watch, (looked, caching), writing)


def _not_measured(why: str) -> dict[str, Any]:
    return {name: {"not_measured": why} for name in ("memory_bytes", "train_seconds", "total_seconds")}


def _too_large(size: Size) -> str:
    """Why not even the weights and what the optimizer keeps of them go into memory; empty when they do."""
    import psutil
    import torch

    free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available
    if size.training_bytes < free:
        return ""
    return (
        f"weights, gradients and optimizer alone take {size.training_bytes / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free here; "
        "set method: lora, or take a smaller model.base"
    )


def _seconds(plan: Plan, size: Size, costs: Any, watch: _Watch, trial: tuple[float, float], writing: float) -> dict[str, Any]:
    """The seconds of training, looking and saving, and those of the whole run.

    Args:
        plan: of the run.
        size: of its model.
        costs: (steps,) of the steps of an epoch.
        watch: what the trial timed.
        trial: seconds of a look at the validation rows, and of the cache of frozen layers.
        writing: seconds per byte of a checkpoint.
    """
    train, (looked, caching) = plan.recipe.train, trial
    steps = total_steps(len(costs), train.epochs, train.max_steps)
    looks, saves = looks_and_saves(steps, len(costs), train.evaluate_every, train.save_every)
    timed = [(int(costs[index]), seconds) for index, seconds in zip(watch.run, watch.seconds, strict=False)][1:]
    stepping = steps * mean_step_seconds(costs, timed)
    warming = max(0.0, watch.seconds[0] - max(seconds for _, seconds in timed))  # the first step of a process is slow
    seconds = caching + warming + stepping + looks * looked + saves * size.checkpoint_bytes * writing
    tested = plan.dataset.summary()["splits"]["test"]["rows"] / max(len(plan.validation[0]), 1)
    after = AROUND_S + looked * (3 + tested) + (size.checkpoint_bytes + size.weight_bytes) * writing
    return {
        "train_seconds": round(seconds, 2),
        "total_seconds": round(seconds + after, 2),
        "steps": steps,
        "epochs": train.epochs,
        "step_seconds": round(stepping / steps, 4),
        "evaluations": looks,
        "evaluation_seconds": round(looked, 3),
        "frozen_cache_seconds": round(caching, 2),
        "checkpoints": saves + 1,
        "timed_steps": len(timed),
    }


def _steps(plan: Plan) -> tuple[list[list[list[int]]], Any]:
    """The steps of the first epoch, each a list of micro-batches, and what they cost; a last step with fewer of them left out."""
    micro, together = order_of(plan)(0), plan.recipe.train.accumulate
    steps = [micro[start : start + together] for start in range(0, len(micro), together)]
    return steps, step_costs(steps, plan.train[1].lengths)


class _Watch(Callback):
    """Times the steps of a trial, and ends it when its time is up."""

    _began: float = PrivateAttr(0.0)
    _last: float = PrivateAttr(0.0)
    _seconds: list[float] = PrivateAttr(default_factory=list)
    _run: list[int] = PrivateAttr(default_factory=list)

    @property
    def seconds(self) -> list[float]:
        """Of each step that was run."""
        return self._seconds

    @property
    def run(self) -> list[int]:
        """Which steps of the epoch were to be run, in order."""
        return self._run

    def fit_start(self, run: Run) -> None:
        self._began = self._last = time.perf_counter()

    def step_end(self, run: Run) -> None:
        now = time.perf_counter()
        self._seconds.append(now - self._last)
        self._last = now
        if run.step == run.total_steps or (len(self._seconds) >= LEAST_STEPS and now - self._began > BUDGET_S):
            raise Enough


def _trial(plan: Plan, model: nn.Module, steps: list[list[list[int]]], costs: Any, watch: _Watch, scratch: Path) -> tuple[float, float]:
    """Run some steps in the recipe's own engine, then score some validation rows.

    Returns:
        The seconds that scoring all validation rows would take, and those of the cache of frozen layers, where there is one.
    """
    from tunewright.model.build import Built, frozen_part
    from tunewright.train.callbacks.journal import Journal

    recipe = plan.recipe
    whole = [index for index, step in enumerate(steps) if len(step) == len(steps[0])]
    watch.run.extend(whole[index] for index in steps_to_time(costs[whole], ROUNDS))
    few, micro = _few(plan, [batch for index in watch.run for batch in steps[index]], scratch)
    built = Built(model, (), frozenset(), frozen=frozen_part(model, recipe.method, plan.base))
    frozen = frozen_states(few, built)
    usual = job_of(scratch, few, built, lambda _: {}, None, frozen=frozen)
    try_steps(usual, {"max_steps": len(watch.run)}, [Journal(path=scratch / "events.jsonl"), watch], scratch, micro)
    scores, began = scorer(few, frozen), time.perf_counter()
    scores(model)
    looked = (time.perf_counter() - began) * sum(plan.validation[1].lengths) / max(sum(few.validation[1].lengths), 1)
    tokens, tried = (sum(one.train[1].lengths) + sum(one.validation[1].lengths) for one in (plan, few))
    return looked, frozen.seconds * tokens / max(tried, 1) if frozen else 0.0


def _few(plan: Plan, micro: list[list[int]], scratch: Path) -> tuple[Plan, list[list[int]]]:
    """The plan with the rows alone that a trial needs, and its micro-batches in their numbers; nothing of it is kept.

    The score that chooses the checkpoint must be among those of the validation rows that stay.
    """
    from tunewright.data.encode import EncodedRows
    from tunewright.tasks.base import Encoded

    pieces = plan.train[1].pieces
    used = sorted({piece for batch in micro for piece in batch})
    number = {piece: at for at, piece in enumerate(used)}
    train = EncodedRows(tuple(Encoded((pieces[piece],), len(pieces[piece]["input_ids"]), 0) for piece in used), from_cache=False)
    rows, encoded = plan.validation
    drawn = generator(0, "trial").sample(range(len(rows)), min(LOOKED_AT_ROWS, len(rows)))
    by_length = sorted(range(len(rows)), key=lambda index: encoded.encoded[index].tokens)
    chosen = sorted({*drawn, *by_length[-plan.recipe.evaluate.batch_size :]})  # the longest rows take the most memory
    looked_at = replace(encoded, encoded=tuple(encoded.encoded[index] for index in chosen))
    recipe = plan.recipe.model_copy(update={"output_dir": str(scratch)})
    few = replace(plan, recipe=recipe, train=([], train), validation=([rows[index] for index in chosen], looked_at))
    return few, [[number[piece] for piece in batch] for batch in micro]


def _seconds_per_byte(folder: Path) -> float:
    """Of writing a checkpoint here: on the disk, and hashed."""
    data = bytes(DISK_BYTES)
    began = time.perf_counter()
    write_bytes(folder / "written", data)
    sha256(data).digest()
    return (time.perf_counter() - began) / DISK_BYTES
