"""One stream of randomness per purpose, so that adding a use never moves another."""

from __future__ import annotations

import random
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def seed_for(run_seed: int, purpose: str, index: int = 0) -> int:
    """A 32-bit seed for one purpose of one run.

    >>> seed_for(1, "split") == seed_for(1, "augment")
    False
    """
    return int.from_bytes(blake2b(f"{run_seed}/{purpose}/{index}".encode(), digest_size=4).digest(), "big")


def generator(run_seed: int, purpose: str, index: int = 0) -> random.Random:
    """A Python generator of its own for each use.

    >>> generator(1, "split").random() == generator(1, "split").random()
    True
    """
    return random.Random(seed_for(run_seed, purpose, index))


def array_generator(run_seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """The same for arrays: a numpy generator of its own for each use."""
    import numpy as np

    return np.random.default_rng(seed_for(run_seed, purpose, index))
