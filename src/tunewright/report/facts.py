"""A run folder as facts; whatever is missing or unreadable becomes a reason in words, never a gap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from tunewright.core.errors import UserError
from tunewright.core.folder import read_json, read_lines
from tunewright.report.curve import Curve, read_curve
from tunewright.report.evidence import Data, Fact, Look, Manifest, Metrics, NotMeasured
from tunewright.report.mistakes import Predictions, read_predictions
from tunewright.report.task_parts import PARTS

M = TypeVar("M", bound=Fact)
R = TypeVar("R")


@dataclass(frozen=True)
class Facts:
    """Everything a run folder says."""

    run: Path
    manifest: Manifest
    data: Data
    metrics: Metrics
    curve: Curve | NotMeasured
    looks: list[Look] | NotMeasured
    predictions: Predictions | NotMeasured
    recipe_text: str | NotMeasured
    recipe: dict[str, Any]
    missing: list[str]
    """One sentence for each file that is missing or cannot be read."""

    @property
    def name(self) -> str:
        return self.manifest.name if isinstance(self.manifest.name, str) else self.run.resolve().name

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 by file, but for what is written together with the page: it cannot hold its own."""
        files = {} if isinstance(self.manifest.files, NotMeasured) else self.manifest.files
        return {name: found for name, found in files.items() if Path(name).name not in {"report.html", "README.md"}}

    @property
    def task(self) -> str:
        """The task's name; empty when no file tells it."""
        return self.data.task if isinstance(self.data.task, str) else ""

    @property
    def multi_label(self) -> bool:
        if isinstance(self.predictions, Predictions):
            return self.predictions.multi_label
        task = self.recipe.get("task")
        return isinstance(task, dict) and task.get("multi_label") is True

    @property
    def labels(self) -> list[str]:
        """The label names in the order of their ids; empty when no file tells them."""
        return self.data.labels if isinstance(self.data.labels, list) else []

    @property
    def thresholds(self) -> dict[str, float] | NotMeasured:
        """Multi-label: the probability from which each label is given."""
        if isinstance(self.metrics.thresholds, dict):
            return self.metrics.thresholds
        task = self.recipe.get("task")
        found = task.get("thresholds") if isinstance(task, dict) else None
        if isinstance(found, list) and len(found) == len(self.labels):
            return dict(zip(self.labels, map(float, found), strict=True))
        return self.metrics.thresholds


WRITTEN = ("manifest.json", "data.json", "metrics.json", "events.jsonl", "recipe.yaml", "predictions")


def read(run: Path) -> Facts:
    """Read a run folder.

    Raises:
        UserError: it is not a folder, or holds none of the files of a run.
    """
    if not any((run / name).exists() for name in WRITTEN):
        what = "holds none of the files of a run" if run.is_dir() else "is not a folder"
        raise UserError(
            f"{run} {what}", f"A run folder holds {', '.join(WRITTEN)}", "Give the folder that tunewright run wrote: runs/<name>"
        )
    missing: list[str] = []

    def told(reading: Callable[[], R]) -> R | NotMeasured:
        return _told(reading, run, missing)

    recipe_text, recipe = _recipe(run, missing)
    data = _typed(run, "data.json", Data, missing)
    labels = data.labels if isinstance(data.labels, list) else []
    own = isinstance(data.task, str) and data.task in PARTS
    return Facts(
        run=run,
        manifest=_typed(run, "manifest.json", Manifest, missing),
        data=data,
        metrics=_typed(run, "metrics.json", Metrics, missing),
        curve=told(lambda: read_curve(run / "events.jsonl")),
        looks=told(lambda: [Look.model_validate(one) for one in read_lines(run / "looks.jsonl")]),
        predictions=NotMeasured(not_measured="the task reads them itself")
        if own
        else told(lambda: read_predictions(run / "predictions", labels)),
        recipe_text=recipe_text,
        recipe=recipe,
        missing=missing,
    )


def _typed(run: Path, name: str, kind: type[M], missing: list[str]) -> M:
    """A JSON file as a model, each field a value or the reason why there is none."""
    found = _told(lambda: read_json(run / name), run, missing)
    if not isinstance(found, dict | NotMeasured):
        missing.append(f"{name} holds no JSON object")
        found = NotMeasured(not_measured=missing[-1])
    if isinstance(found, NotMeasured):
        return kind.model_validate(dict.fromkeys(kind.model_fields, found))
    return kind.model_validate({key: found.get(key, NotMeasured(not_measured=f"{name} has no {key!r}")) for key in kind.model_fields})


def _told(reading: Callable[[], R], run: Path, missing: list[str]) -> R | NotMeasured:
    """What was read, or the reason why not, which is kept for the top of the page."""
    try:
        return reading()
    except UserError as error:
        missing.append(error.found.replace(f"{run}/", ""))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        missing.append(f"a file cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:200]})")
    return NotMeasured(not_measured=missing[-1])


def _recipe(run: Path, missing: list[str]) -> tuple[str | NotMeasured, dict[str, Any]]:
    import yaml

    path = run / "recipe.yaml"
    try:
        text = path.read_text(encoding="utf-8")
        found = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        missing.append(
            f"{path.name} is missing"
            if isinstance(error, FileNotFoundError)
            else f"{path.name} cannot be read ({' '.join(str(error).split())})"
        )
        return NotMeasured(not_measured=missing[-1]), {}
    return text, found if isinstance(found, dict) else {}
