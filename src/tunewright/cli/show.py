from __future__ import annotations

from typing import Annotated

import typer

from tunewright.cli.options import AsJson, RecipeFile, Settings, put, with_settings


def command(
    recipe: RecipeFile,
    sample: Annotated[int, typer.Option("--sample", metavar="N", help="How many training rows, drawn by the recipe's seed.")] = 20,
    set_: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Training rows as the model will see them. Example: tunewright show tickets.yaml --sample 5"""
    from tunewright.pipeline.recipe import parse_settings, read

    plan = read(recipe, parse_settings(set_ or []))
    from tunewright.pipeline.show import show

    shown = show(plan, recipe.parent, sample)
    if as_json:
        put({"rows": list(shown.rows), "max_tokens": shown.max_tokens, "why": shown.why, "training_rows": shown.of})
        return
    for row in shown.rows:
        told = (
            f"{row['tokens']} tokens"
            + (f", {row['cut']} cut" if row["cut"] else "")
            + (f", {row['unknown']} unknown" if row["unknown"] else "")
        )
        gold = plan.task.gold
        wanted = f"{gold} {row[gold]!r}" + (f" (id {row['label_id']})" if "label_id" in row else "")
        typer.echo(f"{row['file']} row {row['row']}  {wanted}  {told}\n    {row['marked']}")
    typer.echo(f"{len(shown.rows)} of {shown.of:,} training rows; the model sees {shown.max_tokens} tokens of each ({shown.why})")
    typer.echo(f"Next: tunewright check {with_settings(recipe, set_)}")
