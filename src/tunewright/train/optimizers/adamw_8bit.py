from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tunewright.core.errors import UserError
from tunewright.train.optimizers.base import Group, Optimizer

if TYPE_CHECKING:
    import torch


class AdamW8bit(Optimizer):
    """AdamW whose two means take 8 bits a weight instead of 32; needs bitsandbytes. Source: Dettmers et al. 2022 (arXiv:2110.02861)."""

    beta1: float = Field(0.9, ge=0, lt=1)
    """How slowly the mean of the gradients moves."""
    beta2: float = Field(0.999, ge=0, lt=1)
    """How slowly the mean of their squares moves."""
    epsilon: float = Field(1e-8, gt=0)
    """Added to the root of the mean square, so that nothing is divided by 0."""

    def make(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        if not find_spec("bitsandbytes"):
            raise UserError(
                "train.optimizer: adamw-8bit needs bitsandbytes, which is not installed",
                "",
                "Install it (pip install bitsandbytes), or use train.optimizer: adamw",
            )
        kind: Any = import_module("bitsandbytes.optim").AdamW8bit
        made: torch.optim.Optimizer = kind(list(groups), betas=(self.beta1, self.beta2), eps=self.epsilon)
        return made
