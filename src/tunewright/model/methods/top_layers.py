from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from tunewright.model.layers import below_top
from tunewright.model.methods.base import Method

if TYPE_CHECKING:
    from torch import nn


class TopLayers(Method):
    """Train the top layers of the encoder and the head; the embeddings and the lower layers stay as they are."""

    rate_factor: ClassVar[float] = 2.0

    k: int = Field(2, ge=1)
    """How many layers, from the top."""

    def frozen_layers(self, config: Any) -> int:
        return below_top(self.k, config, "method.k")

    def apply(self, model: nn.Module, head: tuple[str, ...]) -> nn.Module:
        from tunewright.model.layers import train_only

        self.frozen_layers(model.config)
        train_only(model, head, self.k)
        return model

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        from tunewright.model.trained import save_trained

        save_trained(model, folder)
        return True
