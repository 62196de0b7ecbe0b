from __future__ import annotations

from typing import ClassVar

from tunewright.model.methods.lora import LoRA


class QLoRA(LoRA):  # a fourth step of inheritance: it is LoRA in every setting and every method
    """LoRA on a base in four bits (NF4, the scales quantised too), to save memory. What is saved is merged into full weights.
    Source: Dettmers et al. 2023 (arXiv:2305.14314)."""

    quantize: ClassVar[str | None] = "nf4"
