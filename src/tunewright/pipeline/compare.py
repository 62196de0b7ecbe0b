"""The verb ``compare``: runs side by side, what each costs and gives, over one of them, with a paired test of their scores."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tunewright.core.chance import array_generator
from tunewright.core.errors import UserError
from tunewright.core.folder import read_json
from tunewright.core.log import calm_libraries, say
from tunewright.pipeline.recipe import Recipe, read
from tunewright.tasks import TASKS

if TYPE_CHECKING:
    from tunewright.core.schema import Row
    from tunewright.model.predict import Predictor
    from tunewright.tasks.base import Answer, Task

ROUNDS = 5
TIMED_ROWS = 256
ATTACHED, MERGES = "attached_rows_per_second", "merged_rows_per_second"
RELATIVE = ("trainable", "training_memory_bytes", "train_seconds", "training_processor_seconds", "storage_bytes", ATTACHED, MERGES)
"""What is also told as a share of what the reference has; the score is too."""


def compare(runs: Sequence[Path], speed: bool = True) -> dict[str, Any]:
    """Hold evaluated runs of one dataset against each other. No test row is opened: their answers were written when they were measured.

    Args:
        runs: folders, two or more.
        speed: whether to ask each model some validation rows and take the time.

    Returns:
        ``score`` (the name of the score), ``reference`` (the run that others are held against: the first with method ``full``, or the
        first), and ``runs``: what each cost and gave, ``relative`` to the reference, and ``difference``: the paired one of the score.

    Raises:
        UserError: there are fewer than two, one was not measured, or they were not scored on the same rows by the same score.
    """
    if len(runs) < 2:
        raise UserError("one run was given", "Two or more are compared", "As in: tunewright compare runs/full-1 runs/lora-1")
    calm_libraries()
    recipes = [read(run / "recipe.yaml") for run in runs]
    _same_data(runs)
    tasks = [_task(run) for run in runs]
    name = _score_name(tasks, runs)
    found = [_facts(run, recipe, name) for run, recipe in zip(runs, recipes, strict=True)]
    at = next((index for index, one in enumerate(found) if one["method"] == "full"), 0)
    if speed:
        _speeds(runs, recipes, found)
    answers = [_answered(run, task) for run, task in zip(runs, tasks, strict=True)]
    for index, one in enumerate(found):
        one["relative"] = relative(one, found[at])
        one["difference"] = None if index == at else _difference(tasks[at], answers[index], answers[at], name, recipes[at])
    return {"score": name, "reference": found[at]["run"], "runs": found}


def _same_data(runs: Sequence[Path]) -> None:
    versions = {run: read_json(run / "manifest.json").get("data", {}) for run in runs}
    first = versions[runs[0]]
    for run, own in versions.items():
        if (own.get("version"), own.get("fingerprint")) != (first.get("version"), first.get("fingerprint")):
            raise UserError(
                f"{runs[0]} was trained on version {first.get('version')} of {first.get('name')}, {run} on {own.get('version')} of "
                f"{own.get('name')}",
                "Scores are compared on the same test rows",
                f"Compare the datasets: tunewright data diff; or train both from one: set data.source to {first.get('folder')}",
            )


def _task(run: Path) -> Task:
    task: Task = TASKS.build(read_json(run / "model" / "tunewright.json")["task"])
    return task


def _score_name(tasks: Sequence[Task], runs: Sequence[Path]) -> str:
    names = {task.best_by(): run for task, run in zip(tasks, runs, strict=True)}
    if len({type(task) for task in tasks}) > 1 or len(names) > 1:
        raise UserError(
            f"the runs are of other tasks: {', '.join(TASKS.name_of(task) for task in tasks)}",
            "One score is compared",
            "Compare runs of one task",
        )
    return next(iter(names))


def _facts(run: Path, recipe: Recipe, name: str) -> dict[str, Any]:
    """What a run cost and gave, from its folder."""
    manifest, metrics = read_json(run / "manifest.json"), read_json(run / "metrics.json", f"tunewright evaluate {run}")
    if "test" not in metrics:
        raise UserError(f"{run} was not measured", "Scores on the test rows are compared", f"Measure it: tunewright evaluate {run}")
    cost, model = metrics["efficiency"], manifest["model"]
    small = cost.get("adapter_bytes")
    return {
        "run": run.name,
        "method": model["method"],
        "settings": recipe.method.model_dump(mode="json", exclude_defaults=True),
        "trainable": model["trainable"],
        "parameters": model["parameters"],
        "training_memory_bytes": cost.get("training_memory_bytes", _no("it was trained by an older release")),
        "train_seconds": cost["train_seconds"],
        "training_processor_seconds": cost.get("training_processor_seconds", _no("it was trained by an older release")),
        "epochs": cost["epochs"],
        "storage_bytes": small or cost["model_bytes"],
        "stored": "what was trained" if small else "the whole model",
        "model_bytes": cost["model_bytes"],
        "frozen_cache_bytes": cost.get("frozen_cache_bytes", 0),
        "score": metrics["test"][name],
    }


def _no(why: str) -> dict[str, str]:
    return {"not_measured": why}


def relative(one: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, float]:
    """Shares of what the reference has; what either lacks is left out."""
    found = {}
    for name in RELATIVE:
        ours, theirs = one.get(name), reference.get(name)
        if name == ATTACHED and not isinstance(theirs, int | float):
            theirs = reference.get(MERGES)
        if isinstance(ours, int | float) and isinstance(theirs, int | float) and theirs:
            found[name] = round(ours / theirs, 5)
    if reference["score"]["value"]:
        found["score"] = round(one["score"]["value"] / reference["score"]["value"], 5)
    return found


def _answered(run: Path, task: Task) -> tuple[list[Row], list[Answer]]:
    from tunewright.evaluate.compare import answered

    return answered(run / "predictions" / "test.parquet", task)


def _difference(
    task: Task, ours: tuple[list[Row], list[Answer]], theirs: tuple[list[Row], list[Answer]], name: str, recipe: Recipe
) -> dict[str, Any]:
    from tunewright.evaluate.compare import difference

    score = difference(task, ours, theirs, name, array_generator(recipe.seed, "paired"), recipe.evaluate.resamples)
    proven = score.low > 0 or score.high < 0
    return {**score.model_dump(), "verdict": ("better" if score.value > 0 else "worse") if proven else "no difference is proven"}


def _speeds(runs: Sequence[Path], recipes: Sequence[Recipe], found: Sequence[dict[str, Any]]) -> None:
    """Rows per second of every model, its small artefact attached and merged, taken in turns on the same rows."""
    import psutil

    needed, free = 2 * sum(one["model_bytes"] for one in found), psutil.virtual_memory().available
    if needed > free:
        why = f"the models take about {needed / 1e9:.1f} GB together, and {free / 1e9:.1f} GB are free"
        for one in found:
            one |= {ATTACHED: _no(why), MERGES: _no(why)}
        return
    say(f"Asking {len(runs)} models the same rows in turns")
    asked: list[tuple[dict[str, Any], str, Callable[[], Any], int]] = []
    for run, recipe, one in zip(runs, recipes, found, strict=True):
        one |= {ATTACHED: _no("it has no small artefact that is put onto a base"), MERGES: _no("it does not merge")}
        for name, predictor in _predictors(run, recipe, one):
            rows = _answered_rows(run, predictor)
            encoded = predictor.task.encode(rows, predictor.tokenizer, predictor.max_tokens)
            asked.append((one, name, lambda p=predictor, r=rows, e=encoded: p.answers(r, e), len(rows)))  # type: ignore[misc]
    seconds: dict[int, list[float]] = {}
    for turn in range(ROUNDS + 1):
        for place, (_, _, ask, _) in enumerate(asked):
            began = time.perf_counter()
            ask()
            if turn:  # the first one warms up
                seconds.setdefault(place, []).append(time.perf_counter() - began)
    for place, (one, name, _, count) in enumerate(asked):
        one[name] = round(count / median(seconds[place]), 1)


def _answered_rows(run: Path, predictor: Predictor) -> list[Row]:
    from tunewright.evaluate.compare import answered

    return answered(run / "predictions" / "validation.parquet", predictor.task)[0][:TIMED_ROWS]


def _predictors(run: Path, recipe: Recipe, one: dict[str, Any]) -> list[tuple[str, Predictor]]:
    """The models of a run, by where their speed stands."""
    from tunewright.model.predict import Predictor

    merged = Predictor.load(run / "model", recipe.evaluate.batch_size)
    if "method" in read_json(run / "model" / "tunewright.json"):  # a base with what was trained beside it
        return [(ATTACHED, merged)]
    found = [(MERGES, merged)]
    if (run / "adapter" / "adapter_config.json").exists():
        try:
            found.append((ATTACHED, _attached(run, recipe, merged)))
        except UserError as error:  # its base is gone
            one[ATTACHED] = _no(error.found)
    return found


def _attached(run: Path, recipe: Recipe, merged: Predictor) -> Predictor:
    """The base of a run with its adapter put onto it, not merged."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    from tunewright.model.base import find
    from tunewright.model.build import build
    from tunewright.model.predict import Predictor

    base = find(recipe.model, merged.task.head)
    model: Any = build(base, recipe.model, merged.task, recipe.method, 0).model
    set_peft_model_state_dict(model, load_file(run / "adapter" / "adapter_model.safetensors"))
    device = next(merged.model.parameters()).device
    return Predictor(model.to(device), base.tokenizer, merged.task, merged.max_tokens, recipe.evaluate.batch_size)


