from __future__ import annotations

from pydantic import Field, PrivateAttr

from tunewright.train.run import Callback, Run


class EarlyStop(Callback):
    """Ask the run to stop after ``patience`` evaluations without a better score."""

    patience: int = Field(3, ge=1)

    _best_step: int | None = PrivateAttr(None)
    _waited: int = PrivateAttr(0)

    def evaluated(self, run: Run) -> None:
        if run.best_step != self._best_step:
            self._best_step, self._waited = run.best_step, 0
            return
        self._waited += 1
        if self._waited >= self.patience:
            run.stop = run.stop or f"no better score in {self.patience} evaluations"
