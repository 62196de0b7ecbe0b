from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunewright.cli.options import AsJson, Quiet, put

Runs = Annotated[list[str], typer.Argument(metavar="RUN...", help="Folders of runs, or their names in runs/; two or more.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Draw it as well: an .svg, or an .html with the table.")]
Speed = Annotated[bool, typer.Option("--speed/--no-speed", help="Ask each model some validation rows and take the time.")]


def command(runs: Runs, out: Out = None, speed: Speed = True, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Hold runs against each other: cost, size, speed and score. Example: tunewright compare runs/full-1 runs/lora-1"""
    from tunewright.core.log import set_quiet
    from tunewright.pipeline.runs import find

    set_quiet(quiet)
    folders = [find(run) for run in runs]
    from tunewright.pipeline.compare import compare, picture, told

    found = compare(folders, speed)
    drawn = picture(found, out) if out else None
    if as_json:
        put(found)
        return
    typer.echo(told(found))
    typer.echo(f"Next: {f'open {drawn}' if drawn else f'tunewright predict {folders[0]} FILE'}")