def table(found: Mapping[str, Any]) -> list[list[str]]:
    """The method table in words: a header and a line per run."""
    lines = [["run", "trained", "share", "memory", "time", "storage", "attached rows/s", "merged rows/s", found["score"], "difference"]]
    for one in found["runs"]:
        score, apart = one["score"], one["difference"]
        lines.append(
            [
                one["run"] + (" (reference)" if one["run"] == found["reference"] else ""),
                _beside(f"{one['trainable']:,}", one, "trainable"),
                f"{100 * one['trainable'] / one['parameters']:.2f} %",
                _beside(_bytes(one["training_memory_bytes"]), one, "training_memory_bytes"),
                _beside(f"{one['train_seconds']:.0f} s", one, "train_seconds"),
                _beside(_bytes(one["storage_bytes"]), one, "storage_bytes"),
                _speed(one, ATTACHED),
                _speed(one, MERGES),
                _beside(f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]", one, "score"),
                f"{apart['value']:+.3f} [{apart['low']:+.3f}, {apart['high']:+.3f}] {apart['verdict']}" if apart else "",
            ]
        )
    return lines


def _beside(told: str, one: Mapping[str, Any], name: str) -> str:
    share = one["relative"].get(name)
    return told if share is None or share == 1 else f"{told} ({100 * share:.3g} %)"


