"""What architectures call the linear layers of an attention and of the network behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tunewright.core.errors import UserError, hint

if TYPE_CHECKING:
    from torch import nn

KEYS = ("key", "k_lin", "key_proj", "k_proj", "attn.k")
VALUES = ("value", "v_lin", "value_proj", "v_proj", "attn.v")
FUSED = ("Wqkv", "c_attn", "query_key_value", "qkv_proj", "in_proj")
"""Query, key and value in one."""
ATTENDED = ("attention.output.dense", "attention.out_lin", "attn.Wo", "self_attn.o_proj", "attn.c_proj", "self_attn.out_proj", "attn.o")
"""The last one of an attention, before the sum with what came in."""
FED_FORWARD = ("output.dense", "ffn.lin2", "mlp.Wo", "mlp.down_proj", "mlp.c_proj", "mlp.fc2", "fc2")
"""The last one of the network behind an attention. Some of these names end those of ``ATTENDED`` too."""


def linear_layers(model: nn.Module, head: Sequence[str]) -> list[str]:
    """Paths of the encoder's linear layers, in order. The head is left out, what makes scores of words in a model that writes, and what is
    to stay as it is."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    def counts(name: str, module: nn.Module) -> bool:
        if not isinstance(module, nn.Linear | Conv1D) or name in head or name.startswith(inside) or module is words:
            return False
        return module.weight.requires_grad or not module.weight.is_floating_point()  # quantised weights need no gradient

    inside, words = tuple(f"{module}." for module in head), output_words(model)
    return [name for name, module in model.named_modules() if counts(name, module)]


def output_words(model: nn.Module) -> nn.Module | None:
    """What makes scores of words, in a model that writes: it belongs to the base, and is often the embeddings again."""
    find = getattr(model, "get_output_embeddings", None)
    return find() if find else None


def ending(paths: Iterable[str], names: Iterable[str]) -> list[str]:
    """The paths that end in one of these names, whole parts of a path compared."""
    ends = tuple(f".{name}" for name in names)
    return [path for path in paths if f".{path}".endswith(ends)]


def attended(paths: Sequence[str]) -> list[str]:
    """The last linear layers of the attentions."""
    return ending(paths, ATTENDED)


def fed_forward(paths: Sequence[str]) -> list[str]:
    """The last linear layers of the networks behind them."""
    others = set(attended(paths))
    return [path for path in ending(paths, FED_FORWARD) if path not in others]


def chosen(paths: Sequence[str], names: Sequence[str], key: str) -> list[str]:
    """The paths that a recipe names by how they end.

    Raises:
        UserError: a name fits none of them; the nearest are told.
    """
    known = shortened(paths)
    for name in names:
        if not ending(paths, [name]):
            every = {*known, *(one.rpartition(".")[2] for one in known)}
            raise UserError(f"{key} names {name!r}, and no linear layer of this model is called so", hint(name, every), "Correct the name")
    return ending(paths, names)


def shortened(paths: Iterable[str]) -> tuple[str, ...]:
    """Paths without the numbers of layers and what stands before them, each once, in order.

    >>> shortened(["bert.encoder.layer.0.attention.self.query", "bert.encoder.layer.1.attention.self.query"])
    ('attention.self.query',)
    """
    found = []
    for path in paths:
        parts = path.split(".")
        number = max((place for place, part in enumerate(parts) if part.isdigit()), default=-1)
        found.append(".".join(parts[number + 1 :]))
    return tuple(dict.fromkeys(found))
