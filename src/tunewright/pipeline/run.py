"""The verb ``run``: check, prepare, train, evaluate, report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tunewright.core.folder import read_json, write_json
from tunewright.pipeline.evaluate import evaluate
from tunewright.pipeline.recipe import Recipe
from tunewright.pipeline.report import report
from tunewright.pipeline.runs import update
from tunewright.pipeline.together import together
from tunewright.pipeline.train import train


def run(recipe: Recipe, where: Path, stem: str, command: str, overwrite: bool = False) -> tuple[Path, dict[str, Any]]:
    """The whole road, from the table to the report.

    Args:
        recipe: as the user has it.
        where: the recipe's folder; relative paths are looked for there.
        stem: names the run when the recipe does not.
        command: as the user gave it, for the manifest.
        overwrite: whether a run of this name may be thrown away.

    Returns:
        The run folder, and what its ``metrics.json`` holds.

    Raises:
        UserError: as the stages do, each kind with its exit status.
    """
    began = time.monotonic()
    folder = train(recipe, where, stem, command, overwrite)
    if not together().first:
        together().heard()
        return folder, read_json(folder / "metrics.json")
    with together().leading():
        metrics = evaluate(folder, command)
        metrics["efficiency"]["total_seconds"] = round(time.monotonic() - began, 2)
        write_json(folder / "metrics.json", metrics)
        update(folder, {})
        report(folder)
        together().tell(str(folder))
    return folder, read_json(folder / "metrics.json")
