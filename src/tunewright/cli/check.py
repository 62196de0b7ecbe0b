from __future__ import annotations

import typer

from tunewright.cli.options import AsJson, Quiet, RecipeFile, Settings, end, put, with_settings


def command(recipe: RecipeFile, set_: Settings = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Tell what is wrong, what is cut, and what a run will take; trains nothing. Example: tunewright check tickets.yaml"""
    from tunewright.core.log import set_quiet
    from tunewright.pipeline.recipe import parse_settings, read

    set_quiet(quiet)
    plan = read(recipe, parse_settings(set_ or []))
    from tunewright.pipeline import check, told
    from tunewright.pipeline.ahead import find_all

    found = find_all(plan, recipe.parent)
    data = check.look_at_data(plan, recipe.parent)
    facts = check.data_facts(data)
    if not as_json:
        typer.echo(f"Recipe: {recipe} is well-formed\n{told.data(facts)}")
    model = check.look_at_model(plan, recipe.parent, data, found)
    if as_json:
        put({"recipe": str(recipe), "data": facts, **model})
    else:
        typer.echo(f"{told.model(model)}\nNext: tunewright run {with_settings(recipe, set_)}")
    end(facts["findings"])
