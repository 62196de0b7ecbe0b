"""Trains small runs that are killed where they are told to be. Run as a program it imports everything once and forks a child for each."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from safetensors.torch import save_file

from tests import tiny
from tests.engines.steps import Stream
from tunewright.core.folder import file_hash, read_lines
from tunewright.train import engine
from tunewright.train.callbacks.early_stop import EarlyStop
from tunewright.train.callbacks.journal import Journal, RowJournal
from tunewright.train.checkpoint import finished, latest, step_of
from tunewright.train.run import Callback, Run

UNKNOWN = 4
"""The token that stands for what is hidden."""


class KillAt(Callback):
    """Kills this process at an event of a step, as a power cut would end it."""

    event: str
    step: int

    def step_end(self, run: Run) -> None:
        self._at("step", run)

    def evaluated(self, run: Run) -> None:
        self._at("evaluated", run)

    def saved(self, run: Run) -> None:
        self._at("saved", run)

    def fit_end(self, run: Run) -> None:
        self._at("end", run)

    def _at(self, event: str, run: Run) -> None:
        if event == self.event and run.step >= self.step:
            die()


class StopAt(Callback):
    """Asks for the end after one step, as Ctrl-C does."""

    step: int

    def step_end(self, run: Run) -> None:
        if run.step == self.step:
            run.stop = "interrupted"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at_call(number: int, owner: Any, name: str) -> None:
    """Die at the ``number``-th call of a function from here on, before it does anything."""
    real, calls = getattr(owner, name), iter(range(1, 1 << 30))

    def called(*parts: Any, **named: Any) -> Any:
        if next(calls) == number:
            die()
        return real(*parts, **named)

    setattr(owner, name, called)


def hiding(collate: Callable[[Sequence[Any]], dict[str, Any]]) -> Callable[[Sequence[Any]], dict[str, Any]]:
    """A collation that hides tokens at random, so that Python's and numpy's streams of chance matter as PyTorch's does by dropout."""

    def hidden(pieces: Sequence[Any]) -> dict[str, Any]:
        batch = collate(pieces)
        ids = batch["input_ids"].clone()
        ids[random.randrange(len(ids)), 1] = UNKNOWN
        ids[int(np.random.randint(len(ids))), 2] = UNKNOWN
        return {**batch, "input_ids": ids}

    return hidden


def job_for(driver: str, base: Path, folder: Path, stream: bool, more: Sequence[Callback] = (), resume: Path | None = None) -> Any:
    """Dropout, early stopping, a best model, uneven accumulation, hidden tokens; of 24 rows as a stream, of 19 else."""
    some = tiny.rows(24 if stream else 19)
    callbacks = [EarlyStop(patience=3), *more, Journal(path=folder / "events.jsonl"), RowJournal(path=folder / "rows.jsonl")]
    length: dict[str, Any] = {"max_steps": 30} if stream else {"epochs": 10}
    options = {"engine": driver, "accumulate": 2, "evaluate_every": 2, "save_every": 3, "save_total_limit": 2, **length}
    made = tiny.job(folder / "checkpoints", base, some, callbacks=callbacks, resume=resume, learning_rate=3e-3, **options)
    made = tiny.without(made, collate=hiding(made.collate))
    return tiny.without(made, stream=Stream(made)) if stream else made


def facts(run: Run, folder: Path) -> dict[str, Any]:
    """All that must be the same after a resume; the weights are left in a file, whose bytes are compared by their hash."""
    save_file({name: value.contiguous() for name, value in tiny.weights(run.model).items()}, folder / "weights.safetensors")
    names = ("step", "total_steps", "epoch", "tokens", "loss", "scores", "best_step", "best_score", "stop")
    best = folder / "checkpoints" / f"checkpoint-{run.best_step}" / "weights.safetensors"
    lines = [
        {key: value for key, value in line.items() if key not in {"seconds", "memory"}} for line in read_lines(folder / "events.jsonl")
    ]
    return {
        **{name: getattr(run, name) for name in names},
        "weights": file_hash(folder / "weights.safetensors"),
        "best weights": file_hash(best) if best.exists() else "",
        "checkpoints": [step_of(one) for one in finished(folder / "checkpoints")],
        "steps": [line for line in lines if line["event"] == "step"],
        "rows": read_lines(folder / "rows.jsonl"),
        "looks": [line for line in lines if line["event"] == "evaluated"],
    }


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names of the facts in which two runs differ."""
    return [name for name in one if one[name] != other[name]]


def trained(driver: str, base: Path, folder: Path, stream: bool, moment: str) -> None:
    """Train, or go on where ``folder`` has a run; ``moment`` is ``never``, or where to die: ``<event>:<number>``."""
    event, _, number = moment.partition(":")
    resume = latest(folder / "checkpoints") if (folder / "checkpoints").exists() else None
    more: list[Callback] = [KillAt(event=event, step=int(number or -1)), StopAt(step=-1)]
    job = job_for(driver, base, folder, stream, more, resume)
    if event == "fsync":
        kill_at_call(int(number), os, "fsync")
    elif event == "rename":
        kill_at_call(int(number), Path, "replace")
    elif event == "looking":
        looks = iter(range(1, 1 << 30))
        evaluate = job.evaluate
        job = tiny.without(job, evaluate=lambda model: die() if next(looks) == int(number) else evaluate(model))
    run = engine(driver)(job)
    (folder / "facts.json").write_text(json.dumps(facts(run, folder)))


def asked() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def import_all() -> None:
    """What the children need, imported once; nothing is computed, or a fork would find threads that are not there."""
    for module in ("train.hf", "train.loop", "model.predict", "model.build", "data.batch", "metrics.classes", "tasks.text_classification"):
        import_module(f"tunewright.{module}")
    for name in ("AutoModelForSequenceClassification", "BertForSequenceClassification", "AutoTokenizer", "PreTrainedTokenizerFast"):
        getattr(import_module("transformers"), name)
    import_module("sklearn.metrics")


if __name__ == "__main__":
    import_all()
    for order in asked():
        child = os.fork()
        if not child:
            with Path(order["folder"] + ".log").open("a") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            trained(order["driver"], Path(order["base"]), Path(order["folder"]), order["stream"], order["moment"])
            os._exit(0)
        print(os.waitpid(child, 0)[1], flush=True)
