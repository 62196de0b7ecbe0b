"""Checkpoints that are whole or absent: written beside, hashed, flushed, then renamed; safetensors and JSON only.

This is the one place where the state of a run is written and read, whichever engine drives it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import UserError, short
from tunewright.core.folder import file_hash, read_json, tree_hashes, whole, write_json
from tunewright.core.log import say
from tunewright.train.packing import read_state, write_state

if TYPE_CHECKING:
    from torch import Tensor, nn

HASHES = "hashes.json"
WEIGHTS = "weights.safetensors"
PROGRESS = "run.json"
NAME = re.compile(r"checkpoint-(\d+)")
ANEW = "Train the recipe again: a recipe that names its run takes another name or --overwrite"


@dataclass(frozen=True)
class Parts:
    """What moves while a run is trained, beside its counters and callbacks."""

    model: nn.Module
    """Not wrapped: its weights have the names that the job's model has."""
    optimizer: Any
    schedule: Any
    scaler: Any = None
    """Of the loss, with fp16."""

    def states(self) -> dict[str, Any]:
        """What has a ``state_dict`` beside the model, by the name of its file."""
        found = {"optimizer": self.optimizer, "schedule": self.schedule, "scaler": self.scaler}
        return {name: part for name, part in found.items() if part is not None}


def write(
    folder: Path, parts: Parts, chance: Sequence[Any], progress: Mapping[str, Any], more: Callable[[Path], None] = lambda half: None
) -> None:
    """Write a checkpoint; a kill at any moment leaves a whole one or none.

    Args:
        folder: what it will be called, ``checkpoint-<step>``.
        parts: the state of the run.
        chance: the streams of randomness of every process, in their order.
        progress: counters and the states of callbacks, plain values.
        more: writes what an engine keeps of its own.

    Raises:
        UserError: the folder cannot be written, the disk is full, or a state cannot be kept.
    """
    with whole(folder) as half:
        half.mkdir()
        save_weights(parts.model, half)
        for name, part in parts.states().items():
            write_state(half, name, part.state_dict())
        for number, state in enumerate(chance):
            write_json(half / f"chance-{number}.json", state)
        write_json(half / PROGRESS, progress)
        more(half)
        seal(half)


def put_back(folder: Path, parts: Parts) -> None:
    """Give optimizer, schedule and scaler the states of a checkpoint; the weights come by ``load_weights``."""
    for name, part in parts.states().items():
        part.load_state_dict(read_state(folder, name))


def put_optimizer_back(optimizer: Any, folder: Path) -> None:
    """Give an optimizer the state of a checkpoint, and leave the learning rates that it has now."""
    rates = [{name: group[name] for name in ("lr", "initial_lr") if name in group} for group in optimizer.param_groups]
    optimizer.load_state_dict(read_state(folder, "optimizer"))
    for group, kept in zip(optimizer.param_groups, rates, strict=True):
        group.update(kept)


def chance_of(folder: Path, process: int) -> Any:
    """The streams of randomness of a process."""
    return read_json(folder / f"chance-{process}.json", "tunewright train")


def progress_of(folder: Path) -> dict[str, Any]:
    """Counters and the states of callbacks."""
    found: dict[str, Any] = read_json(folder / PROGRESS, "tunewright train")
    return found


def plain_state(owner: str, state: dict[str, Any]) -> dict[str, Any]:
    """What a callback must remember, as it is.

    Raises:
        UserError: JSON does not give it back as it was.
    """
    for name, value in state.items():
        try:
            plain = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError):
            plain = None
        if plain != value:
            raise UserError(
                f"the callback {owner} remembers {name} = {short(value)}, which JSON does not give back as it was",
                "A checkpoint keeps plain values: numbers, texts, lists, and mappings whose keys are texts",
                "Keep it as such, or override state() and leave it out",
            )
    return state


