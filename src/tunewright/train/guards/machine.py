"""What the machine tells: time, memory, disk."""

from __future__ import annotations

import shutil
from statistics import median
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr

from tunewright.train.guards.base import Guard, Seen, Sighting

WARM = 20
"""First steps, which say nothing of the usual pace or memory."""


class Slow(Guard):
    """Steps take several times as long for their tokens as they did before."""

    factor: float = Field(3.0, gt=1)
    """How many times the usual seconds per token."""
    window: int = Field(20, ge=5)
    """Steps whose median is compared with the usual one."""

    symptom: ClassVar = "a throughput that collapses"
    means: ClassVar = "another program on the machine, a processor that is too hot, memory that is swapped, or a disk that is too slow"
    remedy: ClassVar = "Look at what else runs (top, nvidia-smi); lower train.batch_size if the machine swaps"
    alone: ClassVar = True

    _usual: list[float] = PrivateAttr(default_factory=list)
    _last: list[float] = PrivateAttr(default_factory=list)
    _seen: int = PrivateAttr(0)

    def step(self, seen: Seen) -> Sighting | None:
        self._seen += 1
        if self._seen <= WARM or not seen.tokens:
            return None
        pace = seen.seconds / seen.tokens
        if len(self._usual) < 2 * self.window:
            self._usual = [*self._usual, pace]
            return None
        self._last = [*self._last, pace][-self.window :]
        usual, now = median(self._usual), median(self._last)
        if len(self._last) < self.window or now <= self.factor * usual:
            return None
        self._last = []
        return Sighting(f"{1 / now:,.0f} tokens a second, where {1 / usual:,.0f} were usual")

    def state(self) -> dict[str, Any]:
        """Nothing: a run that goes on does so in another process, perhaps on another machine."""
        return {}


class GrowingMemory(Guard):
    """The memory of the process goes on growing."""

    share: float = Field(0.5, gt=0)
    """Growth since the run was warm, as a share of what it had then."""
    least_bytes: int = Field(1 << 29, ge=0)
    """Growth below which nothing is said, in bytes."""

    symptom: ClassVar = "memory that grows"
    means: ClassVar = "something that is kept from every step, in a callback or a metric of your own; or rows that get longer"
    remedy: ClassVar = "Take callbacks and metrics of your own out one by one; look at what they keep"
    alone: ClassVar = True

    _warm: int = PrivateAttr(0)
    _seen: int = PrivateAttr(0)

    def step(self, seen: Seen) -> Sighting | None:
        import psutil

        self._seen += 1
        if self._seen < 5 * WARM or self._seen % WARM:
            return None
        now = int(psutil.Process().memory_info().rss)
        if not self._warm:
            self._warm = now
            return None
        grown = now - self._warm
        if grown <= max(self.share * self._warm, self.least_bytes):
            return None
        was, self._warm = self._warm, now
        return Sighting(f"{now / 1e9:.2f} GB in use, {was / 1e9:.2f} GB a while ago")

    def state(self) -> dict[str, Any]:
        """Nothing: a run that goes on does so in another process, perhaps on another machine."""
        return {}


class FullDisk(Guard):
    """The disk that takes the checkpoints is nearly full."""

    least_bytes: int = Field(1 << 30, ge=0)
    """Free bytes below which it is told."""

    symptom: ClassVar = "a disk that is nearly full"
    means: ClassVar = "the next checkpoint may not fit; the run then ends, and goes on from the one before once there is room"
    remedy: ClassVar = "Make room, or lower train.save_total_limit"
    alone: ClassVar = True

    def step(self, seen: Seen) -> Sighting | None:
        if seen.step != 1 and seen.step % WARM:
            return None
        place = next(one for one in (seen.folder, *seen.folder.absolute().parents) if one.exists())
        free = shutil.disk_usage(place).free
        return Sighting(f"{free / 1e9:.2f} GB are free in {place}") if free < self.least_bytes else None
