"""What the methods have in common that put vectors before the tokens of a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import UserError
from tunewright.model.methods.through_peft import DECODERS, TASK_TYPES

if TYPE_CHECKING:
    from torch import nn

    from tunewright.model.settings import ModelSettings


def refused(name: str, head: str, settings: ModelSettings, longer: bool) -> str:
    """Why such a method cannot train for this head and these settings; empty when it can.

    Args:
        name: of the method.
        head: the transformers auto class that the task needs.
        settings: the recipe's ``model`` section.
        longer: whether the model gives outputs for the vectors too, so that a task with an output per token would find them shifted.
    """
    kind = TASK_TYPES.get(head.removeprefix("AutoModelFor"))
    if kind is None:
        return f"method: {name} is not known for this task: use method: lora"
    if longer and kind not in {"SEQ_CLS", *DECODERS}:
        return (
            f"method: {name} puts vectors before the tokens, and PEFT has no model that takes them off again for a task with an answer per "
            "token: use method: lora, ia3 or adapter"
        )
    if settings.pooling == "mean":
        return (
            f"method: {name} does not go with model.pooling: mean, which is saved as a sentence encoder, and that has no place for its "
            "vectors: use pooling: architecture, or method: lora, ia3 or adapter"
        )
    return ""


def fits(virtual_tokens: int, max_tokens: int, longest: int) -> None:
    """Hold the number of vectors against the places that the model has.

    Raises:
        UserError: there are too few.
    """
    if virtual_tokens + max_tokens > longest:
        raise UserError(
            f"method.virtual_tokens {virtual_tokens} and model.max_tokens {max_tokens} are {virtual_tokens + max_tokens} places, and this "
            f"model has {longest}",
            "Each vector takes the place of a token",
            f"Set model.max_tokens: {max(4, longest - virtual_tokens)}, or fewer method.virtual_tokens",
        )


def common(model: nn.Module, virtual_tokens: int, head: Sequence[str]) -> dict[str, Any]:
    """What PEFT is told of every such method."""
    config: Any = model.config
    kind = next(kind for ending, kind in TASK_TYPES.items() if type(model).__name__.endswith(f"For{ending}") or ending == "CausalLM")
    shape = {
        "token_dim": getattr(config, "hidden_size", None) or getattr(config, "dim", None),
        "num_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
    }
    return {"task_type": kind, "num_virtual_tokens": virtual_tokens, "modules_to_save": list(head), **shape}
