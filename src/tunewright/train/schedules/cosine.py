from __future__ import annotations

import math

from pydantic import Field

from tunewright.train.schedules.base import Schedule


class Cosine(Schedule):
    """Falls as a cosine does: slowly at first and at the end. Source: Loshchilov and Hutter 2017 (arXiv:1608.03983)."""

    cycles: float = Field(0.5, gt=0)
    """Waves: half a wave falls once to 0."""

    def factor(self, done: int, steps: int) -> float:
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * self.cycles * 2.0 * (done / steps))))
