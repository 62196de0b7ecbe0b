"""Optimizers: what turns gradients into updates. A recipe has exactly one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunewright.train.imported import OpenRegistry

if TYPE_CHECKING:
    from tunewright.train.optimizers.base import Optimizer

OPTIMIZERS: OpenRegistry[Optimizer] = OpenRegistry(
    "optimizer",
    {
        "adamw": "tunewright.train.optimizers.adamw:AdamW",
        "adamw-8bit": "tunewright.train.optimizers.adamw_8bit:AdamW8bit",
        "sgd": "tunewright.train.optimizers.sgd:SGD",
    },
    "tunewright.train.optimizers.base:OwnOptimizer",
)
