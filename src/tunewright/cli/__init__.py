"""The command line: one file per command, each a sentence about the library."""

from __future__ import annotations

import os
import sys

import typer

from tunewright.cli import check, data, demo, doctor, evaluate, new, predict, prepare, report, run, schema, show, train

app = typer.Typer(name="tunewright", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
                  help="From a table of business text to a fine-tuned, proven and served specialist model.")
for module in (demo, new, check, show, prepare, run, train, evaluate, predict, report, schema, doctor):
    app.command(name=module.__name__.rpartition(".")[2])(module.command)
app.add_typer(data.app, name="data")


def main() -> None:
    """Run the command line: an error of the user's is one paragraph and its exit status, anything else keeps its traceback."""
    from tunewright.core.errors import UserError

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait slow a busy machine down many times over
    try:
        app()
    except UserError as error:
        typer.echo(f"tunewright: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("tunewright: interrupted. Give the same command again; a run that has checkpoints goes on with: tunewright train --resume RUN", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
