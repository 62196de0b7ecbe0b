"""What a run needs beside its rows: looked for before the first of them is read, and all that is missing told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import MissingExtra, SeveralErrors, UserError
from tunewright.core.log import calm_libraries
from tunewright.pipeline.recipe import Recipe

if TYPE_CHECKING:
    from tunewright.model.base import Base

Measure = Callable[[Any], dict[str, float]]


@dataclass(frozen=True)
class Found:
    """What was found; no weights are read yet, and no row."""

    base: Base
    metrics: tuple[Measure, ...]
    """Those that the recipe asks for by name."""


def find_all(recipe: Recipe, where: Path) -> Found:
    """Find the base model, the metrics and every part that the recipe names by its place, and the packages that it needs.

    Args:
        recipe: as the user has it.
        where: the recipe's folder.

    Raises:
        UserError: the model is missing or does not suit the task, the source is missing, a part is missing or refuses its settings; several
            of these as one ``SeveralErrors``.
    """
    base = find_base(recipe, where)
    from tunewright.metrics.own import resolve as resolve_metric
    from tunewright.model.device import device
    from tunewright.model.quantize import needs
    from tunewright.pipeline.resolve import max_tokens, may_compute, with_own_parts

    told, metrics = _Told(), []
    for spec in recipe.evaluate.metrics:
        with told.one():
            metrics.append(resolve_metric(spec, where, recipe.task.scores))
    for tracker in recipe.trackers:
        with told.one():
            tracker.check()
    with told.one():
        with_own_parts(recipe, where).train.check()
    with told.one():
        needs(recipe.model, recipe.method)
    with told.one():
        _needs_for_pooling(recipe)
    with told.one():
        recipe.method.frozen_layers(base.config)  # more layers than there are
    with told.one():
        may_compute(recipe, device())
    if isinstance(recipe.model.max_tokens, int):
        with told.one():
            recipe.method.suits(base.config, max_tokens(recipe, base, recipe.task, ())[0], base.longest)
    told.end()
    return Found(base, tuple(metrics))


def find_base(recipe: Recipe, where: Path) -> Base:
    """Find the base model alone, and see that the source is there. Arguments and errors as of ``find_all``."""
    from tunewright.model.base import find, place_of

    told = _Told()
    with told.one():
        _source_is_there(recipe.data.source, where)
    with told.one():
        place_of(recipe.model.base, where)
    told.end()  # what is plainly missing is told before transformers is loaded
    calm_libraries()
    return find(recipe.model, recipe.task.head, where)


def _source_is_there(source: Any, where: Path) -> None:
    from tunewright.data.formats.inputs import HUB_ID, inputs_of
    from tunewright.data.formats.rows import Notes
    from tunewright.data.source import found

    if isinstance(source, Mapping):
        for one in source.values():
            _source_is_there(one, where)
    elif isinstance(source, (list, tuple)) and all(isinstance(one, (str, Path)) for one in source):
        for one in source:
            _source_is_there(one, where)
    elif isinstance(source, (str, Path)):  # anything else is rows in memory
        name = str(found(source, where))
        if name != "-" and not HUB_ID.match(name) and not _is_folder(name):
            next(iter(inputs_of(name, Notes(name))))


def _is_folder(name: str) -> bool:
    try:
        return Path(name).expanduser().is_dir()
    except (OSError, ValueError):
        return False


def _needs_for_pooling(recipe: Recipe) -> None:
    from importlib.util import find_spec

    if recipe.model.pooling == "mean" and not find_spec("sentence_transformers"):
        raise MissingExtra("model.pooling: mean (saved as a sentence-transformers folder)", "sentence")


class _Told:
    """Collects errors, so that they are told at once."""

    def __init__(self) -> None:
        self._errors: list[UserError] = []

    @contextmanager
    def one(self) -> Iterator[None]:
        try:
            yield
        except UserError as error:
            self._errors.append(error)

    def end(self) -> None:
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            raise SeveralErrors(self._errors)
