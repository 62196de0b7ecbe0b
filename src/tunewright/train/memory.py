"""Passes that fit into memory: where a micro-batch does not, its rows are shared out over more passes, and the step begins anew."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from accelerate.utils.memory import clear_device_cache
from torch import Tensor

from tunewright.core.errors import UserError, memory_failed
from tunewright.core.log import say
from tunewright.train.chance_state import chance_state, put_chance_back
from tunewright.train.processes import Processes
from tunewright.train.run import Job, Run, tell
from tunewright.train.share import EMPTY

Pass = Callable[[dict[str, Any]], Any]
"""Forward and backward over some rows: adds to the gradients of the step."""


class Passes:
    """The passes of the steps of a run.

    The gradient of a step does not depend on how many passes compute it: each gives the sum over its rows, as a share of the whole step.

    Args:
        job: what is trained.
        run: its state; ``run.pass_cells`` is what a pass may hold at most.
        processes: those that train together.
        device: where this one computes.
        watchers: who is told.
        forget: called when a step begins anew, to forget what its passes have summed up besides gradients.
    """

    def __init__(
        self, job: Job, run: Run, processes: Processes, device: torch.device, watchers: list[Any], forget: Callable[[], None]
    ) -> None:
        self._job, self._run, self._processes, self._device = job, run, processes, device
        self._watchers, self._forget = watchers, forget
        self._done: list[dict[str, Any]] = []
        self._tried = bool(job.stream)  # nobody knows the longest rows of a stream

    def begin_step(self) -> None:
        """The next micro-batch is the first of a step."""
        self._done.clear()

    def compute(self, batch: dict[str, Any], one: Pass) -> list[Any]:
        """Add the gradients of a micro-batch, in as many passes as memory asks for; before the very first, the longest one is tried.

        Args:
            batch: (rows, ...) tensors by name; the mark of an empty one is a flag.
            one: called with the whole of it, or with some of its rows at a time.

        Returns:
            What ``one`` gave for each pass of this micro-batch.

        Raises:
            UserError: memory fails with a single row, or with several processes.
        """
        if not self._tried and not self._run.step:
            self._tried = True
            self._try_longest(one)
        self._done.append(batch)
        given = self._over([batch], one)
        while given is None:  # the gradients of the micro-batches before it may be half added to
            self._give_up()
            given = self._over(self._done, one)
        return given

    def _over(self, batches: list[dict[str, Any]], one: Pass) -> list[Any] | None:
        """What the passes of the last batch gave; None where memory failed and a pass must hold less from now on."""
        given: list[Any] = []
        failed, part = None, batches[0]
        try:
            for batch in batches:
                given = []
                for part in self._parts(batch):
                    given.append(one(dict(part)))
        except (RuntimeError, MemoryError) as error:
            if not memory_failed(error):
                raise
            failed = str(error).splitlines()[0] if str(error) else type(error).__name__
        if failed is None:
            return given
        given.clear()
        gc.collect()
        clear_device_cache()
        self._split(part, failed)
        return None

    def _split(self, part: Mapping[str, Any], why: str) -> None:
        """Let a pass hold half of what this one held."""
        run, (rows, width) = self._run, _shape(part)
        told = f"memory failed in step {run.step + 1}, in a pass over {rows} row(s) of {width} tokens: {why[:200]}"
        if self._processes.count > 1:
            raise UserError(
                told,
                "With several processes a pass is not split by itself, or they would not go on together",
                f"Set train.accumulate: {2 * self._job.settings.accumulate} (the same batch in passes of half as many rows)",
            )
        if rows == 1:
            raise UserError(told, "A single row does not fit", "Lower model.max_tokens, set method: lora, or take a smaller model.base")
        run.pass_cells = math.ceil(rows / 2) * width
        say(
            f"{told[0].upper()}{told[1:]}. From here on a pass holds at most {run.pass_cells:,} tokens with their padding: a step "
            "takes more passes where it must, and its gradient stays the same"
        )
        tell(self._watchers, "split", run)

    def _parts(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """A micro-batch in parts of as many rows as a pass may hold."""
        rows, width = _shape(batch)
        most = max(1, self._run.pass_cells // width) if self._run.pass_cells else rows
        if most >= rows or EMPTY in batch:
            yield batch
            return
        at_once = math.ceil(rows / math.ceil(rows / most))
        for start in range(0, rows, at_once):
            yield {name: values[start : start + at_once] if _by_row(values, rows) else values for name, values in batch.items()}

    def _give_up(self) -> None:
        """Forget what was computed of this step."""
        for weight in self._job.model.parameters():
            weight.grad = None
        self._forget()

    def _try_longest(self, one: Pass) -> None:
        """Run the micro-batch of the first epoch that takes the most memory, and leave everything as it was."""
        job, chance = self._job, chance_state(self._device)
        batches = job.order(0)[self._processes.number :: self._processes.count] or job.order(0)[:1]
        longest = max(batches, key=lambda rows: len(rows) * max(_tokens(job.pieces[row]) for row in rows))
        batch = dict(job.collate([job.pieces[row] for row in longest]))
        while self._over([batch], one) is None:
            self._give_up()
        self._give_up()
        put_chance_back(chance, self._device)


def _shape(batch: Mapping[str, Any]) -> tuple[int, int]:
    """Rows of a batch, and how many tokens each has, padding included."""
    mask = next((batch[name] for name in ("attention_mask", "input_ids") if isinstance(batch.get(name), Tensor)), None)
    if mask is not None and mask.dim() > 1:
        return int(mask.shape[0]), max(1, int(mask.shape[1]))
    return len(batch["labels"]), 1


def _by_row(values: Any, rows: int) -> bool:
    return isinstance(values, Tensor) and values.dim() > 0 and len(values) == rows


def _tokens(piece: Mapping[str, Any]) -> int:
    values = piece.get("input_ids")
    return 1 if values is None else len(values)
