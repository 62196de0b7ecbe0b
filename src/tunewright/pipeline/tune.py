"""The verbs ``tune lr`` and ``tune batch``: steps that are thrown away tell which learning rate, and how many rows a pass, do well here."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PrivateAttr

from tunewright.core.chance import seed_for
from tunewright.core.errors import Diverged, UserError
from tunewright.core.log import calm_libraries, say
from tunewright.pipeline.ahead import find_all
from tunewright.pipeline.frozen import frozen_states
from tunewright.pipeline.job import job_of
from tunewright.pipeline.make_plan import make_plan
from tunewright.pipeline.plan import Plan
from tunewright.pipeline.prepare import prepare
from tunewright.pipeline.recipe import Recipe
from tunewright.pipeline.trial import Enough, try_steps
from tunewright.report.curve import smoothed
from tunewright.train.run import Callback, Run
from tunewright.train.schedules.base import Schedule

if TYPE_CHECKING:
    from tunewright.model.build import Built
    from tunewright.pipeline.frozen import Frozen

RANGE = 100.0
"""The rates that are tried go from that part of the recipe's own to that many times it."""
FEWEST_STEPS = 20
SMOOTH = 0.9
"""Weight of what came before in the smoothed loss."""
LOST = 2.0
"""Times its least, from which on a smoothed loss is lost, and no higher rate is tried."""
FALL = 0.02
"""Share of the first loss by which it must fall for a rate to be advised."""
BELOW = 10.0
"""How far below the rate of the least loss the advice lies: at that rate itself the loss stops falling."""
TIMED = 4
"""Steps of each size; the first warms up and does not count."""
LARGEST = 1024
GAIN = 1.05
"""What a size must give over the fastest smaller one to be worth its memory."""
ENOUGH = 3
"""Doublings without gain after which no larger size is tried."""


class Rising(Schedule):
    """Rises from one rate to another by the same factor in every step."""

    times: float

    def factor(self, done: int, steps: int) -> float:
        return float(self.times ** (done / max(1, steps - 1)))


class _Losses(Callback):
    """Notes rate and loss of each step, and ends the run at the last one or when the loss is lost."""

    _rates: list[float] = PrivateAttr(default_factory=list)
    _losses: list[float] = PrivateAttr(default_factory=list)

    def step_end(self, run: Run) -> None:
        if not math.isfinite(run.loss):
            raise Enough
        self._rates.append(run.learning_rate)
        self._losses.append(run.loss)
        smooth = smoothed(self._losses, SMOOTH)
        if run.step >= run.total_steps or (len(smooth) > FEWEST_STEPS and smooth[-1] > LOST * min(smooth)):
            raise Enough

    @property
    def told(self) -> tuple[list[float], list[float]]:
        """(rates, losses) of the steps that were made."""
        return self._rates, self._losses


class _Paces(Callback):
    """Notes the seconds of each step, and ends the run at the last one."""

    _at: list[float] = PrivateAttr(default_factory=list)
    _whole: bool = PrivateAttr(False)

    def fit_start(self, run: Run) -> None:
        self._note()

    def step_end(self, run: Run) -> None:
        self._note()
        self._whole = run.step >= run.total_steps and not run.pass_cells
        if run.step >= run.total_steps or run.pass_cells:
            raise Enough

    def _note(self) -> None:
        self._at.append(time.perf_counter())

    @property
    def failed(self) -> bool:
        """Whether memory did not do for the steps."""
        return not self._whole

    @property
    def seconds(self) -> list[float]:
        """Of each step but the first."""
        return [after - before for before, after in zip(self._at[1:], self._at[2:], strict=False)]


