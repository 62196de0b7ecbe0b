"""Gradients that are far too large, far too small, or not there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median
from typing import ClassVar

from pydantic import Field, PrivateAttr

from tunewright.train.guards.base import HEAD, Guard, Seen, Sighting, Verdict


class ExplodingGradients(Guard):
    """The norm of the gradient is many times what it was in the steps before.

    The fewer rows a step has, the less of their noise cancels out: its norm may be larger by the square root of that. So the last step
    of an epoch, which has the rows that are left over, is no alarm.
    """

    factor: float = Field(10.0, gt=1)
    """How many times the median of the steps before, both for the same number of labelled items."""
    window: int = Field(100, ge=10)
    """Steps that the median is taken of; fewer than a fifth of them tell nothing yet."""

    symptom: ClassVar = "a gradient many times as large as before"
    means: ClassVar = "a learning rate that is too high, or single rows unlike the others"
    remedy: ClassVar = "Lower train.learning_rate or train.clip; look at the rows of the step"
    adjusts: ClassVar = "skips the update"

    _norms: list[float] = PrivateAttr(default_factory=list)
    """As if each step had one labelled item."""

    def step(self, seen: Seen) -> Sighting | None:
        if not math.isfinite(seen.grad_norm):
            return None
        root = math.sqrt(max(seen.items, 1.0))
        usual = median(self._norms) / root if len(self._norms) >= self.window // 5 else math.inf
        self._norms = [*self._norms, seen.grad_norm * root][-self.window :]
        if seen.grad_norm <= self.factor * usual:
            return None
        return Sighting(
            f"the norm of the gradient is {seen.grad_norm:.3g}, where {usual:.3g} was usual for as many rows", Verdict("skip"), seen.rows()
        )


class VanishingGradients(Guard):
    """A trained layer gets hardly any gradient, compared with the others, each time that it is looked at."""

    share: float = Field(1e-6, gt=0, lt=1)
    """Of the largest gradient of a layer; a layer below it counts as left out."""
    every: int = Field(50, ge=1)
    """Steps between two looks: they cost a pass over all gradients."""
    looks: int = Field(3, ge=1)
    """Looks in a row at which the layer must be left out."""

    symptom: ClassVar = "a layer that gets no gradient"
    means: ClassVar = "saturated activations, a part of the model that the loss does not reach, or numbers too small for the precision"
    remedy: ClassVar = "Set train.precision: fp32 or bf16, or freeze the layer (method: top-layers) if it shall not learn"

    _left_out: dict[str, int] = PrivateAttr(default_factory=dict)

    def step(self, seen: Seen) -> Sighting | None:
        if seen.step % self.every:
            return None
        norms = {name: norm for name, norm in seen.gradients().items() if name != HEAD}
        small = _below(norms, self.share)
        self._left_out = {name: self._left_out.get(name, 0) + 1 for name in small}
        quiet = [name for name, count in self._left_out.items() if count == self.looks]
        if not quiet:
            return None
        shown = ", ".join(quiet[:5]) + (f" and {len(quiet) - 5} more" if len(quiet) > 5 else "")
        return Sighting(f"hardly any gradient reaches {shown}: less than {self.share:g} of the largest")


class DeadHead(Guard):
    """The head gets no gradient at all: it cannot learn."""

    every: int = Field(50, ge=1)
    """Steps between two looks."""

    symptom: ClassVar = "a head that does not learn"
    means: ClassVar = "the head is frozen or cut off from the loss, or every output is saturated"
    remedy: ClassVar = "Lower train.head_learning_rate; check a model of your own for a detach() before its head"

    def step(self, seen: Seen) -> Sighting | None:
        if seen.step != 1 and seen.step % self.every:
            return None
        if seen.gradients().get(HEAD, 1.0) != 0:  # a model without a head has none to lose
            return None
        return Sighting("no gradient reaches the head")


def _below(norms: Mapping[str, float], share: float) -> list[str]:
    finite = {name: norm for name, norm in norms.items() if math.isfinite(norm)}
    least = share * max(finite.values(), default=0.0)
    return [name for name, norm in finite.items() if norm < least or norm == 0]
