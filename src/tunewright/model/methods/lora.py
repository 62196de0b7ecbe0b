from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import Field

from tunewright.core.errors import UserError
from tunewright.model.layers import below_top, stack_of
from tunewright.model.methods.base import Method

if TYPE_CHECKING:
    from torch import nn


class LoRA(Method):
    """Train small low-rank updates of the linear layers, and the whole head. Source: Hu et al. 2021 (arXiv:2106.09685)."""

    rate_factor: ClassVar[float] = 5.0
    head_factor: ClassVar[float] = 2.0

    rank: int = Field(16, ge=1)
    """Rank of each update."""
    alpha: float | None = Field(None, gt=0)
    """Scale of the updates, over the rank; left out, twice the rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout before each update."""
    rslora: bool = False
    """Scale by the square root of the rank (Kalajdzievski 2023, arXiv:2312.03732)."""
    layers: int | None = Field(None, ge=1)
    """How many layers of the encoder are updated, from the top; left out, all of them."""

    def frozen_layers(self, config: Any) -> int:
        return 0 if self.layers is None else below_top(self.layers, config, "method.layers")

    def apply(self, model: nn.Module, head: tuple[str, ...]) -> nn.Module:
        from peft import LoraConfig, get_peft_model
        from torch import nn

        inside_head = tuple(f"{module}." for module in head)
        linear = [
            name
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear) and name not in head and not name.startswith(inside_head) and module.weight.requires_grad
        ]
        if self.layers is not None:
            path, stack = stack_of(model)
            above = tuple(f"{path}.{index}." for index in range(self.frozen_layers(model.config), len(stack)))
            linear = [name for name in linear if name.startswith(above)]
        if not linear:
            raise UserError(
                f"{type(model).__name__} has no linear layers that LoRA could update", "", "Use method: full, or another model.base"
            )
        config = LoraConfig(
            r=self.rank,
            lora_alpha=cast(int, self.alpha or 2 * self.rank),  # a fraction is as good
            lora_dropout=self.dropout,
            use_rslora=self.rslora,
            target_modules=linear,
            modules_to_save=list(head),
        )
        return cast("nn.Module", get_peft_model(cast(Any, model), config))

    def head_weights(self, model: nn.Module, head: tuple[str, ...]) -> frozenset[str]:
        return frozenset(name for name, weight in model.named_parameters() if ".modules_to_save." in name and weight.requires_grad)

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        cast(Any, model).save_pretrained(str(folder))
        return True

    def merge(self, model: nn.Module) -> nn.Module:
        return cast("nn.Module", cast(Any, model).merge_and_unload(safe_merge=True))
