from __future__ import annotations

from typing import TYPE_CHECKING

from tunewright.model.methods.base import Method

if TYPE_CHECKING:
    from torch import nn


class Full(Method):
    """Train every weight."""

    def apply(self, model: nn.Module, head: tuple[str, ...]) -> nn.Module:
        return model
