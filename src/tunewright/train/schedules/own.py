"""Any schedule by import path: of PyTorch, of Transformers, or the user's own."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import UserError
from tunewright.train.imported import Imported
from tunewright.train.schedules.base import Schedule

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

KEY = "train.schedule"
WANTED = f"{KEY} takes a name of ours, or package.module:name of what makes a torch scheduler of an optimizer"
WARMUP, TOTAL = "num_warmup_steps", "num_training_steps"
"""The names under which Transformers' schedules take the steps."""


class OwnSchedule(Imported, Schedule):
    """A schedule by import path; it is called with the optimizer, its settings, and the steps where it takes ``num_warmup_steps`` and
    ``num_training_steps``."""

    def make(self, optimizer: Optimizer, warmup_steps: int, total_steps: int) -> LRScheduler:
        from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

        steps = {name: value for name, value in ((WARMUP, warmup_steps), (TOTAL, total_steps)) if name in self._taken()}
        made = self.made(KEY, WANTED, optimizer, **steps)
        if not isinstance(made, LRScheduler) or isinstance(made, ReduceLROnPlateau):
            raise UserError(
                f"{KEY}: {self.place!r} makes a {type(made).__name__}",
                "A scheduler that is stepped once per update is wanted",
                "Name another, as torch.optim.lr_scheduler:CosineAnnealingLR",
            )
        return made

    def check(self, warmup: float) -> None:
        import torch

        if warmup and WARMUP not in self._taken():
            raise UserError(
                f"{KEY}: {self.place!r} takes no {WARMUP}, and train.warmup is {warmup:g}",
                "A schedule of your own warms up by itself or not at all",
                "Set train.warmup: 0",
            )
        self.make(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3), 1, 10)

    def _taken(self) -> Any:
        return inspect.signature(self.found(KEY, WANTED)).parameters
