from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunewright.cli.options import AsJson, put

app = typer.Typer(no_args_is_help=True, help="Prepared datasets and audit rules. Example: tunewright data list")

Name = Annotated[str, typer.Argument(metavar="NAME[/VERSION]", help="A dataset as data list tells it, or its folder.")]
OutputDir = Annotated[Path, typer.Option("--output-dir", metavar="DIR", help="The recipe's output_dir, whose datasets/ is looked at.")]


@app.command(name="list")
def list_(output_dir: OutputDir = Path(), as_json: AsJson = False) -> None:
    """Every version of every prepared dataset. Example: tunewright data list"""
    from tunewright.pipeline.datasets import PREPARE, versions

    found = versions(output_dir / "datasets")
    if as_json:
        put(found)
        return
    for one in found:
        rows = ", ".join(f"{split} {count:,}" for split, count in one.get("rows", {}).items())
        typer.echo(
            f"{one['name']}/{one['version']}  "
            + (one.get("damaged") or f"{rows}; {one['labels']} labels, {one['quarantined']:,} in quarantine")
        )
    typer.echo(f"Next: tunewright data show {found[0]['name']}" if found else f"No dataset in {output_dir / 'datasets'}. {PREPARE}")


@app.command()
def show(name: Name, output_dir: OutputDir = Path(), as_json: AsJson = False) -> None:
    """Rows, splits, labels and findings of a dataset; without a version, the newest. Example: tunewright data show tickets"""
    from tunewright.pipeline.datasets import show as facts_of
    from tunewright.pipeline.datasets import told

    facts = facts_of(name, output_dir / "datasets")
    if as_json:
        put(facts)
        return
    typer.echo(told(facts))
    typer.echo(f"Next: tunewright data verify {facts['name']}/{facts['version']}, or name the folder as data.source of a recipe")


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="The older version: NAME/VERSION as data list tells it, or a folder.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The newer version.")],
    output_dir: OutputDir = Path(),
    as_json: AsJson = False,
) -> None:
    """Rows, settings and findings that differ between two versions. Example: tunewright data diff tickets/1f0c tickets/9ab2"""
    from tunewright.pipeline.diff import diff as compare
    from tunewright.pipeline.diff import told

    facts = compare(before, after, output_dir / "datasets")
    if as_json:
        put(facts)
        return
    typer.echo(told(facts))
    typer.echo(f"Next: tunewright data show {facts['after']['name']}/{facts['after']['version']}")


@app.command()
def verify(name: Name, output_dir: OutputDir = Path(), as_json: AsJson = False) -> None:
    """Compare every file with its hash; exit 5 when one is damaged or not there. Example: tunewright data verify tickets"""
    from tunewright.pipeline.datasets import verify as check

    found = check(name, output_dir / "datasets")
    if as_json:
        put(found)
        return
    for one in found:
        typer.echo(f"{one['name']}/{one['version']}: all {one['files']} files are as they were written")
    typer.echo(f"Next: tunewright data show {found[0]['name']}/{found[0]['version']}")


@app.command()
def rules(as_json: AsJson = False) -> None:
    """What the audit looks for, and what a recipe can do about it. Example: tunewright data rules"""
    from tunewright.pipeline.datasets import rules as every

    found = every()
    if as_json:
        put(found)
        return
    for one in found:
        typer.echo(f"{one['rule']}: {one['finds']}")
        policies = ", ".join(f"{policy} (default)" if policy == one["default"] else policy for policy in one["policies"])
        typer.echo(f"    looks at {' and '.join(one['looks_at'])}; policies: {policies}\n    {one['remedy']}")
    typer.echo("Next: set one in a recipe, as data: {policy: {conflicting-label: drop}}; then: tunewright check RECIPE")
