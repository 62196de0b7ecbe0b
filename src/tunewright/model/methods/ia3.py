from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from tunewright.core.errors import UserError
from tunewright.model.methods import through_peft
from tunewright.model.methods.base import Method
from tunewright.model.methods.parts import FUSED, KEYS, VALUES, chosen, ending, fed_forward, linear_layers, shortened

if TYPE_CHECKING:
    from torch import nn


class IA3(Method):
    """Train factors for keys, values and what goes into the last layer of each feed-forward network, and the whole head.
    Source: Liu et al. 2022 (arXiv:2205.05638)."""

    rate_factor: ClassVar[float] = 50.0
    head_factor: ClassVar[float] = 1.0
    by_parts: ClassVar[bool] = True

    targets: tuple[str, ...] | Literal["auto"] = "auto"
    """The linear layers that get factors, by how their names end; ``auto`` goes by the architecture: keys, values and the last layer of
    each feed-forward network. Where query, key and value are one layer, it gets factors as a whole."""

    def apply(self, model: nn.Module, head: tuple[str, ...]) -> nn.Module:
        from peft import IA3Config

        linear = linear_layers(model, head)
        fed = fed_forward(linear)
        found = (
            [*ending(linear, (*KEYS, *VALUES, *FUSED)), *fed] if self.targets == "auto" else chosen(linear, self.targets, "method.targets")
        )
        if not found:
            raise UserError(
                f"{type(model).__name__} has no layers whose names are those of keys, values or feed-forward networks",
                f"Its linear layers are {', '.join(shortened(linear))}",
                "Name them in method.targets, or use method: lora",
            )
        config = IA3Config(target_modules=found, feedforward_modules=[one for one in found if one in fed], modules_to_save=list(head))
        return through_peft.wrapped(model, config)

    def head_weights(self, model: nn.Module, head: tuple[str, ...]) -> frozenset[str]:
        return through_peft.head_weights(model, head)

    def targets_in(self, model: nn.Module) -> tuple[str, ...]:
        return shortened(through_peft.adapted(model))

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        return through_peft.save(model, folder)

    def merge(self, model: nn.Module) -> nn.Module:
        return through_peft.merged(model)
