"""A run of several processes: the first does alone what one must do, and tells the others when they can follow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from tunewright.core import launch
from tunewright.core.errors import Diverged, Interrupted, Terminated, UserError, first_line

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

PATIENCE = timedelta(days=7)
"""How long one process waits for another that is at work: preparing millions of rows, or looking at all validation rows, may take hours.
One that ends is noticed at once, by the launcher and by the connection."""
LOST = ("onnection closed", "onnection reset", "roken pipe", "ncclRemoteError", "remote process exited")
"""What the errors of a process group say when another process is gone."""


class Followed(UserError):
    """The first process ended with an error, which it has told."""


class Together:
    """The processes of a run, before and after they train: what one of them tells goes over the store of the launcher, outside of any
    process group. Each message is told once and heard by all others, in order."""

    def __init__(self) -> None:
        self.first, self._count = launch.number() == 0, launch.count()
        self._store: Store | None = None
        self._messages = 0

    def tell(self, value: Any) -> None:
        """Say how far the first process is; a value of JSON."""
        if self._count > 1:
            self._put({"told": value})
            self._messages += 1

    def heard(self) -> Any:
        """Wait for what the first process tells next.

        Raises:
            Followed: it ended with an error.
        """
        key = str(self._messages)
        store = self._opened()
        store.wait([key], PATIENCE)
        message = json.loads(store.get(key))
        if "ended" in message:
            raise Followed(message["ended"])
        self._messages += 1
        return message["told"]

    @contextmanager
    def leading(self) -> Iterator[None]:
        """Let the others hear of an error, or they would wait for ever."""
        try:
            yield
        except BaseException as error:
            if self._count > 1:
                self._put({"ended": error.found if isinstance(error, UserError) else first_line(error)})
            raise

    @contextmanager
    def grouped(self) -> Iterator[None]:
        """Train inside of this: a process group is there, and a process that is gone is told of.

        Raises:
            UserError: one of the others ended.
        """
        if self._count == 1:
            yield
            return
        from accelerate.state import AcceleratorState
        from torch import cuda, distributed
        from torch.distributed.distributed_c10d import PrefixStore

        store = PrefixStore(f"group-{self._messages}", self._opened())
        backend = "nccl" if cuda.is_available() else "gloo"
        distributed.init_process_group(backend, store=store, rank=launch.number(), world_size=self._count, timeout=PATIENCE)
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, distributed.DistError) or any(words in str(error) for words in LOST):
                _lost(error)
            raise
        distributed.destroy_process_group()
        AcceleratorState._reset_state(reset_partial_state=True)

    def _put(self, message: dict[str, Any]) -> None:
        self._opened().set(str(self._messages), json.dumps(message))

    def _opened(self) -> Store:
        from torch.distributed.distributed_c10d import PrefixStore
        from torch.distributed.rendezvous import rendezvous

        if self._store is None:
            self._store = PrefixStore("tunewright", next(rendezvous("env://", timeout=PATIENCE))[0])
        return self._store


@cache
def together() -> Together:
    """Those of this process."""
    return Together()


def told_by_all(error: UserError) -> bool:
    """Whether an error of one process is one that the first one has as well, and tells."""
    return isinstance(error, (Followed, Diverged, Interrupted, Terminated))


def _lost(error: RuntimeError) -> NoReturn:
    raise UserError(
        f"another process of this run ended before its time ({first_line(error)})",
        "The processes of a run train together or not at all",
        "See what it said last, then start all of them again with: train --resume RUN",
    ) from error