def rates(recipe: Recipe, where: Path, steps: int = 100) -> dict[str, Any]:
    """Train with a rate that rises in each step, and see where the loss falls and where it is lost; nothing is kept but the dataset.

    Args:
        recipe: as the user has it.
        where: the recipe's folder.
        steps: from the lowest rate to the highest.

    Returns:
        ``tried`` (each ``rate, loss, smoothed``), ``steepest, least, advice`` (rates), ``own`` (the recipe's rate) and ``lost`` (the rate
        at which the run was given up, or null).

    Raises:
        UserError: the settings cannot be trained with, or no rate makes the loss fall.

    Source: the range test of Smith 2017 (arXiv:1506.01186), section 3.3.
    """
    if steps < FEWEST_STEPS:
        raise UserError(f"--steps {steps} are too few to see anything", f"{FEWEST_STEPS} or more are wanted", "As in: --steps 100")
    with _ready(recipe, where) as trial:
        train, watch = trial.plan.recipe.train, _Losses()
        own, head = float(train.learning_rate), float(train.head_learning_rate)
        low = {"learning_rate": own / RANGE, "head_learning_rate": head / RANGE}
        say(f"Trying {steps} rates from {own / RANGE:.1e} to {own * RANGE:.1e}, one a step")
        trial.fit({**low, "schedule": Rising(times=RANGE**2), "warmup": 0.0, "max_steps": steps}, watch)
        tried, losses = watch.told
    return {"own": own, **advice(tried, losses), "lost": tried[-1] if len(tried) < steps else None}


def advice(tried: Sequence[float], losses: Sequence[float]) -> dict[str, Any]:
    """What the losses of rising rates say.

    Args:
        tried: rates, ascending.
        losses: of the steps that were made at them, before their updates.

    Raises:
        UserError: the loss never fell.
    """
    smooth = smoothed(losses, SMOOTH)
    least = min(range(len(smooth)), key=smooth.__getitem__, default=0)
    if least < 2 or smooth[least] > (1 - FALL) * smooth[0]:
        raise UserError(
            f"the loss did not fall at any of the {len(smooth)} rates that were tried (from {smooth[0]:.3f} to {smooth[least]:.3f} at best)"
            if smooth
            else "the loss was no number at the lowest rate",
            "It falls where there is something to learn, and steps enough for it",
            "Try more steps (--steps 300), another train.learning_rate, or look at the rows (tunewright check)",
        )
    falls = [(smooth[at + 1] - smooth[at - 1]) / math.log(tried[at + 1] / tried[at - 1]) for at in range(1, least)]
    steepest = tried[1 + min(range(len(falls)), key=falls.__getitem__)]
    lines = [
        {"rate": rate, "loss": round(loss, 5), "smoothed": round(mean, 5)} for rate, loss, mean in zip(tried, losses, smooth, strict=True)
    ]
    return {"steepest": steepest, "least": tried[least], "advice": float(f"{tried[least] / BELOW:.2g}"), "tried": lines}


def sizes(recipe: Recipe, where: Path, largest: int = LARGEST) -> dict[str, Any]:
    """Time passes of 1, 2, 4... of the longest training rows, until memory fails or more rows bring nothing.

    Args:
        recipe: as the user has it.
        where: the recipe's folder.
        largest: rows that are tried at most.

    Returns:
        ``tried`` (each ``rows, rows_per_second, memory_bytes``, the growth of this process), ``failed`` (the size at which memory failed,
        or null), ``fastest`` (the least size within 5 % of the fastest), ``batch_size`` (the recipe's) and the ``accumulate`` that suits.

    Raises:
        UserError: the settings cannot be trained with, or not even one row fits.
    """
    from tunewright.model.device import Watch

    if largest < 1:
        raise UserError(f"--largest {largest} is no size", "A number from 1 on is wanted", "As in: --largest 256")
    with _ready(recipe, where) as trial:
        tried: list[dict[str, Any]] = []
        failed, rows, lengths = None, 1, trial.plan.train[1].lengths
        longest = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
        while failed is None and rows <= min(largest, len(lengths)) and not _no_gain(tried):
            say(f"Passes over {rows} row(s)")
            paces, memory = _Paces(), Watch()
            trial.fit({"batch_size": rows, "batch_tokens": None, "accumulate": 1, "max_steps": TIMED}, paces, [longest[:rows]] * TIMED)
            memory.end()
            if paces.failed:
                failed = rows
            else:
                pace = rows / min(paces.seconds)
                tried.append({"rows": rows, "rows_per_second": round(pace, 2), "memory_bytes": memory.growth})
                rows *= 2
        own = trial.plan.recipe.train.batch_size
    fastest = min(one["rows"] for one in tried if GAIN * one["rows_per_second"] >= max(other["rows_per_second"] for other in tried))
    accumulate = max(1, math.ceil(own / fastest))
    while own % accumulate:
        accumulate += 1
    return {"tried": tried, "failed": failed, "fastest": fastest, "batch_size": own, "accumulate": accumulate}


