"""The weights that a method trained, by themselves: the small artefact where no library has a format for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.core.folder import whole

if TYPE_CHECKING:
    from torch import nn

TRAINED = "trained.safetensors"


def save_trained(model: nn.Module, folder: Path) -> None:
    """Write the trained weights of a plain model, by their names there, into a folder of their own."""
    from safetensors.torch import save_file

    weights = {name: weight.detach().contiguous().cpu() for name, weight in model.named_parameters() if weight.requires_grad}
    with whole(folder) as half:
        half.mkdir()
        save_file(weights, half / TRAINED)


def load_trained(model: nn.Module, folder: Path) -> None:
    """Put them into a model of the same shape that has the base's weights."""
    from safetensors.torch import load_file

    model.load_state_dict(load_file(folder / TRAINED), strict=False)
