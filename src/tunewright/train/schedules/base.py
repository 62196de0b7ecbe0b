"""The kind ``schedule``: a factor of the learning rate for every step. Both engines make theirs here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tunewright.core.config import Config

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler


class Schedule(Config):
    """How the learning rate of every group falls after it has risen from 0 to the recipe's own."""

    def factor(self, done: int, steps: int) -> float:
        """What the learning rate is multiplied by after the warm-up.

        Args:
            done: steps after the warm-up that are done.
            steps: how many there are after the warm-up; at least 1.

        Returns:
            A factor, 1 for the recipe's own learning rate.
        """
        raise NotImplementedError

    def make(self, optimizer: Optimizer, warmup_steps: int, total_steps: int) -> LRScheduler:
        """The schedule of an optimizer; it is stepped after each update.

        Raises:
            UserError: it does not exist or refuses its settings.
        """
        from torch.optim.lr_scheduler import LambdaLR

        return LambdaLR(optimizer, partial(self._at, warmup_steps=warmup_steps, total_steps=total_steps))

    def check(self, warmup: float) -> None:
        """Tell what is wrong before a model is loaded.

        Args:
            warmup: share of the steps in which the learning rate shall rise.

        Raises:
            UserError: as ``make``.
        """

    def _at(self, step: int, warmup_steps: int, total_steps: int) -> float:
        if step < warmup_steps:
            return step / max(1, warmup_steps)
        return self.factor(step - warmup_steps, max(1, total_steps - warmup_steps))
