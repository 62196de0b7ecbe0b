from __future__ import annotations

from typing import Any

from pydantic import PrivateAttr

from tunewright.train.run import Callback, Run


class Clock(Callback):
    """Ask for a checkpoint every so many minutes, and for the end when the time is over."""

    save_minutes: float | None = None
    stop_after_minutes: float | None = None

    _saved: float = PrivateAttr(0.0)
    """Seconds of the run at which the last checkpoint was written."""

    def fit_start(self, run: Run) -> None:
        self._saved = run.seconds

    def step_end(self, run: Run) -> None:
        if self.save_minutes is not None and run.seconds - self._saved >= 60 * self.save_minutes:
            run.save = True
        if self.stop_after_minutes is not None and run.seconds >= 60 * self.stop_after_minutes:
            run.stop = run.stop or f"the {self.stop_after_minutes:g} minutes of train.stop_after_minutes are over"

    def saved(self, run: Run) -> None:
        self._saved = run.seconds

    def state(self) -> dict[str, Any]:
        """Nothing: the seconds of the run are kept with it, and a run that goes on has just been saved."""
        return {}
