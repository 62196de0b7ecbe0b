"""The processes that torchrun or ``accelerate launch`` started together, as the environment tells of them."""

from __future__ import annotations

import os


def count() -> int:
    """How many there are; 1 where nothing of the kind started this one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def number() -> int:
    """Which of them this is, from 0. The first one reads, writes and speaks for all."""
    return int(os.environ.get("RANK", "0")) if count() > 1 else 0
