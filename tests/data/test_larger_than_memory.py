"""Preparing holds some bytes of each row in memory, never its texts: six times the rows hardly need more."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROWS, MORE, WORDS = 10_000, 6, 480
BYTES_PER_ROW, SLACK_MB = 300, 55
"""What a row may take, all rules together, and what the same work takes more in one process than in another."""
RULES = ("unreadable-row", "empty-text", "missing-label", "mojibake", "label-variant", "conflicting-label", "leak-exact", "rare-label",
         "exact-duplicate", "normalised-duplicate", "label-never-trained", "imbalance")  # fmt: skip
CODE = """
import sys, threading, time
from pathlib import Path
import pandas, ftfy
from tunewright.data.audit import RULES
from tunewright.data.prepare import prepare
from tunewright.data.settings import DataSettings
from tunewright.tasks import TASKS

def anonymous():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon")) / 1024

def watch():
    while True:
        peak[0] = max(peak[0], anonymous())
        time.sleep(0.002)

name, folder = sys.argv[1], Path(sys.argv[2])
rules = {rule: False for rule in RULES.places() if rule not in sys.argv[3:]}
source = {"train": name, "validation": "validation.csv", "test": "test.csv"}  # no split to make: near-duplicates have a test of their own
settings = DataSettings(source=source, rules=rules, policy={"mojibake": "fix", "conflicting-label": "drop"})
peak = [anonymous()]
before = peak[0]
threading.Thread(target=watch, daemon=True).start()
dataset = prepare(settings, TASKS.build("text-classification"), 0, folder, folder / "datasets")
kept = dataset.summary()["rows"]
print(dataset.rows("train").num_rows, kept["kept"], kept["quarantined"], peak[0] - before)
"""


def written(path: Path, rows: int) -> Path:
    """Long texts, a part of them garbled, doubled or without a label."""
    with path.open("w") as file:
        file.write("text,label\n")
        for at in range(rows):
            said = at - at % 5 if at % 100 < 4 else at
            words = " ".join(f"w{(said * 31 + place * place * 17) % 50_021}" for place in range(WORDS))
            text = f"{words} {said}" + (" cafÃ© au lait" if at % 50 == 7 else " café" if at % 10 == 6 else "")
            file.write(f"{text},{'' if at % 97 == 0 else f'queue {at % 5}'}\n")
    return path


def peak(folder: Path, name: str, rows: int) -> float:
    """MB that a process takes more at its peak than before it prepares a table."""
    shutil.rmtree(folder / "datasets", ignore_errors=True)
    done = subprocess.run([sys.executable, "-c", CODE, name, str(folder), *RULES], capture_output=True, text=True, check=True)
    train, kept, gone, found = done.stdout.split()
    assert int(kept) + int(gone) == rows + 1000 and int(gone) > rows / 100 and int(train) > 0.7 * rows
    return float(found)


@pytest.mark.slow
def test_the_peak_of_memory_does_not_grow_with_the_texts(tmp_path: Path) -> None:
    for name, rows in (("validation.csv", 500), ("test.csv", 500), ("few.csv", ROWS), ("many.csv", MORE * ROWS)):
        written(tmp_path / name, rows)
    texts_mb = (tmp_path / "many.csv").stat().st_size / 1e6 - (tmp_path / "few.csv").stat().st_size / 1e6
    allowed_mb = (MORE - 1) * ROWS * BYTES_PER_ROW / 1e6 + SLACK_MB
    few, many = peak(tmp_path, "few.csv", ROWS), peak(tmp_path, "many.csv", MORE * ROWS)
    assert many - few < allowed_mb < texts_mb / 1.8, (few, many)
