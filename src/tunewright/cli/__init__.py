"""The command line: one file per command, each a sentence about the library."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import typer

from tunewright.cli import (
    check,
    compare,
    data,
    demo,
    doctor,
    evaluate,
    new,
    predict,
    prepare,
    report,
    review,
    run,
    schema,
    show,
    train,
    tune,
)
from tunewright.core import launch
from tunewright.core.errors import Interrupted, UserError
from tunewright.pipeline.together import told_by_all

P = ParamSpec("P")

app = typer.Typer(
    name="tunewright",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="From a table of business text to a fine-tuned and proven specialist model. Example: tunewright demo --quick",
)


SHARED = (run.command, train.command)
"""Commands whose work several processes share; any other is done by the first of them alone."""


def _ended_by_hand(command: Callable[P, None]) -> Callable[P, None]:
    """Ctrl-C outside of training, a reader of our output that went away, and processes that have no part in a command."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        if command not in SHARED:
            if launch.number():
                return
            launch.forget()
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            go_on = (
                "A run that has checkpoints goes on with: tunewright train --resume RUN; anything else starts again with the same command"
            )
            raise Interrupted("interrupted; files that were being written are left out, finished ones stay", "", go_on) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None

    return guarded


for module in (demo, new, check, show, prepare, run, train, evaluate, compare, predict, report, schema, doctor):
    app.command(name=module.__name__.rpartition(".")[2])(_ended_by_hand(module.command))
app.add_typer(data.app, name="data")
app.add_typer(review.app, name="review")
app.add_typer(tune.app, name="tune")


def main() -> None:
    """Run the command line: an error of the user's is one paragraph and its exit status, anything else keeps its traceback."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait slow a busy machine down many times over
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # none of ours; looking for them reads every package that is installed
    if launch.count() > 1:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # or every process warns that no weight was left out of a step
    if launch.number():
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - what the first process prints stands for all
    try:
        app()
    except UserError as error:
        if not (launch.number() and told_by_all(error)):
            typer.echo(f"tunewright: {error}", err=True)
        sys.exit(error.exit_code)
