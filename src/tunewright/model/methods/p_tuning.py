from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from tunewright.model.methods.virtual import VirtualTokens


class PTuning(VirtualTokens):
    """Train a small network that makes vectors to stand before the tokens of every row, and the whole head. Only the vectors are kept.
    Source: Liu et al. 2021 (arXiv:2103.10385)."""

    rate_factor: ClassVar[float] = 10.0
    head_factor: ClassVar[float] = 5.0

    width: int | None = Field(None, ge=1)
    """Of the hidden layers of the network; left out, that of the model."""

    def peft_config(self, shape: dict[str, Any]) -> Any:
        from peft import PromptEncoderConfig

        return PromptEncoderConfig(**shape, encoder_hidden_size=self.width or shape["token_dim"])
