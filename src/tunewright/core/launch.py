"""The processes that torchrun or ``accelerate launch`` started together, as the environment tells of them."""

from __future__ import annotations

import os

TOLD = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What launchers say in the environment."""


def count() -> int:
    """How many there are; 1 where nothing of the kind started this one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def number() -> int:
    """Which of them this is, from 0. The first one reads, writes and speaks for all."""
    return int(os.environ.get("RANK", "0")) if count() > 1 else 0


def forget() -> None:
    """Work alone from now on: what would wait for the others, as libraries that read the same environment do, finds none."""
    for name in TOLD:
        os.environ.pop(name, None)
