from __future__ import annotations

from typing import Any, ClassVar

from tunewright.model.methods.virtual import VirtualTokens


class Prompt(VirtualTokens):
    """Train vectors that stand before the tokens of every row, and the whole head. Source: Lester et al. 2021 (arXiv:2104.08691)."""

    rate_factor: ClassVar[float] = 50.0
    head_factor: ClassVar[float] = 1.0

    def peft_config(self, shape: dict[str, Any]) -> Any:
        from peft import PromptTuningConfig

        return PromptTuningConfig(**shape)
