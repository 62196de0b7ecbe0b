"""Every method on one set, side by side: what each costs and gives, and whether one of them beats six rules of thumb at once.

Each run is `tunewright run` in a process of its own, with the same micro-batch, epochs and pooling. Memory and time of the two runs that
the targets are about are medians over the repeats, in turns; the others run once. `training_memory_bytes` is the peak resident memory of
that process while it trains, less what it had once the model was loaded; `train_seconds` holds the cache of frozen layers. The table, its
picture and its paired test are those of `tunewright compare`.

Usage: TUNEWRIGHT_DATA=... python -m benchmarks.methods RESULT_JSON [--on SET] [--repeats 3] [--keep FOLDER] [METHOD ...] [-- key=value ...]

A set is banking77 (the default, with mean pooling where the method goes with it), or one of entities: mit_restaurant, wnut17. A method
that does not go with the task of a set is left out. With ``--keep`` the runs stay in a folder, and those that it has already are not made
again: what was measured on this machine an hour ago counts, and what is missing is added.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from benchmarks import entities
from benchmarks.sets import recipe_of

SET = "banking77"
EFFICIENT = "lora-top"
METHODS: dict[str, Any] = {
    "full": "full",
    EFFICIENT: {"name": "lora", "layers": 1, "targets": ["5.output.dense"], "rank": 16},
    "lora": "lora",
    "top-layers": {"name": "top-layers", "k": 2},
    "head": "head",
    "adapter": "adapter",
    "ia3": "ia3",
    "prompt": "prompt",
}
"""By the name of the run; `lora-top`, which trains the last matrix of the encoder and the head, is held against the six targets."""
RATES: dict[str, dict[str, float]] = {EFFICIENT: {"learning_rate": 3e-3, "head_learning_rate": 6e-3}}
"""The rates of a method where they are not the defaults; chosen on validation rows of banking77 (docs/lab-log.md)."""
AGAIN = ("full", EFFICIENT)
"""What is repeated."""
TARGETS = (
    ("trained weights, head counted", "parameters", "<=", 0.003),
    ("training memory", "training_memory_bytes", "<=", 0.25),
    ("training time, cache included", "train_seconds", "<=", 0.25),
    ("storage per model", "storage_bytes", "<=", 0.01),
    ("inference speed, merged", "merged_rows_per_second", ">=", 1.0),
    ("score", "score", ">=", 0.98),
)
SPEED_NOISE = 0.03
"""A merged model is the same architecture: its speed is the same within this."""
REPEATED = ("training_memory_bytes", "train_seconds", "training_processor_seconds")


def known() -> list[str]:
    """The runs whose method is in the registry."""
    from tunewright.model.methods import METHODS as REGISTRY

    return [name for name, method in METHODS.items() if (method["name"] if isinstance(method, dict) else method) in REGISTRY.places()]


def recipe_on(data: str, name: str, folder: Path) -> dict[str, Any]:
    """The recipe of a method on a set."""
    values = entities.recipe_of(data, folder) if data in entities.SETS else recipe_of(data, folder)
    values |= {"method": METHODS[name], "name": name, "train": {**values.get("train", {}), **RATES.get(name, {})}}
    if data == SET and name != "prompt":
        values["model"] = {"base": "embedded", "pooling": "mean"}
    return values


def goes(data: str, name: str) -> bool:
    """Whether a method goes with the task of a set."""
    from tunewright.core.errors import UserError
    from tunewright.pipeline.recipe import build

    try:
        build(recipe_on(data, name, Path()))
    except UserError as error:
        print(f"{name} is left out: {error}", flush=True)
        return False
    return True


def train(data: str, name: str, at: int, settings: list[str], out: Path) -> Path:
    """One whole run in a fresh process and a folder of its own, so that no run finds the cache of another."""
    folder = out / f"{at}-{name}"
    run = folder / "runs" / name
    if (run / "manifest.json").exists() and json.loads((run / "manifest.json").read_text())["status"] == "evaluated":
        return run
    shutil.rmtree(folder, ignore_errors=True)
    values = recipe_on(data, name, folder)
    folder.mkdir()
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(values))
    extra = [word for setting in settings for word in ("--set", setting)]
    program = "from tunewright.cli import main; main()"
    subprocess.run([sys.executable, "-c", program, "run", str(recipe), "--quiet", *extra], stdout=subprocess.DEVNULL, check=True)
    return run


def measure(data: str, names: list[str], repeats: int, settings: list[str], out: Path) -> dict[str, Any]:
    """Train everything once, the two of the targets again, and compare the first of each; memory and time are medians over all."""
    from tunewright.core.log import set_quiet
    from tunewright.pipeline.compare import compare, relative

    set_quiet(True)
    costs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    loads, runs = [], {}
    for at in range(repeats):
        for name in names if at == 0 else [one for one in names if one in AGAIN]:
            loads.append(os.getloadavg()[0])
            run = train(data, name, at, settings, out)
            runs.setdefault(name, run)
            costs[name].append(json.loads((run / "metrics.json").read_text())["efficiency"])
            print(json.dumps({"run": name, "repeat": at, **{one: costs[name][-1][one] for one in REPEATED}}), flush=True)
    found = compare(list(runs.values()))
    for one in found["runs"]:
        for cost in REPEATED:
            values = [repeat[cost] for repeat in costs[one["run"]]]
            one |= {cost: median(values), f"{cost}_all": values}
    reference = next(one for one in found["runs"] if one["run"] == found["reference"])
    for one in found["runs"]:
        one["relative"] = relative(one, reference)
    return {**found, "targets": targets(found), "load": {"mean": round(sum(loads) / len(loads), 2), "most": round(max(loads), 2)}}


def targets(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What the efficient run reached of each target."""
    one = next((run for run in found["runs"] if run["run"] == EFFICIENT), None)
    if one is None:
        return []
    lines = []
    for told, name, sign, wanted in TARGETS:
        reached = one["trainable"] / one["parameters"] if name == "parameters" else one["relative"][name]
        slack = SPEED_NOISE if name == "merged_rows_per_second" else 0.0
        met = reached <= wanted if sign == "<=" else reached >= wanted - slack
        lines.append({"target": told, "wanted": f"{sign} {wanted:g}", "reached": round(reached, 4), "met": met})
    return lines