def same_run(kept: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Hold what a checkpoint was written with against what the run goes on with.

    Raises:
        UserError: naming each difference.
    """
    names = [name for name in sorted({*kept, *now}) if kept.get(name) != now.get(name)]
    if names:
        told = "; ".join(f"{name} was {kept.get(name)!r} and is {now.get(name)!r}" for name in names[:5])
        raise UserError(
            f"{folder} belongs to another run: {told}" + (f"; and {len(names) - 5} more" if len(names) > 5 else ""),
            "A run goes on with the recipe and the data that it began with",
            f"Put that back. Or: {ANEW[0].lower()}{ANEW[1:]}",
        )


def seal(folder: Path) -> None:
    """Write the hash of every file of a finished checkpoint into it."""
    write_json(folder / HASHES, tree_hashes(folder, skip=(HASHES,)))


def damage(folder: Path) -> str:
    """What is wrong with a checkpoint, in words; empty when every file has the bytes that were written."""
    if not (folder / HASHES).exists():
        return f"{HASHES} is missing, so it was not finished"
    try:
        hashes = read_json(folder / HASHES)
    except UserError:
        return f"{HASHES} cannot be read"
    if not isinstance(hashes, dict) or not hashes:
        return f"{HASHES} names no files"
    for name, wanted in hashes.items():
        if not (folder / name).is_file():
            return f"{name} is missing"
        if file_hash(folder / name) != wanted:
            return f"{name} has other bytes than were written"
    return ""


def is_whole(folder: Path) -> bool:
    """Whether every file is there and has the bytes that were written."""
    return not damage(folder)


def step_of(folder: Path) -> int:
    """The step after which a checkpoint was written, from its name."""
    return int(folder.name.rpartition("-")[2])


def finished(root: Path) -> list[Path]:
    """The sealed checkpoints below ``root``, oldest first; their bytes are not compared here."""
    return [folder for folder in _named(root) if (folder / HASHES).exists()]


def latest(root: Path) -> Path | None:
    """The newest checkpoint from which a run can go on, or None. What is damaged is told and passed over.

    The best checkpoint so far, whose weights will be served, must be whole too, where it is still there; where it is not, a better one
    had taken its place, and will again.
    """
    for folder in reversed(_named(root)):
        why = damage(folder)
        if not why:
            best = progress_of(folder).get("best_step") if (folder / PROGRESS).exists() else None
            served = root / f"checkpoint-{best}"
            why = f"the best one, {served.name}, is damaged" if served.is_dir() and damage(served) else ""
        if not why:
            return folder
        say(f"{folder} cannot be used: {why}. Going back to the one before")
    return None


def latest_sound(root: Path, most: int) -> Path | None:
    """The newest whole checkpoint whose weights are finite numbers, or None.

    Args:
        root: the folder of checkpoints.
        most: the last step that counts.
    """
    from safetensors.torch import load_file

    for folder in reversed(finished(root)):
        if step_of(folder) <= most and is_whole(folder) and are_finite(load_file(folder / WEIGHTS, device="cpu").values()):
            return folder
    return None


def are_finite(weights: Iterable[Tensor]) -> bool:
    """Whether there is no NaN and no infinity in any of them."""
    return all(bool(weight.isfinite().all()) for weight in weights if weight.is_floating_point())


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
    """Put the trained weights of a checkpoint into a model of the same shape.

    Raises:
        UserError: the checkpoint is gone or damaged, or its weights are those of another model.
    """
    from safetensors.torch import load_file

    if why := damage(checkpoint):
        raise UserError(f"{checkpoint} cannot be used: {why}", "The weights that were written are wanted", ANEW)
    state = load_file(checkpoint / WEIGHTS, device="cpu")
    unknown = set(state) - {name for name, _ in _kept(model)}
    if unknown:
        raise UserError(
            f"{checkpoint} holds weights that this model does not have, as {sorted(unknown)[0]}",
            "A checkpoint belongs to the recipe that wrote it",
            ANEW,
        )
    model.load_state_dict(state, strict=False)


def _named(root: Path) -> list[Path]:
    """The folders below ``root`` that are called as checkpoints are, oldest first."""
    return sorted((path for path in root.glob("checkpoint-*") if NAME.fullmatch(path.name)), key=step_of)


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
