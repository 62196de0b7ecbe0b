from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tunewright.model.layers import depth_of
from tunewright.model.methods.base import Method

if TYPE_CHECKING:
    from torch import nn


class Head(Method):
    """Train what lies above the encoder's layers only: the head, with a pooler or a last norm where the architecture has them."""

    head_factor: ClassVar[float] = 50.0

    def frozen_layers(self, config: Any) -> int:
        return depth_of(config)

    def apply(self, model: nn.Module, head: tuple[str, ...]) -> nn.Module:
        from tunewright.model.layers import train_only

        train_only(model, head, 0)
        return model

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        from tunewright.model.trained import save_trained

        save_trained(model, folder)
        return True
