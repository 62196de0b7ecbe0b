"""Time until validation accuracy first reaches 0.90 on BANKING77: ours, the example's defaults, and a well-tuned Trainer.

The sides take turns (``benchmarks.turns``), on the same machine, model, rows and points; the test rows are scored once, at each end.
A side that has used many times our time without getting there is ended, and its time counts as a lower bound.

Usage: TUNEWRIGHT_DATA=... python -m benchmarks.against_trainer [RESULT_JSON]
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.turns import Side

TARGET = 0.90
ENOUGH = 24
"""Times our time after which a side that has not got there is ended."""


def main(result: str = "") -> None:
    """Run the three sides in turns and print the ratios."""
    from tunewright.model.base import embedded_folder
    from tunewright.model.device import machine, precision

    base = str(embedded_folder())
    folder = Path(os.environ["TUNEWRIGHT_DATA"]) / "banking77"
    python = sys.executable
    with tempfile.TemporaryDirectory() as scratch:
        paths = _splits(folder, Path(scratch))
        sides = [
            Side("ours", [python, "-m", "benchmarks.ours", *paths, scratch]),
            Side("tuned", [python, "-m", "benchmarks.baselines.tuned", base, *paths, precision("auto", "cpu")]),
            Side("example", [python, "-m", "benchmarks.baselines.example", base, *paths]),
        ]
        while waiting := [side for side in sides if not side.ended]:
            for side in waiting:
                side.turn(go=not _hopeless(side, sides[0]))
    found = {
        "target": TARGET,
        "machine": machine(),
        "precision": precision("auto", "cpu"),
        "sides": {side.name: _told(side) for side in sides},
    }
    ours = found["sides"]["ours"]
    for clock in ("seconds", "processor_seconds"):
        found[f"ratios_of_{clock}"] = {side.name: round(found["sides"][side.name][clock] / ours[clock], 2) for side in sides[1:]}
    print(json.dumps({key: value for key, value in found.items() if key != "sides"}, indent=2))
    for name, ratio in found["ratios_of_seconds"].items():
        bound = "" if found["sides"][name]["reached"] else " at least (it never got there)"
        print(f"{name}: {ratio} times our {ours['seconds']} s{bound}; {found['ratios_of_processor_seconds'][name]} times in processor time")
    if result:
        Path(result).write_text(json.dumps(found, indent=2) + "\n")


def _hopeless(side: Side, ours: Side) -> bool:
    """Whether a side has used ``ENOUGH`` times our time, by both clocks, and is not there: its time so far is a lower bound."""
    best = ours.reached(TARGET)
    if side is ours or best is None or not side.points or side.reached(TARGET):
        return False
    return all(side.points[-1][clock] >= ENOUGH * best[clock] for clock in ("seconds", "processor_seconds"))


def _told(side: Side) -> dict[str, Any]:
    reached = side.reached(TARGET)
    point = reached or side.points[-1]
    return {
        "reached": reached is not None,
        **{clock: point[clock] for clock in ("seconds", "processor_seconds")},
        "test": side.points[-1]["test"],
        "points": side.points,
    }


def _splits(folder: Path, scratch: Path) -> list[str]:
    """Training, validation (a tenth of the train file, drawn once) and test rows, the same for every side."""
    rows = (folder / "train.jsonl").read_text().splitlines()
    random.Random(7).shuffle(rows)
    parts = {"train": rows[len(rows) // 10 :], "validation": rows[: len(rows) // 10]}
    for name, lines in parts.items():
        (scratch / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return [str(scratch / "train.jsonl"), str(scratch / "validation.jsonl"), str(folder / "test.jsonl")]


if __name__ == "__main__":
    main(*sys.argv[1:])
