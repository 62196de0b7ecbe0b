from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Literal

from pydantic import PrivateAttr

from tunewright.core.errors import MissingExtra
from tunewright.train.callbacks.tracker import Tracker
from tunewright.train.run import Run


class WandB(Tracker):
    """A Weights & Biases run; offline unless the recipe says otherwise."""

    project: str = "tunewright"
    """The project that the run belongs to."""
    mode: Literal["offline", "online"] = "offline"
    """``offline`` keeps everything in the run folder, to be synced by hand; ``online`` sends it."""

    _run: Any = PrivateAttr(None)

    def check(self) -> None:
        if not find_spec("wandb"):
            raise MissingExtra("The tracker wandb", "wandb")

    def begin(self, run: Run) -> None:
        import wandb

        self._run = wandb.init(
            project=self.project,
            name=self._run_name,
            id=self._id or None,
            resume="allow" if self._id else None,
            dir=self._folder,
            mode=self.mode,
            config=self._settings,
            settings=wandb.Settings(console="off", silent=True),
        )
        self._id = self._run.id

    def log(self, step: int, values: dict[str, float]) -> None:
        self._run.log(values, step=step)

    def end(self, run: Run) -> None:
        self._run.finish(exit_code=int(run.failed))
