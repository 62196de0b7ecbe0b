"""Every public set with the defaults untouched: score, interval, baselines, seconds and peak memory, as a table.

Each set runs as `tunewright run` in a process of its own, so that its peak memory is its own.

Usage: TUNEWRIGHT_DATA=... python -m benchmarks.datasets RESULT_JSON [SET ...] [-- key=value ...]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from benchmarks.sets import SETS, keep, recipe_of


def measure(name: str, settings: list[str], out: Path) -> dict[str, Any]:
    """One whole run, from the table to the report."""
    recipe = out / f"{name}.yaml"
    recipe.write_text(yaml.safe_dump(recipe_of(name, out)))
    extra = [word for setting in settings for word in ("--set", setting)]
    program = "from tunewright.cli import main; main()"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", program, "run", str(recipe), "--json", *extra], stdout=subprocess.PIPE, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = json.loads(done.stdout)
    metrics, data = told["metrics"], json.loads((Path(told["run"]) / "data.json").read_text())
    cost, test, baselines = metrics["efficiency"], metrics["test"], metrics["baselines"]
    return {
        "set": name, "settings": settings, "rows_read": data["rows"]["read"], "removed": data["rows"]["by_rule"],
        "train": data["splits"]["train"]["rows"], "test": test["accuracy"]["rows"], "max_tokens": data["truncation"]["max_tokens"],
        "accuracy": test["accuracy"], "f1_macro": test["f1_macro"], "tfidf": baselines["tfidf"]["accuracy"],
        "majority": baselines["majority"]["accuracy"], "difference": baselines["difference"]["tfidf"]["accuracy"],
        "train_seconds": cost["train_seconds"], "total_seconds": cost["total_seconds"], "peak_memory_bytes": cost["peak_memory_bytes"],
        "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "epochs": cost["epochs"], "proof": metrics["proof"]["largest_difference"],
    }  # fmt: skip


def table(results: list[dict[str, Any]]) -> str:
    """The results as a Markdown table."""
    names = [
        "set",
        "settings",
        "train / test rows",
        "accuracy",
        "macro F1",
        "TF-IDF",
        "majority",
        "ours minus TF-IDF",
        "training s",
        "whole s",
        "processor s",
        "peak GB",
    ]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for one in results:
        cells = [
            one["set"],
            " ".join(one["settings"]) or "defaults",
            f"{one['train']:,} / {one['test']:,}",
            *(_score(one[name]) for name in ("accuracy", "f1_macro", "tfidf", "majority")),
            _score(one["difference"], sign=True),
            f"{one['train_seconds']:.0f}",
            f"{one['total_seconds']:.0f}",
            f"{one['processor_seconds']:.0f}" if "processor_seconds" in one else "",
            f"{one['peak_memory_bytes'] / 1e9:.1f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _score(score: dict[str, float], sign: bool = False) -> str:
    form = "+.3f" if sign else ".3f"
    return f"{score['value']:{form}} [{score['low']:{form}}, {score['high']:{form}}]"


def main(result: str, *words: str) -> None:
    """Measure the named sets (all of them when none is named) and add them to a result file, with the table beside it."""
    names, _, settings = " ".join(words).partition("--")
    place = Path(result)
    kept = json.loads(place.read_text())["results"] if place.exists() else []
    for name in names.split() or SETS:
        with tempfile.TemporaryDirectory() as out:
            found = measure(name, settings.split(), Path(out))
        kept = [one for one in kept if (one["set"], one["settings"]) != (name, settings.split())] + [found]
        told = f"Made by `python -m benchmarks.datasets {result}`; in brackets 95 % bootstrap intervals over the test rows."
        keep(place, kept, told, table(kept))
        print(table([found]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
