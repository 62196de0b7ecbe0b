"""The contract of a method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tunewright.core.config import Config

if TYPE_CHECKING:
    from torch import nn

    from tunewright.model.settings import ModelSettings


class Method(Config):
    """Which weights are trained and how."""

    rate_factor: ClassVar[float] = 1.0
    """The default learning rate of this method, over that of full tuning."""
    head_factor: ClassVar[float] = 10.0
    """The default learning rate of the head, over that of the other trained weights."""
    merges: ClassVar[bool] = True
    """Whether what was trained can be put into the plain weights of the architecture. Where it cannot, the saved model is the base with the
    trained part beside it, as ``docs/decisions/0013`` says."""
    on_quantised: ClassVar[bool] = False
    """Whether the base may be quantised (``model.quantize``)."""
    by_parts: ClassVar[bool] = False
    """Whether it looks for parts of the layers by their names. That is tried on a model without weights before the base is read."""
    quantize: ClassVar[str | None] = None
    """How the base is quantised where the recipe does not say it."""

    def refuses(self, head: str, settings: ModelSettings) -> str:
        """Why this method cannot train for a task with such a head, in words that name what would fit; empty when it can.

        Args:
            head: the transformers auto class that the task needs.
            settings: the recipe's ``model`` section.
        """
        return ""

    def suits(self, config: Any, max_tokens: int, longest: int) -> None:
        """Hold the method against the base that was found, before its weights are read.

        Args:
            config: of the base model.
            max_tokens: tokens of a row that the model will see.
            longest: tokens that the base can see at most.

        Raises:
            UserError: they do not fit; the reason, and what would.
        """

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
            head: paths of the modules above the encoder's layers, those that the base checkpoint does not have among them, and of resized
                embeddings; they are always trained and saved.
        """
        raise NotImplementedError

    def head_weights(self, model: nn.Module, head: tuple[str, ...]) -> frozenset[str]:
        """Names of the weights, in the model that ``apply`` gave, that belong to the head."""
        return frozenset(name for name, _ in model.named_parameters() if name.startswith(tuple(f"{module}." for module in head)))

    def rate_factors(self, model: nn.Module, head: tuple[str, ...]) -> Mapping[str, float]:
        """By name, in the model that ``apply`` gave, the weights whose learning rate is another than that of the rest, and by how much
        theirs is multiplied."""
        return {}

    def before_step(self, model: nn.Module, head: tuple[str, ...]) -> Callable[[float], None] | None:
        """What an engine calls before each step with the share of the run that is done (``Job.before_step``); None where nothing changes
        during a run."""
        return None

    def targets_in(self, model: nn.Module) -> tuple[str, ...]:
        """The parts of each layer that the method works on, in the model that ``apply`` gave; empty where it does not go by parts."""
        return ()

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        """Write the small artefact beside the model, where the method has one; False where it has none."""
        return False

    def merge(self, model: nn.Module) -> nn.Module:
        """The plain model, complete, with what was trained put in place; for a method that does not merge, the plain model without it."""
        return model

    def attach(self, model: nn.Module, folder: Path) -> nn.Module:
        """Put what ``save_adapter`` wrote onto a plain model. For methods that do not merge."""
        raise NotImplementedError
