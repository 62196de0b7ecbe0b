from __future__ import annotations

import typer

from tunewright.cli.options import AsJson, Overwrite, Quiet, RecipeFile, Settings, end, given_command, put


def command(recipe: RecipeFile, set_: Settings = None, overwrite: Overwrite = False, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Check, prepare, train, evaluate and report. Example: tunewright run tickets.yaml --set train.epochs=5"""
    from tunewright.core.folder import read_json
    from tunewright.core.log import set_quiet
    from tunewright.pipeline.recipe import parse_settings, read

    set_quiet(quiet)
    plan = read(recipe, parse_settings(set_ or []))
    from tunewright.pipeline.run import run
    from tunewright.pipeline.summary import summary

    folder, metrics = run(plan, recipe.parent, recipe.stem, given_command(), overwrite)
    if as_json:
        put({"run": str(folder), "report": str(folder / "report.html"), "metrics": metrics})
    else:
        typer.echo(summary(folder))
        typer.echo(f"Next: open {folder / 'report.html'}, or tunewright predict {folder} FILE")
    end(read_json(folder / "data.json")["findings"])
