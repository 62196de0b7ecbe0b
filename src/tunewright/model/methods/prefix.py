from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from tunewright.core.errors import UserError
from tunewright.model.methods import through_peft
from tunewright.model.methods.base import Method
from tunewright.model.methods.virtual import common, fits, refused

if TYPE_CHECKING:
    from torch import nn

    from tunewright.model.settings import ModelSettings


class Prefix(Method):
    """Train keys and values that every attention sees before those of the tokens, and the whole head. Source: Li and Liang 2021
    (arXiv:2101.00190)."""

    rate_factor: ClassVar[float] = 50.0
    head_factor: ClassVar[float] = 1.0
    merges: ClassVar[bool] = False

    virtual_tokens: int = Field(20, ge=1)
    """How many keys and values in each layer; each takes the place of a token that the model could see."""

    def refuses(self, head: str, settings: ModelSettings) -> str:
        return refused("prefix", head, settings, longer=False)

    def suits(self, config: Any, max_tokens: int, longest: int) -> None:
        import transformers

        backbone: Any = transformers.AutoModel._model_mapping.get(type(config), None)
        if backbone is None or "past_key_values" not in inspect.signature(backbone.forward).parameters:
            raise UserError(
                f"the architecture {config.model_type!r} takes no keys and values from outside, which method: prefix needs",
                "BERT, RoBERTa, ELECTRA and models that write take them (past_key_values)",
                "Use method: prompt, lora, ia3 or adapter, or another model.base",
            )
        fits(self.virtual_tokens, max_tokens, longest)

    def apply(self, model: nn.Module, head: tuple[str, ...]) -> nn.Module:
        from peft import PrefixTuningConfig

        return through_peft.wrapped(model, PrefixTuningConfig(**common(model, self.virtual_tokens, head)))

    def head_weights(self, model: nn.Module, head: tuple[str, ...]) -> frozenset[str]:
        return through_peft.head_weights(model, head)

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        return through_peft.save(model, folder)

    def merge(self, model: nn.Module) -> nn.Module:
        return through_peft.unwrapped(model)

    def attach(self, model: nn.Module, folder: Path) -> nn.Module:
        return through_peft.attached(model, folder)
