"""Help, ``new`` and a refused recipe answer at once: under half a second of processor time, and nothing heavy is imported."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import json, sys
from tunewright.cli import main
sys.argv = ["tunewright", *sys.argv[1:]]
status = 0
try:
    main()
except SystemExit as ended:
    status = ended.code or 0
heavy = [name for name in ("torch", "transformers", "datasets", "pandas", "peft", "sklearn", "matplotlib") if name in sys.modules]
print(json.dumps({"status": status, "heavy": heavy}), file=sys.stderr)
"""
TRIES = 5
AT_ONCE = 0.5
"""Seconds of processor time. What the project promises, so it is measured here; the least of the tries, because others compute here too."""


@pytest.fixture(scope="module")
def as_installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which modules are compiled once, as those of an installed package are, whatever the one of the tests says."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("compiled"))}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--help"], 0),
        (["run", "--help"], 0),
        (["new", "tickets.csv", "--overwrite"], 0),
        (["check", "bad.yaml"], 2),
        (["check", "apart.yaml"], 2),
    ],
)
def test_it_answers_at_once_and_nothing_heavy_is_imported(
    words: list[str], status: int, tickets: Path, as_installed: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "tickets.csv").write_bytes((tickets / "tickets.csv").read_bytes())
    (tmp_path / "bad.yaml").write_text("task: text-clasification\nmodel: {base: embedded, pooling: men}\n")
    (tmp_path / "apart.yaml").write_text(
        "task: text-classification\ndata: {source: tickets.csv, columns: {text: body, label: queue, text_pair: subject}}\n"
        "model: {base: embedded, pooling: mean}\nmethod: lora\ntrain: {arguments: {weight_decay: 0.1}}\n"
    )
    taken = []
    for _ in range(TRIES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-c", PROGRAM, *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=as_installed, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert json.loads(done.stderr.splitlines()[-1]) == {"status": status, "heavy": []}
        taken.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        if taken[-1] < AT_ONCE:
            return
    pytest.fail(f"tunewright {' '.join(words)} took {', '.join(f'{one:.2f}' for one in taken)} s of processor time")
