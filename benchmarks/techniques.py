"""What makes training quick, one technique after the other: rows per second and memory on BANKING77, over what most people write.

The first side is `benchmarks/baselines/tuned.py` without its grouping by length: the Trainer, dynamic padding, random batches, fused AdamW.
Each further side adds one technique to the side above it; the last two leave layers as they are and train over a cache of them, as every
epoch but the first does (making the cache is not timed here; `benchmarks/methods.py` times it with the whole run, and has its score). All
have the same model, rows, batch size and rates; looks and checkpoints are left out.

Every side runs in a process of its own, in turns, in another order each round. Timed are the steps after the third one; they are a random
draw of the steps of an epoch, another one each round.
Memory is the peak of the process while it trains, less what it was with the model loaded.

Usage: TUNEWRIGHT_DATA=... python -m benchmarks.techniques RESULT_JSON [--rounds 4] [--steps 40]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.sets import keep, recipe_of
from benchmarks.training import FEW, Stopwatch

BATCH = 32
"""Rows of a step."""
NEVER = 10**9
SLOW = {"engine": "trainer", "bucket": False}
TOP = {"method": {"name": "lora", "layers": 1, "rank": 5}}
SIDES: dict[str, dict[str, Any]] = {
    "Trainer, random batches": {},
    "our engine trainer": {"train": SLOW, "dropout": "pytorch"},
    "+ batches of like length": {"train": {**SLOW, "bucket": True}, "dropout": "pytorch"},
    "+ quick masks of dropout": {"train": {**SLOW, "bucket": True}},
    "+ engine loop": {"train": {"engine": "loop"}},
    "+ LoRA on the top layer": {"train": {"engine": "loop", "frozen_cache": "never"}, **TOP},
    "+ cache of frozen layers": {"train": {"engine": "loop"}, **TOP},
}
"""Side -> what its recipe says; ``dropout: pytorch`` has PyTorch's own masks."""
BARE = next(iter(SIDES))
TARGETS = (("+ engine loop", 1.5), ("+ cache of frozen layers", 4.0))
"""Side -> at least how many times the rows per second of the first one."""


def told(watch: Stopwatch, memory: Any) -> dict[str, Any]:
    """What a side tells."""
    spent = {"seconds": round(watch.seconds, 3), "processor_seconds": round(watch.processor, 3)}
    return {"rows": (watch.done - FEW) * BATCH, **spent, "memory_bytes": memory.end().growth}


