"""What ``events.jsonl`` tells of a training: losses, learning rate, evaluations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunewright.core.errors import UserError
from tunewright.core.folder import read_lines


@dataclass(frozen=True)
class Curve:
    """Parallel lists by step; after a resume the last word on a step counts."""

    steps: list[int]
    loss: list[float]
    lr: list[float | None]
    evaluated: dict[int, dict[str, float]]
    """Step -> the finite validation scores there."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """Everything else that happened (resumed, stopped, early_stop), in order."""
    sightings: list[dict[str, Any]] = field(default_factory=list)
    """What guards saw, in order."""
    split_at: int | None = None
    """The step in which memory failed first."""
    saved: int = 0
    without_loss: int = 0
    """Steps whose loss was not a finite number."""
    lines_lost: int = 0
    """Lines that could not be read, and those after the first such line."""

    def score(self, name: str) -> list[tuple[int, float]]:
        """The values of one validation score, as (step, value)."""
        return [(step, scores[name]) for step, scores in sorted(self.evaluated.items()) if name in scores]

    def smoothed(self) -> list[float]:
        """An exponential mean of the loss over about a fiftieth of the training, corrected for its start."""
        keep = 1 - 1 / max(5, len(self.loss) / 50)
        return smoothed(self.loss, keep)


def smoothed(values: Sequence[float], keep: float) -> list[float]:
    """An exponential mean, corrected for its start; ``keep``: the weight of what came before."""
    total, weight, smooth = 0.0, 0.0, []
    for value in values:
        total, weight = keep * total + (1 - keep) * value, keep * weight + (1 - keep)
        smooth.append(total / weight)
    return smooth


def read_curve(path: Path) -> Curve:
    """The journal of a training.

    Raises:
        UserError: it is missing.
    """
    if not path.exists():
        raise UserError(f"{path} is missing", "", "It is written by: tunewright run")
    values = read_lines(path)
    lines = sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    events = [one for one in values if isinstance(one, dict)]
    by_step = {one["step"]: one for one in events if one.get("event") == "step" and isinstance(one.get("step"), int)}
    good = [by_step[step] for step in sorted(by_step) if _finite(by_step[step].get("loss"))]
    evaluated = {
        one["step"]: {name: value for name, value in one["scores"].items() if _finite(value)}
        for one in events
        if one.get("event") == "evaluated" and isinstance(one.get("scores"), dict) and isinstance(one.get("step"), int)
    }
    return Curve(
        steps=[one["step"] for one in good],
        loss=[float(one["loss"]) for one in good],
        lr=[float(one["lr"]) if _finite(one.get("lr")) else None for one in good],
        evaluated=evaluated,
        events=[one for one in events if one.get("event") not in {"step", "evaluated", "saved", "guard", "split"}],
        sightings=[one for one in events if one.get("event") == "guard"],
        split_at=next((one.get("step") for one in events if one.get("event") == "split"), None),
        saved=sum(one.get("event") == "saved" for one in events),
        without_loss=len(by_step) - len(good),
        lines_lost=lines - len(events),
    )


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
