"""The command line, asked from a test."""

from __future__ import annotations

from typing import Any

from typer.testing import CliRunner

from tunewright.cli import app


def asked(*words: str) -> Any:
    """What a command answered, which must have gone well."""
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done
