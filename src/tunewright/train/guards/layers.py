"""How much gradient reaches each layer."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from tunewright.train.guards.base import HEAD

if TYPE_CHECKING:
    from torch import Tensor, nn

BLOCK = re.compile(r".*?\.\d+(?=\.)")
"""The name of a weight up to the number of its block: ``bert.encoder.layer.3``."""


def layer_of(weight: str) -> str:
    """The layer that a weight belongs to: its block, or the module above its own.

    >>> layer_of("bert.encoder.layer.3.attention.self.query.weight"), layer_of("bert.embeddings.LayerNorm.bias")
    ('bert.encoder.layer.3', 'bert.embeddings')
    """
    found = BLOCK.match(weight)
    return found.group() if found else weight.rsplit(".", 2)[0]


def layer_norms(model: nn.Module, head_weights: Collection[str]) -> dict[str, float]:
    """The norm of the gradient of each layer that is trained; 0 for one that got none. One wait for the device.

    Args:
        model: after its backward pass.
        head_weights: names of the weights that count as the head.
    """
    import torch

    layers: dict[str, list[Tensor]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            found = layers.setdefault(HEAD if name in head_weights else layer_of(name), [])
            found += [] if weight.grad is None else [weight.grad]
    norms = [torch.nn.utils.get_total_norm(gradients) for gradients in layers.values()]
    together = torch.stack([norm.to(norms[0].device) for norm in norms]).tolist() if norms else []
    return dict(zip(layers, together, strict=True))
