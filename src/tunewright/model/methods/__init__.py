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
    },
)
