from __future__ import annotations

from typing import TYPE_CHECKING

from tunewright.train.run import Criterion

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -100


def summed_span_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean of the cross-entropies of start and end, summed over the windows.

    Args:
        logits: (windows, 2, tokens): of the start and of the end, unnormalised; what is padding is very small.
        labels: (windows, 2): the tokens at which the answer starts and ends; windows with ``IGNORED`` do not count.

    Returns:
        The sum in nats, a scalar.

    Source: Devlin et al. 2019, section 4.2 (arXiv:1810.04805).
    """
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED, reduction="sum") / 2


class SpanCrossEntropy(Criterion):
    """Where an answer starts and where it ends, each one token of a window: the default of extractive question answering."""

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return summed_span_cross_entropy(outputs, labels)

    def count(self, labels: Tensor) -> int:
        return int((labels[:, 0] != IGNORED).sum())
