"""How soon ``--help``, ``new`` and a refused recipe answer: processor seconds of a whole process, the least and the median of some tries.

Usage: python -m benchmarks.startup RESULT_JSON
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

TRIES = 9
WANTED = 0.5
"""Processor seconds."""
RECIPE = "task: text-clasification\nmodel: {base: embedded, pooling: men}\n"
COMMANDS = {"--help": ["--help"], "new": ["new", "tickets.csv", "--overwrite"], "a refused recipe": ["check", "bad.yaml"]}


def measure(words: list[str], folder: Path) -> list[float]:
    """Processor seconds of each try. Modules are compiled once before, as those of an installed package are."""
    program = f"import sys; sys.argv = ['tunewright', *{words!r}]; from tunewright.cli import main; main()"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    taken = []
    for _ in range(TRIES + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", program], cwd=folder, env=env, capture_output=True, check=False)
        assert done.returncode in (0, 2), done.stderr.decode()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(round(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, 3))
    return taken[1:]


def main(result: str) -> None:
    """Measure, and write the JSON and a table beside it."""
    from tunewright.demo.tickets import Tickets
    from tunewright.model.device import machine

    with tempfile.TemporaryDirectory() as folder:
        Tickets(rows=3000, seed=0).write(Path(folder))
        (Path(folder) / "bad.yaml").write_text(RECIPE)
        found = {name: measure(words, Path(folder)) for name, words in COMMANDS.items()}
    load = os.getloadavg()[0]
    place = Path(result)
    facts = {"measured": datetime.now(UTC).date().isoformat(), "machine": machine(), "load": round(load, 2), "seconds": found}
    place.write_text(json.dumps(facts, indent=1) + "\n")
    lines = ["| command | least | median | wanted |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {min(taken):.2f} | {median(taken):.2f} | < {WANTED} |" for name, taken in found.items()]
    told = f"Processor seconds, made by `python -m benchmarks.startup {result}`, {TRIES} tries, load {load:.1f}."
    place.with_suffix(".md").write_text("\n".join([told, "", *lines, ""]))
    print("\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
