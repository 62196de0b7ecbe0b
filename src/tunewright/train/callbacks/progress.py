from __future__ import annotations

from typing import Any

from pydantic import PrivateAttr

from tunewright.train.run import Callback, Run


class Progress(Callback):
    """A bar with the loss, the last score and the time left; a line per evaluation where there is no terminal."""

    best_by: str

    _bar: Any = PrivateAttr(None)
    _task: Any = PrivateAttr(None)

    def fit_start(self, run: Run) -> None:
        from tunewright.core.log import progress

        self._bar = progress()
        self._task = self._bar.add_task("training", total=run.total_steps, completed=run.step)
        self._bar.start()

    def step_end(self, run: Run) -> None:
        self._bar.update(self._task, completed=run.step, description=f"training, loss {run.loss:.3f}")

    def evaluated(self, run: Run) -> None:
        from tunewright.core.log import say

        best = " (best so far)" if run.best_step == run.step else ""
        say(
            f"step {run.step} of {run.total_steps}, epoch {run.epoch:.2f}: loss {run.loss:.3f}, "
            f"validation {self.best_by} {run.scores[self.best_by]:.4f}{best}, {run.seconds:.0f} s"
        )

    def fit_end(self, run: Run) -> None:
        self._bar.stop()

    def state(self) -> dict[str, Any]:
        """Nothing: a bar is drawn anew."""
        return {}
