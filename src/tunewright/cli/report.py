from __future__ import annotations

import typer

from tunewright.cli.options import RunName


def command(run: RunName) -> None:
    """Write the page and the model card of a run again. Example: tunewright report runs/tickets-1"""
    from tunewright.pipeline.report import report
    from tunewright.pipeline.runs import find

    page = report(find(run))
    typer.echo(f"{page}\nNext: open it, or tunewright predict {run} FILE")
