from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tunewright.train.optimizers.base import Group, Optimizer

if TYPE_CHECKING:
    import torch


class SGD(Optimizer):
    """Stochastic gradient descent: keeps nothing of a weight without momentum, and one number with it."""

    momentum: float = Field(0.0, ge=0, lt=1)
    """Share of the last update that the next one keeps."""

    def make(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.SGD(list(groups), momentum=self.momentum)
