from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from tunewright.model.methods import through_peft
from tunewright.model.methods.base import Method
from tunewright.model.methods.virtual import common, fits, refused

if TYPE_CHECKING:
    from torch import nn

    from tunewright.model.settings import ModelSettings


class Prompt(Method):
    """Train vectors that stand before the tokens of every row, and the whole head. Source: Lester et al. 2021 (arXiv:2104.08691)."""

    rate_factor: ClassVar[float] = 50.0
    head_factor: ClassVar[float] = 1.0
    merges: ClassVar[bool] = False

    virtual_tokens: int = Field(20, ge=1)
    """How many vectors; each takes the place of a token that the model could see."""

    def refuses(self, head: str, settings: ModelSettings) -> str:
        return refused("prompt", head, settings, longer=True)

    def suits(self, config: Any, max_tokens: int, longest: int) -> None:
        fits(self.virtual_tokens, max_tokens, longest)

    def apply(self, model: nn.Module, head: tuple[str, ...]) -> nn.Module:
        from peft import PromptTuningConfig

        return through_peft.wrapped(model, PromptTuningConfig(**common(model, self.virtual_tokens, head)))

    def head_weights(self, model: nn.Module, head: tuple[str, ...]) -> frozenset[str]:
        return through_peft.head_weights(model, head)

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        return through_peft.save(model, folder)

    def merge(self, model: nn.Module) -> nn.Module:
        return through_peft.unwrapped(model)

    def attach(self, model: nn.Module, folder: Path) -> nn.Module:
        return through_peft.attached(model, folder)
