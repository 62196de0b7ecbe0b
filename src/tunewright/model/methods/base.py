"""The contract of a method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tunewright.core.config import Config

if TYPE_CHECKING:
    from torch import nn


class Method(Config):
    """Which weights are trained and how."""

    rate_factor: ClassVar[float] = 1.0
    """The default learning rate of this method, over that of full tuning."""
    head_factor: ClassVar[float] = 10.0
    """The default learning rate of the head, over that of the other trained weights."""

    def frozen_layers(self, config: Any) -> int:
        """How many of the encoder's layers, the lowest, stay as they are together with the embeddings; 0 where none do.

        Args:
            config: of the base model.

        Raises:
            UserError: the settings ask for more layers than there are.
        """
        return 0

    def apply(self, model: nn.Module, head: tuple[str, ...]) -> nn.Module:
        """Make a model ready for training.

        Args:
            model: with its base weights loaded.
            head: paths of the modules above the encoder's layers, those that the base checkpoint does not have among them; they are
                always trained and saved.
        """
        raise NotImplementedError

    def head_weights(self, model: nn.Module, head: tuple[str, ...]) -> frozenset[str]:
        """Names of the weights, in the model that ``apply`` gave, that belong to the head."""
        return frozenset(name for name, _ in model.named_parameters() if name.startswith(tuple(f"{module}." for module in head)))

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        """Write the small artefact beside the model, where the method has one; False where it has none."""
        return False

    def merge(self, model: nn.Module) -> nn.Module:
        """The plain model, complete, with what was trained put in place."""
        return model
