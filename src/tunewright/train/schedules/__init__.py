"""Schedules: how the learning rate moves over the steps. A recipe has exactly one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunewright.train.imported import OpenRegistry

if TYPE_CHECKING:
    from tunewright.train.schedules.base import Schedule

SCHEDULES: OpenRegistry[Schedule] = OpenRegistry(
    "schedule",
    {
        "linear": "tunewright.train.schedules.linear:Linear",
        "cosine": "tunewright.train.schedules.cosine:Cosine",
        "constant": "tunewright.train.schedules.constant:Constant",
    },
    "tunewright.train.schedules.own:OwnSchedule",
)
