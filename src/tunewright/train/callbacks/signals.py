from __future__ import annotations

import signal
import threading
from typing import Any, ClassVar

from pydantic import PrivateAttr

from tunewright.core.log import say
from tunewright.train.run import Callback, Run

WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
SAVE = getattr(signal, "SIGUSR1", None)
"""Where the system has it."""


class Signals(Callback):
    """Ctrl-C or SIGTERM: end after this step, with a checkpoint. A second Ctrl-C ends at once. SIGUSR1: a checkpoint, and on."""

    everywhere: ClassVar[bool] = True

    _asked: str = PrivateAttr("")
    _save: bool = PrivateAttr(False)
    _before: dict[int, Any] = PrivateAttr(default_factory=dict)

    def fit_start(self, run: Run) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in WORDS}
            if SAVE is not None:
                self._before[SAVE] = signal.signal(SAVE, self._ask_to_save)

    def step_end(self, run: Run) -> None:
        run.stop = run.stop or self._asked
        run.save, self._save = run.save or self._save, False

    def fit_end(self, run: Run) -> None:
        self._restore(list(self._before))

    def state(self) -> dict[str, Any]:
        """Nothing: what was asked of one process is not asked of the next."""
        return {}

    def _ask(self, number: int, frame: Any) -> None:
        self._asked = WORDS[signal.Signals(number)]
        say("Ending after this step, with a checkpoint. Once more ends at once.")
        self._restore(list(WORDS))

    def _ask_to_save(self, number: int, frame: Any) -> None:
        self._save = True
        say("A checkpoint is written after this step, and training goes on.")

    def _restore(self, numbers: list[int]) -> None:
        for number in numbers:
            if number in self._before:
                signal.signal(number, self._before.pop(number))
