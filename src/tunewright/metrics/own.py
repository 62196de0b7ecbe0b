"""The user's choice of scores: one of ours by name, or a function of the user's own."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from tunewright.core.errors import UnknownName, UserError, hint, short
from tunewright.core.own_code import load, quoted
from tunewright.metrics import METRICS
from tunewright.metrics.classes import NEVER_TRAINED, ClassOutcome

WANTED = "evaluate.metrics takes a name of ours, file.py:function (relative to the recipe) or package.module:function"


@dataclass(frozen=True)
class Metric:
    """A score that a recipe asks for: call it with an outcome and get scores by name.

    One number stands under ``name``; a dict of them under ``name/<key>``. What the rows give no value is left out.
    """

    name: str
    spec: str
    """As it stands in the recipe."""
    scores: Callable[[ClassOutcome], dict[str, float]]

    def __call__(self, outcome: ClassOutcome) -> dict[str, float]:
        return self.scores(outcome)


def resolve(spec: str, folder: Path) -> Metric:
    """The metric behind an entry of ``evaluate.metrics``.

    A function of the user's own takes ``(wanted, probabilities, names)``: the wanted label of each row (multi-label: the list of
    them), the (rows, classes) float array, and the class names; a wanted label that was never trained is called ``(never trained)``.
    It returns a number, or a dict of numbers by name.

    Args:
        spec: ``f1``, ``my.py:recall_at_5`` or ``package.module:function``.
        folder: where the recipe stands.

    Raises:
        UserError: the name, file, module or function does not exist (with the nearest that does), cannot be loaded, or does
            not take three arguments. Calling the metric raises it where the user's function raises, or returns no finite number.
    """
    _, colon, name = spec.rpartition(":")
    if not colon:
        return _ours(spec)
    if name in METRICS:
        raise UserError(f"evaluate.metrics: {spec!r} would give a second score called {name!r}", "a name of its own was wanted",
                        f"Rename the function, for example to my_{name}")  # fmt: skip
    module = load("evaluate.metrics", spec, folder, WANTED)
    function = _function(spec, module, name)
    return Metric(name, spec, lambda outcome: _call(spec, name, function, outcome))


def _ours(spec: str) -> Metric:
    if spec not in METRICS:
        if spec.endswith(".py"):
            raise UserError(f"evaluate.metrics: {spec!r} names a file and no function", WANTED, f"Write {spec}:<function>")
        raise UnknownName("metric", spec, METRICS)
    module, _, attribute = METRICS[spec].partition(":")
    function: Callable[[ClassOutcome], float] = getattr(import_module(module), attribute)

    def scores(outcome: ClassOutcome) -> dict[str, float]:
        value = function(outcome)
        return {spec: value} if math.isfinite(value) else {}

    return Metric(spec, spec, scores)


def _function(spec: str, module: ModuleType, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] | None = getattr(module, name, None)
    if function is None or not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        kind = "does not exist" if function is None else f"is a {type(function).__name__}"
        raise UserError(f"evaluate.metrics: {spec!r} names a function that {kind}", "", hint(name, known))
    try:
        inspect.signature(function).bind("wanted", "probabilities", "names")
    except TypeError:
        raise UserError(f"evaluate.metrics: {spec!r} is defined as {name}{inspect.signature(function)}",
                        "a function that takes (wanted, probabilities, names) was wanted", "Change its arguments") from None  # fmt: skip
    except ValueError:
        return function  # a compiled function may hide its arguments; the first call tells
    return function


def _call(spec: str, name: str, function: Callable[..., Any], outcome: ClassOutcome) -> dict[str, float]:
    code = getattr(function, "__code__", None)
    try:
        answer = function(wanted_names(outcome), outcome.probabilities, list(outcome.names))
    except Exception as error:
        where = quoted(error, code.co_filename if code else "")
        raise UserError(f"the metric {spec!r} raised {where}", "", "Mend it there, or take it out of evaluate.metrics") from error
    answers = {f"{name}/{key}": value for key, value in answer.items()} if isinstance(answer, Mapping) else {name: answer}
    numbers = {key: _number(value) for key, value in answers.items()}
    if wrong := [key for key, value in numbers.items() if not math.isfinite(value)] or ([name] if not numbers else []):
        raise UserError(f"the metric {spec!r} returned {short(answers.get(wrong[0], answer))} for {wrong[0]!r}",
                        "a finite number, or a dict of finite numbers by name, was wanted",
                        "Where there is nothing to divide by, return 0.0, or leave that name out of the dict")  # fmt: skip
    return numbers


def wanted_names(outcome: ClassOutcome) -> list[str] | list[list[str]]:
    """The wanted label of each row by name; multi-label: the list of them."""
    names = outcome.names
    if outcome.multi_label:
        return [[names[place] for place in row.nonzero()[0]] for row in outcome.wanted]
    return [names[place] if place >= 0 else NEVER_TRAINED for place in outcome.wanted.tolist()]


def _number(value: Any) -> float:
    """A float of whatever is one number (numpy's and torch's too), else NaN."""
    try:
        return float(value) if hasattr(value, "__float__") else math.nan
    except (TypeError, ValueError, RuntimeError):
        return math.nan
