"""What the scores on the validation rows tell beside the training loss."""

from __future__ import annotations

import math
from statistics import fmean
from typing import ClassVar

from pydantic import Field, PrivateAttr

from tunewright.train.guards.base import Evaluated, Guard, Seen, Sighting, Verdict

LAST, FEW = 50, 10
"""Steps whose mean is the training loss at an evaluation: to see it fall, and to see where it is."""
LOSS = "log_loss"
"""The score that shows overfitting first, where a task has it."""


class Overfitting(Guard):
    """The training loss goes on falling while the validation rows are answered worse and worse."""

    looks: int = Field(2, ge=1)
    """Evaluations in a row that must be worse than the one before."""
    least: float = Field(0.01, ge=0)
    """By how much a score must be worse than the best one to count: a share of it."""

    symptom: ClassVar = "training falls, validation gets worse"
    means: ClassVar = "the model learns its rows by heart"
    remedy: ClassVar = (
        "Train for fewer epochs, let train.early_stopping end the run, raise train.weight_decay or model.dropout, or add rows"
    )
    adjusts: ClassVar = "ends the run; the best checkpoint is served"

    _losses: list[float] = PrivateAttr(default_factory=list)
    _before: list[list[float]] = PrivateAttr(default_factory=list)

    def step(self, seen: Seen) -> Sighting | None:
        self._losses = [*self._losses, seen.loss][-LAST:]
        return None

    def evaluated(self, seen: Evaluated) -> Sighting | None:
        name, sign = (LOSS, 1.0) if LOSS in seen.scores else (seen.best_by, -1.0 if seen.higher_is_better else 1.0)
        if not self._losses or not math.isfinite(seen.scores[name]):
            return None
        training, held_out = fmean(self._losses), sign * seen.scores[name]
        self._before = [*self._before, [training, held_out]][-self.looks - 1 :]
        pairs = list(zip(self._before, self._before[1:], strict=False))
        worse = all(now[0] < was[0] and now[1] > was[1] + self.least * abs(was[1]) for was, now in pairs)
        if len(pairs) < self.looks or not worse:
            return None
        was = self._before[0]
        went = f"{name} went from {abs(was[1]):.3g} to {abs(held_out):.3g}"
        return Sighting(f"the training loss fell from {was[0]:.3g} to {training:.3g} while {went}", Verdict("end"))


class TooGood(Guard):
    """The validation rows are answered far better than those that were trained on."""

    share: float = Field(0.3, gt=0, lt=1)
    """Of the training loss; a validation loss below it is too good to be true."""
    least: float = Field(0.2, gt=0)
    """Training loss, in nats, below which nothing is said: dropout alone makes such a difference there."""

    symptom: ClassVar = "validation far better than training"
    means: ClassVar = "validation rows that stand in train, or are much easier"
    remedy: ClassVar = "Look at the findings leak-exact, leak-near and leak-group, and at how the splits were made"

    _losses: list[float] = PrivateAttr(default_factory=list)

    def step(self, seen: Seen) -> Sighting | None:
        self._losses = [*self._losses, seen.loss][-FEW:]
        return None

    def evaluated(self, seen: Evaluated) -> Sighting | None:
        if seen.same_loss not in seen.scores or len(self._losses) < FEW or seen.epoch < 1:
            return None
        training, held_out = fmean(self._losses), seen.scores[seen.same_loss]
        if training < self.least or held_out >= self.share * training:
            return None
        return Sighting(f"the validation loss is {held_out:.3g}, the training loss {training:.3g}")
