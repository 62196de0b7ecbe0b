"""Whole runs that are killed, as by a power cut: at random moments, and within each write, fsync and rename. Each goes on, and must end as
an uninterrupted one.

A moment is drawn uniformly over the whole time of ``tunewright run``: start-up, preparing, training, looks, saving, proof, scoring the
test rows and the report. All its processes are killed at once. Then comes what a user would give: ``run`` where none was begun, ``train
--resume`` where it was trained, then ``evaluate`` and ``report``. Held together are the bytes of the model, ``metrics.json`` without what
the clock and the machine say, ``data.json``, and the steps of ``events.jsonl``, each of which must be there once.

Usage: python -m tests.faults.farm RESULT_JSON [--kills 50] [--seed 0] [--at-once 2] [--calls [--every 1]]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from queue import Queue
from typing import Any

import psutil
import yaml

from tests import tiny
from tests.faults import dying
from tunewright.core.folder import file_hash, read_json, read_lines

ALONE = [sys.executable, "-m", "tunewright"]
TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tunewright"]
QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
KINDS = ("trainer", "loop", "stream", "two")
"""What is killed at a random moment: a run of each engine, one that streams, and one of two processes."""
SHORT = "short"
"""What is killed within each of its calls: one epoch, which sees each kind of write."""
CLOCK = {
    "train_seconds", "total_seconds", "training_processor_seconds", "rows_per_second", "peak_memory_bytes", "training_memory_bytes",
    "seconds", "evaluate_seconds", "predict_rows_per_second",
}  # fmt: skip
"""Names in ``metrics.json`` of what is never twice the same."""
LIMIT_S = 600


def recipe_of(kind: str) -> dict[str, Any]:
    """Dropout, early stopping that does not stop, a best model, uneven accumulation, checkpoints between two looks."""
    train = {"epochs": 3, "batch_size": 8, "accumulate": 2, "precision": "fp32", "save_every": 5, "evaluate_every": 7, "early_stopping": 9}
    if kind == SHORT:
        train |= {"epochs": 1, "save_every": 4, "evaluate_every": 5}
    streaming = {"streaming": {"first_rows": 100, "buffer_rows": 48}} if kind == "stream" else {}
    return {
        "task": "text-classification",
        "data": {"source": "t.csv", **streaming},
        "model": {"base": "base", "max_tokens": 32},
        "train": {**train, "engine": "trainer" if kind in {"trainer", "two"} else "loop"},
        "evaluate": {"resamples": 100, "baselines": ["majority"]},
        "name": kind,
    }


def place(root: Path, name: str) -> Path:
    """A folder of its own for a run: the base, the table, and a recipe of each kind."""
    folder = root / name
    folder.mkdir()
    (folder / "base").symlink_to(root / "base")
    (folder / "t.csv").symlink_to(root / "t.csv")
    for kind in (*KINDS, SHORT):
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump(recipe_of(kind)))
    return folder


def give(folder: Path, command: list[str], *words: str) -> subprocess.Popen[bytes]:
    """Start a command in a folder; what it says is added to ``said.txt``."""
    with (folder / "said.txt").open("ab") as said:
        environment = {**os.environ, **QUIET}
        return subprocess.Popen([*command, *words], cwd=folder, env=environment, stdout=said, stderr=said, start_new_session=True)


def started(folder: Path, kind: str, *words: str) -> subprocess.Popen[bytes]:
    """Start a command of a run; a training of two processes is started as that."""
    return give(folder, TWO if kind == "two" and words[0] in {"run", "train"} else ALONE, *words)


def done(folder: Path, kind: str, *words: str) -> None:
    """Give a command of a run, which must succeed."""
    code = started(folder, kind, *words).wait(LIMIT_S)
    if code:
        raise AssertionError(f"{' '.join(words)} ended with {code}: {(folder / 'said.txt').read_text(errors='replace')[-1500:]}")


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started, as a power cut would."""
    with suppress(psutil.NoSuchProcess):
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.suspend()  # none may notice that another is gone
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(family[1:], timeout=20)
    process.wait()


def go_on(folder: Path, kind: str, give_it: Callable[..., object]) -> str:
    """Give what a user would give after a kill, until the run is whole.

    Args:
        folder: of the run.
        kind: of run.
        give_it: gives one of its commands, which must succeed.

    Returns:
        The status that the kill had left.
    """
    manifest = folder / "runs" / kind / "manifest.json"
    status = read_json(manifest)["status"] if manifest.exists() else "not begun"
    if status == "not begun":
        give_it(folder, kind, "run", f"{kind}.yaml", "--overwrite")
    else:
        if status == "training":
            give_it(folder, kind, "train", "--resume", kind)
        give_it(folder, kind, "evaluate", kind)
        give_it(folder, kind, "report", kind)
    return status


def lasting(value: Any) -> Any:
    """What must be the same, of what a JSON file holds."""
    if isinstance(value, dict):
        return {name: lasting(one) for name, one in value.items() if name not in CLOCK}
    return value


