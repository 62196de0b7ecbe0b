"""The ``model`` section of a recipe. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tunewright.core.config import Config


class ModelSettings(Config):
    """Which model to start from, and how it reads."""

    base: str
    """A local folder, a Hub id, or ``embedded``: the packaged small encoder, which needs no network."""
    max_tokens: Annotated[int, Field(ge=4)] | Literal["auto"] = "auto"
    """Tokens of a row that the model sees, those that mark its ends included; longer rows are cut, counted and listed, or, where the task
    does that (token-classification), cut into windows of this length. ``auto`` covers 99 % of the training rows, up to 256."""
    pooling: Literal["architecture", "mean"] = "architecture"
    """How token vectors become one: the architecture's own head (loads with plain Transformers), or their mean (better for sentence
    encoders; saved as a sentence-transformers folder)."""
    dropout: float | None = Field(None, ge=0, lt=1)
    """Dropout before the head; left out, the model's own."""
    attention_dropout: Annotated[float, Field(ge=0, lt=1)] | Literal["auto"] | None = "auto"
    """Share of what tokens see of each other that is dropped in training; ``null``, as the model has it. ``auto`` drops nothing where rows
    have more than 128 tokens, for that takes about half of a step there, and leaves the model's own where they are shorter."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the weights while they are trained and when they are saved."""
    quantize: Literal["nf4", "fp4", "int8"] | None = None
    """Keep the base weights in four or eight bits, to save memory; they cannot be trained then, so ``method`` must be ``qlora`` or
    ``lora``. ``load_in_4bit`` and ``load_in_8bit`` are understood too. Left out, in full, or as the method says."""
    double_quantize: bool = True
    """Quantise the scales of the blocks too, with four bits."""
    revision: str | None = None
    """Branch, tag or commit of a Hub id."""

    @model_validator(mode="before")
    @classmethod
    def _as_transformers_calls_it(cls, values: Any) -> Any:
        """Take the keys that ``from_pretrained`` has, or say what stands in their place."""
        if not isinstance(values, Mapping):
            return values
        found = dict(values)
        where = found.pop("device_map", "auto")
        if where != "auto":
            raise ValueError(
                f"device_map: {where}: the whole model stands on the fastest device, which is what auto means here; leave the key out, and "
                "choose among GPUs with CUDA_VISIBLE_DEVICES"
            )
        for key, kind in (("load_in_8bit", "int8"), ("load_in_4bit", "nf4")):
            if found.pop(key, False):
                if found.get("quantize", kind) != kind:
                    raise ValueError(f"{key} means quantize: {kind}, and quantize is {found['quantize']}: leave one of them out")
                found["quantize"] = kind
        for key, today in TODAY.items():
            if key in found:
                raise ValueError(f"{key} is {today} here: write it there")
        return found


TODAY = {
    "torch_dtype": "model.precision",
    "dtype": "model.precision",
    "bnb_4bit_quant_type": "model.quantize (nf4 or fp4)",
    "bnb_4bit_use_double_quant": "model.double_quantize",
    "quantization_config": "model.quantize",
}
"""Arguments of ``from_pretrained`` and what stands in their place."""