def bare(plan: Any, seed: int, steps: int) -> dict[str, Any]:
    """What most people write, on the rows of a plan."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        get_linear_schedule_with_warmup,
    )

    from tunewright.model.base import embedded_folder
    from tunewright.model.device import Watch

    pieces = [
        {name: value for name, value in piece.items() if name != "labels"} | {"label": piece["labels"]} for piece in plan.train[1].pieces
    ]
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(embedded_folder(), num_labels=len(plan.recipe.task.labels))
    memory, watch = Watch(), Stopwatch(steps)

    class Timed(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watch.step()

    head = [weight for name, weight in model.named_parameters() if name.startswith("classifier.")]
    body = [weight for name, weight in model.named_parameters() if not name.startswith("classifier.")]
    optimizer = torch.optim.AdamW([{"params": body, "lr": 2e-4}, {"params": head, "lr": 2e-3}], weight_decay=0.01, fused=True)
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out, use_cpu=True, report_to="none", disable_tqdm=True, save_strategy="no", per_device_train_batch_size=BATCH,
            learning_rate=2e-4, max_steps=steps, seed=seed,
        )  # fmt: skip
        Trainer(
            model=model, args=arguments, train_dataset=pieces, data_collator=DataCollatorWithPadding(plan.base.tokenizer),
            callbacks=[Timed()], optimizers=(optimizer, get_linear_schedule_with_warmup(optimizer, steps // 16, steps)),
        ).train()  # type: ignore[arg-type] # fmt: skip
    return told(watch, memory)


def ours(plan: Any, steps: int, folder: Path) -> dict[str, Any]:
    """A side of ours, as `tunewright train` puts it together; its steps alone."""
    from tunewright.pipeline.job import job_of
    from tunewright.pipeline.train import ready_of
    from tunewright.train import engine
    from tunewright.train.run import Callback

    watch = Stopwatch(steps)

    class Timed(Callback):
        def step_end(self, run: Any) -> None:
            watch.step()
            if watch.done == steps:
                raise KeyboardInterrupt  # what comes after the last step is not compared

    ready = ready_of(plan)
    try:
        engine(plan.recipe.train.engine)(job_of(folder, plan, ready.built, lambda _: {}, None, [Timed()], ready.frozen))
    except KeyboardInterrupt:
        return told(watch, ready.memory)
    raise SystemExit("the run ended before its last step")


def side(name: str, seed: int, steps: int, folder: Path) -> dict[str, Any]:
    """One side in this process."""
    from contextlib import nullcontext

    from tunewright.core.log import set_quiet
    from tunewright.model.device import apart
    from tunewright.pipeline.make_plan import make_plan
    from tunewright.pipeline.prepare import prepare
    from tunewright.pipeline.recipe import build
    from tunewright.train import course

    set_quiet(True)
    wanted = SIDES[name]
    train = {"precision": "fp32", "evaluate_every": NEVER, "save_every": NEVER, **wanted.get("train", {})}
    more = {key: value for key, value in wanted.items() if key == "method"}
    recipe = build({**recipe_of("banking77", folder), "seed": seed, "train": train, **more})
    plan = make_plan(recipe, folder, apart(lambda: prepare(recipe, folder, locked=True)))
    if name == BARE:
        return bare(plan, seed, steps)
    if wanted.get("dropout") == "pytorch":
        course.quick_dropout = nullcontext
    run = folder / f"run-{seed}-{list(SIDES).index(name)}"
    run.mkdir()
    return ours(plan, steps, run)


def measure(rounds: int, steps: int) -> list[dict[str, Any]]:
    """Every side in each round, and the medians."""
    taken: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(rounds):
            for name in random.Random(number).sample(list(SIDES), len(SIDES)):
                command = [sys.executable, "-m", "benchmarks.techniques", "side", name, str(number + 1), str(steps), scratch]
                pages = {"THP_MEM_ALLOC_ENABLE": "0"} if name == BARE else {}  # ours are large where the system has some
                done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **pages})
                if done.returncode:
                    raise SystemExit(done.stderr[-2000:])
                taken[name].append(json.loads(done.stdout.splitlines()[-1]))
                print(json.dumps({"round": number, "side": name, "load": round(os.getloadavg()[0], 2), **taken[name][-1]}), flush=True)
    return [summary(name, taken, dict(TARGETS).get(name)) for name in SIDES]


def summary(name: str, taken: dict[str, list[dict[str, Any]]], target: float | None) -> dict[str, Any]:
    """The medians of a side, and how many times the rows per second of the first side they are, round by round."""

    def speeds(side: str, kind: str) -> list[float]:
        return [one["rows"] / one[kind] for one in taken[side]]

    found: dict[str, Any] = {"side": name, "rounds": len(taken[name])}
    for kind, told in (("seconds", "rows_per_second"), ("processor_seconds", "rows_per_processor_second")):
        times = [mine / theirs for mine, theirs in zip(speeds(name, kind), speeds(BARE, kind), strict=True)]
        found |= {
            told: round(median(speeds(name, kind)), 2),
            f"{told}_times": {"median": round(median(times), 3), "all": [round(one, 3) for one in times]},
        }
    found["memory_bytes"] = int(median(one["memory_bytes"] for one in taken[name]))
    found["memory_share"] = round(found["memory_bytes"] / median(one["memory_bytes"] for one in taken[BARE]), 3)
    return found | ({"target": target, "reached": found["rows_per_second_times"]["median"] >= target} if target else {})


def table(results: list[dict[str, Any]]) -> str:
    """The results as a Markdown table."""
    lines = ["| side | rows per second | times the first | by processor seconds | training memory | target |", "| --- " * 6 + "|"]
    for one in results:
        clock, processor = one["rows_per_second_times"], one["rows_per_processor_second_times"]
        least, most = min(clock["all"]), max(clock["all"])
        target = f"{one['target']} times: {'reached' if one['reached'] else 'missed'}" if "target" in one else ""
        lines.append(
            f"| {one['side']} | {one['rows_per_second']:.0f} | {clock['median']:.2f} [{least:.2f}, {most:.2f}] | {processor['median']:.2f} "
            f"| {one['memory_bytes'] / 1e6:,.0f} MB ({one['memory_share']:.2f}) | {target} |"
        )
    return "\n".join(lines)


def picture(results: list[dict[str, Any]]) -> str:
    """Time and memory of each side, as shares of the first one's."""
    from tunewright.report.method_table import svg

    runs = [
        {
            "run": one["side"],
            "relative": {"train_seconds": 1 / one["rows_per_second_times"]["median"], "training_memory_bytes": one["memory_share"]},
        }
        for one in results
    ]
    return svg({"reference": BARE, "runs": runs})


def main(place: Path, rounds: int = 4, steps: int = 40) -> None:
    """Measure, print, and keep the numbers, their table and their picture."""
    results = measure(rounds, steps)
    told = (
        f"# What makes training quick\n\nMade by `python -m benchmarks.techniques {place} --rounds {rounds} --steps {steps}` on BANKING77; "
        "medians over the rounds, in brackets the least and the most."
    )
    keep(place, results, told, table(results))
    place.with_suffix(".svg").write_text(picture(results))


if __name__ == "__main__":
    if sys.argv[1:2] == ["side"]:
        print(json.dumps(side(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))))
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("result", type=Path)
        parser.add_argument("--rounds", type=int, default=4)
        parser.add_argument("--steps", type=int, default=40)
        given = parser.parse_args()
        main(given.result, given.rounds, given.steps)
