from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunewright.cli.options import Quiet, RunName


def command(
    run: RunName,
    source: Annotated[str, typer.Argument(metavar="FILE", help="CSV, JSONL, Parquet...; left out, standard input.")] = "-",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write; its ending says the format. Left out, standard output.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="csv, jsonl or parquet; left out, by the ending of --out, else jsonl.")
    ] = None,
    columns: Annotated[
        list[str] | None, typer.Option("--column", metavar="ROLE=COLUMN", help="Where this file's columns are called otherwise.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Answer the rows of a file, in order. Example: tunewright predict runs/tickets-1 new.csv --out answers.csv"""
    from tunewright.core.log import say, set_quiet
    from tunewright.pipeline.predict import format_of, predict, roles
    from tunewright.pipeline.runs import find

    set_quiet(quiet)
    told = predict(find(run), source, out, format_of(form, out), roles(columns or []))
    say(
        f"{told.answered} rows answered"
        + (f", {told.failed} could not be (see their error)" if told.failed else "")
        + (f": {out}" if out else "")
    )
