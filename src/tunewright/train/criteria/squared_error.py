from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunewright.train.run import Criterion

if TYPE_CHECKING:
    from torch import Tensor


def summed_squared_error(given: Tensor, wanted: Tensor) -> Tensor:
    """Squared differences, summed over the rows.

    Args:
        given: (batch,), any finite number.
        wanted: the same shape and unit.

    Returns:
        The sum in squared units of ``wanted``, a scalar.
    """
    return (given.float() - wanted.float()).square().sum()


def summed_huber(given: Tensor, wanted: Tensor, delta: float) -> Tensor:
    """Twice Huber's loss, summed over the rows: the squared difference up to ``delta``, from there on a straight line.

    Args:
        given: (batch,), any finite number.
        wanted: the same shape and unit.
        delta: in the unit of ``wanted``, > 0.

    Returns:
        The sum, a scalar; for differences within ``delta`` it equals ``summed_squared_error``.

    Source: Huber 1964, "Robust estimation of a location parameter", times two.
    """
    from torch.nn.functional import huber_loss

    return 2 * huber_loss(given.float(), wanted.float(), reduction="sum", delta=delta)


class MeanSquaredError(Criterion):
    """The mean squared error: the default where a number is wanted. Over numbers in standard deviations, unless the task says otherwise."""

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return summed_squared_error(outputs, labels)

    def count(self, labels: Tensor) -> int:
        return len(labels)


class Huber(Criterion):
    """The squared error near what was wanted and the plain error far from it, so that a few wild numbers do not rule the training."""

    delta: float = Field(1.0, gt=0)
    """From which difference on the loss grows in a straight line, in the unit that the task learns: standard deviations."""

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return summed_huber(outputs, labels, self.delta)

    def count(self, labels: Tensor) -> int:
        return len(labels)
