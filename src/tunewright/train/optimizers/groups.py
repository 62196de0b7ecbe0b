"""Which learning rate and which weight decay each weight gets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from tunewright.train.optimizers.base import Group

if TYPE_CHECKING:
    from torch import nn

    from tunewright.train.run import Job

PLAIN = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)")
"""Names, in lower case, of weights that have no decay: biases, and the weights of norms."""


def groups(job: Job, model: nn.Module) -> list[Group]:
    """The trained weights, by learning rate and by weight decay; those with the encoder's own rate come first, as it is the one told.

    Args:
        job: gives the rates and the decay; every ``auto`` of its settings is decided.
        model: the job's, whose weights that need a gradient are meant.
    """
    settings, decayed = job.settings, decayed_weights(model, job.settings.no_decay)
    found: dict[tuple[bool, float, bool], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            found.setdefault((name in job.head_weights, job.rate_factors.get(name, 1.0), name in decayed), []).append(weight)
    rates: dict[bool, Any] = {False: settings.learning_rate, True: settings.head_learning_rate}
    return [
        {"params": weights, "lr": rates[new] * factor, "weight_decay": settings.weight_decay if decay else 0.0}
        for (new, factor, decay), weights in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] != 1, item[0]))
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
