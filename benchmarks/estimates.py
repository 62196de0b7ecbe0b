"""How close ``tunewright check`` comes to what a run then takes: estimate, real figure and ratio, for each recipe.

Usage: TUNEWRIGHT_DATA=... python -m benchmarks.estimates RESULT_JSON [RECIPE...] [--set KEY=VALUE] [--keep FOLDER] [--check-only]

Without recipes: those of ``recipes/``. The scores that ``recipes/expected.json`` names for one stand beside what the run reached.

A ratio of 1 is exact, below 1 the run took more than was estimated. A shipped recipe reads public sets below TUNEWRIGHT_DATA, or what its
generator makes; any other is read where it says. Recipes are added to the result one by one, and one that stands there is measured anew.
With ``--check-only`` a recipe's estimate is made anew, and held beside the figures of the run that stands in the result.
Give it a machine of its own: what else runs there while one of the two is timed moves the ratio; the load before each is told beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAIRS = (("train_seconds", "train_seconds"), ("total_seconds", "total_seconds"), ("memory_bytes", "peak_memory_bytes"), ("steps", "steps"))
"""Figure of the estimate -> the same figure under ``efficiency`` in the metrics of a run."""


GENERATORS = {"questions": "tunewright.demo.questions"}
"""Shipped recipe -> the module that makes its data."""
FIGURES = {"train_seconds": "s", "total_seconds": "s", "memory_bytes": "MB", "steps": ""}
"""Figure -> its unit in the table."""


def tunewright(folder: Path, *arguments: str) -> Any:
    """What a command prints as JSON, given in a folder."""
    code = "from tunewright.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments, "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise SystemExit(f"tunewright {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def data_of(recipe: Path, scratch: Path) -> Path:
    """The folder from which a recipe finds its data."""
    if recipe.resolve().parent != ROOT / "recipes":
        return Path.cwd()
    if recipe.stem in GENERATORS:
        subprocess.run([sys.executable, "-m", GENERATORS[recipe.stem], str(scratch)], check=True, stdout=subprocess.DEVNULL)
        return scratch
    return Path(os.environ["TUNEWRIGHT_DATA"])


def compare(recipe: Path, settings: list[str], keep: Path | None = None, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Check a recipe, run it, and hold the figures side by side.

    Args:
        recipe: to be held.
        settings: laid over it.
        keep: where the run stays.
        before: what an earlier call gave; the recipe is then not run again.
    """
    loads = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as scratch:
        folder = data_of(recipe, Path(scratch))
        given = [part for setting in [*settings, f"output_dir={(keep or Path(scratch)).resolve()}"] for part in ("--set", setting)]
        estimated = tunewright(folder, "check", str(recipe.resolve()), *given)["estimate"]
        if before:
            figures = {name: _held(estimated[name], held["real"]) for name, held in before["figures"].items()}
            return before | {"figures": figures, "load_before": [round(loads[0], 2), before["load_before"][1]]}
        loads.append(os.getloadavg()[0])
        metrics = tunewright(folder, "run", str(recipe.resolve()), *given)["metrics"]
    figures = {ours: _held(estimated[ours], metrics["efficiency"][theirs]) for ours, theirs in PAIRS}
    expected = json.loads((ROOT / "recipes" / "expected.json").read_text()).get(recipe.stem, {}).get("scores", {})
    scores = {name: {"expected": floor, "reached": round(metrics["test"][name]["value"], 4)} for name, floor in expected.items()}
    told = {"recipe": recipe.stem, "settings": settings, "load_before": [round(one, 2) for one in loads]}
    return {**told, "figures": figures, "scores": scores}


def _held(estimate: Any, real: Any) -> dict[str, Any]:
    numbers = isinstance(estimate, (int, float)) and isinstance(real, (int, float))
    return {"estimate": estimate, "real": real, "ratio": round(estimate / real, 2) if numbers and real else None}


def table(found: dict[str, Any]) -> str:
    """The same for people."""
    machine = found["machine"]
    lines = [
        "# How close an estimate comes",
        "",
        f"{found['day']}, {machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / 1e9:.0f} GB, "
        f"{machine['gpu'] or 'no GPU'}. "
        "A ratio below 1: the run took more than was estimated. Load: before `check` and before `run`.",
        "",
        "| recipe | figure | estimate | real | ratio | load |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for one in found["results"]:
        name = " ".join([f"`{one['recipe']}`", *(f"`--set {setting}`" for setting in one["settings"])])
        loads = ", ".join(map(str, one["load_before"]))
        for figure, held in one["figures"].items():
            cells = (_told(held["estimate"], figure), _told(held["real"], figure), held["ratio"] or "not there")
            lines.append(f"| {name} | {figure.partition('_')[0]} | {' | '.join(map(str, cells))} | {loads} |")
    scored = [(one["recipe"], name, held) for one in found["results"] for name, held in one.get("scores", {}).items()]
    if scored:
        lines += ["", "| recipe | score on the test rows | expected at least | reached |", "| --- | --- | ---: | ---: |"]
        lines += [f"| `{recipe}` | {name} | {held['expected']} | {held['reached']:.4f} |" for recipe, name, held in scored]
    return "\n".join(lines) + "\n"


def _told(value: Any, figure: str) -> str:
    if not isinstance(value, (int, float)):
        return str(value)
    unit = FIGURES[figure]
    return f"{value / 1e6 if unit == 'MB' else value:,.{1 if unit == 's' else 0}f} {unit}".strip()


def main(result: str, *words: str) -> None:
    """Measure the named recipes (all that are shipped when none is named); the result is written after each, with the table beside it."""
    from tunewright.model.device import machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="Where the runs stay.")
    parser.add_argument("--check-only", action="store_true", help="Hold a new estimate beside the run that stands in the result.")
    given = parser.parse_args(words)
    place = Path(result)
    kept = json.loads(place.read_text())["results"] if place.exists() else []
    for recipe in given.recipes or sorted((ROOT / "recipes").glob("*.yaml")):
        same = (recipe.stem, given.settings)
        before = next((old for old in kept if (old["recipe"], old["settings"]) == same), None) if given.check_only else None
        one = compare(recipe, given.settings, given.keep, before)
        kept = [*(old for old in kept if (old["recipe"], old["settings"]) != same), one]
        found = {"day": datetime.now(UTC).date().isoformat(), "machine": machine(), "results": kept}
        place.write_text(json.dumps(found, indent=2) + "\n")
        place.with_suffix(".md").write_text(table(found))
        print(json.dumps(one), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