def facts(run: Path) -> dict[str, Any]:
    """All that must be as in an uninterrupted run."""
    data = read_json(run / "data.json")
    steps = [line for line in read_lines(run / "events.jsonl") if line["event"] == "step"]
    report = (run / "report.html").read_text()
    return {
        "model": file_hash(run / "model" / "model.safetensors"),
        "metrics": lasting(read_json(run / "metrics.json")),
        "data": {name: value for name, value in data.items() if name not in {"folder", "created"}},
        "steps": [[line["step"], line["loss"], line["lr"], line["grad_norm"], line["tokens"]] for line in steps],
        "rows": read_lines(run / "rows.jsonl"),
        "status": read_json(run / "manifest.json")["status"],
        "report": report.rstrip().endswith("</html>"),
        "halves": [str(one.relative_to(run)) for one in run.rglob("*.part")] + [one.name for one in run.glob("*.unproved")],
    }


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The names of the facts that differ."""
    return [name for name in one if one[name] != other[name]]


def uninterrupted(root: Path, kind: str) -> tuple[dict[str, Any], float]:
    """The facts of a run that nothing ends, and its seconds."""
    folder, began = place(root, f"whole-{kind}"), time.monotonic()
    done(folder, kind, "run", f"{kind}.yaml")
    return facts(folder / "runs" / kind), time.monotonic() - began


def kills(root: Path, whole: dict[str, Any], seconds: dict[str, float], count: int, seed: int, at_once: int) -> Iterator[dict[str, Any]]:
    """Kill so many runs, in turns of their kinds, each at a moment of its own."""
    rng = random.Random(seed)
    moments = [(number, KINDS[number % len(KINDS)], rng.random()) for number in range(count)]

    def one(number: int, kind: str, share: float) -> dict[str, Any]:
        folder = place(root, f"kill-{number}")
        process = started(folder, kind, "run", f"{kind}.yaml")
        time.sleep(share * seconds[kind])
        kill_all(process)
        told = {"kind": kind, "after_s": round(share * seconds[kind], 2), "share": round(share, 3)}
        return told | held(folder, kind, whole)

    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(lambda parts: one(*parts), moments)


def held(folder: Path, kind: str, whole: dict[str, Any], give_it: Callable[..., object] = done) -> dict[str, Any]:
    """Let a killed run go on, and hold it against the uninterrupted one."""
    try:
        left = go_on(folder, kind, give_it)
        found = {"left": left, "differs": differences(whole[kind], facts(folder / "runs" / kind))}
    except (AssertionError, OSError, KeyError, ValueError) as error:
        found = {"left": "", "differs": [f"{type(error).__name__}: {error}"]}
    return found | {"same": not found["differs"]}


def calls(root: Path, whole: dict[str, Any], at_once: int, every: int) -> Iterator[dict[str, Any]]:
    """Kill a run within each ``every``-th of its writes, fsyncs and renames. Every command is a fork of a process that has loaded all."""
    with ExitStack() as stack:
        idle: Queue[dying.Dying] = Queue()
        for _ in range(at_once):
            idle.put(stack.enter_context(dying.Dying()))
        pool = stack.enter_context(ThreadPoolExecutor(at_once))
        first = idle.get()
        numbers = first.give(place(root, "counted"), "run", f"{SHORT}.yaml")
        idle.put(first)
        assert numbers, "an unkilled run tells its calls"

        def one(call: str, number: int) -> dict[str, Any]:
            folder, forked = place(root, f"{call}-{number}"), idle.get()
            told = {"kind": SHORT, "within": f"{call} {number} of {numbers[call]}"}
            try:
                if forked.give(folder, "run", f"{SHORT}.yaml", call=call, number=number) is not None:
                    return told | {"left": "", "differs": ["it was never reached"], "same": False}
                return told | held(folder, SHORT, whole, lambda at, _, *words: forked.give(at, *words))
            finally:
                idle.put(forked)
                shutil.rmtree(folder, ignore_errors=True)

        due = [(call, number) for call, count in numbers.items() for number in range(1, count + 1, every)]
        yield from pool.map(lambda parts: one(*parts), due)


def main(result: str, *words: str) -> None:
    """Kill, go on, and write what was found; exit status 1 where a run did not end as it would have."""
    from tunewright.model.device import machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--calls", action="store_true", help="Kill within each write, fsync and rename too.")
    parser.add_argument("--every", type=int, default=1, help="Of the calls of a kind, the first and each that is so many further on.")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch).resolve()
        tiny.base_folder(root / "base")
        with (root / "t.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, ["text", "label"])
            writer.writeheader()
            writer.writerows(tiny.rows(190, seed=4))
        kinds = [*(KINDS if given.kills else ()), *([SHORT] if given.calls else ())]
        with ThreadPoolExecutor(given.at_once) as pool:  # as slow as those that will be killed
            timed = dict(zip(kinds, pool.map(lambda kind: uninterrupted(root, kind), kinds), strict=True))
        whole, seconds = ({kind: parts[at] for kind, parts in timed.items()} for at in (0, 1))
        found = []
        moments = kills(root, whole, seconds, given.kills, given.seed, given.at_once)
        for one in chain(moments, calls(root, whole, given.at_once, given.every) if given.calls else ()):
            found.append(one)
            print(json.dumps(one), flush=True)
    told = {
        "day": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "seed": given.seed,
        "every": given.every,
        "whole_s": seconds,
        "kills": found,
    }
    Path(result).write_text(json.dumps(told, indent=1) + "\n")
    bad = sum(not one["same"] for one in found)
    print(f"{len(found)} killed, {len(found) - bad} ended as the uninterrupted run, {bad} did not")
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
