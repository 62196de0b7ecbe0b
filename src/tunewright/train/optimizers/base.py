"""The kind ``optimizer``, and any optimizer named by import path. Both engines make theirs here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunewright.core.config import Config
from tunewright.core.errors import UserError
from tunewright.train.imported import Imported

if TYPE_CHECKING:
    import torch

KEY = "train.optimizer"
WANTED = f"{KEY} takes a name of ours, or package.module:Class of a torch.optim.Optimizer"

Group = dict[str, Any]
"""Weights (``params``) with their ``lr`` and ``weight_decay``, as PyTorch takes them."""


class Optimizer(Config):
    """Turns gradients into updates; learning rates and weight decay come with the groups of weights."""

    def make(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        """The optimizer of these groups.

        Raises:
            UserError: it does not exist or refuses its settings.
        """
        raise NotImplementedError

    def check(self) -> None:
        """Make one for a single small weight, so that what is wrong is told before a model is loaded.

        Raises:
            UserError: as ``make``.
        """
        import torch

        self.make([{"params": [torch.nn.Parameter(torch.zeros(2, 2))], "lr": 1e-3, "weight_decay": 0.0}])


class OwnOptimizer(Imported, Optimizer):
    """An optimizer by import path; it is called with the groups and its settings."""

    def make(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        import torch

        made = self.made(KEY, WANTED, list(groups))
        if not isinstance(made, torch.optim.Optimizer):
            raise UserError(f"{KEY}: {self.place!r} makes a {type(made).__name__}", WANTED, "Name the class of an optimizer")
        return made
