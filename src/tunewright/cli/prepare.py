from __future__ import annotations

import typer

from tunewright.cli.options import AsJson, Quiet, RecipeFile, Settings, end, put, with_settings


def command(recipe: RecipeFile, set_: Settings = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Write the versioned dataset of a recipe. Example: tunewright prepare tickets.yaml"""
    from tunewright.core.log import set_quiet
    from tunewright.pipeline.recipe import parse_settings, read

    set_quiet(quiet)
    plan = read(recipe, parse_settings(set_ or []))
    from tunewright.pipeline.prepare import prepare
    from tunewright.pipeline.summary import data_summary

    dataset = prepare(plan, recipe.parent)
    facts = dataset.summary()
    if as_json:
        put(facts)
    else:
        typer.echo(data_summary(facts))
        typer.echo(f"{dataset.folder}\nNext: tunewright train {with_settings(recipe, set_)}")
    end(facts["findings"])
