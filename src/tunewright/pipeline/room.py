"""Whether the disk has room for what a run writes, told before its folder is made."""

from __future__ import annotations

from pathlib import Path

from tunewright.core.errors import UserError
from tunewright.core.folder import free_bytes
from tunewright.model.size import Size, looks_and_saves, size_without_weights, total_steps
from tunewright.pipeline.plan import Plan, epoch_steps


def needed_bytes(plan: Plan, size: Size) -> int:
    """What a run keeps on the disk at most: its checkpoints, one more while the oldest waits for its removal, and the model."""
    train = plan.recipe.train
    an_epoch = epoch_steps(plan)
    steps = total_steps(an_epoch, train.epochs, train.max_steps)
    _, saves = looks_and_saves(steps, an_epoch, train.evaluate_every, train.save_every)
    return size.checkpoint_bytes * min(train.save_total_limit + 1, saves + 1) + size.weight_bytes


def lacking(needed: int, output_dir: str, freed: int = 0) -> str:
    """How much room a run needs and how much there is, in words; empty where it has enough.

    Args:
        needed: bytes, as ``needed_bytes`` tells them.
        output_dir: of the recipe.
        freed: bytes that come free when the run begins.
    """
    folder = Path(output_dir).absolute()
    free = free_bytes(folder) + freed
    return (
        ""
        if needed <= free
        else f"its checkpoints and its model need about {_told(needed)}, and the disk of {folder} has {_told(free)} free"
    )


def make_sure(plan: Plan, overwrite: bool) -> None:
    """Hold what a run will write against the room that there is, before its weights are read.

    Args:
        plan: of the run.
        overwrite: whether a run of its name will be thrown away.

    Raises:
        UserError: there is not enough.
    """
    recipe = plan.recipe
    size = size_without_weights(plan.base, recipe.model, recipe.task, recipe.method)
    old = Path(recipe.output_dir) / "runs" / recipe.name if overwrite and recipe.name else None
    freed = sum(one.stat().st_size for one in old.rglob("*") if one.is_file()) if old else 0
    if why := lacking(needed_bytes(plan, size), recipe.output_dir, freed):
        raise UserError(
            f"the run was not begun: {why}",
            "",
            "Make room there, or choose another output_dir; method: lora and train.save_total_limit: 1 need less",
        )


def _told(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
