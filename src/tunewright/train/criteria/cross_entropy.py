from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunewright.train.run import Criterion

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -100


def summed_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy summed over the labelled positions.

    Args:
        logits: (batch, ..., classes), unnormalised.
        labels: (batch, ...), class ids; positions equal to ``IGNORED`` do not count.
        smoothing: share of the uniform distribution mixed into the labels, in [0, 1).

    Returns:
        The sum in nats, a scalar.

    Source: smoothing as in Szegedy et al. 2016, section 7 (arXiv:1512.00567).
    """
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits.flatten(0, -2).float(), labels.flatten(), ignore_index=IGNORED, label_smoothing=smoothing, reduction="sum")


class CrossEntropy(Criterion):
    """Cross-entropy: the default of every task whose label is one class."""

    smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of the uniform distribution mixed into the labels; 0.1 makes a model less sure of itself."""

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return summed_cross_entropy(outputs, labels, self.smoothing)

    def count(self, labels: Tensor) -> int:
        return int((labels != IGNORED).sum())
