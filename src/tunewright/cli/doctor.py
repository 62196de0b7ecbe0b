from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunewright.cli.options import AsJson, put

MARKS = {"ok": "ok   ", "note": "note ", "lacks": "LACKS"}


def command(
    output_dir: Annotated[Path, typer.Option("--output-dir", metavar="DIR", help="Where runs would be written.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """What this machine has and lacks; exit 2 when something that is needed lacks. Example: tunewright doctor"""
    from tunewright.pipeline import doctor

    facts = doctor.doctor(output_dir)
    if as_json:
        put(doctor.as_json(facts))
    else:
        for fact in facts:
            typer.echo(f"{MARKS[fact.status]} {fact.name}: {fact.found}" + (f"\n      {fact.remedy}" if fact.remedy else ""))
        typer.echo(
            "Something that is needed lacks: see above." if doctor.lacking(facts) else "Next: tunewright demo, or tunewright new DATA"
        )
    if doctor.lacking(facts):
        raise typer.Exit(2)
