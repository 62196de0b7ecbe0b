"""Which micro-batches each process takes: the rows of every step are shared out, none twice, and every process does as many passes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunewright.train.run import Piece, Step, Stream

if TYPE_CHECKING:
    from torch import Tensor

FILLER = -1
"""The index of no row: a pass that counts nothing, where the last step of an epoch has fewer micro-batches than processes."""
EMPTY = "_empty"


class Share:
    """A batch sampler: the micro-batches of one process, in the epoch that the trainer is in.

    Args:
        order: epoch -> the micro-batches of all processes; those of one step stand together.
        accumulate: micro-batches per step and process.
        process: the number of this one, from 0.
        processes: how many there are.
    """

    def __init__(self, order: Callable[[int], Sequence[Sequence[int]]], accumulate: int, process: int = 0, processes: int = 1) -> None:
        self._order, self._accumulate, self._process, self._processes = order, accumulate, process, processes
        self.epoch = 0
        self._batches = sum(1 for _ in self)

    @property
    def steps(self) -> int:
        """Optimizer steps per epoch."""
        return math.ceil(self._batches / self._accumulate)

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
