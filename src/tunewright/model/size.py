"""How large a model is, and how long and how much memory training it takes: from a few timed steps to the whole run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tunewright.model.base import Base
from tunewright.model.build import skeleton
from tunewright.model.methods.base import Method
from tunewright.model.quantize import bits
from tunewright.model.settings import ModelSettings
from tunewright.tasks.base import Task

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Which steps are timed, by their cost, from cheap to dear: a dear step after cheap ones finds memory in pieces, as it does in a run."""
MOMENTS = 2
"""Values that AdamW keeps for each trained weight."""


@dataclass(frozen=True)
class Size:
    """What a model holds.

    Args:
        parameters: its weights, shared ones once.
        trainable: those of them that are trained.
        weight_bytes: of all weights.
        trained_bytes: of the trained ones.
        targets: the parts of each layer that a method works on.
    """

    parameters: int
    trainable: int
    weight_bytes: int
    trained_bytes: int
    targets: tuple[str, ...] = field(default=(), compare=False)

    @property
    def training_bytes(self) -> int:
        """Weights, gradients and what AdamW keeps; what a batch needs (activations) comes on top."""
        return self.weight_bytes + self.trained_bytes * (1 + MOMENTS)

    @property
    def line(self) -> str:
        """The numbers of weights in the words that PEFT has made familiar."""
        share = 100 * self.trainable / self.parameters if self.parameters else 0.0
        return f"trainable params: {self.trainable:,} || all params: {self.parameters:,} || trainable%: {share:.4f}"

    @property
    def checkpoint_bytes(self) -> int:
        """Of a checkpoint: trained weights and what AdamW keeps."""
        return self.trained_bytes * (1 + MOMENTS)


def size_of(model: nn.Module) -> Size:
    """Count a model's weights; they may lie on the ``meta`` device."""
    weights = list(model.parameters())
    trained = [weight for weight in weights if weight.requires_grad]
    return Size(
        sum(_numbers(weight) for weight in weights),
        sum(weight.numel() for weight in trained),
        sum(weight.numel() * weight.element_size() for weight in weights),
        sum(weight.numel() * weight.element_size() for weight in trained),
    )


def _numbers(weight: nn.Parameter) -> int:
    """How many numbers a weight stands for: one of four bits holds two in a byte."""
    state = getattr(weight, "quant_state", None)
    return int(state.shape.numel()) if state is not None else weight.numel()


def size_without_weights(base: Base, settings: ModelSettings, task: Task, method: Method) -> Size:
    """The size that a model would have, from its shape alone: takes no memory, where its code allows that, and reads no weights."""
    import torch

    def drawn() -> nn.Module:
        return skeleton(base, settings, task, method).to(getattr(torch, settings.precision))

    try:
        with torch.device("meta"):
            model = drawn()
    except RuntimeError:  # some architectures compute with their weights while they are built
        model = drawn()
    size, each = replace(size_of(model), targets=method.targets_in(model)), bits(settings, method)
    if each is None:
        return size
    linear = [(name, one) for name, one in model.named_modules() if isinstance(one, torch.nn.Linear)]
    frozen = [
        one.weight for name, one in linear if not one.weight.requires_grad and "original_module" not in name
    ]  # PEFT's copy of the head
    saved = sum(weight.numel() * (weight.element_size() - each / 8) for weight in frozen)
    return replace(size, weight_bytes=size.weight_bytes - int(saved))


def step_costs(steps: Sequence[Sequence[Sequence[int]]], lengths: Sequence[int]) -> np.ndarray:
    """(steps,) padded tokens of each step: rows times the longest row, over its micro-batches.

    Args:
        steps: of each step its micro-batches, each a list of row indices.
        lengths: tokens of each row.
    """
    import numpy as np

    return np.array([sum(len(micro) * max(lengths[row] for row in micro) for micro in step) for step in steps], dtype=np.int64)


def steps_to_time(costs: np.ndarray, rounds: int) -> list[int]:
    """Indices of the steps to run: a first one to warm up, then ``rounds`` times from cheap to dear, other steps in each round.

    Args:
        costs: (steps,) as ``step_costs`` gives them.
    """
    order, last = costs.argsort(kind="stable"), len(costs) - 1
    places = [order[max(0, round(share * last) - shift)] for shift in range(rounds) for share in QUANTILES]
    return [int(order[last // 2]), *map(int, places)]


def mean_step_seconds(costs: np.ndarray, timed: Sequence[tuple[int, float]]) -> float:
    """Seconds of a step, on average over ``costs``, from some timed ones.

    Timed steps of like cost are one point each, their mean, with straight lines between.

    Args:
        costs: (steps,) of all steps of an epoch.
        timed: (cost, seconds) of the steps that were run; at least one.
    """
    import numpy as np

    ordered = np.array(sorted(timed, key=lambda one: one[0]), dtype=float)
    groups = np.array_split(ordered, min(len(QUANTILES), len(ordered)))
    points, place = np.unique([group[:, 0].mean() for group in groups], return_inverse=True)
    seconds = np.bincount(place, [group[:, 1].mean() for group in groups]) / np.bincount(place)
    found = np.interp(costs, points, seconds)
    for at, outside in ((0, costs < points[0]), (-1, costs > points[-1])):
        found[outside] = seconds[at] * costs[outside] / points[at]
    return float(found.mean())


def total_steps(steps_per_epoch: int, epochs: float, max_steps: int | None) -> int:
    """Optimizer steps of a run."""
    return max_steps or math.ceil(epochs * steps_per_epoch)


def looks_and_saves(steps: int, steps_per_epoch: int, evaluate_every: int | None, save_every: int | None) -> tuple[int, int]:
    """How often a run looks at its validation rows, and how many checkpoints it writes at most before its last step."""
    every = evaluate_every or steps_per_epoch
    looks = set(range(every, steps + 1, every)) | {steps}
    saves = set(range(save_every or every, steps + 1, save_every or every))
    return len(looks), len((looks | saves) - {steps})
