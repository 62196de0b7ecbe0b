"""Run folders: named, claimed, found again, and described by their manifest."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tunewright.core import launch
from tunewright.core.errors import ProofFailed, UserError, nearest
from tunewright.core.folder import LOCK, clear_halves, file_hash, locked, read_json, read_lines, tree_hashes, write_json
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
UNPROVED = ".unproved"
"""Stands behind the name of an artefact until its proof has passed."""
NOT_HASHED = (
    "manifest.json",
    LOCK,
    "checkpoints/",
    f"model{UNPROVED}/",
    f"adapter{UNPROVED}/",
    "looks.jsonl",
    "stream/marks/",
    "tensorboard/",
    "wandb/",
    "mlflow.db",
)
"""What goes on living after a run, or is hashed by itself."""
PROVED = ("model/", "adapter/")
"""What the proof was made of: its hashes are taken once."""
CARD = "model/README.md"
"""The one file beside the proved ones that is written again."""
WEIGHTS = ("model/model.safetensors", "model/adapter_model.safetensors", "model/adapter.safetensors")
"""What ``served`` of the manifest gives the hash of: the first that is there. Where what was trained stands beside the base, it is that."""
FAILED = "proof failed"
"""Status of a run whose model is not served."""


def claim(recipe: Recipe, stem: str, overwrite: bool = False) -> Path:
    """Make the run folder under its name, so that no other run can take it.

    Args:
        recipe: gives ``name`` and ``output_dir``.
        stem: the recipe file's name without its ending; unnamed runs are called ``<stem>-1``, ``-2``...
        overwrite: whether a run of this name may be thrown away.

    Raises:
        UserError: the name is taken, the run to throw away is being written, or the folder cannot be written.
    """
    may_claim(recipe, overwrite)
    root = Path(recipe.output_dir) / "runs"
    try:
        root.mkdir(parents=True, exist_ok=True)
        if recipe.name is None:
            return _first_free(root, stem)
        folder = root / recipe.name
        if folder.exists():
            with locked(folder):
                shutil.rmtree(folder)
        folder.mkdir()
    except OSError as error:
        raise UserError(
            f"{root} cannot be written ({error.strerror or error})", "", "Choose another folder with output_dir (or --set output_dir=...)"
        ) from error
    return folder


def may_claim(recipe: Recipe, overwrite: bool) -> None:
    """Ask, before anything is done, whether ``claim`` will find the name free.

    Raises:
        UserError: the name is taken, or there is none and ``overwrite`` has nothing to throw away.
    """
    if recipe.name is None:
        if overwrite:
            raise UserError(
                "--overwrite was given, and the recipe does not name its run",
                "A run without a name gets a new folder each time, so there is none to replace",
                "Leave --overwrite out, or give the run a name: --set name=NAME",
            )
        return
    folder = Path(recipe.output_dir) / "runs" / recipe.name
    if not overwrite and folder.exists():
        raise UserError(
            f"a run named {recipe.name} exists in {folder}",
            "Each run has a folder of its own",
            f"Go on with it: tunewright train --resume {folder}; replace it: --overwrite; or choose another name",
        )


@contextmanager
def begun(run: Path) -> Iterator[None]:
    """Write a claimed folder alone; where an error comes before the first step, the folder is removed, and its name is free again.

    Raises:
        UserError: another process writes the run.
    """
    with locked(run):
        try:
            yield
        except BaseException:
            if not was_trained(run):
                shutil.rmtree(run, ignore_errors=True)
            raise


@contextmanager
def alone(run: Path) -> Iterator[None]:
    """Write a run alone; what a kill left half-written in it is cleared away.

    Raises:
        UserError: another process writes the run.
    """
    with locked(run):
        for folder in (run, run / "model", run / "predictions"):
            clear_halves(folder)
        yield


def was_trained(run: Path) -> bool:
    """Whether a step of it is told of, or a checkpoint is there."""
    from tunewright.train.checkpoint import finished

    return bool(finished(run / "checkpoints")) or any(line.get("event") == "step" for line in read_lines(run / "events.jsonl"))


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
    places = [Path(run), root / run]
    if (Path(run) / "tunewright.json").is_file():
        places.append(Path(run).parent)  # the model/ folder of a run was named
    for folder in places:
        if (folder / "manifest.json").is_file() and "status" in read_json(folder / "manifest.json"):
            return folder
    if (Path(run) / "manifest.json").is_file():
        raise UserError(
            f"{run} is no run: its manifest.json is that of something else, as a prepared dataset",
            "A folder in runs/ is wanted",
            "Train one: tunewright run RECIPE",
        )
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
        "processes": launch.count(),
        "seed": recipe.seed,
        "versions": {"python": platform.python_version()} | {name: found for name in PACKAGES if (found := _version(name))},
    }
    write_json(run / "manifest.json", manifest)
    return manifest


def update(run: Path, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Put changes into a run's manifest, and hash its files anew; those of the served model are hashed when it is proved, and then kept."""
    before = read_json(run / "manifest.json")
    manifest = {**before, **changes}
    if "served" in before and "served" not in changes:
        files = tree_hashes(run, skip=(*NOT_HASHED, *PROVED)) | proved_files(before)
        if (run / CARD).is_file():
            files[CARD] = file_hash(run / CARD)
        manifest["files"] = dict(sorted(files.items()))
    else:
        manifest["files"] = tree_hashes(run, skip=NOT_HASHED)
    write_json(run / "manifest.json", manifest)
    return manifest


def proved_files(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The files of the served model and its adapter, with the hashes they had when the proof was made."""
    return {name: found for name, found in manifest.get("files", {}).items() if name.startswith(PROVED) and name != CARD}


def served(run: Path) -> dict[str, Any]:
    """The manifest of a run whose model was proved.

    Raises:
        UserError: the run has no such model; what can be done is told.
    """
    manifest: dict[str, Any] = read_json(run / "manifest.json")
    if "served" in manifest and (run / "model").is_dir():
        return manifest
    if manifest["status"] == FAILED:
        raise UserError(
            f"the model of the run {run} failed its proof",
            "Only a model that was proved is served",
            "Train the recipe again, under another name or with --overwrite; model.unproved/ keeps what was saved",
        )
    if manifest["status"] == "training":
        raise UserError(
            f"the run {run} has no model yet", "It was stopped, or is still trained", f"Go on with it: tunewright train --resume {run}"
        )
    raise UserError(
        f"the run {run} has no model/ any more", "Its model/ folder is wanted", "Put it back, or train again: tunewright run RECIPE"
    )


def verify(run: Path, manifest: Mapping[str, Any]) -> None:
    """Compare the served model with the hashes that it had when it was proved.

    Raises:
        ProofFailed: a file of it differs or is gone.
    """
    wanted = {name: found for name, found in proved_files(manifest).items() if name.startswith("model/")}
    wanted[manifest["served"].get("weights", WEIGHTS[0])] = manifest["served"]["sha256"]
    for name, found in wanted.items():
        if not (run / name).is_file() or file_hash(run / name) != found:
            raise ProofFailed(
                f"{run / name} {'was changed' if (run / name).is_file() else 'was taken away'} after the model was proved",
                f"The file with the SHA-256 {found[:12]}... of {run / 'manifest.json'} is wanted",
                "Put it back, or train the recipe again",
            )


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
