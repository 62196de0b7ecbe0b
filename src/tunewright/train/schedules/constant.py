from __future__ import annotations

from tunewright.train.schedules.base import Schedule


class Constant(Schedule):
    """Stays where it is."""

    def factor(self, done: int, steps: int) -> float:
        return 1.0