def markdown(data: str, found: dict[str, Any], settings: list[str]) -> str:
    """The table and the targets."""
    from tunewright.pipeline.compare import table

    head, *lines = table(found)
    pooling = ", mean pooling" if data == SET else ""
    parts = [f"# Methods on {data}, the packaged encoder{pooling}{', ' + ' '.join(settings) if settings else ''}", ""]
    parts += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *("| " + " | ".join(line) + " |" for line in lines), ""]
    if found["targets"]:
        parts += [
            f"Targets of `{EFFICIENT}` over `{found['reference']}`:",
            "",
            "| target | wanted | reached | met |",
            "| --- | --- | --- | --- |",
        ]
        parts += [
            f"| {one['target']} | {one['wanted']} | {one['reached']:g} | {'yes' if one['met'] else 'no'} |" for one in found["targets"]
        ]
        parts.append("")
    seconds = ", ".join(f"{one['run']} {one['training_processor_seconds']:.0f}" for one in found["runs"])
    parts += [f"Processor seconds of training: {seconds}.", ""]
    parts += [f"Other work on the machine while this ran: load {found['load']['mean']} on average, {found['load']['most']} at most.", ""]
    return "\n".join(parts)


def main(*words: str) -> None:
    """Measure, and write the JSON, a table and a picture beside it."""
    from tunewright.model.device import machine
    from tunewright.report.method_table import svg

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("methods", nargs="*")
    parser.add_argument("--on", default=SET, choices=[SET, *entities.SETS], metavar="SET")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="Where the runs stay.")
    cut = words.index("--") if "--" in words else len(words)
    given, settings = parser.parse_args(words[:cut]), list(words[cut + 1 :])
    data, result = given.on, given.result
    names = [name for name in given.methods or known() if goes(data, name)]
    with tempfile.TemporaryDirectory() as scratch:
        out = given.keep or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        found = measure(data, names, given.repeats, settings, out.resolve())
    about = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "repeats": given.repeats, "settings": settings}
    result.write_text(json.dumps({"set": data, **about, **found}, indent=2) + "\n")
    result.with_suffix(".md").write_text(markdown(data, found, settings))
    result.with_suffix(".svg").write_text(svg(found))
    print(markdown(data, found, settings))


if __name__ == "__main__":
    main(*sys.argv[1:])
