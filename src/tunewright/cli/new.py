from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunewright.cli.options import AsJson, put


def command(
    data: Annotated[
        list[str], typer.Argument(metavar="DATA...", help="A table, a folder with train/validation/test files, or these files.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The recipe to write.")] = Path("recipe.yaml"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a recipe of the same name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at a table and write a commented recipe for it. Example: tunewright new tickets.csv --out tickets.yaml"""
    from tunewright.pipeline.new import new

    written = new(data, out, overwrite)
    if as_json:
        put(written.facts())
        return
    found = written.guess
    typer.echo(f"{out}: {found.task.replace('-', ' ')}" + (", several labels per row" if found.multi_label else ""))
    for role, column in found.columns.items():
        typer.echo(f"  {role} is the column {column!r}: {found.why[role]}")
    if found.others or found.other_tasks or written.notes:
        typer.echo("  It could be otherwise: the recipe's comments say how")
    typer.echo(f"Next: tunewright check {out}")
