"""The course of a run, whoever drives its steps: losses, watchers, looks at the validation rows, checkpoints, and going on from one."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tunewright.core.errors import DiskFull, UserError
from tunewright.core.folder import clear_halves
from tunewright.core.log import say
from tunewright.train.callbacks.guests import CallbackBroke, careful, exported, put_exported_back, wants_logs
from tunewright.train.callbacks.signals import WORDS
from tunewright.train.chance_state import chance_state, put_chance_back
from tunewright.train.checkpoint import (
    Parts,
    are_finite,
    chance_of,
    load_weights,
    plain_state,
    progress_of,
    prune,
    put_back,
    same_run,
    write,
)
from tunewright.train.dropout import quick_dropout
from tunewright.train.guards.base import Evaluated, Seen
from tunewright.train.guards.duty import OnDuty
from tunewright.train.guards.layers import layer_norms
from tunewright.train.memory import Passes
from tunewright.train.processes import Processes
from tunewright.train.run import Batch, Job, Run, Watched, in_json, tell
from tunewright.train.share import EMPTY

COUNTERS = ("step", "total_steps", "epoch", "loss", "learning_rate", "grad_norm", "tokens", "seconds", "stop")
KEPT_OF_A_RUN = (*COUNTERS, "rate_factor", "pass_cells", "scores", "best_step", "best_score")
"""What a run that goes on must know of what it did before."""
ROOM_MINUTES = 10.0
"""How long a run that has come to its end waits for room on a full disk."""
LOOK_FOR_ROOM_S = 5.0
MAY_CHANGE = {"save_every", "save_total_limit", "save_minutes", "stop_after_minutes"}
"""Keys of ``train`` that a run may go on with another value of: they decide when it saves and ends, and nothing that it computes."""


class Course:
    """What both engines do around the updates of a run.

    Args:
        job: what is trained.
        device: where this process computes.
    """

    def __init__(self, job: Job, device: torch.device) -> None:
        self.job, self.run = job, Run(job.model)
        self.processes, self._device = Processes(device), device
        self.guards = OnDuty(job, self.run, self.processes)
        self.watchers = [one for one in job.callbacks if one.everywhere or self.processes.first]
        self.passes = Passes(job, self.run, self.processes, device, self.watchers, self._forget)
        self.epoch_steps = 0
        """Steps of an epoch; those of the whole run where epochs have no length."""
        self.position: Callable[[], Any] = lambda: None
        """Where a stream goes on, asked when a checkpoint is written."""
        self.resumed_position: Any = None
        """What ``position`` gave when the checkpoint was written from which the run goes on."""
        self.broken: list[CallbackBroke] = []
        """Errors of callbacks that the recipe names: the run ends with the first of them, after a checkpoint."""
        self.guests = [careful(guest.make(), guest, self.broken) for guest in job.settings.callbacks]
        """Callbacks of Transformers that the recipe names."""
        self.logs = wants_logs(self.guests)
        """Whether one of them hears of losses."""
        self._sums: list[Tensor] = []
        self._watch = None if job.stream else job.watch
        self._watched: list[Tensor] = []
        self._epoch: tuple[int, Sequence[Sequence[int]]] = (-1, ())
        self._items: Tensor | float = 0.0
        self._started = self._since = 0.0
        self._saved_best: tuple[int | None, float | None] = None, None

    @contextmanager
    def told(self) -> Iterator[None]:
        """Drive a job inside of this: dropout is quick, and the watchers are told of the end, also of one by an error."""
        clear_halves(self.job.folder)
        try:
            with quick_dropout():
                yield
            if self.broken:
                raise self.broken[0]
        except BaseException as error:
            self.run.failed, self.run.stop = True, error.found if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            for callback in self.watchers:
                with suppress(Exception):  # handlers are put back and files closed; the error that ended the run is the one to tell
                    callback.fit_end(self.run)
            raise
        tell(self.watchers, "fit_end", self.run)

    def begin(self, total_steps: int) -> None:
        """Tell the watchers that the first step comes."""
        run = self.run
        run.total_steps, self._started = total_steps, time.monotonic() - run.seconds
        self._since = time.monotonic()
        tell(self.watchers, "fit_start", run)
        self._states()
        self.guards.states()

    def before_step(self) -> None:
        """Let the job decide which weights need a gradient in the step that begins."""
        if self.job.before_step:
            self.job.before_step(self.run.step / self.run.total_steps)

    def count(self, batches: Sequence[Mapping[str, Any]]) -> Tensor:
        """Labelled items of a step: of these micro-batches and those of all processes."""
        self.passes.begin_step()
        own = torch.tensor(sum(self.job.count(batch) for batch in batches if EMPTY not in batch), device=self._device)
        self._items = self.processes.summed(own)
        return self._items

    def loss(self, model: nn.Module, batch: dict[str, Any], items: Tensor) -> tuple[Tensor, Any]:
        """The share of a micro-batch in the mean loss of its step, and the outputs of the model.

        Args:
            model: as the engine has wrapped it.
            batch: a micro-batch on the device; the mark of an empty one is taken out.
            items: what ``count`` gave for the step.
        """
        share = 0.0 if batch.pop(EMPTY, False) else 1.0
        loss = self.job.loss_fn(model, batch)
        if self._watch and share:
            self._watched.append(self._watch(loss.outputs.detach(), batch["labels"]))
        total = loss.total * share
        self._sums.append(torch.stack([total.detach().double(), _tokens(batch, total.device).double() * share]))
        # gradients are averaged over the processes, but the count is already that of all of them
        return total * self.processes.count / items, loss.outputs

    def before_update(self, parts: Parts, grad_norm: Any, learning_rate: float) -> None:
        """Note the step whose gradients are ready, and let the guards look at it. One wait for the device.

        Args:
            parts: what a guard may take back to a checkpoint; with a scaler (fp16), updates whose gradients are not finite are skipped.
            grad_norm: before clipping.
            learning_rate: of the encoder's weights in this step, as the schedule has it.

        Raises:
            Diverged: the loss or the gradient left the finite numbers, and no guard knew what to do.
        """
        run, own = self.run, torch.stack(self._sums).sum(0)
        self._sums.clear()
        total, tokens = self.processes.summed(own).tolist()
        items, seconds = float(self._items), time.monotonic() - self._since
        run.loss, run.tokens = total / items if items else math.nan, run.tokens + int(tokens)
        run.grad_norm, run.learning_rate = float(grad_norm), learning_rate * run.rate_factor
        run.watched = self._watched_rows()
        seen = Seen(
            step=run.step + 1,
            total_steps=run.total_steps,
            epoch_steps=self.epoch_steps,
            loss=run.loss,
            items=items,
            grad_norm=run.grad_norm,
            learning_rate=run.learning_rate,
            seconds=seconds,
            tokens=int(tokens),
            scaled=parts.scaler is not None,
            rows=self._rows,
            gradients=lambda: layer_norms(self.job.model, self.job.head_weights),
            folder=self.job.folder,
        )
        self.guards.before_update(seen, parts, self.watchers)
        run.learning_rate, self._since = learning_rate * run.rate_factor, time.monotonic()

    def step_done(self, epoch: float) -> None:
        """Count a step, tell the watchers, and decide what comes after it: ``run.evaluate``, ``run.save``, ``run.stop``."""
        run, settings = self.run, self.job.settings
        run.step, run.epoch, run.seconds = run.step + 1, epoch, self._clock()
        if self.job.before_step:
            self.job.before_step(1.0)
        tell(self.watchers, "step_end", run)
        self.agree()
        every, last = settings.evaluate_every or self.epoch_steps, run.step >= run.total_steps
        run.evaluate = run.evaluate or last or run.step % every == 0
        run.save = run.save or last or bool(run.stop) or run.step % (settings.save_every or every) == 0
        if (run.evaluate or run.save) and not last and not are_finite(self.job.model.parameters()):
            run.evaluate, run.save = False, bool(run.stop)  # nothing to look at or to go back to: a guard may yet mend it

    def agree(self) -> None:
        """What the callbacks of the first process ask for, asked for in all of them."""
        run = self.run
        asked: list[Any] = [run.stop, run.evaluate, run.save]
        run.stop, run.evaluate, run.save = self.processes.agreed(asked)

    def evaluate(self, model: nn.Module) -> None:
        """Look at the validation rows, and have the first best score saved.

        Raises:
            Diverged: a guard gave the run up.
        """
        run, job, begun = self.run, self.job, time.monotonic()
        run.evaluate = False
        run.scores = self.processes.agreed(job.evaluate(model) if self.processes.first else {})
        score, best = run.scores[job.best_by], run.best_score
        if best is None or math.isnan(best) or (score > best if job.higher_is_better else score < best):
            run.best_score, run.best_step, run.save = score, run.step, True
        run.seconds = self._clock()
        tell(self.watchers, "evaluated", run)
        self.guards.evaluated(self._evaluated(), self.watchers)
        self.agree()
        run.save = run.save or bool(run.stop)
        self._since += time.monotonic() - begun

    def save(self, parts: Parts, more: Callable[[Path], None] = lambda half: None) -> None:
        """Write a checkpoint after this step, with the streams of randomness of every process.

        Where the disk is full, training goes on without it; the last one of a run is waited for.

        Raises:
            DiskFull: there was no room for the last one, for ``ROOM_MINUTES``; or none, and the run was asked to end at once.
        """
        run, begun, last = self.run, time.monotonic(), self.run.step >= self.run.total_steps or bool(self.run.stop)
        run.save, wait_until = False, begun + (0 if run.stop in WORDS.values() else 60 * ROOM_MINUTES)
        chance = self.processes.gathered(chance_state(self._device))
        while full := self.processes.agreed(self._written(parts, chance, more) if self.processes.first else ""):
            if not last:
                break
            if self.processes.agreed(time.monotonic() >= wait_until):
                raise DiskFull(full, "", "Make room there, and go on from the checkpoint before")
            if self.processes.first:
                say(f"{full}: waiting for room, for {ROOM_MINUTES:g} minutes at most, to save what was trained last")
            time.sleep(LOOK_FOR_ROOM_S)
        if full:
            self._left_unsaved(full)
        else:
            self._saved_best = run.best_step, run.best_score
        self._since += time.monotonic() - begun

    def _written(self, parts: Parts, chance: list[dict[str, Any]], more: Callable[[Path], None]) -> str:
        """Write a checkpoint; why there was no room for it, or nothing."""
        run, job = self.run, self.job
        try:
            write(job.folder / f"checkpoint-{run.step}", parts, chance, self._progress(), more)
        except DiskFull as error:
            return error.found
        prune(job.folder, job.settings.save_total_limit, run.best_step)
        tell(self.watchers, "saved", run)
        return ""

    def _left_unsaved(self, why: str) -> None:
        """Go on without the checkpoint of this step; the best one is the best of those that were saved."""
        run = self.run
        lost = f" Step {run.step} had the best score so far, and is not the best any more" if run.best_step == run.step else ""
        run.unsaved, (run.best_step, run.best_score) = why, self._saved_best
        if self.processes.first:
            say(f"The checkpoint of step {run.step} was not written: {why}. Training goes on, and the next is written in its turn.{lost}")
        tell(self.watchers, "unsaved", run)

    def take_over(self, checkpoint: Path) -> bool:
        """Give the model, the counters and the callbacks what a checkpoint keeps of them.

        Returns:
            Whether that run had come to its end, so that nothing is left to train.

        Raises:
            UserError: the checkpoint is damaged, or belongs to another recipe or other data; each difference is named.
        """
        kept, run = progress_of(checkpoint), self.run
        same_run(kept["identity"], self._identity(), checkpoint)
        load_weights(self.job.model, checkpoint)
        for name in KEPT_OF_A_RUN:
            setattr(run, name, kept[name])
        run.loss, run.grad_norm = (math.nan if value is None else value for value in (run.loss, run.grad_norm))
        self._saved_best = run.best_step, run.best_score
        run.resumed_at, self.resumed_position = run.step, kept["stream"]
        for guest, state in zip(self.guests, kept.get("guests", ()), strict=True):
            put_exported_back(guest, state)
        for callback, state in zip(self.job.callbacks, kept["callbacks"], strict=True):
            if state:
                callback.restore(state)
        self.guards.restore(kept["guards"])
        return bool(run.stop) or run.step >= run.total_steps

    def put_chance_back(self, checkpoint: Path) -> None:
        """Have the streams of randomness go on where they were when a checkpoint was written; the last thing before its next step."""
        put_chance_back(chance_of(checkpoint, self.processes.number), self._device)

    def put_back(self, checkpoint: Path, parts: Parts) -> None:
        """Give optimizer, schedule and scaler what a checkpoint keeps of them."""
        put_back(checkpoint, parts)

    def _forget(self) -> None:
        """What the passes of the step at hand have summed up."""
        self._sums.clear()
        self._watched.clear()

    def _progress(self) -> dict[str, Any]:
        run = self.run
        plain = {name: in_json(getattr(run, name)) for name in ("scores", "best_score", "loss", "grad_norm")}
        asked = {"stop": ""} if self.broken or run.stop in WORDS.values() else {}  # of this process alone
        kept = {name: getattr(run, name) for name in KEPT_OF_A_RUN} | plain | asked
        guests = {"guests": [exported(guest) for guest in self.guests]} if self.guests else {}
        own = {"callbacks": self._states(), "guards": self.guards.states(), **guests}
        return {**kept, "stream": self.position(), **own, "identity": self._identity()}

    def _states(self) -> list[dict[str, Any]]:
        """What each callback must remember.

        Raises:
            UserError: something in it is no plain value.
        """
        return [plain_state(type(callback).__name__, callback.state()) for callback in self.job.callbacks]

    def _identity(self) -> dict[str, Any]:
        """What must be the same when a run goes on, as JSON gives it back."""
        job = self.job
        settings = {f"train.{name}": value for name, value in job.settings.model_dump(mode="json", exclude=MAY_CHANGE).items()}
        rows = {} if job.stream else {"training rows": len(job.pieces)}
        guards = {
            f"guards.{guard}.{name}": value for guard, one in job.guards.items() for name, value in one.model_dump(mode="json").items()
        }
        own = {**settings, **guards, **rows, "processes": self.processes.count, "seed of training": job.seed, **job.identity}
        found: dict[str, Any] = json.loads(json.dumps(own))
        return found

    def _rows(self) -> list[str]:
        """The rows of the step at hand, of all processes."""
        return [] if self.job.stream else [self.job.place(piece) for batch in self._batches() for piece in batch]

    def _batches(self) -> Sequence[Sequence[int]]:
        """The micro-batches of the step at hand, those of all processes in turn."""
        micro = self.job.settings.accumulate * self.processes.count
        epoch, step = divmod(self.run.step, self.epoch_steps)
        if self._epoch[0] != epoch:
            self._epoch = epoch, self.job.order(epoch)  # which orders all rows of it
        return self._epoch[1][step * micro : (step + 1) * micro]

    def _watched_rows(self) -> tuple[Watched, ...]:
        """What the step at hand made of its rows, those of all processes. Waits for the device."""
        if not self._watch:
            return ()
        own = torch.cat(self._watched).tolist() if self._watched else []
        self._watched.clear()
        batches, processes = self._batches(), self.processes
        shares = processes.gathered(own) if processes.count > 1 else [own]
        pieces = [[piece for batch in batches[number :: processes.count] for piece in batch] for number in range(processes.count)]
        return tuple(
            Watched(piece, *values) for mine, share in zip(pieces, shares, strict=True) for piece, values in zip(mine, share, strict=True)
        )

    def _evaluated(self) -> Evaluated:
        run, job = self.run, self.job
        return Evaluated(
            step=run.step,
            total_steps=run.total_steps,
            epoch=run.epoch,
            scores=run.scores,
            best_by=job.best_by,
            higher_is_better=job.higher_is_better,
            best_score=run.best_score,
            best_step=run.best_step,
            same_loss=job.same_loss,
        )

    def _clock(self) -> float:
        """Seconds that the run has taken, those before a resume included."""
        return time.monotonic() - self._started


def _tokens(batch: Batch, device: torch.device) -> Tensor:
    if "attention_mask" in batch:
        return batch["attention_mask"].sum()
    return torch.tensor(batch["input_ids"].numel() if "input_ids" in batch else 0, device=device)