def _speed(one: Mapping[str, Any], name: str) -> str:
    value, share = one.get(name), one["relative"].get(name)
    if not isinstance(value, int | float):
        return "-"
    return f"{value:.0f}" if share is None else f"{value:.0f} ({share:.2f}x)"


def _bytes(value: Any) -> str:
    return f"{value / 1e6:.1f} MB" if isinstance(value, int | float) else "-"


def told(found: Mapping[str, Any]) -> str:
    """The table as text: a block for each run, as wide as a terminal."""
    head, *lines = table(found)
    wide = max(map(len, head))
    blocks = ["\n".join([line[0], *(f"  {name:<{wide}}  {cell}" for name, cell in zip(head[1:], line[1:], strict=True) if cell)])
              for line in lines]  # fmt: skip
    return "\n".join([*blocks, f"Percentages and x are of {found['reference']}; score and difference with 95 % intervals"])


def picture(found: Mapping[str, Any], out: Path) -> Path:
    """Write the table and its bars: an SVG, or a page where ``out`` ends in ``.html``.

    Raises:
        UserError: ``out`` ends in something else, or cannot be written.
    """
    from tunewright.report.method_table import page, svg

    if out.suffix not in {".svg", ".html"}:
        raise UserError(f"--out {out} ends in {out.suffix or 'nothing'}", "An .svg or an .html is written", f"As in: --out {out.stem}.html")
    from tunewright.core.folder import write_text

    return write_text(out, svg(found) if out.suffix == ".svg" else page(found, table(found)))
