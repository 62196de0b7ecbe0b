from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tunewright.model.layers import depth_of, depths
from tunewright.model.methods.base import Method

if TYPE_CHECKING:
    from torch import nn


class Full(Method):
    """Train every weight."""

    layer_decay: float = Field(1.0, gt=0, le=1)
    """By how much the learning rate falls from each layer to the one below it; the embeddings have the lowest. 1 is the same for all.
    Source: discriminative fine-tuning, Howard and Ruder 2018, section 3.2 (arXiv:1801.06146)."""
    unfreeze: Literal["at-once", "gradual"] = "at-once"
    """``gradual`` trains the head and the top layer from the start, and one layer more at a time below them, the embeddings last.
    Source: Howard and Ruder 2018, section 3.3."""
    unfrozen_by: float = Field(0.5, gt=0, lt=1)
    """For ``unfreeze: gradual``: the share of the run after which everything is trained."""

    def suits(self, config: Any, max_tokens: int, longest: int) -> None:
        if self.layer_decay != 1 or self.unfreeze == "gradual":
            depth_of(config)

    def apply(self, model: nn.Module, head: tuple[str, ...]) -> nn.Module:
        return model

    def rate_factors(self, model: nn.Module, head: tuple[str, ...]) -> Mapping[str, float]:
        if self.layer_decay == 1:
            return {}
        return {name: self.layer_decay**depth for name, depth in depths(model, head).items() if depth}

    def before_step(self, model: nn.Module, head: tuple[str, ...]) -> Callable[[float], None] | None:
        if self.unfreeze == "at-once":
            return None
        deep = depths(model, head)
        deepest = max(deep.values())
        weights = [(weight, deep[name]) for name, weight in model.named_parameters() if deep.get(name) and weight.requires_grad]

        def thaw(done: float) -> None:
            for weight, depth in weights:
                weight.requires_grad_(done >= self.unfrozen_by * depth / deepest)

        return thaw
