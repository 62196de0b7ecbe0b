from __future__ import annotations

from tunewright.train.schedules.base import Schedule


class Linear(Schedule):
    """Falls in a straight line to 0."""

    def factor(self, done: int, steps: int) -> float:
        return max(0.0, (steps - done) / steps)
