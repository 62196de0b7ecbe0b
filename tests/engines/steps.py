"""The order of a job as a stream without end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple


class Step(NamedTuple):
    batches: list[list[Any]]
    epoch: float
    position: Callable[[], dict[str, int]]


class Stream:
    """The order of a job as a stream without end, which remembers from where it was asked."""

    def __init__(self, job: Any) -> None:
        self.job, self.asked = job, []

    def __call__(self, position: Mapping[str, Any] | None) -> Iterator[Step]:
        self.asked.append(position)
        at, parts = 0 if position is None else position["step"], self.job.settings.accumulate
        while True:
            epoch, within = divmod(at, -(-len(self.job.order(0)) // parts))
            batches = self.job.order(epoch)[within * parts : (within + 1) * parts]
            at += 1
            yield Step([[self.job.pieces[row] for row in batch] for batch in batches], at / 3, lambda at=at: {"step": at})
