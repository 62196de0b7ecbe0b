from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tunewright.train.run import Criterion

if TYPE_CHECKING:
    from torch import Tensor


def summed_binary_cross_entropy(logits: Tensor, labels: Tensor, positive_weight: float = 1.0) -> Tensor:
    """Binary cross-entropy, the mean over the classes, summed over the rows.

    Args:
        logits: (batch, classes), unnormalised.
        labels: (batch, classes), 0 or 1.
        positive_weight: how much more a missed label costs than a wrongly given one, > 0.

    Returns:
        The sum in nats, a scalar.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    weight = torch.tensor(positive_weight, device=logits.device)
    return binary_cross_entropy_with_logits(logits.float(), labels.float(), pos_weight=weight, reduction="none").mean(-1).sum()


class BinaryCrossEntropy(Criterion):
    """One yes-or-no question per class: the default where a row may have several labels."""

    positive_weight: float = Field(1.0, gt=0)
    """How much more a missed label costs than a wrongly given one."""

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return summed_binary_cross_entropy(outputs, labels, self.positive_weight)

    def count(self, labels: Tensor) -> int:
        return len(labels)
