"""Guards: each sees a step after its gradients and before its update, says what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tunewright.core.registry import Registry
from tunewright.core.switches import settings_of

if TYPE_CHECKING:
    from tunewright.train.guards.base import Guard

GUARDS: Registry[Guard] = Registry(
    "guard",
    {
        "nothing-to-learn": "tunewright.train.guards.labels:NothingToLearn",
        "not-finite": "tunewright.train.guards.not_finite:NotFinite",
        "exploding-gradients": "tunewright.train.guards.gradients:ExplodingGradients",
        "vanishing-gradients": "tunewright.train.guards.gradients:VanishingGradients",
        "dead-head": "tunewright.train.guards.gradients:DeadHead",
        "rate-too-high": "tunewright.train.guards.losses:RateTooHigh",
        "stalled-loss": "tunewright.train.guards.losses:StalledLoss",
        "underfitting": "tunewright.train.guards.losses:Underfitting",
        "overfitting": "tunewright.train.guards.scores:Overfitting",
        "too-good": "tunewright.train.guards.scores:TooGood",
        "slow": "tunewright.train.guards.machine:Slow",
        "growing-memory": "tunewright.train.guards.machine:GrowingMemory",
        "full-disk": "tunewright.train.guards.machine:FullDisk",
    },
)
"""In the order in which they look; the first that acts on a step decides what becomes of it."""


def chosen(wanted: Mapping[str, bool | Mapping[str, Any]]) -> dict[str, Guard]:
    """The guards that watch a run, by name.

    Args:
        wanted: ``guards`` of a recipe; those that it does not name are on.
    """
    every = {name: GUARDS.get(name).read(settings_of(wanted.get(name, {}))) for name in GUARDS.places()}
    return {name: guard for name, guard in every.items() if guard.enabled}
