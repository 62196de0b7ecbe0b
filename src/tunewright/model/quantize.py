"""Base weights in four or eight bits (bitsandbytes): loaded so, measured, and turned back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tunewright.core.errors import MissingExtra
from tunewright.model.device import device, precision
from tunewright.model.methods.base import Method
from tunewright.model.settings import ModelSettings

if TYPE_CHECKING:
    from torch import nn

BITS = {"nf4": 4.5, "fp4": 4.5, "int8": 8.0}
"""Of a quantised weight, with the scale of its block."""
BITS_TWICE = 4.127
"""Of one in four bits whose scales are quantised too. Source: Dettmers et al. 2023, section 3 (arXiv:2305.14314)."""

PACKS = "support_avx512bf16_for_cpu"
"""What bitsandbytes' four-bit layers ask before they pack their weights for answers."""


def quantised(settings: ModelSettings, method: Method) -> str | None:
    """How the base is quantised: as the recipe says, else as the method does."""
    return settings.quantize or method.quantize


def bits(settings: ModelSettings, method: Method) -> float | None:
    """Bits of a quantised weight of this recipe; None where none is quantised."""
    kind = quantised(settings, method)
    if kind is None:
        return None
    return BITS_TWICE if kind != "int8" and settings.double_quantize else BITS[kind]


def needs(settings: ModelSettings, method: Method) -> None:
    """Ask for the package, before anything is loaded.

    Raises:
        MissingExtra: it is not installed.
    """
    from importlib.util import find_spec

    if (kind := quantised(settings, method)) and not find_spec("bitsandbytes"):
        raise MissingExtra(f"model.quantize: {kind}", "quant")


def warnings(settings: ModelSettings, method: Method) -> list[str]:
    """What the user should know of a quantised base on this machine."""
    if quantised(settings, method) is None or device() == "cuda":
        return []
    return [
        "on a processor a quantised base saves memory and not time: a step takes longer than with full weights. "
        "Where memory is no concern, method: lora is faster"
    ]


def loading(settings: ModelSettings, method: Method, whole: list[str]) -> dict[str, Any]:
    """What ``from_pretrained`` is told so that it quantises while it reads; nothing where nothing is quantised.

    Args:
        settings: the recipe's ``model`` section.
        method: the recipe's.
        whole: paths of the modules that keep their weights: the head.
    """
    kind = quantised(settings, method)
    if kind is None:
        return {}
    import torch
    from transformers import BitsAndBytesConfig

    where = device()
    compute = torch.bfloat16 if precision("auto", where) == "bf16" and where == "cuda" else torch.float32
    options: dict[str, Any] = (
        {"load_in_8bit": True}
        if kind == "int8"
        else {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": kind,
            "bnb_4bit_use_double_quant": settings.double_quantize,
            "bnb_4bit_compute_dtype": compute,
        }
    )
    return {
        "quantization_config": cast(Any, BitsAndBytesConfig)(**options, llm_int8_skip_modules=whole),
        "device_map": {"": where},
    }


def keep_as_loaded(model: nn.Module) -> None:
    """Have four-bit layers answer with the weights that were trained on.

    For answers on a processor that computes in bf16, bitsandbytes (seen in 0.50) would pack a layer anew, its scales and products rounded
    to bf16: other answers than those of a step, and an error where the outputs of the layer are no multiple of 32.
    """
    for module in model.modules():
        if hasattr(module, PACKS):
            setattr(module, PACKS, False)


def is_quantised(module: nn.Module) -> bool:
    """Whether a layer holds its weights in four or eight bits."""
    weight = getattr(module, "weight", None)
    return type(weight).__name__ in {"Params4bit", "Int8Params"}


def dequantised(model: nn.Module) -> nn.Module:
    """A plain model whose quantised weights are full ones again, as far as they can be: what rounding took is gone."""
    owner: Any = model if hasattr(model, "hf_quantizer") else cast(Any, model).encoder
    owner.dequantize()
    return model
