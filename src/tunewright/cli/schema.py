from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunewright.cli.options import put


def command(out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write it; left out, standard output.")] = None) -> None:
    """The recipe's grammar as JSON Schema, for editors. Example: tunewright schema --out recipe.schema.json

    An editor with YAML support uses it when the first line of a recipe says: # yaml-language-server: $schema=recipe.schema.json
    """
    from tunewright.core.folder import write_json
    from tunewright.pipeline.schema import schema

    if out is None:
        put(schema())
        return
    write_json(out, schema())
    typer.echo(f"{out}\nNext: put this first line into a recipe: # yaml-language-server: $schema={out}")
