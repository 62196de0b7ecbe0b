"""Callbacks watch a run: the journal, progress, early stopping; and trackers, which a recipe names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunewright.core.registry import Registry

if TYPE_CHECKING:
    from tunewright.train.callbacks.tracker import Tracker

TRACKERS: Registry[Tracker] = Registry(
    "tracker",
    {
        "mlflow": "tunewright.train.callbacks.mlflow:MLflow",
        "tensorboard": "tunewright.train.callbacks.tensorboard:TensorBoard",
        "wandb": "tunewright.train.callbacks.wandb:WandB",
    },
)
