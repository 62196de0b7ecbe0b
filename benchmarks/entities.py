"""Entities, ours beside a tuned run_ner script: the same encoder, the same epochs, each with one thread, both at the same time.

Usage: TUNEWRIGHT_DATA=... python -m benchmarks.entities RESULT_JSON [SET ...] [-- SEED ...]      (without seeds: 0)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.sets import keep

SETS: dict[str, dict[str, str]] = {
    "mit_restaurant": {"train": "mit_restaurant/train.jsonl", "test": "mit_restaurant/test.jsonl"},
    "wnut17": {split: f"wnut17/{split}.jsonl" for split in ("train", "validation", "test")},
}
EPOCHS = 3


def recipe_of(name: str, out: Path, **sections: Any) -> dict[str, Any]:
    """The recipe for a set: defaults untouched but for what ``sections`` puts over them."""
    root = Path(os.environ["TUNEWRIGHT_DATA"])
    source = {split: str(root / path) for split, path in SETS[name].items()}
    data = {"source": source, "columns": {"text": "tokens", "spans": "tags"}}
    train = {"epochs": EPOCHS, "precision": "fp32"}
    return {"task": "token-classification", "data": data, "model": {"base": "embedded"}, "train": train, "output_dir": str(out), **sections}


def ours(name: str, out: str, seed: str) -> None:
    """Train and measure with defaults, and print the scores and the seconds."""
    from tunewright.core.folder import read_json
    from tunewright.pipeline.evaluate import evaluate
    from tunewright.pipeline.recipe import build
    from tunewright.pipeline.train import train

    recipe = build({**recipe_of(name, Path(out)), "seed": int(seed), "evaluate": {"baselines": ["lookup"]}})
    processor = time.process_time()
    run = train(recipe, Path(out), "entities", "benchmarks.entities")
    spent = time.process_time() - processor
    found = evaluate(run, "benchmarks.entities")
    seconds = read_json(run / "metrics.json")["efficiency"]["train_seconds"]
    told = {split: found[split]["f1"]["value"] for split in ("validation", "test")}
    more = {"interval": [found["test"]["f1"]["low"], found["test"]["f1"]["high"]], "lookup": found["baselines"]["lookup"]["f1"]["value"]}
    print("RESULT " + json.dumps({**told, "seconds": seconds, "processor_seconds": round(spent, 1), **more}), flush=True)


def splits_for_them(name: str, out: Path, seed: int) -> list[str]:
    """Files with the rows of each split: where validation is made from train, both sides have the same rows in it."""
    from tunewright.pipeline.prepare import prepare
    from tunewright.pipeline.recipe import build

    dataset = prepare(build({**recipe_of(name, out), "seed": seed}), out)
    root = Path(os.environ["TUNEWRIGHT_DATA"])
    lines = {split: (root / path).read_text().splitlines() for split, path in SETS[name].items()}
    if "validation" not in lines:
        chosen = set(dataset.rows("validation")["_row"].to_pylist())
        every = list(enumerate(lines["train"]))
        lines |= {"validation": [line for at, line in every if at in chosen], "train": [line for at, line in every if at not in chosen]}
    paths = []
    for split in ("train", "validation", "test"):
        paths.append(str(out / f"{split}.jsonl"))
        Path(paths[-1]).write_text("\n".join(lines[split]) + "\n")
    return paths


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a program printed in the end."""
    told, _ = process.communicate()
    line = next((one for one in told.splitlines() if one.startswith("RESULT ")), None)
    if line is None:
        raise RuntimeError(f"{process.args!r} ended with status {process.returncode} and no result")
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return found


def both(name: str, seed: int, folder: Path) -> list[dict[str, Any]]:
    """Both sides of a set with a seed, at the same time."""
    from tunewright.model.base import embedded_folder

    folder.mkdir()
    files = splits_for_them(name, folder, seed)
    commands = {
        "ours": ["benchmarks.entities", "--ours", name, str(folder), str(seed)],
        "run_ner": ["benchmarks.baselines.ner", str(embedded_folder()), *files, str(EPOCHS), str(seed)],
    }
    threads = {**os.environ, "OMP_NUM_THREADS": "1"}
    begun = {
        side: subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True, env=threads)
        for side, command in commands.items()
    }
    return [{"set": name, "side": side, "epochs": EPOCHS, "seed": seed, **result(process)} for side, process in begun.items()]


def markdown(table: Sequence[dict[str, Any]]) -> str:
    """A line for each set, seed and side."""
    names = [
        "set",
        "seed",
        "side",
        "F1, test",
        "95 % interval",
        "F1, validation",
        "F1 of a list of the names in train",
        "seconds",
        "processor s",
    ]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for one in table:
        interval = "[{:.3f}, {:.3f}]".format(*one["interval"]) if "interval" in one else ""
        lookup = f"{one['lookup']:.3f}" if "lookup" in one else ""
        cells = [one["set"], str(one["seed"]), one["side"], f"{one['test']:.3f}", interval, f"{one['validation']:.3f}", lookup]
        lines.append("| " + " | ".join([*cells, f"{one['seconds']:.0f}", f"{one['processor_seconds']:.0f}"]) + " |")
    return "\n".join(lines)


def main(result_file: str, *words: str) -> None:
    """Measure the named sets (all of them when none is named) with each seed, and write JSON and a table beside it."""
    names, _, seeds = " ".join(words).partition("--")
    table: list[dict[str, Any]] = []
    place = Path(result_file)
    for name in names.split() or list(SETS):
        for seed in map(int, seeds.split() or ["0"]):
            with TemporaryDirectory() as scratch:
                table += both(name, seed, Path(scratch) / name)
            print(markdown(table[-2:]), flush=True)
            told = (
                f"Made by `python -m benchmarks.entities {' '.join([result_file, *words])}`: both sides at the same time, one thread each."
            )
            keep(place, table, told, markdown(table))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ours"]:
        ours(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
