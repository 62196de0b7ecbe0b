"""Options that several commands share."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="YAML file of a run.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Folder of a run, or its name in runs/.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Put a setting over the recipe's, as train.epochs=5.")
]
AsJson = Annotated[bool, typer.Option("--json", help="The result as JSON on standard output.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Throw away a run of the same name.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but results and errors.")]


FAILED_RULES = {"rule-failed": 1, "own-rule-failed": 2}
"""What the finding of a rule that raised is called -> the exit status it ends with."""


def given_command() -> str:
    """The command as the user gave it."""
    return shlex.join(["tunewright", *sys.argv[1:]])


def with_settings(recipe: Path, settings: Iterable[str] | None) -> str:
    """A recipe and the settings put over it, as the next command needs them too."""
    return " ".join([str(recipe), *(f"--set {shlex.quote(setting)}" for setting in settings or ())])


def end(findings: Iterable[Mapping[str, Any]]) -> None:
    """End with status 1 where a rule of ours raised, with 2 where one of the user's own did: everything else was done all the same."""
    failed = {finding["rule"] for finding in findings}.intersection(FAILED_RULES)
    if failed:
        raise typer.Exit(min(FAILED_RULES[rule] for rule in failed))


def put(value: Any) -> None:
    """A result for machines, on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
