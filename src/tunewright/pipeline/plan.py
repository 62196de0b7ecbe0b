"""What is known of a run before the weights are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.core import launch

if TYPE_CHECKING:
    from tunewright.core.schema import Row
    from tunewright.data.dataset import Dataset
    from tunewright.data.encode import EncodedRows
    from tunewright.model.base import Base
    from tunewright.pipeline.ahead import Measure
    from tunewright.pipeline.recipe import Recipe
    from tunewright.pipeline.resolve import Reasons
    from tunewright.train.settings import TrainSettings


@dataclass(frozen=True)
class Plan:
    """All that is known before the weights are loaded."""

    asked: Recipe
    recipe: Recipe
    reasons: Reasons
    dataset: Dataset
    base: Base
    train: tuple[list[Row], EncodedRows]
    validation: tuple[list[Row], EncodedRows]
    metrics: tuple[Measure, ...]
    why_tokens: str
    where: Path
    """The recipe's folder."""
    epoch_rows: int | None = None
    """Training rows of a pass over the source of a stream, where they were counted."""


def micro_rows(train: TrainSettings) -> int:
    """Rows of a forward pass."""
    return train.batch_size // (train.accumulate * launch.count())
