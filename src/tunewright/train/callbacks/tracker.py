from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pydantic import PrivateAttr

from tunewright.core.errors import first_line
from tunewright.core.log import say
from tunewright.train.run import Callback, Run, in_json

AGAIN_S = 60.0
"""Seconds until a service that could not be reached is tried again."""


class Tracker(Callback):
    """A callback that sends what the journal writes to a tracking service as well. The recipe names it; nothing is sent otherwise.

    A service that is down does not hold a training up: what it has not taken is kept, in checkpoints too, and sent when it is there again.
    """

    _run_name: str = PrivateAttr("run")
    _folder: str = PrivateAttr(".")
    _settings: dict[str, Any] = PrivateAttr(default_factory=dict)
    _id: str = PrivateAttr("")
    """Under which the service keeps this run; a run that goes on is told there and not in a second one."""
    _begun: bool = PrivateAttr(False)
    _unsent: list[tuple[int, dict[str, Any]]] = PrivateAttr(default_factory=list)
    """Step and numbers by name, the oldest first; None for what is no finite number."""
    _not_before: float = PrivateAttr(0.0)
    """When the service may be tried again."""
    _complained: bool = PrivateAttr(False)

    def describe(self, run_name: str, folder: str, settings: dict[str, Any]) -> None:
        """Tell the tracker what it tracks: the run's name, its folder, and every resolved setting, flat."""
        self._run_name, self._folder, self._settings = run_name, folder, settings

    def check(self) -> None:
        """Raise MissingExtra when the tracking library is not installed, before anything is trained."""
        raise NotImplementedError

    def begin(self, run: Run) -> None:
        """Open the run at the service; called again where it raised."""
        raise NotImplementedError

    def log(self, step: int, values: dict[str, float]) -> None:
        """Hand numbers on, by name; called again where it raised."""
        raise NotImplementedError

    def end(self, run: Run) -> None:
        """Close the run at the service."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """The service's id of this run, and what it has not taken: what it tracks is told anew, and connections are made anew."""
        unsent = {"unsent": [list(one) for one in self._unsent]} if self._unsent else {}
        return {"id": self._id, **unsent} if self._id or unsent else {}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._id, self._unsent = state["id"], [(step, values) for step, values in state.get("unsent", ())]

    def fit_start(self, run: Run) -> None:
        self._begun, self._not_before = False, 0.0
        self._send(run)

    def step_end(self, run: Run) -> None:
        values = {"loss": run.loss, "learning_rate": run.learning_rate, "grad_norm": run.grad_norm, "epoch": run.epoch}
        self._keep(run, {f"train/{name}": value for name, value in {**values, "tokens": float(run.tokens)}.items()})

    def evaluated(self, run: Run) -> None:
        self._keep(run, {f"validation/{name}": value for name, value in run.scores.items()})

    def fit_end(self, run: Run) -> None:
        self._not_before = 0.0
        if self._send(run):
            self._reached(lambda: self.end(run))
        elif self._unsent:
            say(f"{type(self).__name__} was not told of {len(self._unsent):,} steps and looks: all stand in {self._folder}/events.jsonl")

    def _keep(self, run: Run, values: dict[str, float]) -> None:
        self._unsent.append((run.step, in_json(values)))
        if time.monotonic() >= self._not_before:
            self._send(run)

    def _send(self, run: Run) -> bool:
        """Open the run where it is not open, and hand on what is kept; whether the service has taken all."""
        if not self._begun:
            self._begun = self._reached(lambda: self.begin(run))
        while self._begun and self._unsent:
            step, values = self._unsent[0]
            if not self._reached(lambda step=step, values=values: self.log(step, _numbers(values))):
                return False
            del self._unsent[0]
        return self._begun

    def _reached(self, call: Any) -> bool:
        """Whether the service took a call; one that it did not take is told once."""
        try:
            call()
        except Exception as error:  # libraries of services raise what they like; no training ends for want of a listener
            self._not_before = time.monotonic() + AGAIN_S
            if not self._complained:
                say(f"{type(self).__name__} cannot be told ({first_line(error)}): training goes on, and what it misses is kept for it")
            self._complained = True
            return False
        if self._complained:
            say(f"{type(self).__name__} can be told again")
            self._complained = False
        return True


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float("nan") if value is None else value for name, value in values.items()}
