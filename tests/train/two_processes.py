"""Run by torchrun, or by plain python: one small job, its weights and steps left in a folder."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from pydantic import PrivateAttr
from safetensors.torch import save_file

from tests import tiny
from tunewright.train import engine
from tunewright.train.callbacks.early_stop import EarlyStop
from tunewright.train.callbacks.journal import Journal, RowJournal
from tunewright.train.callbacks.signals import Signals
from tunewright.train.checkpoint import latest
from tunewright.train.guards import chosen as guards
from tunewright.train.run import Callback, Loss, Run


class StopAt(Callback):
    """Asks for the end after one step."""

    step: int
    _seen: int = PrivateAttr(0)

    def step_end(self, run: Run) -> None:
        self._seen += 1
        if run.step == self.step:
            run.stop = "interrupted"


class Step(NamedTuple):
    batches: list[list[Any]]
    epoch: float
    position: Callable[[], dict[str, int]]


def endless(pieces: Any, order: Any, parts: int) -> Callable[[Any], Iterator[Step]]:
    """The steps of an order, epoch after epoch."""

    def stream(position: Any) -> Iterator[Step]:
        for epoch in count():
            batches = [[pieces[row] for row in batch] for batch in order(epoch)]
            for at in range(0, len(batches), parts):
                yield Step(batches[at : at + parts], epoch + (at + parts) / len(batches), dict)

    return stream


def poisoned(loss_fn: Any, ids: list[int]) -> Any:
    """A loss that is no number in whichever pass has a certain row."""
    wanted = torch.tensor(ids)

    def poison(model: Any, batch: Any) -> Loss:
        loss = loss_fn(model, batch)
        alike = (batch["attention_mask"].sum(1) == len(ids)) & (
            batch["input_ids"][:, : len(ids)] == wanted[: batch["input_ids"].shape[1]]
        ).all(1)
        return Loss(loss.total * math.nan, loss.items, loss.outputs) if bool(alike.any()) else loss

    return poison


def main(base: str, out: str, name: str) -> None:
    """Nineteen rows, eight a step: the last step of an epoch has three, which two processes cannot share evenly. A stream has 24."""
    process, processes = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    folder, (driver, kind) = Path(out) / name, name.split("-")
    fit = engine(driver)
    some = tiny.rows(24 if kind == "streamed" else 19, multi_label=kind == "multi")
    task = tiny.learned(some, multi_label=kind == "multi")
    accumulate = 2 if kind == "multi" else 1

    def job(*more: Callback, **options: Any) -> Any:
        callbacks = [Signals(), EarlyStop(patience=9), *more, Journal(path=folder / "events.jsonl"), RowJournal(path=folder / "rows.jsonl")]
        settings = {
            "epochs": 2,
            "max_steps": 6 if kind == "streamed" else None,
            "accumulate": accumulate,
            "optimizer": {"name": "adamw", "epsilon": 1e-3},
            "engine": driver,
            "learning_rate": 1e-2,
            "head_learning_rate": 1e-2,
        }
        made = tiny.job(folder, Path(base), some, task=task, callbacks=callbacks, **{**settings, **options})
        from tunewright.data.batch import batches

        order = batches([len(piece["input_ids"]) for piece in made.pieces], 8, 8 // (accumulate * processes), 3)
        if kind == "poisoned":
            made = tiny.without(made, loss_fn=poisoned(made.loss_fn, made.pieces[5]["input_ids"]), guards=guards({}))
        return tiny.without(made, order=order, stream=endless(made.pieces, order, accumulate * processes) if kind == "streamed" else None)

    if kind == "resumed":
        stopped = fit(job(StopAt(step=2)))
        assert stopped.stop == "interrupted" and stopped.step == 2, "every process hears of it"
        run = fit(job(StopAt(step=-1), resume=latest(folder)))
    else:
        run = fit(job())
    save_file(tiny.weights(run.model), Path(out) / f"{name}-{process}.safetensors")
    told = {
        "steps": run.step,
        "best": run.best_step,
        "score": run.best_score,
        "tokens": run.tokens,
        "processes": processes,
        "epoch": run.epoch,
    }
    (Path(out) / f"{name}-{process}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    for name in sys.argv[3:]:
        main(sys.argv[1], sys.argv[2], name)
