from __future__ import annotations

import typer

from tunewright.cli.options import AsJson, Quiet, RunName, given_command, put


def command(run: RunName, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Measure a run on its validation rows and its locked test split. Example: tunewright evaluate runs/tickets-1"""
    from tunewright.core.log import set_quiet
    from tunewright.pipeline.runs import find

    set_quiet(quiet)
    folder = find(run)
    from tunewright.pipeline.evaluate import evaluate
    from tunewright.pipeline.summary import summary

    metrics = evaluate(folder, given_command())
    if as_json:
        put(metrics)
        return
    typer.echo(summary(folder))
    typer.echo(f"Next: tunewright report {folder}")
