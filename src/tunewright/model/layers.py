"""Where the layers of an encoder are: how many, in which list, and what lies below and above them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from tunewright.core.errors import UserError

if TYPE_CHECKING:
    from torch import nn

FINAL_NORMS = ("norm", "final_norm", "final_layer_norm", "final_layernorm", "ln_f")
"""What architectures call the norm above their last layer."""


def depth_of(config: Any) -> int:
    """How many layers an encoder has, from its configuration.

    Raises:
        UserError: the architecture has an encoder and a decoder, or layers that share their weights, or does not say how many it has.
    """
    depth = getattr(config, "num_hidden_layers", None)
    shared = getattr(config, "is_encoder_decoder", False) or hasattr(config, "num_hidden_groups")  # ALBERT's layers are one, used again
    if shared or not isinstance(depth, int):
        raise UserError(
            f"the architecture {config.model_type!r} has no single stack of layers",
            "A method that goes by layers needs one",
            "Use method: full or lora, or another model.base",
        )
    return depth


def below_top(top: int, config: Any, key: str) -> int:
    """How many layers of an encoder lie below its ``top`` ones; ``key`` is where the recipe has that number.

    Raises:
        UserError: there are not so many.
    """
    depth = depth_of(config)
    if top > depth:
        raise UserError(
            f"{key} is {top}, and this model has {depth} layers",
            f"From 1 to {depth} can be trained",
            f"Set {key}: {depth}, or method: full, which trains the embeddings too",
        )
    return depth - top


def stack_of(model: nn.Module) -> tuple[str, nn.ModuleList]:
    """The list of a model's layers, the lowest first, and its path: the longest list that stands in no other.

    Raises:
        UserError: there is none.
    """
    from torch import nn

    lists = [(path, one) for path, one in model.named_modules() if isinstance(one, nn.ModuleList) and len(one)]
    outer = [(path, one) for path, one in lists if not any(path.startswith(f"{other}.") for other, _ in lists)]
    if not outer:
        raise UserError(f"{type(model).__name__} has no list of layers", "", "Use method: full, or another model.base")
    return max(outer, key=lambda found: len(found[1]))


def depths(model: nn.Module, head: tuple[str, ...]) -> dict[str, int]:
    """How deep each weight of the encoder lies, by name: 0 in the top layer and the norm above it, one more per layer below; embeddings,
    and what else lies beside the layers, deepest. Weights of the head have no depth.

    Args:
        model: a plain model.
        head: paths of the modules above the encoder's layers.
    """
    path, layers = stack_of(model)
    beside = path.rpartition(".")[0]
    above = tuple(f"{beside}.{name}." if beside else f"{name}." for name in FINAL_NORMS)
    inside, number = tuple(f"{one}." for one in head), re.compile(rf"{re.escape(path)}\.(\d+)\.")
    found = {}
    for name, _ in model.named_parameters():
        if name.startswith(inside):
            continue
        layer = number.match(name)
        found[name] = len(layers) - 1 - int(layer[1]) if layer else 0 if name.startswith(above) else len(layers)
    return found


def below_of(model: nn.Module) -> nn.Module:
    """What makes vectors of tokens, with its norm and dropout, below the first layer."""
    path, _ = stack_of(model)
    tokens = cast(Any, model).get_input_embeddings()
    at = next(name for name, module in model.named_modules() if module is tokens)
    parent = at.rpartition(".")[0]
    return model.get_submodule(at if path.startswith(f"{parent}." if parent else "") else parent)


def train_only(model: nn.Module, head: tuple[str, ...], top: int) -> None:
    """Leave every weight as it is but those of the ``top`` layers, of the norm above them, and of the head.

    Args:
        model: its weights that are not trained stay so.
        head: paths of the modules above the encoder.
        top: how many layers, from the top.
    """
    path, layers = stack_of(model)
    beside = path.rpartition(".")[0]
    chosen = [f"{path}.{index}" for index in range(len(layers) - top, len(layers))]
    norms = [f"{beside}.{name}" if beside else name for name in FINAL_NORMS]
    inside = tuple(f"{one}." for one in (*head, *chosen, *norms))
    for name, weight in model.named_parameters():
        weight.requires_grad_(weight.requires_grad and name.startswith(inside))
