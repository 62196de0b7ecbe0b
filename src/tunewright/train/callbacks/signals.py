from __future__ import annotations

import signal
import threading
from typing import Any, ClassVar

from pydantic import PrivateAttr

from tunewright.core.log import say
from tunewright.train.run import Callback, Run

WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Signals(Callback):
    """Ctrl-C or SIGTERM: end after this step, with a checkpoint. A second Ctrl-C ends at once."""

    everywhere: ClassVar[bool] = True

    _asked: str = PrivateAttr("")
    _before: dict[int, Any] = PrivateAttr(default_factory=dict)

    def fit_start(self, run: Run) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in WORDS}

    def step_end(self, run: Run) -> None:
        run.stop = run.stop or self._asked

    def fit_end(self, run: Run) -> None:
        self._restore()

    def state(self) -> dict[str, Any]:
        """Nothing: what was asked of one process is not asked of the next."""
        return {}

    def _ask(self, number: int, frame: Any) -> None:
        self._asked = WORDS[signal.Signals(number)]
        say("Ending after this step, with a checkpoint. Once more ends at once.")
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
