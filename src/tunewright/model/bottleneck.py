"""Small networks with a narrow middle, behind linear layers of a model, and taken out again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn
from transformers.activations import ACT2FN


class Bottleneck(nn.Module):
    """A linear layer, and behind it a network whose output is added: ``y + up(activation(down(y)))``.

    At first the network adds nothing.

    Args:
        layer: what stands there; anything that ends in ``width_of`` values.
        size: of what it gives.
        width: of the narrow middle.
        activation: as transformers names it.
    """

    def __init__(self, layer: nn.Module, size: int, width: int, activation: str) -> None:
        super().__init__()
        weight: Any = layer.weight
        self.layer = layer
        self.down = nn.Linear(size, width, device=weight.device, dtype=weight.dtype)
        self.up = nn.Linear(width, size, device=weight.device, dtype=weight.dtype)
        self.activation = ACT2FN[activation]
        nn.init.normal_(self.down.weight, std=1e-2)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., size) from whatever the layer takes."""
        found = self.layer(inputs)
        changed: Tensor = found + self.up(self.activation(self.down(found)))
        return changed


def insert(model: nn.Module, paths: Sequence[str], width: int, activation: str) -> None:
    """Put a network behind each of these layers."""
    for path in paths:
        layer = model.get_submodule(path)
        size = cast(int, layer.out_features if isinstance(layer, nn.Linear) else layer.nf)
        model.set_submodule(path, Bottleneck(layer, size, width, activation))


def inserted(model: nn.Module) -> list[str]:
    """Paths of the layers that have one."""
    return [path for path, module in model.named_modules() if isinstance(module, Bottleneck)]


def taken_out(model: nn.Module) -> nn.Module:
    """The model as it was, with the layers alone."""
    for path in inserted(model):
        model.set_submodule(path, cast(Bottleneck, model.get_submodule(path)).layer)
    return model
