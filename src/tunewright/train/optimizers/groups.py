"""Which learning rate and which weight decay each weight gets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from tunewright.train.optimizers.base import Group

if TYPE_CHECKING:
    from torch import nn

    from tunewright.train.settings import TrainSettings

PLAIN = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)")
"""Names, in lower case, of weights that have no decay: biases, and the weights of norms."""


def groups(model: nn.Module, settings: TrainSettings, head_weights: frozenset[str]) -> list[Group]:
    """The trained weights, by learning rate and by weight decay; the encoder's without decay come first.

    Args:
        model: whose weights that need a gradient are meant.
        settings: gives the rates and the decay; every ``auto`` is decided.
        head_weights: names of the weights that get the head's learning rate.
    """
    decayed = decayed_weights(model, settings.no_decay)
    found: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            found.setdefault((name in head_weights, name in decayed), []).append(weight)
    rates = {False: settings.learning_rate, True: settings.head_learning_rate}
    return [
        {"params": weights, "lr": rates[new], "weight_decay": settings.weight_decay if decay else 0.0}
        for (new, decay), weights in sorted(found.items(), key=lambda item: item[0])
    ]


def decayed_weights(model: nn.Module, excluded: Iterable[str] = ()) -> set[str]:
    """Names of the weights that decay: all but biases, the weights of norms, and those that match a pattern of ``excluded``.

    The same as ``transformers.Trainer.get_decay_parameter_names``.
    """
    from torch import nn

    patterns, found = list(excluded), set()
    for place, module in model.named_modules():
        if isinstance(module, nn.LayerNorm):
            continue
        for name, _ in module.named_parameters(prefix=place, recurse=False):
            if not PLAIN.search(name.lower()) and not any(fnmatch(name, pattern) for pattern in patterns):
                found.add(name)
    return found
