from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunewright.cli.options import Overwrite, Quiet, Settings, end, given_command
from tunewright.core.errors import UserError


def command(
    recipe: Annotated[Path | None, typer.Argument(metavar="RECIPE", help="YAML file of a run.")] = None,
    resume: Annotated[str | None, typer.Option("--resume", metavar="RUN", help="Go on with a run that was stopped.")] = None,
    set_: Settings = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train, save and prove a model; or go on with a stopped run. Example: tunewright train tickets.yaml"""
    from tunewright.core.folder import read_json
    from tunewright.core.log import set_quiet
    from tunewright.pipeline.recipe import parse_settings, read
    from tunewright.pipeline.runs import find

    set_quiet(quiet)
    if (recipe is None) == (resume is None):
        raise UserError("train takes a recipe or --resume RUN", "Exactly one of them is wanted", "As in: tunewright train tickets.yaml")
    if resume is not None and (set_ or overwrite):
        raise UserError(
            "a run that goes on keeps its settings", "--set and --overwrite belong to a new run", "Leave them out, or train the recipe anew"
        )
    plan = read(recipe, parse_settings(set_ or [])) if recipe else None
    from tunewright.pipeline.train import resume as go_on
    from tunewright.pipeline.train import train

    folder = train(plan, recipe.parent, recipe.stem, given_command(), overwrite) if plan and recipe else go_on(find(resume or ""))
    typer.echo(f"{folder}\nNext: tunewright evaluate {folder}")
    end(read_json(folder / "data.json")["findings"])
