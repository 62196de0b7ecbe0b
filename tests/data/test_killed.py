"""A kill at any moment of prepare leaves whole versions or none, and what it leaves half-written is cleared by the next one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunewright.data.audit import RULES
from tunewright.data.dataset import Dataset

KILLS = 20
EXISTING = ("unreadable-row", "empty-text", "missing-label", "mojibake", "conflicting-label", "exact-duplicate", "normalised-duplicate")
CODE = """
import os, sys
from pathlib import Path
from tunewright.data.prepare import prepare
from tunewright.data.settings import DataSettings
from tunewright.tasks import TASKS
folder, rules = Path(sys.argv[1]), {name: False for name in sys.argv[2:]}
for line in sys.stdin:
    child = os.fork()
    if child:
        if sys.stdin.readline() == "kill\\n":
            os.kill(child, 9)
        print(os.waitpid(child, 0)[1], flush=True)
    else:
        prepare(DataSettings(source="tickets.csv", rules=rules), TASKS.build("text-classification"), int(line), folder, folder / "datasets")
        os._exit(0)
"""


class Preparing:
    """A process that has imported everything and forks one child for each prepare, so that twenty of them are quick."""

    def __init__(self, folder: Path) -> None:
        others = [name for name in RULES.places() if name not in EXISTING]
        environment = {**os.environ, "TMPDIR": str(folder / "scratch")}
        self.process = subprocess.Popen([sys.executable, "-c", CODE, str(folder), *others], text=True, env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip

    def begin(self, seed: int) -> None:
        """Begin to prepare."""
        self._say(str(seed))

    def end(self, how: str = "wait") -> int:
        """Wait for the end, or kill it at once; the signal that ended it, 0 when it came to its end by itself."""
        self._say(how)
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def _say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()


@pytest.fixture
def preparing(tmp_path: Path) -> Iterator[Preparing]:
    (tmp_path / "scratch").mkdir()
    with (tmp_path / "tickets.csv").open("w") as file:
        file.write("text,label\n")
        file.writelines(f"the parcel of order {at} is late again and {at % 977} others wait,queue {at % 7}\n" for at in range(20_000))
    found = Preparing(tmp_path)
    yield found
    assert found.process.stdin is not None and found.process.stdout is not None
    found.process.stdin.close()
    found.process.wait()
    found.process.stdout.close()


def inside(folder: Path) -> tuple[list[Path], list[Path]]:
    """Every folder that looks like a version, and what is half-written."""
    place = folder / "datasets" / "tickets"
    there = sorted(place.iterdir()) if place.exists() else []
    return [one for one in there if not one.name.startswith(".")], [one for one in there if one.name.startswith(".")]


@pytest.mark.slow
def test_twenty_kills_at_random_moments_leave_whole_versions_or_none(tmp_path: Path, preparing: Preparing) -> None:
    preparing.begin(0)
    assert preparing.end() == 0
    started = time.monotonic()
    preparing.begin(1)
    assert preparing.end() == 0
    takes = time.monotonic() - started
    versions, _ = inside(tmp_path)
    untouched = {path: path.stat().st_mtime_ns for version in versions for path in version.rglob("*")}
    chance, whole, killed, left = random.Random(3), 2, 0, 0
    for seed in range(2, 2 + KILLS):
        before = inside(tmp_path)[1]
        preparing.begin(seed)
        if seed % 2:
            time.sleep(0.9 * takes * chance.random())
        else:  # writing takes but a small part of the time: every other kill comes there
            until = time.monotonic() + 20
            while not set(inside(tmp_path)[1]) - set(before) and len(inside(tmp_path)[0]) == whole and time.monotonic() < until:
                time.sleep(0.001)
            time.sleep(0.1 * chance.random() ** 2)
        killed += preparing.end("kill") == signal.SIGKILL
        versions, halves = inside(tmp_path)
        for version in versions:
            Dataset.open(version).verify()
        assert len(versions) - whole in (0, 1) and len(halves) <= 1, "each prepare clears what the one before it left"
        whole, left = len(versions), left + len(set(halves) - set(before))
    assert killed >= KILLS / 4 and left >= 1, "the kills came too late"
    assert {path: path.stat().st_mtime_ns for path in untouched} == untouched
    preparing.begin(2 + KILLS)
    assert preparing.end() == 0
    versions, halves = inside(tmp_path)
    assert len(versions) == whole + 1 and halves == [] and list((tmp_path / "scratch").iterdir()) == []
    Dataset.open(versions[0]).verify()


@pytest.mark.slow
def test_what_another_process_is_writing_is_not_cleared_away(tmp_path: Path) -> None:
    from tunewright.data.dataset import beside_others

    half = tmp_path / ".abc.1.part"
    code = f"from pathlib import Path; from tunewright.data.dataset import beside_others as it\nwith it(Path({str(tmp_path)!r})): print()"
    with beside_others(tmp_path):
        half.mkdir()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        assert half.exists()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert not half.exists()
