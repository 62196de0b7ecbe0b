"""A process that has imported everything, and forks one child for each command: the child dies within the call that it is told."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

CALLS = ("write", "fsync", "rename")
COUNTED = "counted.json"
MODULES = (
    "cli", "pipeline.run", "pipeline.recipe", "pipeline.evaluate", "pipeline.report", "train.loop", "train.hf", "model.build",
    "model.predict", "model.proof", "data.prepare", "data.dataset", "data.encode", "data.batch", "tasks.text_classification",
    "metrics.classes", "review.dynamics", "data.audit.apply",
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

    def give(self, folder: Path, *words: str, call: str = "", number: int = 0) -> dict[str, int] | None:
        """Give a command in a folder, and die within the ``number``-th call of its kind; without a kind, at no time.

        Returns:
            How many calls of each kind there were, where it came to its end.

        Raises:
            AssertionError: it ended in another way.
        """
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([str(folder), words, call, number]) + "\n")
        self._process.stdin.flush()
        code = os.waitstatus_to_exitcode(json.loads(self._process.stdout.readline()))
        if call and code == -signal.SIGKILL:
            return None
        if code:
            raise AssertionError(f"{' '.join(words)} ended with {code}: {(folder / 'said.txt').read_text()[-1500:]}")
        counted: dict[str, int] = json.loads((folder / COUNTED).read_text())
        return counted


class HalfLine(io.FileIO):
    """A journal that is told when a line is added."""

    due: Any

    def write(self, data: Any) -> int:
        if self.due("write"):
            super().write(bytes(data)[: len(data) // 2])
            die()
        return super().write(data)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def armed(call: str, number: int) -> dict[str, int]:
    """Let the process die within a call: a file or a line is half written, a file is not flushed, a name is not changed.

    Returns:
        What counts the calls.
    """
    import safetensors.torch

    seen = dict.fromkeys(CALLS, 0)

    def due(name: str) -> bool:
        seen[name] += 1
        return name == call and seen[name] == number

    write, opened, fsync, replace, save = Path.write_bytes, Path.open, os.fsync, Path.replace, safetensors.torch.save_file

    def half_written(path: Path, data: Any) -> int:
        if due("write"):
            write(path, bytes(data)[: len(data) // 2])
            die()
        return write(path, data)

    def journal(path: Path, mode: str = "r", buffering: int = -1, *words: Any, **named: Any) -> Any:
        if buffering == 0 and mode == "ab":
            line = HalfLine(path, mode)
            line.due = due
            return line
        return opened(path, mode, buffering, *words, **named)

    def half_saved(tensors: Any, path: Any, *words: Any, **named: Any) -> None:
        save(tensors, path, *words, **named)
        if due("write"):
            os.truncate(path, Path(path).stat().st_size // 2)
            die()

    def not_flushed(handle: int) -> None:
        if due("fsync"):
            die()
        fsync(handle)

    def not_renamed(path: Path, target: Any) -> Path:
        if due("rename"):
            die()
        return replace(path, target)

    Path.write_bytes, Path.open, Path.replace = half_written, journal, not_renamed  # type: ignore[method-assign, assignment]
    os.fsync, safetensors.torch.save_file = not_flushed, half_saved
    return seen


def obey(folder: Path, words: list[str], call: str, number: int) -> int:
    """What a child does.

    Returns:
        The exit status of the command.
    """
    from tunewright.cli import main as command

    os.chdir(folder)
    seen = armed(call, number)
    sys.argv = ["tunewright", *words]
    try:
        command()
    except SystemExit as end:
        if end.code:
            return end.code if isinstance(end.code, int) else 1
    with (folder / COUNTED).open("w") as stream:
        json.dump(seen, stream)
    return 0


def main() -> None:
    """Fork a child for each line that is asked; nothing is computed here, or a fork would find threads that are not there."""
    for module in MODULES:
        import_module(f"tunewright.{module}")
    for line in sys.stdin:
        folder, words, call, number = json.loads(line)
        child = os.fork()
        if not child:
            with (Path(folder) / "said.txt").open("a") as said:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
            code = 1
            try:
                code = obey(Path(folder), words, call, number)
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        print(json.dumps(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
