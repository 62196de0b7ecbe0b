from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

from pydantic import Field, model_validator

from tunewright.core.errors import UserError
from tunewright.core.folder import write_json
from tunewright.model.layers import below_top, stack_of
from tunewright.model.methods import through_peft
from tunewright.model.methods.base import Method
from tunewright.model.methods.parts import chosen, linear_layers, shortened

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tunewright.model.settings import ModelSettings

CHANGES_THE_BASE = {"pissa", "olora"}
"""Ways to begin that take a part out of the base weights."""
NEEDS_FULL_WEIGHTS = CHANGES_THE_BASE | {"orthogonal"}
"""Those that PEFT cannot make for a quantised base."""
BEGINNING = "_updates_at_the_beginning"
"""Under this name a model keeps the updates that it began with, where they were taken out of the base."""


class LoRA(Method):
    """Train small low-rank updates of the linear layers, and the whole head. Source: Hu et al. 2021 (arXiv:2106.09685)."""

    rate_factor: ClassVar[float] = 5.0
    head_factor: ClassVar[float] = 2.0
    on_quantised: ClassVar[bool] = True
    by_parts: ClassVar[bool] = True

    rank: int = Field(16, ge=1)
    """Rank of each update."""
    alpha: float | None = Field(None, gt=0)
    """Scale of the updates, over the rank; left out, twice the rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout before each update."""
    targets: tuple[str, ...] | Literal["all-linear"] = "all-linear"
    """The linear layers that are updated, by how their names end, as ``[query, value]``; ``all-linear`` is all of the encoder's."""
    rslora: bool = False
    """Scale by the square root of the rank (Kalajdzievski 2023, arXiv:2312.03732)."""
    dora: bool = False
    """Train the length of each column of a weight by itself, and the update for its direction (Liu et al. 2024, arXiv:2402.09353)."""
    init: Literal["default", "gaussian", "orthogonal", "pissa", "olora"] = "default"
    """How updates begin. ``default``, ``gaussian`` and ``orthogonal`` begin without an effect. ``pissa`` takes the largest singular values
    out of the base (Meng et al. 2024, arXiv:2404.02948), ``olora`` the first directions of its QR decomposition (Büyükakyüz 2024,
    arXiv:2406.01775); the adapter that is saved fits the base as it was all the same, at twice the rank."""
    b_rate_factor: float = Field(1.0, gt=0)
    """Learning rate of the second matrix of each update (B) over that of the first; LoRA+ takes 16 (Hayou et al. 2024,
    arXiv:2402.12354)."""

    layers: int | None = Field(None, ge=1)
    """How many layers of the encoder are updated, from the top; left out, all of them."""

    @model_validator(mode="after")
    def _can_begin(self) -> Self:
        if self.init == "orthogonal" and self.rank % 2:
            raise ValueError(f"init: orthogonal needs an even rank (got {self.rank})")
        return self

    def refuses(self, head: str, settings: ModelSettings) -> str:
        if (settings.quantize or self.quantize) and self.init in NEEDS_FULL_WEIGHTS:
            return f"method.init: {self.init} is made from full base weights, and these are quantised: use init: default or gaussian"
        return ""

    def frozen_layers(self, config: Any) -> int:
        return 0 if self.layers is None else below_top(self.layers, config, "method.layers")

    def apply(self, model: nn.Module, head: tuple[str, ...]) -> nn.Module:
        from peft import LoraConfig
        from torch import nn

        linear = linear_layers(model, head)
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
            use_dora=self.dora,
            init_lora_weights=cast(Any, True if self.init == "default" else self.init),
            fan_in_fan_out=not any(isinstance(model.get_submodule(path), nn.Linear) for path in linear),  # GPT-2 has its weights so
            target_modules=linear if self.targets == "all-linear" else chosen(linear, self.targets, "method.targets"),
            modules_to_save=list(head),
        )
        made = through_peft.wrapped(model, config)
        if self.init in CHANGES_THE_BASE:
            setattr(made, BEGINNING, _updates(made))
        return made

    def head_weights(self, model: nn.Module, head: tuple[str, ...]) -> frozenset[str]:
        return through_peft.head_weights(model, head)

    def rate_factors(self, model: nn.Module, head: tuple[str, ...]) -> Mapping[str, float]:
        if self.b_rate_factor == 1:
            return {}
        return {name: self.b_rate_factor for name, _ in model.named_parameters() if ".lora_B." in name}

    def targets_in(self, model: nn.Module) -> tuple[str, ...]:
        return shortened(through_peft.adapted(model))

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        through_peft.save(model, folder)
        if self.init in CHANGES_THE_BASE:
            _fit_the_base(folder, getattr(model, BEGINNING), self.rslora)
        return True

    def merge(self, model: nn.Module) -> nn.Module:
        from tunewright.model.quantize import is_quantised

        return _merged_in_full(model) if any(map(is_quantised, model.modules())) else through_peft.merged(model)


def _merged_in_full(model: nn.Module) -> nn.Module:
    """The updates put into the weights of a quantised base turned back into full ones; put into quantised ones, much of them would be
    rounded away."""
    from copy import deepcopy

    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    from tunewright.model.quantize import dequantised

    peft: Any = model
    through_peft.unwrapped(model)
    config, state = deepcopy(peft.peft_config["default"]), get_peft_model_state_dict(peft)
    config.modules_to_save = None  # they stand in the plain model already
    again = through_peft.wrapped(dequantised(peft.unload()), config)
    set_peft_model_state_dict(cast(Any, again), {name: value for name, value in state.items() if ".lora_" in name})
    return through_peft.merged(again)


def _updates(model: nn.Module) -> dict[str, Tensor]:
    """The two matrices of every update, by the names under which they are saved."""
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(cast(Any, model))
    return {name: value.detach().clone().cpu() for name, value in state.items() if ".lora_A." in name or ".lora_B." in name}


def _fit_the_base(folder: Path, beginning: Mapping[str, Tensor], rslora: bool) -> None:
    """Make a saved adapter that belongs to the rest of a base into one for the whole base: an update less the one it began with.

    Source: B A - B0 A0 = [B | -B0] [A / A0], as in PEFT's conversion of PiSSA to LoRA.
    """
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "adapter_model.safetensors")
    for name, first in beginning.items():
        both = (weights[name], first) if ".lora_A." in name else (weights[name], -first)
        weights[name] = torch.cat(both, dim=0 if ".lora_A." in name else 1).contiguous()
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    scale = 2**0.5 if rslora else 2  # the rank doubles, and the scale of the updates must stay
    changes = {"r": 2 * config["r"], "lora_alpha": scale * config["lora_alpha"], "init_lora_weights": True}
    write_json(folder / "adapter_config.json", {**config, **changes})
