"""The guards of a run, in both engines: asked at each step and each look, told of, and obeyed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tunewright.core.errors import Diverged
from tunewright.core.log import say
from tunewright.train.checkpoint import latest_sound, load_weights, plain_state, put_optimizer_back
from tunewright.train.guards.base import GO, Evaluated, Guard, Seen, Sighting, Verdict
from tunewright.train.run import Sighted, tell

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from tunewright.train.checkpoint import Parts
    from tunewright.train.processes import Processes
    from tunewright.train.run import Callback, Job, Run

DONE = {
    "go": "",
    "skip": "; the update is left out",
    "lower": "; every learning rate is multiplied by {factor:g}",
    "restore": "; weights and optimizer go back to the last checkpoint, and every learning rate is multiplied by {factor:g}",
    "end": "; the run ends",
    "fail": "; the run ends without a model",
}
MOST_NAMED = 16
"""Rows named on the screen; ``events.jsonl`` has all."""


class OnDuty:
    """The guards of a run.

    Args:
        job: whose ``guards`` they are.
        run: what they watch.
        processes: those that train together; all obey the same verdicts.
    """

    def __init__(self, job: Job, run: Run, processes: Processes) -> None:
        self._job, self._run, self._processes = job, run, processes
        together = {name: guard for name, guard in job.guards.items() if not guard.alone}
        self._groups = [(together, False), ({name: guard for name, guard in job.guards.items() if guard.alone}, True)]
        self._rates: list[Any] | None = None
        self._left_out = False
        self._back_to = ""

    def before_update(self, seen: Seen, parts: Parts, watchers: Iterable[Callback]) -> None:
        """Ask all, until one acts, and do what it wants done with the update.

        Raises:
            Diverged: a guard gave the run up; or the step has no finite numbers, and no guard cared.
        """
        name, found, verdict = self._ask("step", seen, watchers)
        finite = math.isfinite(seen.loss) and (math.isfinite(seen.grad_norm) or seen.scaled)
        if verdict.kind == "fail":
            _give_up(self._job.guards[name], found, seen.step)
        if not finite and verdict.kind in {"go", "lower"}:
            raise Diverged(
                f"at step {seen.step} the loss is {seen.loss} and the norm of the gradient {seen.grad_norm}",
                "Training goes on only with finite numbers; this update was not made",
                f"Lower train.learning_rate (it was {seen.learning_rate:.2g} here), raise train.warmup, or set train.precision: fp32",
            )
        if verdict.kind == "restore" and self._back_to:
            self._restore(parts, Path(self._back_to))
        self._left_out = verdict.kind in {"skip", "restore"} or not finite
        if self._left_out:
            for weight in (weight for group in parts.optimizer.param_groups for weight in group["params"]):
                weight.grad = None  # the optimizer passes over it
        self._lower_for_this_update(parts.optimizer)

    def after_update(self, parts: Parts) -> bool:
        """Put back the learning rates that the schedule has set.

        Returns:
            Whether a guard left the update out: the schedule moves on, also where a scaler (fp16) had left it out as well.
        """
        if self._rates is not None:
            for group, rate in zip(parts.optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate
        self._rates, left_out, self._left_out = None, self._left_out, False
        return left_out

    def evaluated(self, seen: Evaluated, watchers: Iterable[Callback]) -> None:
        """Ask all about a look at the validation rows.

        Raises:
            Diverged: a guard gave the run up.
        """
        name, found, verdict = self._ask("evaluated", seen, watchers)
        if verdict.kind == "fail":
            _give_up(self._job.guards[name], found, seen.step)

    def states(self) -> dict[str, dict[str, Any]]:
        """What each guard must remember, by name.

        Raises:
            UserError: something in it is no plain value.
        """
        return {name: plain_state(name, guard.state()) for name, guard in self._job.guards.items()}

    def restore(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Put back what ``states`` gave."""
        for name, guard in self._job.guards.items():
            if states[name]:
                guard.restore(states[name])

    def _ask(self, event: str, seen: Seen | Evaluated, watchers: Iterable[Callback]) -> tuple[str, Sighting, Verdict]:
        """Who acted, on what, and how; the last that only told, or nobody."""
        for guards, alone in self._groups:
            if alone and not guards:
                continue
            found = list(_seen_by(guards, event, seen)) if self._processes.first or not alone else []
            if alone:
                told: list[list[Any]] = [[name, *sighting, *verdict] for name, sighting, verdict in found]
                told = self._processes.agreed(told)
                found = [(name, Sighting(message, Verdict(*wanted), rows), Verdict(*rest)) for name, message, wanted, rows, *rest in told]
            if found:
                self._tell(found, seen.step, watchers)
                if found[-1][2] != GO:
                    return found[-1]
        return "", Sighting(""), GO

    def _tell(self, found: list[tuple[str, Sighting, Verdict]], step: int, watchers: Iterable[Callback]) -> None:
        """Tell watchers and the screen what was seen, and do what concerns the whole run."""
        run, told = self._run, []
        for name, sighting, verdict in found:
            guard = self._job.guards[name]
            if verdict.kind == "restore":
                self._back_to = self._processes.agreed(str(latest_sound(self._job.folder, run.step) or ""))
                verdict = verdict if self._back_to else Verdict("lower", verdict.factor)
            told.append(Sighted(name, step, sighting.message, guard.remedy, verdict.kind, verdict.factor, tuple(sighting.rows)))
            run.rate_factor *= verdict.factor
            if verdict.kind == "end":
                run.stop = run.stop or f"{name}: {sighting.message}"
            if guard.loud(step) and self._processes.first:
                done = DONE[verdict.kind].format(factor=verdict.factor)
                say(f"{name} at step {step}: {_with_rows(sighting)}{done}. It may mean {guard.means}. {guard.remedy}")
        run.sighted = tuple(told)
        tell(watchers, "sighted", run)

    def _restore(self, parts: Parts, checkpoint: Path) -> None:
        """Weights and optimizer as a checkpoint has them; learning rates as they are now."""
        if self._job.before_step:
            self._job.before_step(1.0)  # all that are ever trained, or they would be taken for weights of another model
        load_weights(parts.model, checkpoint)
        put_optimizer_back(parts.optimizer, checkpoint)

    def _lower_for_this_update(self, optimizer: Optimizer) -> None:
        if self._run.rate_factor != 1:
            self._rates = [group["lr"] for group in optimizer.param_groups]
            for group, rate in zip(optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * self._run.rate_factor


def _seen_by(guards: Mapping[str, Guard], event: str, seen: Any) -> Iterable[tuple[str, Sighting, Verdict]]:
    """What they see, one after the other, until one acts."""
    for name, guard in guards.items():
        found = getattr(guard, event)(seen)
        if found is not None:
            verdict = guard.decide(found)
            yield name, found, verdict
            if verdict != GO:
                return


def _with_rows(sighting: Sighting) -> str:
    named, more = ", ".join(sighting.rows[:MOST_NAMED]), len(sighting.rows) - MOST_NAMED
    return sighting.message + (f" (rows: {named}" + (f" and {more} more" if more > 0 else "") + ")" if named else "")


def _give_up(guard: Guard, sighting: Sighting, step: int) -> NoReturn:
    raise Diverged(f"at step {step} {_with_rows(sighting)}", f"Training cannot go on. It may mean {guard.means}", guard.remedy)
