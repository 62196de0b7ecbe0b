"""Help, ``new`` and a refused recipe import nothing heavy, so that they answer at once; ``benchmarks/startup.py`` measures how soon."""

from __future__ import annotations

import json
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
def test_it_answers_and_nothing_heavy_is_imported(words: list[str], status: int, tickets: Path, tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_bytes((tickets / "tickets.csv").read_bytes())
    (tmp_path / "bad.yaml").write_text("task: text-clasification\nmodel: {base: embedded, pooling: men}\n")
    (tmp_path / "apart.yaml").write_text(
        "task: text-classification\ndata: {source: tickets.csv, columns: {text: body, label: queue, text_pair: subject}}\n"
        "model: {base: embedded, pooling: mean}\nmethod: lora\ntrain: {arguments: {weight_decay: 0.1}}\n"
    )
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert json.loads(done.stderr.splitlines()[-1]) == {"status": status, "heavy": []}
