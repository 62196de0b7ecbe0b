"""A process that has imported everything, and forks one child for each run: the child dies within the call that it is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

CALLS = ("write", "fsync", "rename")
MODULES = (
    "pipeline.run", "pipeline.recipe", "train.loop", "train.hf", "model.build", "model.predict", "model.proof", "data.prepare",
    "data.dataset", "data.encode", "data.batch", "tasks.text_classification", "metrics.classes", "review.dynamics", "data.audit.apply",
)  # fmt: skip


class Dying:
    """The process from which children are forked."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.dying"], env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Dying:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def run(self, folder: Path, kind: str, call: str, number: int) -> dict[str, int] | None:
        """Do a whole run, and die within the ``number``-th call of its kind.

        Returns:
            How many calls of each kind there were, where it came to its end.
        """
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([str(folder), kind, call, number]) + "\n")
        self._process.stdin.flush()
        code, *_ = json.loads(self._process.stdout.readline())
        counted = folder / "counted.json"
        if counted.exists():
            found: dict[str, int] = json.loads(counted.read_text())
            return found
        assert os.waitstatus_to_exitcode(code) == -signal.SIGKILL, (folder / "said.txt").read_text()[-1500:]
        return None


def whole_run(folder: Path, kind: str, call: str, number: int) -> None:
    """What a child does."""
    from tunewright.pipeline.recipe import read
    from tunewright.pipeline.run import run

    seen = dict.fromkeys(CALLS, 0)

    def due(name: str) -> bool:
        seen[name] += 1
        return name == call and seen[name] == number

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    write, fsync, replace = Path.write_bytes, os.fsync, Path.replace

    def half_written(path: Path, data: Any) -> int:
        if due("write"):
            write(path, bytes(data)[: len(data) // 2])
            die()
        return write(path, data)

    def not_flushed(handle: int) -> None:
        if due("fsync"):
            die()
        fsync(handle)

    def not_renamed(path: Path, target: Any) -> Path:
        if due("rename"):
            die()
        return replace(path, target)

    Path.write_bytes, os.fsync, Path.replace = half_written, not_flushed, not_renamed  # type: ignore[method-assign, assignment]
    os.chdir(folder)
    run(read(Path(f"{kind}.yaml")), folder, kind, f"tunewright run {kind}.yaml")
    write(folder / "counted.json", json.dumps(seen).encode())


def main() -> None:
    """Fork a child for each line that is asked; nothing is computed here, or a fork would find threads that are not there."""
    for module in MODULES:
        import_module(f"tunewright.{module}")
    for line in sys.stdin:
        folder, kind, call, number = json.loads(line)
        child = os.fork()
        if not child:
            with (Path(folder) / "said.txt").open("a") as said:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
            code = 1
            try:
                whole_run(Path(folder), kind, call, number)
                code = 0
            finally:
                os._exit(code)
        print(json.dumps([os.waitpid(child, 0)[1]]), flush=True)


if __name__ == "__main__":
    main()
