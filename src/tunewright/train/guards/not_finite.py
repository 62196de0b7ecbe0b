from __future__ import annotations

import math
from typing import ClassVar, Self

from pydantic import Field, PrivateAttr, model_validator

from tunewright.train.guards.base import Action, Guard, Seen, Sighting, Verdict


class NotFinite(Guard):
    """The loss or a gradient is no finite number (NaN, infinity). The update is never made."""

    action: Action = "adjust"
    """The update is left out in any case. ``tell`` goes on so for ever; ``adjust`` goes back to a checkpoint, and gives up at last;
    ``stop`` ends the run at the first such step, with exit status 4."""
    quiet: int = Field(0, ge=0)
    """Steps after which the same is told again on the screen, at the earliest."""
    in_a_row: int = Field(3, ge=1)
    """Steps in a row that are skipped; the next such step takes the run back to its last checkpoint, with lower rates."""
    most: int = Field(10, ge=1)
    """Such steps in the whole run; the next one ends it with exit status 4."""
    factor: float = Field(0.5, gt=0, le=1)
    """What the learning rates are multiplied by when the run is taken back."""

    symptom: ClassVar = "NaN or infinite loss or gradient"
    means: ClassVar = (
        "a learning rate that is too high, numbers too large for the precision, or rows that break the loss (an empty text, a wrong label)"
    )
    remedy: ClassVar = (
        "Look at the rows of the step (events.jsonl); lower train.learning_rate, raise train.warmup, or set train.precision: fp32"
    )
    adjusts: ClassVar = "skips the update; after several in a row goes back to the last checkpoint with half the rate; gives up at last"

    _row: int = PrivateAttr(0)
    _all: int = PrivateAttr(0)

    def step(self, seen: Seen) -> Sighting | None:
        if math.isfinite(seen.loss) and (math.isfinite(seen.grad_norm) or seen.scaled):
            self._row = 0
            return None
        self._row, self._all = self._row + 1, self._all + 1
        told = f"the loss is {seen.loss:g} and the norm of the gradient {seen.grad_norm:g} at a learning rate of {seen.learning_rate:.2g}"
        return Sighting(told, self._verdict(), seen.rows())

    @model_validator(mode="after")
    def _always_looks(self) -> Self:
        if not self.enabled:
            raise ValueError("an update without finite numbers is never made: use action: stop to end the run at the first one")
        return self

    def _verdict(self) -> Verdict:
        if self._all > self.most:
            return Verdict("fail")
        if self._row > self.in_a_row:
            self._row = 0
            return Verdict("restore", self.factor)
        return Verdict("skip")

    def decide(self, sighting: Sighting) -> Verdict:
        """An update with such a gradient is never made: to ``tell`` alone is to skip it."""
        return {"tell": Verdict("skip"), "adjust": sighting.verdict, "stop": Verdict("fail")}[self.action]