def told_of_rates(facts: Mapping[str, Any], recipe: Path | str) -> str:
    """What ``rates`` gave, in words."""
    tried = facts["tried"]
    shown = tried[:: max(1, len(tried) // 12)]
    most = max(one["smoothed"] for one in shown)
    lines = [f"  {one['rate']:8.1e}  {one['smoothed']:7.3f}  {'#' * round(40 * one['smoothed'] / most)}" for one in shown]
    lost = f" At {facts['lost']:.1e} it was lost." if facts["lost"] else ""
    return "\n".join(
        [
            "      rate     loss (smoothed, in nats)",
            *lines,
            f"The loss fell fastest at {facts['steepest']:.1e} and was least at {facts['least']:.1e}.{lost}",
            f"The recipe's rate is {facts['own']:.1e}; a tenth of the rate with the least loss is {facts['advice']:.1e}.",
            "Some steps are a hint and no proof: compare whole runs on the validation rows.",
            f"Next: tunewright run {recipe} --set train.learning_rate={facts['advice']:.1e}",
        ]
    )


def told_of_sizes(facts: Mapping[str, Any], recipe: Path | str) -> str:
    """What ``sizes`` gave, in words."""
    lines = [f"  {one['rows']:5,}  {one['rows_per_second']:12,.1f}  {one['memory_bytes'] / 1e9:8.2f} GB" for one in facts["tried"]]
    failed = [f"Memory fails in a pass over {facts['failed']:,} rows."] if facts["failed"] else []
    return "\n".join(
        [
            "   rows  rows a second  memory more (the longest rows)",
            *lines,
            *failed,
            f"Passes over {facts['fastest']:,} row(s) are as fast as any. The recipe's {facts['batch_size']:,} rows a step, in passes of "
            f"{facts['batch_size'] // facts['accumulate']:,}: train.accumulate: {facts['accumulate']}",
            f"Next: tunewright run {recipe} --set train.accumulate={facts['accumulate']}",
        ]
    )


def _no_gain(tried: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last sizes were no faster than smaller ones."""
    if len(tried) <= ENOUGH:
        return False
    paces = [one["rows_per_second"] for one in tried]
    return float(max(paces[-ENOUGH:])) < GAIN * float(max(paces[:-ENOUGH]))


@contextmanager
def _ready(recipe: Recipe, where: Path) -> Iterator[_Trial]:
    """A trial of a recipe, whose model has the weights of the base; what it writes is thrown away."""
    from tunewright.model.build import build
    from tunewright.model.device import load_whole

    calm_libraries()
    if recipe.data.streaming:
        raise UserError("a stream cannot be tried like this", "Its longest rows are not known", "Leave data.streaming out for the trial")
    found = find_all(recipe, where)
    plan = make_plan(recipe, where, prepare(recipe, where, locked=True), found)
    built = build(plan.base, plan.recipe.model, plan.recipe.task, plan.recipe.method, seed_for(recipe.seed, "head"))
    load_whole(built.model)
    with tempfile.TemporaryDirectory() as scratch:
        yield _Trial(plan, built, frozen_states(plan, built), Path(scratch))


@dataclass(frozen=True)
class _Trial:
    plan: Plan
    built: Built
    frozen: Frozen | None
    scratch: Path

    def fit(self, changes: Mapping[str, Any], watch: Callback, order: Sequence[Sequence[int]] | None = None) -> None:
        """Some steps in the recipe's own engine, with other settings and perhaps other micro-batches.

        Raises:
            UserError: memory fails with a single row.
        """
        job = job_of(self.scratch, self.plan, self.built, lambda _: {}, None, frozen=self.frozen)
        with suppress(Diverged):
            try_steps(replace(job, watch=None), changes, [watch], self.scratch, order)
