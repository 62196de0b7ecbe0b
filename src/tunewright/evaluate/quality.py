"""What answers are worth: scores with intervals, and the answers themselves in a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tunewright.core.chance import array_generator
from tunewright.core.folder import whole
from tunewright.core.schema import Row, Score
from tunewright.metrics.intervals import bootstrap
from tunewright.tasks.base import Answer, Task

Measure = Callable[[Any], dict[str, float]]


def quality(
    task: Task, rows: Sequence[Row], answers: Sequence[Answer], extra: Sequence[Measure], resamples: int, seed: int
) -> dict[str, Score]:
    """Every score of the task, and those that the recipe adds, each with its 95 % bootstrap interval over the rows.

    Args:
        task: says what the scores are.
        rows: with what was wanted.
        answers: parallel to ``rows``.
        extra: more measures of an outcome, as ``metrics.own.resolve`` gives them.
        resamples: of the bootstrap.
        seed: of the run.
    """
    outcome = task.outcome(rows, answers)
    found = bootstrap(outcome, task.measure, array_generator(seed, "bootstrap"), resamples=resamples, rows=task.rows_behind(outcome))
    for measure in extra:
        found.update(bootstrap(outcome, measure, array_generator(seed, "bootstrap"), resamples=resamples))
    return dict(found)


def write_predictions(path: Path, task: Task, rows: Sequence[Row], answers: Sequence[Answer]) -> None:
    """One Parquet line per row, in the order of the rows: where it came from, its texts, what was wanted, what was answered."""
    texts = [role.name for role in task.roles() if role.kind == "text" and rows and role.name in rows[0]]
    columns: dict[str, Any] = {name: [row.get(name) for row in rows] for name in ("_file", "_row", *texts)}
    columns["wanted"] = [task.wanted_of(row) for row in rows]
    with whole(path) as half:
        pq.write_table(pa.table(columns | task.columns_of(answers)), half, compression="zstd")
