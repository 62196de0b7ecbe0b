"""From a recipe and its dataset to a plan: rows are encoded, and every ``auto`` is decided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.pipeline.ahead import Found, find_all
from tunewright.pipeline.data import cache_folder, rows_of, truncation
from tunewright.pipeline.frozen import planned
from tunewright.pipeline.plan import Plan
from tunewright.pipeline.recipe import Recipe
from tunewright.pipeline.resolve import max_tokens, resolve
from tunewright.pipeline.stream import with_steps

if TYPE_CHECKING:
    from tunewright.data.dataset import Dataset
    from tunewright.model.base import Base
    from tunewright.tasks.base import Task


def make_plan(recipe: Recipe, where: Path, dataset: Dataset, found: Found | None = None) -> Plan:
    """Encode the rows and decide every ``auto``; reads no weights and no test row.

    Args:
        recipe: as the user has it.
        where: the recipe's folder.
        dataset: what was prepared of it.
        found: what ``find_all`` gave; left out, it is looked for here.
    """
    from tunewright.data.encode import encode
    from tunewright.model.device import device

    base, metrics = (found := found or find_all(recipe, where)).base, found.metrics
    task = dataset.task
    rows, held_out = rows_of(dataset.rows("train")), rows_of(dataset.rows("validation"))
    tokens = max_tokens(recipe, base, task, rows)
    _suits(recipe, base, task, tokens[0])
    resolved, reasons = resolve(recipe, base, task, tokens, device(), where)
    resolved, reasons, epoch_rows = with_steps(resolved, reasons, where, dataset)
    cache = cache_folder(recipe)
    plan = Plan(
        recipe,
        resolved,
        reasons,
        dataset,
        base,
        (rows, encode(rows, task, base.tokenizer, tokens[0], cache)),
        (held_out, encode(held_out, task, base.tokenizer, tokens[0], cache)),
        metrics,
        tokens[1],
        where,
        epoch_rows,
    )
    return _with_cache(plan)


def _with_cache(plan: Plan) -> Plan:
    """A plan that says whether there will be a cache of frozen layers."""
    size, why = planned(plan)
    if plan.recipe.train.frozen_cache != "auto":
        return plan
    if size:
        told, train = f"auto: float16, {size / 1e6:,.0f} MB", {}
    else:
        told, train = f"auto: {why}", {"frozen_cache": "never"}
    recipe = plan.recipe.model_copy(update={"train": plan.recipe.train.model_copy(update=train)})
    return replace(plan, recipe=recipe, reasons={**plan.reasons, "train.frozen_cache": told})


def _suits(recipe: Recipe, base: Base, task: Task, limit: int) -> None:
    """Hold the method against the base that was found."""
    from tunewright.model.size import size_without_weights

    recipe.method.suits(base.config, limit, base.longest)
    if recipe.method.by_parts:
        size_without_weights(base, recipe.model, task, recipe.method)


def data_facts(plan: Plan) -> dict[str, Any]:
    """``data.json``: what was read, removed, found, split, and cut in the splits that training sees."""
    limit = plan.recipe.model.max_tokens
    assert isinstance(limit, int)
    splits = {"train": (plan.train[0], plan.train[1].encoded), "validation": (plan.validation[0], plan.validation[1].encoded)}
    summary = plan.dataset.summary()
    return {
        **summary,
        "folder": str(Path(summary["folder"]).resolve()),
        "history": plan.dataset.manifest.get("history", []),
        "truncation": truncation(plan.recipe.task, plan.base.tokenizer, splits, limit, plan.why_tokens),
    }
