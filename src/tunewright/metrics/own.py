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
from tunewright.metrics import FAMILIES, Family
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
    scores: Callable[[Any], dict[str, float]]

    def __call__(self, outcome: Any) -> dict[str, float]:
        return self.scores(outcome)


def resolve(spec: str, folder: Path, family: str = "classes") -> Metric:
    """The metric behind an entry of ``evaluate.metrics``.

    A function of the user's own takes what was wanted of each row and what was given, ``(wanted, given)``, as the task's outcome has
    them. That of a classification takes ``(wanted, probabilities, names)``: the wanted label of each row (multi-label: the list of
    them), the (rows, classes) float array, and the class names; a wanted label that was never trained is called ``(never trained)``.
    It returns a number, or a dict of numbers by name.

    Args:
        spec: ``f1``, ``my.py:recall_at_5`` or ``package.module:function``.
        folder: where the recipe stands.
        family: of the task's outcomes, out of ``FAMILIES``; one that is not there has no scores by name.

    Raises:
        UserError: the name, file, module or function does not exist (with the nearest that does), cannot be loaded, or does
            not take three arguments. Calling the metric raises it where the user's function raises, or returns no finite number.
    """
    known = FAMILIES.get(family, Family({}))
    _, colon, name = spec.rpartition(":")
    if not colon:
        return _ours(spec, known)
    if name in known.names:
        raise UserError(f"evaluate.metrics: {spec!r} would give a second score called {name!r}", "a name of its own was wanted",
                        f"Rename the function, for example to my_{name}")  # fmt: skip
    module = load("evaluate.metrics", spec, folder, WANTED)
    function = _function(spec, module, name, known.takes)
    return Metric(name, spec, lambda outcome: _call(spec, name, function, outcome))


def _ours(spec: str, family: Family) -> Metric:
    if spec not in family.names:
        if spec.endswith(".py"):
            raise UserError(f"evaluate.metrics: {spec!r} names a file and no function", WANTED, f"Write {spec}:<function>")
        if any(spec in other.names for other in FAMILIES.values()):
            raise UserError(f"evaluate.metrics asks for {spec!r}, which has no meaning for the answers of this task",
                            f"It has {', '.join(map(repr, sorted(family.names))) or 'no more scores by name'}",
                            "Leave it out, or write a function of your own: file.py:function")  # fmt: skip
        raise UnknownName("metric", spec, family.names)
    module, _, attribute = family.names[spec].partition(":")
    function: Callable[[Any], float] = getattr(import_module(module), attribute)

    def scores(outcome: Any) -> dict[str, float]:
        value = function(outcome)
        return {spec: value} if math.isfinite(value) else {}

    return Metric(spec, spec, scores)


def _function(spec: str, module: ModuleType, name: str, takes: tuple[str, ...]) -> Callable[..., Any]:
    function: Callable[..., Any] | None = getattr(module, name, None)
    if function is None or not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        kind = "does not exist" if function is None else f"is a {type(function).__name__}"
        raise UserError(f"evaluate.metrics: {spec!r} names a function that {kind}", "", hint(name, known))
    try:
        inspect.signature(function).bind(*takes)
    except TypeError:
        raise UserError(f"evaluate.metrics: {spec!r} is defined as {name}{inspect.signature(function)}",
                        f"a function that takes ({', '.join(takes)}) was wanted", "Change its arguments") from None  # fmt: skip
    except ValueError:
        return function  # a compiled function may hide its arguments; the first call tells
    return function


def _call(spec: str, name: str, function: Callable[..., Any], outcome: Any) -> dict[str, float]:
    code = getattr(function, "__code__", None)
    try:
        answer = function(*_told(outcome))
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


def _told(outcome: Any) -> tuple[Any, ...]:
    """What a function of the user's own is called with."""
    if isinstance(outcome, ClassOutcome):
        return wanted_names(outcome), outcome.probabilities, list(outcome.names)
    return outcome.wanted, outcome.given


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
