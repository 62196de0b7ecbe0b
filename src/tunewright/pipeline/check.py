"""The verb ``check``: everything that can be known of a run before it is begun. Trains nothing, reads no weights, writes nothing that stays."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tunewright.core.errors import MissingExtra, UserError
from tunewright.core.log import calm_libraries, say
from tunewright.pipeline.data import rows_of, truncation
from tunewright.pipeline.recipe import Recipe

if TYPE_CHECKING:
    from tunewright.data.dataset import Dataset
    from tunewright.data.prepare import Audit
    from tunewright.pipeline.train import Plan

LABELS_SHOWN = 12
GB = 1e9


def look_at_data(recipe: Recipe, where: Path) -> Audit | Dataset:
    """Read, clean and split in memory; a policy that says ``refuse`` is told and refuses nothing here.

    Args:
        recipe: as the user has it.
        where: the recipe's folder.

    Raises:
        UserError: the data cannot be read or learned from.
    """
    from tunewright.data.prepare import audit

    say("Reading and auditing the data")
    return audit(recipe.data, recipe.task, recipe.seed, where)


def data_facts(data: Audit | Dataset) -> dict[str, Any]:
    """What was read, removed, found and split, and which rules would refuse the data."""
    facts = data.summary()
    return {**facts, "refused": sorted({one["rule"] for one in facts["findings"] if one["action"] == "refuse"})}


def look_at_model(recipe: Recipe, where: Path, data: Audit | Dataset) -> dict[str, Any]:
    """Find the model, count what is cut, decide every ``auto``, and estimate the run.

    Args:
        recipe: as the user has it.
        where: the recipe's folder.
        data: what ``look_at_data`` gave.

    Raises:
        UserError: the model is missing or does not suit, or the settings cannot be trained with.
    """
    from tunewright.pipeline.estimate import estimate
    from tunewright.pipeline.train import make_plan

    calm_libraries()
    with tempfile.TemporaryDirectory() as scratch:  # rows are encoded there, so that nothing stays
        say("Counting tokens")
        plan = make_plan(recipe.model_copy(update={"output_dir": scratch}), where, cast("Dataset", data))
        cuts = _truncation(plan, data)
    _needs_packages(plan.recipe)
    say("Timing some steps on throwaway weights")
    found = estimate(plan)
    reasons = dict(plan.reasons)
    settings = {"max_tokens": plan.recipe.model.max_tokens, "pooling": plan.recipe.model.pooling, "method": _method(plan.recipe),
                "learning_rate": plan.recipe.train.learning_rate, "precision": plan.recipe.train.precision, "best_by": plan.recipe.train.best_by,
                "batch_size": plan.recipe.train.batch_size, "epochs": plan.recipe.train.epochs}  # fmt: skip
    return {"truncation": cuts, "settings": settings, "reasons": reasons, "estimate": found, "choices": _choices(plan), "warnings": list(_warnings(recipe, found))}


def _needs_packages(recipe: Recipe) -> None:
    from importlib.util import find_spec

    if recipe.model.pooling == "mean" and not find_spec("sentence_transformers"):
        raise MissingExtra("model.pooling: mean (saved as a sentence-transformers folder)", "sentence")


def _truncation(plan: Plan, data: Audit | Dataset) -> dict[str, Any]:
    """What is cut in every split. The locked test rows are encoded to count their tokens, and for nothing else."""
    limit = plan.recipe.model.max_tokens
    assert isinstance(limit, int)
    test = rows_of(data.rows("test"))
    encoded = plan.recipe.task.encode(test, plan.base.tokenizer, limit) if test else []
    splits = {"train": (plan.train[0], plan.train[1].encoded), "validation": (plan.validation[0], plan.validation[1].encoded), "test": (test, encoded)}
    return truncation(plan.recipe.task, splits, limit, plan.why_tokens)


def _method(recipe: Recipe) -> str:
    from tunewright.model.methods import METHODS

    return METHODS.name_of(recipe.method)


def _choices(plan: Plan) -> list[dict[str, Any]]:
    """What the other methods and poolings would train, and what they cost."""
    from tunewright.model.methods import METHODS
    from tunewright.model.size import size_without_weights

    recipe, found = plan.recipe, []
    for name in METHODS.places():
        method = recipe.method if name == _method(recipe) else METHODS.build(name)
        try:
            size = size_without_weights(plan.base, recipe.model, recipe.task, method)
        except (RuntimeError, ValueError, NotImplementedError) as error:
            found.append({"setting": "method", "value": name, "not_measured": str(error).splitlines()[0][:200]})
            continue
        found.append({"setting": "method", "value": name, "chosen": name == _method(recipe), "trainable": size.trainable,
                      "parameters": size.parameters, "training_bytes": size.training_bytes, "checkpoint_bytes": size.checkpoint_bytes})  # fmt: skip
    return [*found, *({"setting": "model.pooling", "value": name, "chosen": name == recipe.model.pooling, "means": means} for name, means in POOLING.items())]


POOLING = {
    "architecture": "the head that the model's architecture has; the saved model loads with Transformers alone",
    "mean": "one layer on the mean of the token vectors: the same time and memory, often better for sentence encoders; the saved model needs "
            "sentence-transformers, and takes no pairs of texts",
}  # fmt: skip


def _warnings(recipe: Recipe, found: Mapping[str, Any]) -> Iterator[str]:
    """What will hardly go well on this machine."""
    import psutil
    import torch

    memory = found["memory_bytes"]
    there = torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else psutil.virtual_memory().total
    if isinstance(memory, int) and memory > 0.9 * there:
        yield (f"the run needs about {memory / GB:.1f} GB of memory and this machine has {there / GB:.1f} GB: halve train.batch_size or set "
               "train.accumulate: 2, or method: lora")  # fmt: skip
    folder = next(one for one in [Path(recipe.output_dir).absolute(), *Path(recipe.output_dir).absolute().parents] if one.is_dir())
    needed, free = found["checkpoint_bytes"] * (recipe.train.save_total_limit + 1), shutil.disk_usage(folder).free
    if needed > free:
        yield f"its checkpoints need about {needed / GB:.1f} GB and {folder} has {free / GB:.1f} GB free: choose another output_dir"


def told_data(facts: Mapping[str, Any]) -> str:
    """The data in words: rows, splits, labels, and every finding with its rows, remedy and recipe line."""
    rows = facts["rows"]
    removed = ", ".join(f"{count:,} {rule}" for rule, count in sorted(rows["by_rule"].items())) or "none"
    lines = [f"Data: {rows['read']:,} rows read, {rows['kept']:,} kept, {rows['quarantined']:,} removed ({removed})"]
    for split, one in facts["splits"].items():
        shown = ", ".join(f"{name} {count:,} ({count / max(one['rows'], 1):.0%})" for name, count in list(one["labels"].items())[:LABELS_SHOWN])
        rest = len(one["labels"]) - LABELS_SHOWN
        lines.append(f"  {split}: {one['rows']:,} rows: {shown}" + (f" and {rest} labels more" if rest > 0 else ""))
    for one in facts["findings"]:
        lines.append(f"  {one['severity']}: {one['rule']}: {one['message']}")
        lines += [f"      {shown['file']} row {shown['row']}: {' '.join(shown['text'].split())[:100]}" for shown in one["shown"][:3]]
        lines.append(f"      {one['remedy']}" + (f" (recipe: {one['recipe']})" if one["recipe"] else ""))
    if facts["refused"]:
        lines.append(f"  The recipe refuses what was found: {', '.join(facts['refused'])}. A run will stop there with exit status 3")
    return "\n".join(lines)


def told_model(facts: Mapping[str, Any]) -> str:
    """Truncation, settings and the estimate in words."""
    return "\n".join([*_told_cuts(facts["truncation"]), *_told_choices(facts), *_told_estimate(facts["estimate"]),
                      *(f"Warning: {one}" for one in facts["warnings"])])  # fmt: skip


def _told_cuts(cuts: Mapping[str, Any]) -> Iterator[str]:
    yield f"Length: the model sees {cuts['max_tokens']} tokens of a row ({cuts['why']})"
    for split, one in cuts["splits"].items():
        counted = " (counted only, nothing else is looked at)" if split == "test" else ""
        yield f"  {split}: {one['rows_cut']:,} of {one['rows']:,} rows are cut, {one['tokens_cut']:,} of {one['tokens']:,} tokens{counted}"
        worst = sorted(one["labels"].items(), key=lambda item: -item[1]["rows_cut"])[:5]
        if worst:
            yield "      by label: " + ", ".join(f"{name} {cut['rows_cut']:,} rows ({cut['tokens_cut']:,} tokens)" for name, cut in worst)


def _told_choices(facts: Mapping[str, Any]) -> Iterator[str]:
    settings, reasons = facts["settings"], facts["reasons"]
    yield (f"Settings: method {settings['method']}, learning rate {settings['learning_rate']:g} ({reasons.get('train.learning_rate', 'yours')}), "
           f"{settings['precision']} ({reasons.get('train.precision', 'yours')}), best by {settings['best_by']}")  # fmt: skip
    for one in facts["choices"]:
        mark = "*" if one.get("chosen") else " "
        if "trainable" in one:
            yield (f"  {mark} method {one['value']}: trains {one['trainable']:,} of {one['parameters']:,} weights; {one['training_bytes'] / GB:.2f} GB "
                   f"for weights and optimizer, {one['checkpoint_bytes'] / GB:.2f} GB per checkpoint")  # fmt: skip
        else:
            yield f"  {mark} {one['setting'].removeprefix('model.')} {one['value']}: {one.get('means') or 'not measured: ' + one['not_measured']}"


def _told_estimate(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"Model: {found['parameters']:,} weights, {found['trainable']:,} of them trained"
    if isinstance(found["train_seconds"], dict):
        yield f"Time and memory: not measured: {found['train_seconds']['not_measured']}"
        return
    yield (f"Time: about {_duration(found['train_seconds'])} of training: {found['steps']:,} steps of {found['step_seconds']:.2f} s, {found['evaluations']} looks "
           f"at the validation rows of {found['evaluation_seconds']:.1f} s; with loading, proof and scoring about {_duration(found['total_seconds'])} "
           f"(from {found['timed_steps']} timed steps; stopping early makes it shorter)")  # fmt: skip
    yield f"Memory: about {found['memory_bytes'] / GB:.2f} GB at most; {found['checkpoint_bytes'] / GB:.2f} GB of disk per checkpoint"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
