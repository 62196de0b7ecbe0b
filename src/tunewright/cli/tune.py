from __future__ import annotations

from typing import Annotated

import typer

from tunewright.cli.options import AsJson, Quiet, RecipeFile, Settings, put, with_settings

app = typer.Typer(no_args_is_help=True, help="Settings tried on some steps. Example: tunewright tune lr tickets.yaml")


@app.callback()
def tune() -> None:
    """Settings tried on some steps that are thrown away. Example: tunewright tune lr tickets.yaml"""


@app.command()
def lr(
    recipe: RecipeFile,
    steps: Annotated[int, typer.Option(metavar="N", help="Rates that are tried, one a step.")] = 100,
    set_: Settings = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Raise the learning rate in each step and see where the loss falls. Example: tunewright tune lr tickets.yaml"""
    from tunewright.core.log import set_quiet
    from tunewright.pipeline import tune as verb
    from tunewright.pipeline.recipe import parse_settings, read

    set_quiet(quiet)
    facts = verb.rates(read(recipe, parse_settings(set_ or [])), recipe.parent, steps)
    if as_json:
        put(facts)
    else:
        typer.echo(verb.told_of_rates(facts, with_settings(recipe, set_)))


@app.command()
def batch(
    recipe: RecipeFile,
    largest: Annotated[int, typer.Option(metavar="N", help="Rows of a pass that are tried at most.")] = 1024,
    set_: Settings = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Time passes of more and more rows, the longest there are, until memory fails. Example: tunewright tune batch tickets.yaml"""
    from tunewright.core.log import set_quiet
    from tunewright.pipeline import tune as verb
    from tunewright.pipeline.recipe import parse_settings, read

    set_quiet(quiet)
    facts = verb.sizes(read(recipe, parse_settings(set_ or [])), recipe.parent, largest)
    if as_json:
        put(facts)
    else:
        typer.echo(verb.told_of_sizes(facts, with_settings(recipe, set_)))
