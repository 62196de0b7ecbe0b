from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tunewright.core.errors import UserError
from tunewright.core.folder import read_json, whole, write_json
from tunewright.model.methods.base import Method
from tunewright.model.methods.parts import attended, fed_forward, linear_layers, shortened

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = "adapter.safetensors"
SETTINGS = "adapter.json"


class Adapter(Method):
    """Train small networks with a narrow middle that stand behind the last linear layers of attention and feed-forward network, and the
    whole head. Source: Houlsby et al. 2019 (arXiv:1902.00751)."""

    rate_factor: ClassVar[float] = 5.0
    head_factor: ClassVar[float] = 10.0
    by_parts: ClassVar[bool] = True
    merges: ClassVar[bool] = False

    width: int = Field(32, ge=1)
    """Of the narrow middle."""
    places: Literal["both", "feed-forward"] = "both"
    """Behind which layers: those of attention and feed-forward network (Houlsby), or the second alone (Pfeiffer et al. 2021,
    arXiv:2005.00247)."""
    activation: Literal["gelu", "relu", "silu", "tanh"] = "gelu"
    """Between the two layers of each network."""

    def apply(self, model: nn.Module, head: tuple[str, ...]) -> nn.Module:
        from tunewright.model.bottleneck import insert

        linear = linear_layers(model, head)
        paths = [*(attended(linear) if self.places == "both" else ()), *fed_forward(linear)]
        if not paths:
            raise UserError(
                f"{type(model).__name__} has no layers whose names are those of the end of an attention or a feed-forward network",
                f"Its linear layers are {', '.join(shortened(linear))}",
                "Use method: lora, or another model.base",
            )
        inside = tuple(f"{module}." for module in head)
        for name, weight in model.named_parameters():
            weight.requires_grad_(name.startswith(inside))
        insert(model, paths, self.width, self.activation)
        return model

    def targets_in(self, model: nn.Module) -> tuple[str, ...]:
        from tunewright.model.bottleneck import inserted

        return shortened(inserted(model))

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        from safetensors.torch import save_file

        from tunewright.model.bottleneck import inserted

        weights = {name: weight.detach().contiguous().cpu() for name, weight in model.named_parameters() if weight.requires_grad}
        with whole(folder) as half:
            half.mkdir()
            save_file(weights, half / WEIGHTS, metadata={"format": "pt"})
            write_json(half / SETTINGS, {"activation": self.activation, "width": self.width, "behind": inserted(model)})
        return True

    def merge(self, model: nn.Module) -> nn.Module:
        from tunewright.model.bottleneck import taken_out

        return taken_out(model)

    def attach(self, model: nn.Module, folder: Path) -> nn.Module:
        from safetensors.torch import load_file

        from tunewright.model.bottleneck import insert

        kept: dict[str, Any] = read_json(folder / SETTINGS)
        insert(model, kept["behind"], kept["width"], kept["activation"])
        model.load_state_dict(load_file(folder / WEIGHTS), strict=False)
        return model
