from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PrivateAttr

from tunewright.train.run import Callback, Run


class Tracker(Callback):
    """A callback that sends what the journal writes to a tracking service as well. The recipe names it; nothing is sent otherwise."""

    _run_name: str = PrivateAttr("run")
    _folder: str = PrivateAttr(".")
    _settings: dict[str, Any] = PrivateAttr(default_factory=dict)
    _id: str = PrivateAttr("")
    """Under which the service keeps this run; a run that goes on is told there and not in a second one."""

    def describe(self, run_name: str, folder: str, settings: dict[str, Any]) -> None:
        """Tell the tracker what it tracks: the run's name, its folder, and every resolved setting, flat."""
        self._run_name, self._folder, self._settings = run_name, folder, settings

    def check(self) -> None:
        """Raise MissingExtra when the tracking library is not installed, before anything is trained."""
        raise NotImplementedError

    def log(self, step: int, values: dict[str, float]) -> None:
        """Hand numbers on, by name."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """The service's id of this run alone: what it tracks is told anew, and connections are made anew."""
        return {"id": self._id} if self._id else {}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._id = state["id"]

    def step_end(self, run: Run) -> None:
        self.log(
            run.step,
            {
                "train/loss": run.loss,
                "train/learning_rate": run.learning_rate,
                "train/grad_norm": run.grad_norm,
                "train/epoch": run.epoch,
                "train/tokens": float(run.tokens),
            },
        )

    def evaluated(self, run: Run) -> None:
        self.log(run.step, {f"validation/{name}": value for name, value in run.scores.items()})
