"""Methods: which weights are trained, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunewright.core.registry import Registry

if TYPE_CHECKING:
    from tunewright.model.methods.base import Method

METHODS: Registry[Method] = Registry(
    "method",
    {
        "full": "tunewright.model.methods.full:Full",
        "head": "tunewright.model.methods.head:Head",
        "top-layers": "tunewright.model.methods.top_layers:TopLayers",
        "lora": "tunewright.model.methods.lora:LoRA",
        "qlora": "tunewright.model.methods.qlora:QLoRA",
        "ia3": "tunewright.model.methods.ia3:IA3",
        "adapter": "tunewright.model.methods.adapter:Adapter",
        "prompt": "tunewright.model.methods.prompt:Prompt",
        "p-tuning": "tunewright.model.methods.p_tuning:PTuning",
        "prefix": "tunewright.model.methods.prefix:Prefix",
    },
)
