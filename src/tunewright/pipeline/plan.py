"""What is known of a run before the weights are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.core import launch

if TYPE_CHECKING:
    from tunewright.core.schema import Row
    from tunewright.data.batch import Order
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
    """Rows of a forward pass, where a step is counted in rows."""
    return train.batch_size // (train.accumulate * launch.count())


def epoch_steps(plan: Plan) -> int:
    """Optimizer steps of a pass over the training rows."""
    train = plan.recipe.train
    if train.batch_tokens is None:
        return -(-len(plan.train[1].lengths) // train.batch_size)
    return -(-len(order_of(plan)(0)) // (train.accumulate * launch.count()))


def order_of(plan: Plan) -> Order:
    """The order of the training rows, epoch by epoch."""
    from tunewright.data.batch import batches, batches_by_tokens

    lengths, train, seed = plan.train[1].lengths, plan.recipe.train, plan.recipe.seed
    if train.batch_tokens is not None:
        return batches_by_tokens(lengths, train.batch_tokens, train.accumulate * launch.count(), seed)
    return batches(lengths, train.batch_size, micro_rows(train), seed, train.bucket)
