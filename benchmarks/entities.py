"""Entities, ours beside a tuned run_ner script: the same encoder, the same epochs, each with one thread, both at the same time.

Usage: python -m benchmarks.entities [SET...]; results are printed as JSON lines, and written with --out FILE.
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


def main(names: Sequence[str], out: Path | None, seed: int = 0) -> list[dict[str, Any]]:
    """Both sides of each set."""
    from tunewright.model.base import embedded_folder

    table = []
    with TemporaryDirectory() as scratch:
        for name in names:
            folder = Path(scratch) / name
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
            for side, process in begun.items():
                table.append({"set": name, "side": side, "epochs": EPOCHS, "seed": seed, **result(process)})
                print(json.dumps(table[-1]), flush=True)
    if out is not None:
        out.write_text(json.dumps(table, indent=1) + "\n")
    return table


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ours"]:
        ours(*sys.argv[2:])
    else:
        rest = sys.argv[1:]
        target = Path(rest.pop(rest.index("--out") + 1)) if "--out" in rest else None
        main([one for one in rest if not one.startswith("--")] or list(SETS), target)
