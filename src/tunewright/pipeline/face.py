"""The Python face: one verb per stage, as ``tunewright.run(...)``. Thin: each finds its recipe or its run and calls the pipeline.

Nothing heavy is imported before a verb is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunewright.data.dataset import Dataset
    from tunewright.model.predict import Predictor
    from tunewright.pipeline.recipe import Recipe
    from tunewright.tasks.base import Answer

    RecipeLike = str | Path | Mapping[str, Any] | Recipe


def read(recipe: RecipeLike) -> Recipe:
    """A recipe, checked; every default stands in it. Loads no data and no weights.

    Args:
        recipe: the path of a YAML file, or the same as a dict. In a dict, ``data.source`` may also be a pandas DataFrame, a list of
            dicts, an Arrow table or a ``datasets.Dataset``; ``{"train": ..., "test": ...}`` of these too.

    Raises:
        UserError: the file is missing or is no YAML, or this is no recipe at all.
        BadConfig: everything else that is wrong with it, at once.
    """
    from tunewright.core.errors import UserError
    from tunewright.pipeline import recipe as recipes

    if isinstance(recipe, recipes.Recipe):
        return recipe
    if isinstance(recipe, Mapping):
        return recipes.build(recipe)
    if not isinstance(recipe, (str, Path)):
        raise UserError(
            f"this is no recipe but a {type(recipe).__name__}",
            "The path of a YAML file or a dict of settings was wanted",
            "Rows in memory stand under data.source of such a dict",
        )
    return recipes.read(Path(recipe))


def check(recipe: RecipeLike) -> dict[str, Any]:
    """Everything that can be known of a run before it is begun; trains nothing, and leaves nothing but a cache behind.

    Args:
        recipe: as ``read`` takes it.

    Returns:
        ``data``: rows, splits and findings, and under ``refused`` the rules that would stop a run; ``truncation``, ``settings`` with their
        ``reasons``, ``estimate`` of time and memory, ``choices`` and ``warnings``: what ``tunewright check --json`` prints.

    Raises:
        UserError: the recipe, the data or the model cannot be used.
    """
    from tunewright.pipeline import check as stage
    from tunewright.pipeline.ahead import find_all

    whole, folder = read(recipe), _folder(recipe)
    found = find_all(whole, folder)
    data = stage.look_at_data(whole, folder)
    return {"data": stage.data_facts(data), **stage.look_at_model(whole, folder, data, found)}


def prepare(recipe: RecipeLike) -> Dataset:
    """Write the versioned dataset of a recipe, or open it where it stands already.

    Args:
        recipe: as ``read`` takes it. Relative paths are looked for from the recipe's folder; those of a dict, from the working directory.

    Returns:
        The dataset: ``rows("train")``, ``findings``, ``quarantine``, ``summary()``.

    Raises:
        UserError: the recipe, or the data it names, cannot be used.
        DataRefused: a policy says ``refuse`` and there are such rows.
    """
    from tunewright.pipeline.prepare import prepare as write

    return write(read(recipe), _folder(recipe))


def train(recipe: RecipeLike | None = None, *, resume: str | Path | None = None, overwrite: bool = False) -> Path:
    """Prepare, train, save and prove, without a look at the test split; or go on with a run that was stopped.

    Args:
        recipe: as ``read`` takes it; left out with ``resume``.
        resume: a run that was stopped, by its folder or its name.
        overwrite: throw away a run of the same name.

    Returns:
        The run folder.

    Raises:
        UserError: anything that can be mended; its subclasses tell data that is refused, training that diverged, a proof that failed.
    """
    from tunewright.core.errors import UserError
    from tunewright.pipeline import train as stage
    from tunewright.pipeline.runs import find

    if (recipe is None) == (resume is None):
        raise UserError("train takes a recipe or resume=RUN", "Exactly one of them is wanted", "As in: tunewright.train('tickets.yaml')")
    if resume is not None:
        return stage.resume(find(resume))
    assert recipe is not None
    return stage.train(read(recipe), _folder(recipe), _stem(recipe), _command("train", recipe), overwrite)


def evaluate(run: str | Path) -> dict[str, Any]:
    """Measure a run on its validation rows and on the locked test split; the look at the test split is written down.

    Args:
        run: the folder of a run, or its name in ``runs/``.

    Returns:
        What ``metrics.json`` holds: each score with ``value``, ``low``, ``high`` (95 % interval) and ``rows``.

    Raises:
        UserError: there is no such run, it has no model, or its dataset is gone or damaged.
    """
    from tunewright.pipeline.evaluate import evaluate as measure
    from tunewright.pipeline.runs import find

    return measure(find(run), _command("evaluate", run))


def compare(*runs: str | Path, speed: bool = True) -> dict[str, Any]:
    """Hold measured runs of one dataset against each other: cost, size, speed, score, and a paired test.

    Args:
        runs: folders of runs, or their names in ``runs/``; two or more.
        speed: whether to ask each model some validation rows and take the time.

    Returns:
        ``score``, ``reference`` and ``runs``: what ``tunewright compare --json`` prints.

    Raises:
        UserError: one was not measured, or they were not scored on the same rows.
    """
    from tunewright.pipeline.compare import compare as side_by_side
    from tunewright.pipeline.runs import find

    return side_by_side([find(run) for run in runs], speed)


def run(recipe: RecipeLike, *, overwrite: bool = False) -> Path:
    """The whole road: check, prepare, train, evaluate, report.

    Args:
        recipe: as ``read`` takes it. An unnamed run is called after the recipe's file; that of a dict, ``run-1``, ``run-2``...
        overwrite: throw away a run of the same name.

    Returns:
        The run folder: ``report.html``, ``metrics.json`` and ``model/`` stand in it.

    Raises:
        UserError: as the stages do.
    """
    from tunewright.pipeline.run import run as whole_road

    folder, _ = whole_road(read(recipe), _folder(recipe), _stem(recipe), _command("run", recipe), overwrite)
    return folder


def load(run: str | Path, batch_size: int = 64) -> Predictor:
    """The specialist of a run, ready to be asked: ``load("runs/tickets-1").predict(["where is my parcel?"])``.

    Args:
        run: the folder of a run, or its name in ``runs/``.
        batch_size: rows per forward pass; the answers do not depend on it.

    Raises:
        UserError: there is no such run, or it has no model yet.
    """
    from tunewright.pipeline.predict import load as specialist

    return specialist(run, batch_size)


def predict(run: str | Path, rows: Iterable[str | tuple[str, str] | Mapping[str, Any]]) -> list[Answer]:
    """Answers for a few rows, in their order. To ask again and again, ``load`` the run once.

    Args:
        run: the folder of a run, or its name in ``runs/``.
        rows: texts, pairs of texts, or mappings with the task's roles.

    Returns:
        For a classifier ``{"label": ..., "probabilities": {label: probability}}`` for each row.

    Raises:
        UserError: there is no such run, it has no model yet, or ``rows`` is one text instead of several.
    """
    from tunewright.core.errors import UserError

    if isinstance(rows, (str, Mapping)):
        raise UserError("predict was given one row", "A list of rows is wanted", "Put it into brackets: predict(run, [row])")
    return load(run).predict(rows)


def report(run: str | Path) -> Path:
    """Write the page and the model card of a run again, from its folder alone; returns the path of the page.

    Raises:
        UserError: there is no such run.
    """
    from tunewright.pipeline.report import report as write
    from tunewright.pipeline.runs import find

    return write(find(run))


def _folder(recipe: object) -> Path:
    """Where the relative paths of a recipe are looked for."""
    return Path(recipe).parent if isinstance(recipe, (str, Path)) else Path.cwd()


def _stem(recipe: object) -> str:
    return Path(recipe).stem if isinstance(recipe, (str, Path)) else "run"


def _command(verb: str, given: object) -> str:
    """What the manifest tells of a run that was asked for from Python."""
    return f"tunewright.{verb}({str(given)!r})" if isinstance(given, (str, Path)) else f"tunewright.{verb}({{...}})"
