from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunewright.cli.data import Name, OutputDir
from tunewright.cli.options import AsJson, put

app = typer.Typer(no_args_is_help=True, help="What people are asked. Example: tunewright review labels tickets")


@app.callback()
def review() -> None:
    """What people are asked: sheets to fill in, and what they say. Example: tunewright review labels tickets"""


@app.command()
def labels(
    dataset: Name,
    sheet: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write the sheet, .csv or .xlsx.")] = None,
    apply: Annotated[Path | None, typer.Option(metavar="FILE", help="A sheet that was filled in: write a new version.")] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="A run on this dataset: how it learned each row counts too.")] = None,
    rows: Annotated[
        int | None,
        typer.Option(metavar="N", help="Rows of the sheet, the most doubtful first; without it 200, or all that look wrong."),
    ] = None,
    include_test: Annotated[bool, typer.Option("--include-test", help="Rows of the test split too.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over a sheet that is there.")] = False,
    output_dir: OutputDir = Path(),
    as_json: AsJson = False,
) -> None:
    """Write the rows whose label is doubtful to a sheet; read corrections back. Example: tunewright review labels tickets"""
    from tunewright.core.errors import UserError
    from tunewright.pipeline import review as verb

    if sheet and apply:
        raise UserError("--sheet writes and --apply reads", "One of the two is wanted", f"As in: review labels {dataset} --apply {apply}")
    if run and apply:
        raise UserError("--run is for writing a sheet", "--apply reads one", f"As in: review labels {dataset} --apply {apply}")
    root = output_dir / "datasets"
    if apply is None:
        facts = verb.sheet(dataset, root, sheet, rows, include_test, overwrite, run)
        told = verb.told_of_sheet(facts)
    else:
        facts = verb.apply(dataset, root, apply, include_test)
        told = verb.told_of_apply(facts)
    if as_json:
        put(facts)
    else:
        typer.echo(told)
