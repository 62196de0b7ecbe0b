"""The verb ``prepare``: a recipe's table becomes a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.pipeline.data import datasets_folder
from tunewright.pipeline.recipe import Recipe

if TYPE_CHECKING:
    from tunewright.data.dataset import Dataset
    from tunewright.data.prepare import Audit


def prepare(recipe: Recipe, where: Path, locked: bool = False) -> Dataset:
    """Write the dataset of a recipe, or open it where it stands already.

    Args:
        recipe: as the user has it.
        where: the recipe's folder.
        locked: leave the test split of a dataset that stands already unopened.

    Raises:
        UserError: the data cannot be read or learned from.
        DataRefused: a policy says ``refuse``.
    """
    from tunewright.data.prepare import prepare as write
    from tunewright.pipeline.services import services_for
    from tunewright.pipeline.stream import to_prepare

    settings = to_prepare(recipe, where)
    return write(settings, recipe.task, recipe.seed, where, datasets_folder(recipe), services_for(recipe, where), locked)


def look(recipe: Recipe, where: Path) -> Audit | Dataset:
    """Read, clean and split in memory; nothing is written, and a policy that says ``refuse`` refuses nothing.

    Args:
        recipe: as the user has it.
        where: the recipe's folder.

    Raises:
        UserError: the data cannot be read or learned from.
    """
    from tunewright.data.prepare import audit
    from tunewright.pipeline.services import services_for
    from tunewright.pipeline.stream import to_prepare

    return audit(to_prepare(recipe, where), recipe.task, recipe.seed, where, services_for(recipe, where))
