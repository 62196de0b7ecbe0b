"""Every ``auto`` of a recipe decided, and each value with the reason for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from tunewright.core.chance import generator
from tunewright.core.errors import BadConfig, Problem
from tunewright.core.schema import Row
from tunewright.model.base import LONGEST_DEFAULT, Base, declared_longest
from tunewright.pipeline.recipe import PARTS, Recipe
from tunewright.tasks.base import Task
from tunewright.train.criteria import CRITERIA
from tunewright.train.imported import beside
from tunewright.train.settings import default_learning_rate

SAMPLED_ROWS = 5000
SHARE_WHOLE = 0.99
LONG_ROWS = 128
"""Tokens of a row from which on attention takes so much of a step that dropout in it is not worth its time (docs/lab-log.md)."""

Reasons = dict[str, str]
"""Path of a setting -> where its value came from."""


def max_tokens(recipe: Recipe, base: Base, task: Task, rows: Sequence[Row]) -> tuple[int, str]:
    """How many tokens of a row the model sees, and why.

    ``auto`` is the length that 99 % of the training rows (a sample of 5,000) keep within, up to 256 and to what the model can see.

    Raises:
        BadConfig: the recipe asks for more than the model can see.
    """
    if isinstance(recipe.model.max_tokens, int):
        if recipe.model.max_tokens > base.longest:
            raise BadConfig([Problem("model.max_tokens", f"this model sees {base.longest} tokens at most (got {recipe.model.max_tokens})")])
        return recipe.model.max_tokens, "yours"
    limit = min(LONGEST_DEFAULT, base.longest, declared_longest(base.place) or LONGEST_DEFAULT)
    rng = generator(recipe.seed, "max_tokens")
    some = rng.sample(list(rows), SAMPLED_ROWS) if len(rows) > SAMPLED_ROWS else list(rows)
    lengths = sorted(one.tokens for one in task.encode(some, base.tokenizer, base.longest))
    within = lengths[min(len(lengths) - 1, int(len(lengths) * SHARE_WHOLE))] if lengths else limit
    chosen = min(limit, max(16, -(-within // 8) * 8))
    why = (
        f"auto: 99 % of the training rows have {within} tokens or fewer"
        if within <= limit
        else f"auto: the limit of {limit} (99 % of the training rows would need {within}; set model.max_tokens to see more)"
    )
    return chosen, why


def resolve(recipe: Recipe, base: Base, task: Task, tokens: tuple[int, str], where: str, folder: Path) -> tuple[Recipe, Reasons]:
    """The recipe with every ``auto`` decided.

    Args:
        recipe: as the user has it.
        base: the model that was found.
        task: with what was learned from the training rows.
        tokens: what ``max_tokens`` gave.
        where: the device, as ``model.device.device`` names it.
        folder: the recipe's own; what it names by a relative path is written with the whole one, so that the result runs from anywhere.

    """
    from tunewright.model.device import precision

    width = getattr(base.config, "hidden_size", None) or getattr(base.config, "dim", None) or 768
    reasons: Reasons = {"model.max_tokens": tokens[1]}
    model: dict[str, Any] = {"max_tokens": tokens[0], "base": _whole_path(recipe.model.base, base)}
    if recipe.model.attention_dropout == "auto":
        model["attention_dropout"], reasons["model.attention_dropout"] = _attention_dropout(base, tokens[0])
    train: dict[str, Any] = {}
    if recipe.train.learning_rate == "auto":
        factor = recipe.method.rate_factor
        train["learning_rate"] = float(f"{default_learning_rate(width) * factor:.3g}")
        reasons["train.learning_rate"] = (
            f"auto: for width {width}" + (f", times {factor:g} for this method" if factor != 1 else "") + " (docs/lab-log.md)"
        )
    if recipe.train.head_learning_rate == "auto":
        rate = train.get("learning_rate", recipe.train.learning_rate)
        train["head_learning_rate"] = float(f"{min(rate * recipe.method.head_factor, 0.1):.3g}")
        reasons["train.head_learning_rate"] = f"auto: {recipe.method.head_factor:g} times learning_rate"
    if recipe.train.precision == "auto":
        train["precision"] = precision("auto", where)
        reasons["train.precision"] = f"auto: this {where} " + (
            "computes in bf16" if train["precision"] == "bf16" else "does not compute in bf16"
        )
    if recipe.train.best_by is None:
        train["best_by"] = task.best_by()
        reasons["train.best_by"] = "the task's own"
    changes: dict[str, Any] = {
        "task": task,
        "model": recipe.model.model_copy(update=model),
        **absolute(recipe, folder),
    }
    changes["train"] = with_own_parts(recipe, folder).train.model_copy(update=train)
    if recipe.criterion is None:
        changes["criterion"] = CRITERIA.build(task.default_criterion())
        reasons["criterion"] = "the task's own"
    for name in type(task).model_fields:
        if getattr(task, name) != getattr(recipe.task, name):
            reasons[f"task.{name}"] = "learned from the training rows"
    return recipe.model_copy(update=changes), reasons


def _attention_dropout(base: Base, tokens: int) -> tuple[float | None, str]:
    """Dropout in attention, and why; None leaves the base's own."""
    from tunewright.model.build import attention_dropout_key

    key = attention_dropout_key(base.config)
    if key is None:
        return None, "auto: this architecture has none"
    own = float(getattr(base.config, key))
    if own and tokens > LONG_ROWS:
        return 0.0, f"auto: none, not the model's {own:g}, for rows of more than {LONG_ROWS} tokens, where it takes half of a step"
    return own, "auto: the model's own"


