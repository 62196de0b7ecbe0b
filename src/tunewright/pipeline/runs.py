"""Run folders: named, claimed, found again, and described by their manifest."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tunewright.core.errors import UserError, nearest
from tunewright.core.folder import read_json, tree_hashes, write_json
from tunewright.pipeline.recipe import Recipe

PACKAGES = (
    "tunewright",
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "peft",
    "tokenizers",
    "safetensors",
    "numpy",
    "pyarrow",
    "pandas",
    "scikit-learn",
    "pydantic",
    "sentence-transformers",
)
NOT_HASHED = ("manifest.json", "checkpoints/", "looks.jsonl", "tensorboard/", "wandb/", "mlflow.db")
"""What goes on living after a run, or is hashed by itself."""


def claim(recipe: Recipe, stem: str, overwrite: bool = False) -> Path:
    """Make the run folder under its name, so that no other run can take it.

    Args:
        recipe: gives ``name`` and ``output_dir``.
        stem: the recipe file's name without its ending; unnamed runs are called ``<stem>-1``, ``-2``...
        overwrite: whether a run of this name may be thrown away.

    Raises:
        UserError: the name is taken, or the folder cannot be written.
    """
    root = Path(recipe.output_dir) / "runs"
    try:
        root.mkdir(parents=True, exist_ok=True)
        if recipe.name is None:
            return _first_free(root, stem)
        folder = root / recipe.name
        if folder.exists():
            if not overwrite:
                raise UserError(
                    f"a run named {recipe.name} exists in {folder}",
                    "Each run has a folder of its own",
                    f"Go on with it: tunewright train --resume {folder}; replace it: --overwrite; or choose another name",
                )
            shutil.rmtree(folder)
        folder.mkdir()
    except OSError as error:
        raise UserError(
            f"{root} cannot be written ({error.strerror or error})", "", "Choose another folder with output_dir (or --set output_dir=...)"
        ) from error
    return folder


def _first_free(root: Path, stem: str) -> Path:
    number = 1
    while True:
        folder = root / f"{stem}-{number}"
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


def find(run: str | Path, output_dir: str = ".") -> Path:
    """A run folder, from its path or its name.

    Raises:
        UserError: there is none; the nearest name is told.
    """
    root = Path(output_dir) / "runs"
    for folder in (Path(run), root / run):
        if (folder / "manifest.json").is_file():
            return folder
    if Path(run).is_dir() and (Path(run) / "tunewright.json").is_file() and (Path(run).parent / "manifest.json").is_file():
        return Path(run).parent  # the model/ folder of a run was named
    known = [one.name for one in root.iterdir()] if root.is_dir() else []
    near = nearest(Path(run).name, known)
    raise UserError(
        f"{run} is no run",
        f"Did you mean {root / near}?" if near else "A folder with a manifest.json is wanted, or the name of one in runs/",
        "Train one: tunewright run RECIPE",
    )


def begin(run: Path, recipe: Recipe, where: Path, command: str) -> dict[str, Any]:
    """Write the manifest of a run that begins."""
    from tunewright.model.device import machine

    manifest = {
        "tunewright": _version("tunewright"),
        "name": run.name,
        "command": command,
        "started": now(),
        "ended": None,
        "status": "training",
        "recipe_folder": str(where.resolve()),
        "machine": machine(),
        "seed": recipe.seed,
        "versions": {"python": platform.python_version()} | {name: found for name in PACKAGES if (found := _version(name))},
    }
    write_json(run / "manifest.json", manifest)
    return manifest


def update(run: Path, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Put changes into a run's manifest, and hash every file of the run anew."""
    manifest = {**read_json(run / "manifest.json"), **changes}
    manifest["files"] = tree_hashes(run, skip=NOT_HASHED)
    write_json(run / "manifest.json", manifest)
    return manifest


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
