"""A stream as steps of training: shuffled within a buffer, encoded ahead where workers are wanted, and from any position again."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tunewright.core.chance import array_generator
from tunewright.core.schema import Row
from tunewright.data.batch import shuffled
from tunewright.data.streams.blocks import Audited, BlockAudit
from tunewright.data.streams.ledger import Ledger
from tunewright.data.streams.stream import Block, Mark, RowStream
from tunewright.tasks.base import Encoded

Piece = Mapping[str, Any]
Encode = Callable[[Sequence[Row]], list[Encoded]]
ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Shuffle:
    """How rows become steps.

    Args:
        buffer_rows: rows that are shuffled together.
        step_rows: rows per optimizer step, always as many.
        micro_rows: rows per forward pass; divides ``step_rows``.
        bucket: whether rows of a step are of similar length.
        seed: of the run.
    """

    buffer_rows: int
    step_rows: int
    micro_rows: int
    bucket: bool
    seed: int


class Step(NamedTuple):
    """One optimizer step: its micro-batches, how far the stream is behind it (passes over the source), and from where to go on."""

    batches: list[list[Piece]]
    epoch: float
    position: Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class _Page:
    """A buffer of rows: some of the prepared ones, or a block of the stream."""

    epoch: int
    number: int
    pieces: Sequence[Piece] | None = None
    """Of prepared rows, which are encoded already."""
    rows: Sequence[Row] = ()
    block: int = -1
    read: Block | None = None
    audited: Audited | None = None
    """Of a block that is looked at for the first time."""


@dataclass
class _Place:
    """Where the stream is: the buffer, the steps that were taken of it, and what earlier buffers have left over."""

    epoch: int = 0
    page: int = 0
    done: int = 0
    seen: int = 0
    """Rows of this epoch in the buffers before."""
    carry: Sequence[Piece] = ()


class Feed:
    """The steps of a run that streams: the prepared training rows, then the blocks behind them, and again, without end.

    Args:
        first: the prepared training rows, encoded.
        rows: the source.
        behind: where the rows begin that were not prepared.
        audit: looks at each block.
        ledger: what became of the blocks.
        shuffle: how rows become steps.
        encode: rows -> model inputs.
        cuts: rows and what was encoded of them -> what was cut.
        epoch_rows: training rows of a pass over the source, as far as they can be known; None where they cannot.
        workers: processes that encode ahead.
    """

    def __init__(
        self,
        first: Sequence[Piece],
        rows: RowStream,
        behind: Mark,
        audit: BlockAudit,
        ledger: Ledger,
        shuffle: Shuffle,
        encode: Encode,
        cuts: Callable[[Sequence[Row], Sequence[Encoded]], Mapping[str, Any]],
        epoch_rows: int | None,
        workers: int = 0,
    ) -> None:
        self._first, self._rows, self._behind, self._audit = first, rows, behind, audit
        self._ledger, self._shuffle, self._encode, self._cuts = ledger, shuffle, encode, cuts
        self._epoch_rows, self._workers = epoch_rows, workers
        self._awaited: dict[int, Audited] = {}
        """Blocks that were looked at and are not written down yet."""

    def steps(self, position: Mapping[str, Any] | None) -> Iterator[Step]:
        """Every step from a position on, without end: the same ones whoever asks, with any number of workers.

        Args:
            position: what a step gave; None begins at the beginning.

        Raises:
            DataRefused: a policy says ``refuse`` and the stream has such rows.
            UserError: the source cannot be read further, or is not what it was.
        """
        place = _Place() if position is None else _Place(**{name: position[name] for name in ("epoch", "page", "done", "seen", "carry")})
        for page, own in self._encoded(self._pages(place.epoch, place.page)):
            if page.epoch > place.epoch:
                place = _Place(page.epoch, carry=place.carry)
            pool = [*place.carry, *own]
            steps, rest = self._cut(pool, page)
            for number in range(place.done, len(steps)):
                yield self._step([pool[at] for at in steps[number].tolist()], place, page.number, number + 1)
            place = _Place(page.epoch, page.number + 1, 0, place.seen + len(own), [pool[at] for at in rest.tolist()])

    def _cut(self, pool: Sequence[Piece], page: _Page) -> tuple[list[np.ndarray], np.ndarray]:
        """Whole steps, and the rows that are left over for the next buffer."""
        shuffle = self._shuffle
        lengths = np.array([len(piece["input_ids"]) for piece in pool], dtype=np.int64)
        steps = shuffled(lengths, shuffle.step_rows, array_generator(shuffle.seed, f"stream/{page.epoch}", page.number), shuffle.bucket)
        rest = steps.pop() if steps and len(steps[-1]) < shuffle.step_rows else np.zeros(0, dtype=np.int64)
        return steps, rest

    def _step(self, pieces: list[Piece], place: _Place, page: int, done: int) -> Step:
        micro, whole = self._shuffle.micro_rows, self._shuffle.step_rows
        gone = place.seen - len(place.carry) + done * whole
        share = min(max(gone, 0) / self._epoch_rows, 1.0) if self._epoch_rows else 0.0

        def position() -> dict[str, Any]:
            return {"epoch": place.epoch, "page": page, "done": done, "seen": place.seen, "carry": [dict(one) for one in place.carry]}

        return Step([pieces[at : at + micro] for at in range(0, whole, micro)], place.epoch + share, position)

    def _pages(self, epoch: int, start: int) -> Iterator[_Page]:
        """Buffers from one on, epoch after epoch."""
        size, pages = self._shuffle.buffer_rows, -(-len(self._first) // self._shuffle.buffer_rows)
        while True:
            for number in range(start, pages):
                yield _Page(epoch, number, pieces=self._first[number * size : (number + 1) * size])
            at = max(start - pages, 0)
            begin = self._ledger.begins(at) if at else self._behind
            for number, block in enumerate(self._rows.blocks(begin, size), at):
                yield self._looked_at(epoch, pages + number, number, block)
            epoch, start = epoch + 1, 0

    def _looked_at(self, epoch: int, page: int, number: int, block: Block) -> _Page:
        if self._ledger.has(number):
            entry = self._ledger.entry(number)
            return _Page(epoch, page, rows=_rows(self._audit.again(block, entry["away"], entry["content"])), block=number)
        if number in self._awaited:
            known = self._awaited[number]
            return _Page(epoch, page, rows=_rows(self._audit.again(block, known.away, known.content)), block=number)
        audited = self._audit.first_time(block)
        self._awaited[number] = audited
        return _Page(epoch, page, rows=_rows(audited.rows), block=number, read=block, audited=audited)

    def _encoded(self, pages: Iterator[_Page]) -> Iterator[tuple[_Page, Sequence[Piece]]]:
        """Each page with its pieces, in their order; a block that is new is written down before its rows are handed on."""
        at_once = -(-self._shuffle.buffer_rows // (2 * self._workers)) if self._workers else ROWS_AT_ONCE
        waiting: deque[tuple[_Page, int]] = deque()

        def chunks() -> Iterator[Sequence[Row]]:
            for page in pages:
                starts = range(0, max(len(page.rows), 1), at_once)  # one for a page without rows too, so that pages and chunks keep step
                waiting.append((page, len(starts)))
                yield from (page.rows[start : start + at_once] for start in starts)

        found = _ahead(chunks(), self._encode, self._workers)
        while True:
            encoded = next(found)
            page, parts = waiting.popleft()
            for _ in range(parts - 1):
                encoded = [*encoded, *next(found)]
            if page.audited is not None and page.read is not None:
                self._ledger.commit(page.block, page.read, page.audited, self._cuts(page.rows, encoded))
                del self._awaited[page.block]
            yield page, [piece for one in encoded for piece in one.pieces] if page.pieces is None else page.pieces


def _rows(table: Any) -> list[Row]:
    rows: list[Row] = table.to_pylist()
    return rows


def _ahead(chunks: Iterable[Sequence[Row]], encode: Encode, workers: int) -> Iterator[list[Encoded]]:
    """Each chunk encoded, in their order; by processes of their own where workers are wanted, two chunks ahead for each."""
    if not workers:
        yield from map(encode, chunks)
        return
    import torch
    from torch.utils.data import DataLoader

    loader: Any = DataLoader(
        _AsTheyAre(),  # type: ignore[arg-type]
        batch_sampler=chunks,  # type: ignore[arg-type]
        collate_fn=encode,
        num_workers=workers,
        prefetch_factor=2,
        worker_init_fn=_one_thread,
        generator=torch.Generator(),  # or each start would draw from the stream of chance that dropout draws from
    )
    yield from loader


def _one_thread(worker: int) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # else the tokenizer warns in each process that it had threads in another


class _AsTheyAre:
    """Rows that are their own index."""

    def __getitem__(self, row: Row) -> Row:
        return row
