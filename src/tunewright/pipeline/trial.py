"""Some steps of a job that are thrown away: no looks, no checkpoints, no guards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunewright.train.run import Callback, Job

NEVER = 10**9


class Enough(Exception):
    """A watcher has seen what it wanted."""


def try_steps(
    job: Job, changes: Mapping[str, Any], watchers: Sequence[Callback], scratch: Path, order: Sequence[Sequence[int]] | None = None
) -> None:
    """Drive a job in its own engine until a watcher raises ``Enough``, which it does at the last step at the latest.

    Args:
        job: as a run would have it.
        changes: settings of ``train`` that are other.
        watchers: in the place of the job's callbacks.
        scratch: a folder for what is written.
        order: the micro-batches of every epoch, where they are other.

    Raises:
        Diverged, UserError: as the engine does.
    """
    from tunewright.train import engine

    settings = job.settings.model_copy(update={"evaluate_every": NEVER, "save_every": NEVER, **changes})
    tried = replace(job, settings=settings, callbacks=watchers, guards={}, folder=scratch, stream=None)
    with suppress(Enough):
        engine(settings.engine)(tried if order is None else replace(tried, order=lambda epoch: order))
