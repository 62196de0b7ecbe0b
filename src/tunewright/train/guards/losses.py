"""What the course of the training loss tells."""

from __future__ import annotations

import math
from statistics import fmean
from typing import ClassVar

from pydantic import Field, PrivateAttr

from tunewright.train.guards.base import Guard, Seen, Sighting, Verdict

FIRST = 5
"""Steps whose mean is the first loss of a run."""


class RateTooHigh(Guard):
    """Early in the run the loss climbs well above what it was at first."""

    factor: float = Field(1.5, gt=1)
    """How many times the first loss (the mean of five steps)."""
    share: float = Field(0.2, gt=0, le=1)
    """Of the run, in which this is looked for."""
    lower: float = Field(0.5, gt=0, lt=1)
    """What ``adjust`` multiplies the rates by."""

    symptom: ClassVar = "a loss above its first value"
    means: ClassVar = "a learning rate that is too high, or a warm-up that is too short"
    remedy: ClassVar = "Lower train.learning_rate or raise train.warmup"
    adjusts: ClassVar = "halves every learning rate for the rest of the run"

    _first: list[float] = PrivateAttr(default_factory=list)
    _last: list[float] = PrivateAttr(default_factory=list)

    def step(self, seen: Seen) -> Sighting | None:
        if not math.isfinite(seen.loss) or seen.step > self.share * seen.total_steps:
            return None
        if len(self._first) < FIRST:
            self._first = [*self._first, seen.loss]
            return None
        self._last = [*self._last, seen.loss][-FIRST:]
        first, now = fmean(self._first), fmean(self._last)
        if len(self._last) < FIRST or now <= self.factor * first or first <= 0:
            return None
        self._last = []
        return Sighting(f"the loss is {now:.3g}, where the first steps had {first:.3g}", Verdict("lower", self.lower))


class StalledLoss(Guard):
    """The loss has not fallen for a good part of the run."""

    share: float = Field(0.2, gt=0, lt=1)
    """Of the run: the mean of such a stretch is compared with that of the one before."""
    least: float = Field(0.005, ge=0)
    """Share of itself by which the loss must fall from one stretch to the next."""
    learned: float = Field(0.2, gt=0, lt=1)
    """Share of the first loss below which a loss has every right to stand still."""

    symptom: ClassVar = "a loss that does not fall any more"
    means: ClassVar = (
        "a learning rate that is too low or too high, a part of the model that is frozen by mistake, or labels without a pattern"
    )
    remedy: ClassVar = "Try another train.learning_rate; look at the labels (tunewright review labels); or train for fewer steps"

    _sum: float = PrivateAttr(0.0)
    _count: int = PrivateAttr(0)
    _before: float | None = PrivateAttr(None)
    _first: float | None = PrivateAttr(None)

    def step(self, seen: Seen) -> Sighting | None:
        if not math.isfinite(seen.loss):
            return None
        self._sum, self._count = self._sum + seen.loss, self._count + 1
        if self._count < max(20, self.share * seen.total_steps):
            return None
        now, before = self._sum / self._count, self._before
        self._sum, self._count, self._before = 0.0, 0, now
        self._first = now if self._first is None else self._first
        if before is None or now <= before * (1 - self.least) or now < self.learned * self._first:
            return None
        return Sighting(f"the loss was {before:.4g} on average and is {now:.4g} now")


class Underfitting(Guard):
    """At the end of the run the loss is still near its first value."""

    share: float = Field(0.85, gt=0, lt=1)
    """Of the first loss; with one above it at the end, hardly anything was learned."""

    symptom: ClassVar = "a loss that is near its first value at the end"
    means: ClassVar = "too few steps, a learning rate that is too low, a method with too few weights, or labels without a pattern"
    remedy: ClassVar = "Raise train.epochs or train.learning_rate, or choose a method that trains more"

    _first: list[float] = PrivateAttr(default_factory=list)
    _last: list[float] = PrivateAttr(default_factory=list)

    def step(self, seen: Seen) -> Sighting | None:
        if not math.isfinite(seen.loss):
            return None
        if len(self._first) < FIRST:
            self._first = [*self._first, seen.loss]
        self._last = [*self._last, seen.loss][-2 * FIRST :]
        first, now = fmean(self._first), fmean(self._last)
        if seen.step < seen.total_steps or seen.step <= 4 * FIRST or first <= 0 or now < self.share * first:
            return None
        return Sighting(f"the loss was {first:.3g} at first and is {now:.3g} at the end")