def may_compute(recipe: Recipe, where: str) -> None:
    """Hold the precision that is asked for against a device, as ``model.device.device`` names it.

    Raises:
        BadConfig: it cannot compute so.
    """
    if recipe.train.precision == "fp16" and where == "cpu":
        raise BadConfig([Problem("train.precision", "fp16 needs a GPU, and there is none here: use auto, bf16 or fp32")])


def absolute(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """What names files and folders, with whole paths: files are found from ``folder``, ``output_dir`` from where the command is given."""
    from tunewright.data.source import found

    source = recipe.data.source
    whole = (
        {split: found(one, folder.resolve()) for split, one in source.items()}
        if isinstance(source, Mapping)
        else found(source, folder.resolve())
    )
    metrics = tuple(
        str(folder.resolve() / spec) if ".py:" in spec and not Path(spec).is_absolute() else spec for spec in recipe.evaluate.metrics
    )
    rules = {
        name: {**one, "sets": found(one["sets"], folder.resolve())} if isinstance(one, Mapping) and "sets" in one else one
        for name, one in recipe.data.rules.items()
    }
    return {
        "data": recipe.data.model_copy(update={"source": whole, "rules": rules}),
        "evaluate": recipe.evaluate.model_copy(update={"metrics": metrics}),
        "output_dir": str(Path(recipe.output_dir).resolve()),
    }


def with_own_parts(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with the whole paths of the files below ``train`` that have code of the user's own."""
    train = recipe.train
    parts = {"optimizer": beside(train.optimizer, folder), "schedule": beside(train.schedule, folder)}
    callbacks = tuple(beside(one, folder) for one in train.callbacks)
    return recipe.model_copy(update={"train": train.model_copy(update={**parts, "callbacks": callbacks})})


def _whole_path(asked: str, base: Base) -> str:
    return asked if asked == "embedded" or not Path(base.place).is_dir() else str(Path(base.place).resolve())


def written(resolved: Recipe, asked: Recipe, reasons: Reasons) -> str:
    """The resolved recipe as YAML, each line with where its value came from: yours, default, or the reason of an ``auto``."""
    yours = set(_set_by_user(asked))
    again = (
        "The rows came from memory: name their file under data.source to run it again"
        if "<" in str(resolved.model_dump()["data"]["source"])
        else "It runs again as it is: tunewright run recipe.yaml"
    )
    lines = [f"# Every setting of this run. {again}"]
    _write(lines, resolved.model_dump(mode="json"), "", 0, yours, reasons)
    return "\n".join(lines) + "\n"


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as ``section.key: value``."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _set_by_user(config: BaseModel, prefix: str = "") -> list[str]:
    found = []
    for name in config.model_fields_set:
        path, value = f"{prefix}{name}", getattr(config, name)
        found.append(path)
        if isinstance(value, BaseModel):
            found += _set_by_user(value, f"{path}.")
    return found


def _write(lines: list[str], values: Mapping[str, Any], prefix: str, depth: int, yours: set[str], reasons: Reasons) -> None:
    for name, value in values.items():
        path, indent = f"{prefix}{name}", "  " * depth
        if isinstance(value, Mapping) and value and not path.startswith(("data.source", "data.columns", "data.policy", "train.arguments")):
            told = f"  # {reasons[path]}" if path in reasons else ""
            lines.append(f"{indent}{name}:{told}")
            _write(lines, value, f"{path}.", depth + 1, yours, reasons)
            continue
        named = name == "name" and prefix.rstrip(".") in {*yours & PARTS}  # `method: lora` sets its name
        why = reasons.get(path) or ("yours" if path in yours or named else "default")
        lines.append(f"{indent}{name}: {_plain(value)}  # {why}")


def _plain(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False).strip()
    return text.removesuffix("...").strip()
