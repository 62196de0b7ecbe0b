"""Trains a recipe in a process of its own, which is killed after a step, or when the model is being saved."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from tunewright.pipeline import served
from tunewright.pipeline.recipe import read
from tunewright.pipeline.train import resume, train
from tunewright.train.callbacks.journal import Journal
from tunewright.train.run import Run


def die(*_: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def main(recipe: str, run: str, moment: str) -> None:
    """Train ``recipe``, or go on with ``run`` where it exists; die at ``moment``: a step's number, ``saving``, or ``never``."""
    step_end = Journal.step_end

    def dies(self: Journal, run: Run) -> None:
        step_end(self, run)
        if str(run.step) == moment:
            die()

    Journal.step_end = dies  # type: ignore[method-assign]
    if moment == "saving":
        served._give_its_name = die
    if Path(run).exists():
        resume(Path(run))
    else:
        train(read(Path(recipe)), Path(recipe).parent, "t", "tunewright train t.yaml")


if __name__ == "__main__":
    main(*sys.argv[1:])
