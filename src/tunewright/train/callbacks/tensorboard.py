from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from tunewright.core.errors import MissingExtra
from tunewright.train.callbacks.tracker import Tracker
from tunewright.train.run import Run


class TensorBoard(Tracker):
    """Event files for TensorBoard, in ``<run>/tensorboard`` or in ``folder``."""

    folder: str | None = None
    """Where the event files go; left out, into the run folder."""

    _writer: Any = PrivateAttr(None)

    def check(self) -> None:
        if not find_spec("tensorboard"):
            raise MissingExtra("The tracker tensorboard", "track")

    def begin(self, run: Run) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(
            self.folder or str(Path(self._folder) / "tensorboard"), purge_step=run.resumed_at + 1 if run.resumed_at else None
        )
        self._writer.add_text("settings", "\n".join(f"    {name}: {value}" for name, value in self._settings.items()))

    def log(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def end(self, run: Run) -> None:
        self._writer.close()
