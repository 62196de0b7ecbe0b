"""Checkpoints that are whole or absent: written beside, hashed, flushed, then renamed; half-written ones are ignored."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.core.errors import UserError
from tunewright.core.folder import file_hash, read_json, tree_hashes, write_json

if TYPE_CHECKING:
    from torch import Tensor, nn

HASHES = "hashes.json"
WEIGHTS = "weights.safetensors"


def seal(folder: Path) -> None:
    """Write the hash of every file of a finished checkpoint into it."""
    write_json(folder / HASHES, tree_hashes(folder, skip=(HASHES,)))


def is_whole(folder: Path) -> bool:
    """Whether every file is there and has the bytes that were written."""
    if not (folder / HASHES).exists():
        return False
    try:
        hashes = read_json(folder / HASHES)
    except UserError:
        return False
    return bool(hashes) and all((folder / name).exists() and file_hash(folder / name) == wanted for name, wanted in hashes.items())


def step_of(folder: Path) -> int:
    """The step after which a checkpoint was written, from its name."""
    return int(folder.name.rpartition("-")[2])


def finished(root: Path) -> list[Path]:
    """The sealed checkpoints below ``root``, oldest first; their bytes are not compared here."""
    return sorted((path for path in root.glob("checkpoint-*") if (path / HASHES).exists()), key=step_of)


def latest(root: Path) -> Path:
    """The newest checkpoint whose bytes are whole.

    Raises:
        UserError: there is none.
    """
    for folder in reversed(finished(root)):
        if is_whole(folder):
            return folder
    raise UserError(
        f"{root} holds no whole checkpoint",
        "A run can go on only from one",
        "Train the recipe again: a recipe that names its run takes another name or --overwrite",
    )


def prune(root: Path, keep: int, best_step: int | None) -> None:
    """Remove the oldest checkpoints until ``keep`` are left; the best and the newest always stay."""
    folders = finished(root)
    spare = [folder for folder in folders[:-1] if step_of(folder) != best_step]
    for folder in spare[: max(0, len(folders) - keep)]:
        shutil.rmtree(folder)


def save_weights(model: nn.Module, folder: Path) -> None:
    """Write the trained weights of a model into a checkpoint that is being made."""
    from safetensors.torch import save_file

    save_file({name: value.detach().contiguous().cpu() for name, value in _kept(model)}, folder / WEIGHTS)


def load_weights(model: nn.Module, checkpoint: Path) -> None:
    """Put the trained weights of a checkpoint into a model of the same shape."""
    from safetensors.torch import load_file

    state = load_file(checkpoint / WEIGHTS, device="cpu")
    unknown = set(state) - {name for name, _ in _kept(model)}
    if unknown:
        raise UserError(
            f"{checkpoint} holds weights that this model does not have, as {sorted(unknown)[0]}",
            "A checkpoint belongs to the recipe that wrote it",
            "Train the recipe again: a recipe that names its run takes another name or --overwrite",
        )
    model.load_state_dict(state, strict=False)


def _kept(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """What a checkpoint keeps of a model: the weights that are trained, and the buffers that are saved with a model."""
    from torch import nn

    buffers = dict(model.named_buffers())  # a quantised layer saves more than its weights and buffers; that is the base's
    seen: set[int] = set()
    for name, value in model.state_dict(keep_vars=True).items():
        trained = value.requires_grad if isinstance(value, nn.Parameter) else name in buffers
        if trained and id(value) not in seen:
            seen.add(id(value))
            yield name, value
