"""Checkpoints that are whole or absent: written beside, hashed, flushed, then renamed; half-written ones are ignored."""

from __future__ import annotations

import shutil
from pathlib import Path

from tunewright.core.errors import UserError
from tunewright.core.folder import file_hash, read_json, tree_hashes, write_json

HASHES = "hashes.json"


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
        f"{root} holds no whole checkpoint", "A run can go on only from one", "Start it again: tunewright train RECIPE --overwrite"
    )


def prune(root: Path, keep: int, best_step: int | None) -> None:
    """Remove the oldest checkpoints until ``keep`` are left; the best and the newest always stay."""
    folders = finished(root)
    spare = [folder for folder in folders[:-1] if step_of(folder) != best_step]
    for folder in spare[: max(0, len(folders) - keep)]:
        shutil.rmtree(folder)
