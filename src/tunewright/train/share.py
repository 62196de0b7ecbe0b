"""Which micro-batches each process takes: the rows of every step are shared out, none twice, and every process does as many passes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import UserError
from tunewright.train.run import Piece, Step, Stream

if TYPE_CHECKING:
    from torch import Tensor

    from tunewright.train.settings import TrainSettings

FILLER = -1
"""The index of no row: a pass that counts nothing, where the last step of an epoch has fewer micro-batches than processes."""
EMPTY = "_empty"


def micro_rows(settings: TrainSettings, processes: int) -> int:
    """Rows of a micro-batch; 1 where tokens are counted in their place.

    Raises:
        UserError: the rows of a step cannot be shared out evenly.
    """
    if settings.batch_tokens is not None:
        return 1
    micro, rest = divmod(settings.batch_size, settings.accumulate * processes)
    if rest or not micro:
        raise UserError(
            f"train.batch_size {settings.batch_size} cannot be shared out over {processes} processes and "
            f"train.accumulate {settings.accumulate}",
            "It counts the rows of one step over all processes",
            "Choose a batch_size that accumulate x processes divides",
        )
    return micro


class Share:
    """A batch sampler: the micro-batches of one process, in the epoch that the trainer is in.

    Args:
        order: epoch -> the micro-batches of all processes; those of one step stand together.
        accumulate: micro-batches per step and process.
        process: the number of this one, from 0.
        processes: how many there are.
    """

    def __init__(self, order: Callable[[int], Sequence[Sequence[int]]], accumulate: int, process: int = 0, processes: int = 1) -> None:
        self._order, self.accumulate, self._process, self._processes = order, accumulate, process, processes
        self.epoch = 0
        self._batches = sum(1 for _ in self)

    @property
    def steps(self) -> int:
        """Optimizer steps per epoch."""
        return math.ceil(self._batches / self.accumulate)

    def __iter__(self) -> Iterator[Sequence[int]]:
        batches = self._order(self.epoch)
        for start in range(0, len(batches), self._processes):
            turn = batches[start : start + self._processes]
            yield turn[self._process] if self._process < len(turn) else [FILLER]

    def __len__(self) -> int:
        return self._batches


@dataclass(frozen=True)
class Pieces:
    """The training rows, and None under the index of no row."""

    pieces: Sequence[Piece]

    def __getitem__(self, index: int) -> Piece | None:
        return None if index == FILLER else self.pieces[index]

    def __len__(self) -> int:
        return len(self.pieces)


@dataclass(frozen=True)
class Collated:
    """Batches as the job makes them; a filler becomes a batch of some row, marked as empty."""

    collate: Callable[[Sequence[Piece]], dict[str, Tensor]]
    any_piece: Piece

    def __call__(self, pieces: Sequence[Piece | None]) -> dict[str, Any]:
        found = [piece for piece in pieces if piece is not None]
        batch: dict[str, Any] = dict(self.collate(found or [self.any_piece]))
        if not found:
            batch[EMPTY] = True
        return batch


class StreamShare:
    """The batches of one process out of a stream, collated, from ``start`` on without end.

    Args:
        stream: of the job.
        collate: pieces -> a batch.
        process: the number of this one, from 0.
        processes: how many there are; they divide the micro-batches of a step.
    """

    def __init__(self, stream: Stream, collate: Callable[[Sequence[Piece]], dict[str, Tensor]], process: int, processes: int) -> None:
        self._stream, self._collate, self._process, self._processes = stream, collate, process, processes
        self._step: Step | None = None
        self.start: Mapping[str, Any] | None = None
        """A position that a checkpoint keeps."""

    @property
    def position(self) -> Mapping[str, Any] | None:
        """From where a run goes on that has done every step of which a batch was given."""
        return self.start if self._step is None else self._step.position()

    @property
    def epoch(self) -> float:
        """Passes over the source that those steps have made."""
        return 0.0 if self._step is None else self._step.epoch

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for step in self._stream(self.start):
            self._step = step
            for micro in step.batches[self._process :: self._processes]:
                yield self._collate(micro)


def steps_of(share: Share, collate: Collated, pieces: Pieces, done: int) -> Iterator[tuple[float, list[dict[str, Any]]]]:
    """The steps of one process after the first ``done``, without end; what came before them is not read again.

    Returns:
        For each step the epochs that are over when it is done, and its micro-batches.
    """
    for epoch in count(done // share.steps):
        share.epoch = epoch
        micro = list(share)
        for start in range(done % share.steps * share.accumulate, len(micro), share.accumulate):
            group = micro[start : start + share.accumulate]
            yield epoch + (start + len(group)) / len(micro), [collate([pieces[index] for index in one]) for one in group]
        done = 0


def stream_steps(stream: StreamShare, accumulate: int) -> Iterator[tuple[float, list[dict[str, Any]]]]:
    """The steps of one process of a stream, as ``steps_of`` gives them."""
    batches = iter(stream)
    while group := list(islice(batches, accumulate)):
        yield stream.epoch, group
