"""The verb ``check``: everything that can be known of a run before it is begun. Trains nothing and reads no weights of the model.

It leaves nothing behind but sentence vectors in the cache, which the run then need not compute again.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tunewright.core.errors import UserError, first_line
from tunewright.core.log import calm_libraries, say
from tunewright.model.methods import METHODS
from tunewright.model.methods.base import Method
from tunewright.model.quantize import needs
from tunewright.model.quantize import warnings as of_quantised
from tunewright.pipeline.ahead import Found
from tunewright.pipeline.data import rows_of, truncation
from tunewright.pipeline.recipe import Recipe, no_mean, refused
from tunewright.pipeline.room import lacking

if TYPE_CHECKING:
    from tunewright.data.dataset import Dataset
    from tunewright.data.prepare import Audit
    from tunewright.pipeline.plan import Plan

GB = 1e9


def look_at_data(recipe: Recipe, where: Path) -> Audit | Dataset:
    """Read, clean and split in memory; a policy that says ``refuse`` is told and refuses nothing here.

    Args:
        recipe: as the user has it.
        where: the recipe's folder.

    Raises:
        UserError: the data cannot be read or learned from.
    """
    from tunewright.model.device import apart
    from tunewright.pipeline.prepare import look

    say("Reading and auditing the data")
    return apart(lambda: look(recipe, where))  # as a run does: the trial takes as much memory


def data_facts(data: Audit | Dataset) -> dict[str, Any]:
    """What was read, removed, found and split, and which rules would refuse the data."""
    facts = data.summary()
    return {**facts, "refused": sorted({one["rule"] for one in facts["findings"] if one["action"] == "refuse"})}


def look_at_model(recipe: Recipe, where: Path, data: Audit | Dataset, found: Found) -> dict[str, Any]:
    """Count what is cut, decide every ``auto``, and estimate the run.

    Args:
        recipe: as the user has it.
        where: the recipe's folder.
        data: what ``look_at_data`` gave.
        found: what ``find_all`` gave.

    Raises:
        UserError: the settings cannot be trained with.
    """
    from tunewright.pipeline.estimate import estimate
    from tunewright.pipeline.make_plan import make_plan

    calm_libraries()
    with tempfile.TemporaryDirectory() as scratch:  # rows are encoded there, so that nothing stays
        say("Counting tokens")
        plan = make_plan(recipe.model_copy(update={"output_dir": scratch}), where, cast("Dataset", data), found)
        cuts = _truncation(plan, data)
    say("Timing some steps on throwaway weights")
    estimated = estimate(plan)
    reasons, tokens = dict(plan.reasons), plan.recipe.train.batch_tokens
    settings = {
        "max_tokens": plan.recipe.model.max_tokens,
        "pooling": plan.recipe.model.pooling,
        "method": METHODS.name_of(plan.recipe.method),
        "learning_rate": plan.recipe.train.learning_rate,
        "precision": plan.recipe.train.precision,
        "best_by": plan.recipe.train.best_by,
        **({"batch_size": plan.recipe.train.batch_size} if tokens is None else {"batch_tokens": tokens}),
        "epochs": plan.recipe.train.epochs,
    }
    return {
        "truncation": cuts,
        "settings": settings,
        "reasons": reasons,
        "estimate": estimated,
        "choices": _choices(plan),
        "warnings": list(_warnings(recipe, estimated)),
    }


def _truncation(plan: Plan, data: Audit | Dataset) -> dict[str, Any]:
    """What is cut in every split. The locked test rows are encoded to count their tokens, and for nothing else."""
    limit = plan.recipe.model.max_tokens
    assert isinstance(limit, int)
    test = rows_of(data.rows("test"))
    encoded = plan.recipe.task.encode(test, plan.base.tokenizer, limit) if test else []
    splits = {
        "train": (plan.train[0], plan.train[1].encoded),
        "validation": (plan.validation[0], plan.validation[1].encoded),
        "test": (test, encoded),
    }
    return truncation(plan.recipe.task, plan.base.tokenizer, splits, limit, plan.why_tokens)


def _choices(plan: Plan) -> list[dict[str, Any]]:
    """What the other methods and poolings would train, and what they cost."""
    from tunewright.model.size import size_without_weights

    recipe = plan.recipe
    found: list[dict[str, Any]] = []
    for name in METHODS.places():
        method = recipe.method if name == METHODS.name_of(recipe.method) else METHODS.build(name)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of libraries about each other
                _may_be_chosen(plan, method)
                size = size_without_weights(plan.base, recipe.model, recipe.task, method)
        except (RuntimeError, ValueError, NotImplementedError, UserError) as error:
            found.append({"setting": "method", "value": name, "not_measured": first_line(error)})
            continue
        found.append(
            {
                "setting": "method",
                "value": name,
                "chosen": name == METHODS.name_of(recipe.method),
                "trainable": size.trainable,
                "parameters": size.parameters,
                "training_bytes": size.training_bytes,
                "checkpoint_bytes": size.checkpoint_bytes,
                "targets": list(size.targets),
            }
        )
    return [
        *found,
        *(
            {"setting": "model.pooling", "value": name, "chosen": name == recipe.model.pooling, "means": means}
            for name, means in POOLING.items()
            if name != "mean" or not no_mean(recipe)
        ),
    ]


def _may_be_chosen(plan: Plan, method: Method) -> None:
    recipe, limit = plan.recipe, plan.recipe.model.max_tokens
    assert isinstance(limit, int)
    if why := refused(recipe.task, recipe.model, method):
        raise UserError(why)
    method.suits(plan.base.config, limit, plan.base.longest)
    needs(recipe.model, method)


POOLING = {
    "architecture": "the head that the model's architecture has; the saved model loads with Transformers alone",
    "mean": "one layer on the mean of the token vectors: the same time and memory, often better for sentence encoders; the saved "
    "model needs sentence-transformers, and takes no pairs of texts",
}


def _warnings(recipe: Recipe, found: Mapping[str, Any]) -> Iterator[str]:
    """What will hardly go well on this machine."""
    import psutil
    import torch

    yield from of_quantised(recipe.model, recipe.method)
    memory = found["memory_bytes"]
    there = torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else psutil.virtual_memory().total
    if isinstance(memory, int) and memory > 0.9 * there:
        yield (
            f"the run needs about {memory / GB:.1f} GB of memory and this machine has {there / GB:.1f} GB: halve train.batch_size or set "
            "train.accumulate: 2, or method: lora"
        )
    if why := lacking(found["disk_bytes"], recipe.output_dir):
        yield f"{why}: choose another output_dir"
