"""The recipe as a class: all that a user asks for, checked at once, before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, field_validator, model_validator

from tunewright.core.config import NAME, Config
from tunewright.core.errors import BadConfig, Problem, UserError, hint, nearest
from tunewright.core.registry import Member
from tunewright.core.switches import Switches, wrong
from tunewright.data.settings import DataSettings
from tunewright.evaluate.baselines import BASELINES
from tunewright.evaluate.settings import EvaluateSettings
from tunewright.model.base import place_of
from tunewright.model.methods import METHODS
from tunewright.model.methods.base import Method
from tunewright.model.settings import ModelSettings
from tunewright.pipeline.recipe_file import read_yaml
from tunewright.tasks import TASKS
from tunewright.tasks.base import Task
from tunewright.train.callbacks import TRACKERS
from tunewright.train.callbacks.tracker import Tracker
from tunewright.train.criteria import CRITERIA
from tunewright.train.guards import GUARDS
from tunewright.train.run import Criterion
from tunewright.train.settings import TrainSettings

PARTS = frozenset({"task", "method", "criterion", "train.optimizer", "train.schedule"})
"""Keys whose value is a part by name, with or without settings."""


class Recipe(Config):
    """One run, from the table to the report. Unknown keys are refused with the nearest name."""

    task: Annotated[Task, Member(TASKS)]
    """The kind of problem."""
    data: DataSettings
    """The table, its columns, its cleaning and its splits."""
    model: ModelSettings
    """The model to start from."""
    method: Annotated[Method, Member(METHODS)] = Field(default_factory=lambda: METHODS.build("full"))
    """Which weights are trained, and how."""
    criterion: Annotated[Criterion, Member(CRITERIA)] | None = None
    """How answers and labels become a loss; left out, the task's own."""
    guards: Switches = Field(default_factory=dict)
    """Guard -> its settings, or ``false`` to leave it out: ``{overfitting: {action: stop}, slow: false}``. Those left out here are on."""
    train: TrainSettings = Field(default_factory=TrainSettings)
    """How long, how fast and how carefully to train."""
    evaluate: EvaluateSettings = Field(default_factory=EvaluateSettings)
    """What is measured and what it is held against."""
    trackers: tuple[Annotated[Tracker, Member(TRACKERS)], ...] = ()
    """Services that are told of every step as well: ``tensorboard``, ``mlflow``, ``wandb``."""
    seed: int = Field(0, ge=0)
    """Every stream of randomness starts from it."""
    name: str | None = Field(None, pattern=NAME)
    """What the run is called; left out, ``<recipe>-1``, ``-2``..."""
    output_dir: str = "."
    """The folder that holds ``runs/`` and ``datasets/``; a relative one is looked for from where the command is given."""

    @field_validator("guards")
    @classmethod
    def _guards_known(cls, guards: Switches) -> Switches:
        problems = [problem for name, wanted in guards.items() for problem in wrong(GUARDS, name, wanted)]
        if problems:
            raise BadConfig(problems)
        return guards

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        roles = {role.name for role in self.task.roles()}
        for role in self.data.columns:
            if role not in roles:
                near = nearest(role, roles)
                raise ValueError(
                    f"data.columns: this task has no role {role!r}"
                    + (f"; did you mean {near!r}?" if near else f"; known: {', '.join(sorted(roles))}")
                )
        criterion, fitting = self.criterion, self.task.criteria()
        if criterion is not None and CRITERIA.name_of(criterion) not in fitting:
            raise ValueError(f"criterion {CRITERIA.name_of(criterion)} does not fit the task as it is set: use {' or '.join(fitting)}")
        known = BASELINES.get(TASKS.name_of(self.task), {})
        if unknown := [name for name in self.evaluate.baselines or () if name not in known]:
            raise ValueError(f"evaluate.baselines: this task has no baseline {unknown[0]!r}. {hint(unknown[0], known)}")
        if self.model.pooling == "mean" and (why := no_mean(self)):
            raise ValueError(f"model.pooling: {why}")
        if why := refused(self.task, self.model, self.method):
            raise ValueError(why)
        if self.data.streaming and self.task.gold in {"spans", "answers"}:
            raise ValueError("data.streaming: the rules of a stream know labels and numbers, not places in a text: leave it out")
        if self.train.precision == "bf16" and self.model.precision == "float16":
            raise ValueError("train.precision: bf16 does not go with weights in float16: leave model.precision at float32")
        if self.data.streaming and self.train.batch_tokens is not None:
            raise ValueError(
                "train.batch_tokens: a stream counts rows, because nobody knows how long those to come are: set train.batch_size"
            )
        ahead = [name for name in self.train.arguments if name.startswith("dataloader_")]
        if self.data.streaming and ahead:
            raise ValueError(f"train.arguments: {ahead[0]} does nothing for a stream: data.streaming.workers encode its rows ahead")
        kept = self.train.frozen_cache
        if kept not in {"auto", "never"} and (why := rows_change(self)):
            raise ValueError(f"train.frozen_cache: {kept} cannot be had: {why}. Use auto or never")
        names = [TRACKERS.name_of(tracker) for tracker in self.trackers]
        if len(set(names)) != len(names):
            raise ValueError("trackers: each tracker is named once")
        return self


