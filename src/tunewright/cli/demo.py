from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunewright.cli.options import Quiet, given_command


def command(
    out: Annotated[Path, typer.Option("--out", help="Where everything goes; -2, -3... if it exists.")] = Path("demo"),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rows: under two minutes, and a weaker model.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Other tickets, another run.")] = 0,
    quiet: Quiet = False,
) -> None:
    """The whole story, offline: tickets, audit, training, proof, report, answers. Example: tunewright demo --quick"""
    from tunewright.core.log import set_quiet
    from tunewright.pipeline.demo import demo, free_folder

    set_quiet(quiet)
    page = demo(free_folder(out), 800 if quick else 3000, given_command(), seed, lambda text: typer.echo(text + "\n"))
    typer.echo(f"The report: {page}\nNext: open it, then try your own table: tunewright new DATA")
