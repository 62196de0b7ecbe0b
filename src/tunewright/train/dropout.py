"""Dropout on a processor without the wait: its masks are most of what a step costs beside the multiplications."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.library import Library

_LEVELS = 2**16
_BLOCK = 2**17
"""Elements drawn at once: so few that they stay in the cache of the core."""


def bernoulli_(self: Tensor, p: float = 0.5, *, generator: torch.Generator | None = None) -> Tensor:
    """Fill a tensor with ones and zeros, each element a one with probability ``p``, as ``Tensor.bernoulli_`` does.

    PyTorch draws each element from its Mersenne Twister, one after the other and in one thread. Here one number of that generator seeds
    NumPy's SFC64, and each element takes 16 of its bits. So the state of PyTorch's generator still decides the mask: what is saved and
    put back with it comes again.

    Args:
        self: any shape and dtype, on the processor.
        p: in [0, 1]; met to within 1/131,072, which is how the bits divide.
        generator: PyTorch's own where none is given.

    Returns:
        ``self``.

    Raises:
        ValueError: ``p`` is not a probability.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p must be in [0, 1], not {p}")
    size, below = self.numel(), round(p * _LEVELS) - _LEVELS // 2
    bits = np.random.SFC64(int(torch.randint(2**63 - 1, (), generator=generator)))
    mask = np.empty(size, dtype=bool)
    for start in range(0, size, _BLOCK):
        block = mask[start : start + _BLOCK]
        draws = bits.random_raw(-(-len(block) // 4)).view(np.int16)
        np.less(draws[: len(block)], below, out=block)
    return self.copy_(torch.from_numpy(mask).view(self.shape))


@contextmanager
def quick_dropout() -> Iterator[None]:
    """Draw the masks of dropout with ``bernoulli_``, wherever PyTorch draws them on a processor: in modules, functions and attention.

    Other devices keep their own; so does a compiled model.
    """
    ours = Library("aten", "IMPL")  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"(?s).*[Oo]verriding a previously registered kernel")
            ours.impl("bernoulli_.float", bernoulli_, "CPU")  # type: ignore[no-untyped-call]
        yield
    finally:
        ours._destroy()  # type: ignore[no-untyped-call]
