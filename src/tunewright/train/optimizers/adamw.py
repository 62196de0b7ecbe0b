from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from tunewright.train.optimizers.base import Group, Optimizer

if TYPE_CHECKING:
    import torch


class AdamW(Optimizer):
    """AdamW. Source: Loshchilov and Hutter 2019 (arXiv:1711.05101)."""

    beta1: float = Field(0.9, ge=0, lt=1)
    """How slowly the mean of the gradients moves."""
    beta2: float = Field(0.999, ge=0, lt=1)
    """How slowly the mean of their squares moves."""
    epsilon: float = Field(1e-8, gt=0)
    """Added to the root of the mean square, so that nothing is divided by 0."""
    fused: bool = True
    """One kernel for all weights of a group instead of one for each operation: faster, the same update."""

    def make(self, groups: Sequence[Group]) -> torch.optim.Optimizer:
        import torch

        return torch.optim.AdamW(list(groups), betas=(self.beta1, self.beta2), eps=self.epsilon, fused=self.fused)
