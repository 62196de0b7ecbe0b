"""How close ``tunewright check`` comes to what a run then takes: estimate, real figure and ratio, for each recipe.

Usage: python benchmarks/estimates.py [RECIPE...] [--set KEY=VALUE]      (without recipes: recipes/*.yaml)

A ratio of 1 is exact, below 1 the run took more than was estimated. Give it a machine of its own: what else runs there while one of the
two is timed moves the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAIRS = (("train_seconds", "train_seconds"), ("total_seconds", "total_seconds"), ("memory_bytes", "peak_memory_bytes"), ("steps", "steps"))
"""Figure of the estimate -> the same figure under ``efficiency`` in the metrics of a run."""


def tunewright(*arguments: str) -> Any:
    """What a command prints as JSON."""
    code = "from tunewright.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *arguments, "--json", "--quiet"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"tunewright {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def compare(recipe: Path, settings: list[str]) -> list[dict[str, Any]]:
    """Check a recipe, run it, and hold the figures side by side."""
    with tempfile.TemporaryDirectory() as scratch:
        given = [part for setting in [*settings, f"output_dir={scratch}"] for part in ("--set", setting)]
        estimated = tunewright("check", str(recipe), *given)["estimate"]
        real = tunewright("run", str(recipe), *given)["metrics"]["efficiency"]
    return [
        {
            "recipe": recipe.stem,
            "figure": ours,
            "estimate": estimated[ours],
            "real": real[theirs],
            "ratio": _ratio(estimated[ours], real[theirs]),
        }
        for ours, theirs in PAIRS
    ]


def _ratio(estimate: Any, real: Any) -> float | None:
    numbers = isinstance(estimate, (int, float)) and isinstance(real, (int, float))
    return round(estimate / real, 2) if numbers and real else None


def main() -> None:
    """Print a line per recipe and figure, with the load of the machine before it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = parser.parse_args()
    recipes = given.recipes or sorted((ROOT / "recipes").glob("*.yaml"))
    if not recipes:
        raise SystemExit("there is no recipe in recipes/: name one")
    print(f"{'recipe':20} {'figure':14} {'estimate':>16} {'real':>16} {'ratio':>6}  load")
    for recipe in recipes:
        load = os.getloadavg()[0]
        for one in compare(recipe, given.settings):
            print(
                f"{one['recipe']:20} {one['figure']:14} {one['estimate']!s:>16} {one['real']!s:>16} {one['ratio']!s:>6}  {load:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