def no_mean(recipe: Recipe) -> str:
    """Why ``model.pooling: mean`` is not for a recipe; empty where it is."""
    if recipe.task.head != "AutoModelForSequenceClassification":
        return "mean makes one vector of a whole text, and this task answers piece by piece: leave it out"
    if "text_pair" in recipe.data.columns:
        return "mean is saved as a sentence encoder, which reads one text: use pooling: architecture for pairs"
    return ""


def rows_change(recipe: Recipe) -> str:
    """Why what a layer makes of a recipe's rows cannot be computed once and for all; empty when it can."""
    if recipe.data.streaming:
        return "a stream hands out other rows in each pass"
    if recipe.train.arguments.get("neftune_noise_alpha"):
        return "train.arguments.neftune_noise_alpha changes the rows in each epoch"
    if recipe.train.compile:
        return "train.compile fixes which layers run"
    return ""


def refused(task: Task, model: ModelSettings, method: Method) -> str:
    """Why a method cannot train this model for this task, as far as a recipe tells; empty when it can."""
    if model.quantize and not method.on_quantised:
        return (
            f"model.quantize: {model.quantize} keeps the base weights as they are, and method: {METHODS.name_of(method)} needs full ones: "
            "use method: qlora or lora"
        )
    return method.refuses(task.head, model)


def read(path: Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe file, with ``section.key`` settings put over it.

    Raises:
        UserError: the file is missing or is no YAML.
        BadConfig: every other problem, at once.
    """
    values, problems = read_yaml(path)
    for key, value in (overrides or {}).items():
        put(values, key, value)
    try:
        recipe = Recipe.read(values)
    except BadConfig as error:
        problems += error.problems
    if problems:
        raise BadConfig([*problems, *_without_base(values, path.parent)], str(path))
    return recipe


def _without_base(values: Mapping[str, Any], folder: Path) -> Iterator[Problem]:
    """Tell of a base that is missing beside the other problems of a recipe; one that has no others is held against its base later."""
    model = values.get("model")
    base = model.get("base") if isinstance(model, Mapping) else None
    if isinstance(base, str):
        try:
            place_of(base, folder)
        except UserError as error:
            yield Problem("model.base", str(error).removeprefix("model.base: ").removeprefix("model.base "))


def build(values: Mapping[str, Any], where: str = "the recipe") -> Recipe:
    """A recipe from a mapping, as ``read`` finds it in a file."""
    try:
        return Recipe.read(values)
    except BadConfig as error:
        raise BadConfig(error.problems, where) from None


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """``["train.epochs=5"]`` -> ``{"train.epochs": 5}``; the value is read as YAML.

    Raises:
        BadConfig: a setting has no ``=``, or its value is no YAML.
    """
    found: dict[str, Any] = {}
    problems = []
    for setting in settings:
        key, equals, value = setting.partition("=")
        try:
            found[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if not equals or not key.strip():
            problems.append(Problem(setting, "a setting is written as section.key=value, as train.epochs=5"))
    if problems:
        raise BadConfig(problems, "--set")
    return found


def put(values: dict[str, Any], key: str, value: Any) -> None:
    """Put a setting, as ``train.epochs``, into the nested mapping of a recipe."""
    *sections, last = key.split(".")
    for section in sections:
        inner = values.get(section)
        if isinstance(inner, str) and key.startswith(tuple(f"{part}." for part in PARTS)):
            inner = {"name": inner}
        if not isinstance(inner, dict):
            inner = {}
        values[section] = inner
        values = inner
    values[last] = value
