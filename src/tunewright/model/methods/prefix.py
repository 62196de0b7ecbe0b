from __future__ import annotations

import inspect
from typing import Any, ClassVar

from tunewright.core.errors import UserError
from tunewright.model.methods.virtual import VirtualTokens


class Prefix(VirtualTokens):
    """Train keys and values that every attention sees before those of the tokens, and the whole head. Source: Li and Liang 2021
    (arXiv:2101.00190)."""

    rate_factor: ClassVar[float] = 50.0
    head_factor: ClassVar[float] = 1.0
    longer: ClassVar[bool] = False

    def suits(self, config: Any, max_tokens: int, longest: int) -> None:
        import transformers

        backbone: Any = transformers.AutoModel._model_mapping.get(type(config), None)
        if backbone is None or "past_key_values" not in inspect.signature(backbone.forward).parameters:
            raise UserError(
                f"the architecture {config.model_type!r} takes no keys and values from outside, which method: prefix needs",
                "BERT, RoBERTa, ELECTRA and models that write take them (past_key_values)",
                "Use method: prompt, lora, ia3 or adapter, or another model.base",
            )
        super().suits(config, max_tokens, longest)

    def peft_config(self, shape: dict[str, Any]) -> Any:
        from peft import PrefixTuningConfig

        return PrefixTuningConfig(**shape)
