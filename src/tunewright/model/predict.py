"""The one place where rows become answers: encode, batch, forward, decode. Evaluation, serving and proof all call it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import UserError, first_line, memory_failed
from tunewright.core.folder import read_json
from tunewright.core.log import say
from tunewright.core.schema import Row
from tunewright.model.build import BASE, SPECIALIST
from tunewright.model.methods import METHODS
from tunewright.tasks import TASKS
from tunewright.tasks.base import Answer, Encoded, Task

if TYPE_CHECKING:
    from torch import Tensor, nn

CPU_TOKENS = 2048
"""Tokens of a forward pass on a CPU, padding included: more take memory and are no faster."""
WINDOW = 2048
"""Rows that are sorted by length at a time; bounds the memory of a stream of any length."""


class Predictor:
    """A trained model that answers rows.

    Args:
        model: in the shape that ``task.infer`` calls.
        tokenizer: a fast tokenizer.
        task: with its labels.
        max_tokens: tokens of a row that the model sees.
        batch_size: rows per forward pass.
        roles: those that the training rows had. Left out, a row may also have the texts that the task can do without.
        collate: pieces -> a batch; left out, as the task does it.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        task: Task,
        max_tokens: int,
        batch_size: int = 64,
        roles: Collection[str] | None = None,
        collate: Callable[[Sequence[Mapping[str, Any]]], dict[str, Tensor]] | None = None,
    ) -> None:
        self.model, self.tokenizer, self.task = model, tokenizer, task
        self.max_tokens, self.batch_size = max_tokens, batch_size
        self._collate = collate or task.collate(tokenizer)
        self._roles = roles

    @classmethod
    def load(cls, folder: Path, batch_size: int = 64, roles: Collection[str] | None = None) -> Predictor:
        """A saved specialist, from the ``model/`` folder of a run, on the fastest device there is.

        Args:
            folder: as ``model.build.save`` wrote it.
            batch_size: rows per forward pass.
            roles: those that the training rows had, for an older folder that does not say it.

        Raises:
            UserError: the folder is no specialist.
        """
        from transformers import AutoTokenizer

        from tunewright.model.device import device

        if not (folder / SPECIALIST).exists():
            raise UserError(
                f"{folder} holds no trained model", "The model/ folder of a finished run is wanted", "Train one: tunewright run RECIPE"
            )
        kept = read_json(folder / SPECIALIST)
        task = TASKS.build(kept["task"])
        plain = folder / BASE if "method" in kept else folder
        model = _model(plain, task, kept["pooling"])
        if "method" in kept:
            model = METHODS.build(kept["method"]).attach(model, folder)
        tokenizer = AutoTokenizer.from_pretrained(str(plain))
        return cls(model.to(device()), tokenizer, task, kept["max_tokens"], batch_size, kept.get("roles", roles))

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The text roles that every row must have."""
        texts = [role for role in self.task.roles() if role.kind == "text"]
        return tuple(role.name for role in texts if (role.needed if self._roles is None else role.name in self._roles))

    @cached_property
    def _others(self) -> tuple[str, ...]:
        return tuple(role.name for role in self.task.roles() if role.kind == "text" and role.name not in self.texts)

    def predict(self, rows: Iterable[str | tuple[str, str] | Mapping[str, Any]]) -> list[Answer]:
        """Answers for texts, pairs of texts, or rows with the task's roles, in their order.

        >>> specialist.predict(["where is my parcel?"])  # doctest: +SKIP
        [{'label': 'delivery', 'probabilities': {'billing': 0.01, ...}}]

        Raises:
            UserError: one row was given in place of a list, or a row is not what the model was trained with.
        """
        if isinstance(rows, (str, Mapping)):
            raise UserError(
                "one row was given", "A list of texts, pairs or rows is wanted", 'As in: specialist.predict(["where is my parcel?"])'
            )
        return list(self.stream(rows))

    def stream(self, rows: Iterable[str | tuple[str, ...] | Row]) -> Iterator[Answer]:
        """Answers in the order of the rows, with constant memory for any number of them.

        Raises:
            UserError: a row is not what the model was trained with; it is named by its place, from 0.
        """
        source = (self._row(one, place) for place, one in enumerate(rows))
        while window := list(islice(source, WINDOW)):
            yield from self.answers(window, self.task.encode(window, self.tokenizer, self.max_tokens))

    def answers(self, rows: Sequence[Row], encoded: Sequence[Encoded]) -> list[Answer]:
        """Answers for rows that are encoded already."""
        inferred = self._infer([piece for one in encoded for piece in one.pieces])
        found, at = [], 0
        for row, one in zip(rows, encoded, strict=True):
            found.append(self.task.decode(row, inferred[at : at + len(one.pieces)], one, self.tokenizer))
            at += len(one.pieces)
        return found

    def _batches(self, by_length: Sequence[int], pieces: Sequence[Mapping[str, Any]], device: str) -> Iterator[Sequence[int]]:
        """At most ``batch_size`` pieces each; on a CPU, also no more tokens than it is quick with, padding included."""
        most, start = CPU_TOKENS if device == "cpu" else math.inf, 0
        while start < len(by_length):
            end = start + 1
            while (
                end < min(len(by_length), start + self.batch_size) and (end + 1 - start) * len(pieces[by_length[end]]["input_ids"]) <= most
            ):
                end += 1
            yield by_length[start:end]
            start = end

    def _row(self, one: Any, place: int) -> Row:
        row = _named(one, (*self.texts, *self._others))
        if row is None:
            raise self._unfit(f"row {place} is {_shown(one)}")
        if self._roles is not None and (more := [name for name in self._others if row.get(name) is not None]):
            raise self._unfit(f"row {place} has a {more[0]}, which this model was not trained with")
        for name in (*self.texts, *(name for name in self._others if name in row)):
            value = row.get(name)
            if value is None:
                raise self._unfit(f"row {place} has no {name}")
            if not isinstance(value, str):
                raise self._unfit(f"the {name} of row {place} is {_shown(value)}")
        return row

    def _unfit(self, found: str) -> UserError:
        if len(self.texts) == 1:
            wanted = f"Each row is a text, or a mapping with its text under {self.texts[0]!r}"
        else:
            wanted = f"Each row is a tuple of {len(self.texts)} texts, or a mapping with a text under each of {', '.join(self.texts)}"
        return UserError(found, wanted, "Mend the row, or leave it out")

    def _infer(self, pieces: Sequence[Mapping[str, Any]]) -> list[Any]:
        """What the task infers per piece; pieces of like length share a batch, the order of the result is that of the pieces."""
        import torch

        device = next(self.model.parameters()).device
        by_length = sorted(range(len(pieces)), key=lambda index: len(pieces[index]["input_ids"]))
        found: list[Any] = [None] * len(pieces)
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                for indices in self._batches(by_length, pieces, device.type):
                    for index, one in zip(indices, self._passes([pieces[index] for index in indices], device), strict=True):
                        found[index] = one
        finally:
            self.model.train(was_training)
        return found

    def _passes(self, pieces: Sequence[Mapping[str, Any]], device: Any) -> list[Any]:
        """What the task infers for a batch; where memory fails, for each half of it by itself, and batches are half as large from then on.

        Raises:
            UserError: not even one piece fits.
        """
        inputs = [{name: value for name, value in piece.items() if name != "labels"} for piece in pieces]
        try:
            batch = {name: values.to(device) for name, values in self._collate(inputs).items()}
            return list(self.task.infer(self.model, batch))
        except (RuntimeError, MemoryError) as error:
            if not memory_failed(error):
                raise
            failed = first_line(error)
        width, half = len(pieces[-1]["input_ids"]), len(pieces) // 2
        if not half:
            raise UserError(
                f"memory failed when a row of {width} tokens was answered: {failed}",
                "A single row does not fit",
                "Lower model.max_tokens, or take a smaller model.base",
            )
        from accelerate.utils.memory import clear_device_cache

        clear_device_cache(garbage_collection=True)
        if half < self.batch_size:
            self.batch_size = half
            say(f"Memory failed when {len(pieces)} rows of {width} tokens were answered: from here on {half} at a time")
        return [*self._passes(pieces[:half], device), *self._passes(pieces[half:], device)]


def _model(folder: Path, task: Task, pooling: str) -> nn.Module:
    import transformers

    if pooling == "mean":
        from tunewright.model.mean_pooled import MeanPooled

        return MeanPooled.from_pretrained(folder)
    model: nn.Module = getattr(transformers, task.head).from_pretrained(str(folder), dtype="auto")
    return model


def _named(one: Any, names: Sequence[str]) -> Row | None:
    """A text, a tuple of texts or a mapping as a row; None for anything else."""
    if isinstance(one, str):
        one = (one,)
    if isinstance(one, tuple):
        return dict(zip(names, one, strict=False)) if 0 < len(one) <= len(names) else None
    return one if isinstance(one, Mapping) else None


def _shown(value: Any) -> str:
    shown = "" if value is None else repr(value)
    return f"{type(value).__name__} {shown[:40]}".strip() if shown else "None"
