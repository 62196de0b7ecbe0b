"""What the methods have in common that put vectors before the tokens of a row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from tunewright.core.errors import UserError
from tunewright.model.methods import METHODS, through_peft
from tunewright.model.methods.base import Method
from tunewright.model.methods.through_peft import DECODERS, TASK_TYPES

if TYPE_CHECKING:
    from torch import nn

    from tunewright.model.settings import ModelSettings


class VirtualTokens(Method):
    """What prompt, p-tuning and prefix have in common: PEFT puts vectors before the tokens of every row, and the whole head is trained."""

    merges: ClassVar[bool] = False
    longer: ClassVar[bool] = True
    """Whether the model gives outputs for the vectors too, so that a task with an output per token would find them shifted."""

    virtual_tokens: int = Field(20, ge=1)
    """How many vectors (with ``prefix``: keys and values in each layer); each takes the place of a token that the model could see."""

    def peft_config(self, shape: dict[str, Any]) -> Any:
        """What PEFT is told; ``shape`` holds what it is told of every such method."""
        raise NotImplementedError

    def refuses(self, head: str, settings: ModelSettings) -> str:
        name, kind = METHODS.name_of(self), TASK_TYPES.get(head.removeprefix("AutoModelFor"))
        if kind is None:
            return f"method: {name} is not known for this task: use method: lora"
        if self.longer and kind not in {"SEQ_CLS", *DECODERS}:
            return (
                f"method: {name} puts vectors before the tokens, and PEFT has no model that takes them off again for a task with an answer "
                "per token: use method: lora, ia3 or adapter"
            )
        if settings.pooling == "mean":
            return (
                f"method: {name} does not go with model.pooling: mean, which is saved as a sentence encoder, and that has no place for its "
                "vectors: use pooling: architecture, or method: lora, ia3 or adapter"
            )
        return ""

    def suits(self, config: Any, max_tokens: int, longest: int) -> None:
        places = self.virtual_tokens + max_tokens
        if places > longest:
            raise UserError(
                f"method.virtual_tokens {self.virtual_tokens} and model.max_tokens {max_tokens} are {places} places, and this model has "
                f"{longest}",
                "Each vector takes the place of a token",
                f"Set model.max_tokens: {max(4, longest - self.virtual_tokens)}, or fewer method.virtual_tokens",
            )

    def apply(self, model: nn.Module, head: tuple[str, ...]) -> nn.Module:
        return through_peft.wrapped(model, self.peft_config(_shape(model, self.virtual_tokens, head)))

    def head_weights(self, model: nn.Module, head: tuple[str, ...]) -> frozenset[str]:
        return through_peft.head_weights(model, head)

    def save_adapter(self, model: nn.Module, folder: Path) -> bool:
        return through_peft.save(model, folder)

    def merge(self, model: nn.Module) -> nn.Module:
        return through_peft.unwrapped(model)

    def attach(self, model: nn.Module, folder: Path) -> nn.Module:
        return through_peft.attached(model, folder)


def _shape(model: nn.Module, virtual_tokens: int, head: Sequence[str]) -> dict[str, Any]:
    config: Any = model.config
    kind = next(kind for ending, kind in TASK_TYPES.items() if type(model).__name__.endswith(f"For{ending}") or ending == "CausalLM")
    shape = {
        "token_dim": getattr(config, "hidden_size", None) or getattr(config, "dim", None),
        "num_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
    }
    return {"task_type": kind, "num_virtual_tokens": virtual_tokens, "modules_to_save": list(head), **shape}
