"""What our engines cost over what somebody would write without them: the same model, batches, rates and steps, in turns in one process.

Four sides: a bare PyTorch loop, the engine ``loop``, a bare ``transformers.Trainer``, the engine ``trainer``; ours write their journal
and have their guards, as in any run. Every round runs each side once, in another order, and gives two ratios; the interval is that of
their mean, by bootstrap over rounds. Timed is from the end of the third step to the end of the last one, by the clock and by the
processor, which others on the machine change little. And how long a run takes from its start to the end of its first step, on rows that
are prepared and tokenized already.

Usage: python -m benchmarks.training RESULT_JSON [--rounds 12] [--steps 15] [--rows 100000]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BATCH, FEW = 8, 3
"""Rows of a step, and steps that are not timed."""
NEVER = 10**9
PAIRS = {"loop": "bare loop", "trainer": "bare trainer"}
"""Our engine -> what it is held against."""


class Stopwatch:
    """Seconds by the clock and by the processor between the end of step ``FEW`` and the last one."""

    def __init__(self, steps: int) -> None:
        self.steps, self.done, self.seconds, self.processor = steps, 0, 0.0, 0.0

    def step(self) -> None:
        """Call after each step."""
        self.done += 1
        if self.done in (FEW, self.steps):
            sign = -1 if self.done == FEW else 1
            self.seconds += sign * time.perf_counter()
            self.processor += sign * time.process_time()


def job_of(folder: Path, steps: int) -> Any:
    """A job on the packaged encoder, the same at every call: made rows of 8 to 30 words, as the pipeline puts it together."""
    import torch

    from tunewright.metrics.classes import higher_is_better
    from tunewright.model.base import find
    from tunewright.model.build import build
    from tunewright.model.methods import METHODS
    from tunewright.model.settings import ModelSettings
    from tunewright.tasks.collate import Collate
    from tunewright.tasks.text_classification import TextClassification
    from tunewright.train.callbacks.journal import Journal
    from tunewright.train.criteria import CRITERIA
    from tunewright.train.guards import chosen as guards
    from tunewright.train.run import Job, compose
    from tunewright.train.settings import TrainSettings

    rng = random.Random(7)
    words = ["parcel", "invoice", "login", "late", "again", "please", "help", "order", "wrong", "refund", "account", "today"]
    rows = [{"text": " ".join(rng.choices(words, k=rng.randint(8, 30))), "label": f"q{at % 20}"} for at in range(BATCH * steps)]
    task = TextClassification().learn(rows)
    chosen = ModelSettings(base="embedded")
    base = find(chosen, task.head)
    torch.manual_seed(0)
    built = build(base, chosen, task, METHODS.build("full"), 1)
    pieces = [one.pieces[0] for one in task.encode(rows, base.tokenizer, 64)]
    criterion = CRITERIA.build(task.default_criterion())
    settings = {"batch_size": BATCH, "max_steps": steps, "learning_rate": 2e-4, "head_learning_rate": 2e-4, "precision": "fp32"}
    return Job(
        model=built.model,
        pieces=pieces,
        order=lambda epoch: [list(range(at, at + BATCH)) for at in range(0, len(pieces), BATCH)],
        collate=Collate(base.tokenizer, task.labels_pad),
        loss_fn=compose(task.forward, criterion),
        count=lambda batch: criterion.count(batch["labels"]),
        evaluate=lambda model: {"accuracy": 0.0},
        best_by="accuracy",
        higher_is_better=higher_is_better("accuracy"),
        settings=TrainSettings(**{**settings, "evaluate_every": NEVER, "save_every": NEVER}),  # type: ignore[arg-type]
        callbacks=[Journal(path=folder / "events.jsonl")],
        guards=guards({}),
        folder=folder,
        seed=0,
        head_weights=built.head_weights,
    )


def ours(engine_name: str) -> Callable[[Any, Stopwatch], None]:
    """One of our engines, with its journal."""

    def run(job: Any, watch: Stopwatch) -> None:
        from tunewright.train import engine
        from tunewright.train.run import Callback

        class Timed(Callback):
            def step_end(self, run: Any) -> None:
                watch.step()
                if watch.done == watch.steps:
                    raise KeyboardInterrupt  # what comes after the last step is not compared

        settings = job.settings.model_copy(update={"engine": engine_name})
        try:
            engine(engine_name)(replace(job, settings=settings, callbacks=[*job.callbacks, Timed()]))
        except KeyboardInterrupt:
            return

    return run


def bare_loop(job: Any, watch: Stopwatch) -> None:
    """What many write: PyTorch alone, fused AdamW, a schedule, clipping, the loss of each step kept."""
    import torch
    from transformers import get_linear_schedule_with_warmup

    model, losses = job.model, []
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4, weight_decay=0.01, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, 1, watch.steps)
    model.train()
    for rows in job.order(0):
        batch = job.collate([job.pieces[row] for row in rows])
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        watch.step()


def bare_trainer(job: Any, watch: Stopwatch) -> None:
    """What most write: the Trainer with its own loss, logging every step as our journal does."""
    from torch.utils.data import DataLoader
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    class Timed(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watch.step()

    class InOrder(Trainer):
        def get_train_dataloader(self) -> Any:
            return DataLoader(job.pieces, batch_sampler=job.order(0), collate_fn=job.collate)

    arguments = TrainingArguments(
        output_dir=str(job.folder), use_cpu=True, report_to="none", disable_tqdm=True, save_strategy="no", max_steps=watch.steps,
        per_device_train_batch_size=BATCH, learning_rate=2e-4, weight_decay=0.01, warmup_steps=1, logging_steps=1,
    )  # fmt: skip
    trainer = InOrder(model=job.model, args=arguments, train_dataset=job.pieces, callbacks=[Timed()])
    trainer.remove_callback(PrinterCallback)
    trainer.train()


SIDES: dict[str, Callable[[Any, Stopwatch], None]] = {
    "bare loop": bare_loop,
    "loop": ours("loop"),
    "bare trainer": bare_trainer,
    "trainer": ours("trainer"),
}


def overhead(rounds: int, steps: int) -> dict[str, Any]:
    """Seconds of each side in each round, and the ratios."""
    import torch

    torch.set_num_threads(1)
    rng, spent = random.Random(1), {name: [] for name in SIDES}  # type: dict[str, list[Any]]
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(rounds + 1):
            for name in rng.sample(sorted(SIDES), len(SIDES)):
                folder = Path(scratch) / f"{number}-{name.replace(' ', '-')}"
                job, watch = job_of(folder, steps), Stopwatch(steps)
                SIDES[name](job, watch)
                assert watch.done == steps
                if number:  # the first round warms up
                    spent[name].append((watch.seconds, watch.processor))
            print(json.dumps({"round": number, "load": os.getloadavg()[0]}), flush=True)
    ratios = {name: {kind: ratio(spent[name], spent[bare], at) for at, kind in enumerate(("seconds", "processor_seconds"))}
              for name, bare in PAIRS.items()}  # fmt: skip
    mean = {name: [round(sum(one[at] for one in found) / len(found) / (steps - FEW), 4) for at in (0, 1)] for name, found in spent.items()}
    return {"rounds": rounds, "steps": steps, "seconds_and_processor_seconds_per_step": mean, "ratios": ratios}


def ratio(ours: list[Any], theirs: list[Any], at: int) -> dict[str, float]:
    """The geometric mean of the rounds' ratios, with its 95 % interval by bootstrap over rounds."""
    import numpy as np

    logs = np.log([one[at] / other[at] for one, other in zip(ours, theirs, strict=True)])
    drawn = np.random.default_rng(0).choice(logs, (10_000, len(logs))).mean(1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {"ratio": round(float(np.exp(logs.mean())), 4), "low": round(float(np.exp(low)), 4), "high": round(float(np.exp(high)), 4)}


START = """
import sys, time
from pathlib import Path
began = float(sys.argv[2])
from tunewright.train.callbacks.journal import Journal
def first(self, run):
    print(f"FIRST {time.time() - began} {time.process_time()}", flush=True)
    raise KeyboardInterrupt
if sys.argv[3] == "measured":
    Journal.step_end = first
from tunewright.pipeline.recipe import read
from tunewright.pipeline.train import train
path = Path(sys.argv[1])
try:
    train(read(path), path.parent, "start", "benchmark")
except KeyboardInterrupt:
    pass
"""


def start(rows: int, times: int = 3) -> dict[str, Any]:
    """Seconds from the start of the process to the end of the first step, with the rows prepared and tokenized by a run before."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with (folder / "rows.csv").open("w") as stream:
            stream.write("text,label\n")
            stream.writelines(f"the parcel of order {at} to {at * 7919 % 1000003} is late again,queue {at % 20}\n" for at in range(rows))
        policy = "{near-duplicate: keep}"
        (folder / "start.yaml").write_text(
            f"task: text-classification\ndata: {{source: rows.csv, policy: {policy}}}\nmodel: {{base: embedded}}\n"
            f"train: {{max_steps: 2, engine: loop, precision: fp32}}\nevaluate: {{baselines: []}}\noutput_dir: {folder}\n"
        )
        found = []
        for number in range(times + 1):
            command = [sys.executable, "-c", START, str(folder / "start.yaml"), str(time.time()), "measured"]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            wall, processor = (float(one) for one in told.split("FIRST ")[1].split()[:2])
            found.append({"seconds": round(wall, 2), "processor_seconds": round(processor, 2), "cached": bool(number)})
            print(json.dumps(found[-1]), flush=True)
    return {"rows": rows, "starts": found}


def table(result: dict[str, Any]) -> str:
    """The result as a page."""
    made = result["overhead"]
    low, high = result["load"]
    told = f"Measured on {result['day']}; load of the machine while it ran: {low:.1f} to {high:.1f} on {result['cores']} cores."
    lines = ["# Overhead of our engines, and the start of a run", "", told, f"{made['rounds']} rounds of {made['steps']} steps.", ""]
    lines += ["| engine | held against | by processor seconds | by the clock |", "| --- | --- | --- | --- |"]
    for name, bare in PAIRS.items():
        cells = ["{ratio:.3f} [{low:.3f}, {high:.3f}]".format(**made["ratios"][name][kind]) for kind in ("processor_seconds", "seconds")]
        lines.append(f"| {name} | {bare} | {cells[0]} | {cells[1]} |")
    if "start" in result:
        lines += ["", f"From the start of the process to the end of the first step, {result['start']['rows']:,} rows:", ""]
        lines += ["| prepared and tokenized before | seconds | processor seconds |", "| --- | --- | --- |"]
        for one in result["start"]["starts"]:
            lines.append(f"| {'yes' if one['cached'] else 'no'} | {one['seconds']} | {one['processor_seconds']} |")
    return "\n".join(lines) + "\n"


def main(out: str, rounds: int = 12, steps: int = 15, rows: int = 100_000) -> None:
    """Measure, and write the result and its table."""
    before = os.getloadavg()[0]
    result: dict[str, Any] = {"day": datetime.now(UTC).date().isoformat(), "cores": os.cpu_count(), "overhead": overhead(rounds, steps)}
    result["load"] = sorted((before, os.getloadavg()[0]))
    Path(out).write_text(json.dumps(result, indent=2) + "\n")
    if rows:
        result["start"] = start(rows)
    Path(out).write_text(json.dumps(result, indent=2) + "\n")
    Path(out).with_suffix(".md").write_text(table(result))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    for name, default in (("rounds", 12), ("steps", 15), ("rows", 100_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    main(options.out, options.rounds, options.steps, options.rows)
