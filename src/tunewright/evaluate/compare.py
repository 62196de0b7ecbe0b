"""Two runs on the same test rows: their answers out of ``predictions/``, and how far their scores are apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tunewright.core.errors import UserError
from tunewright.core.schema import Row, Score
from tunewright.metrics.intervals import paired_difference
from tunewright.tasks.base import Answer, Task


def answered(path: Path, task: Task) -> tuple[list[Row], list[Answer]]:
    """The rows of a split, with what was wanted of them, and the answers to them, as ``write_predictions`` wrote them.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f"{path} cannot be read ({str(error).splitlines()[0][:200]})",
            "The answers of an evaluated run are compared",
            f"Measure the run: tunewright evaluate {path.parent.parent}",
        ) from None
    columns = table.to_pydict()
    roles = [role.name for role in task.roles() if role.kind == "text" and role.name in columns]
    rows: list[Row] = [
        {**{name: columns[name][at] for name in ("_file", "_row", *roles)}, task.gold: columns["wanted"][at]}
        for at in range(table.num_rows)
    ]
    return rows, task.answers_in(columns)


def difference(
    task: Task,
    ours: tuple[list[Row], list[Answer]],
    theirs: tuple[list[Row], list[Answer]],
    name: str,
    rng: np.random.Generator,
    resamples: int,
) -> Score:
    """Ours minus theirs with its 95 % interval, each resample taking the same rows on both sides.

    Args:
        task: of both, with its labels.
        ours: rows and answers, as ``answered`` gives them.
        theirs: the same, over the same rows.
        name: of the score.
        rng: where chance comes from.
        resamples: of the bootstrap.

    Raises:
        UserError: the rows are not the same, or the score has no value on them.
    """
    one, other = task.outcome(*ours), task.outcome(*theirs)
    if [_place(row) for row in ours[0]] != [_place(row) for row in theirs[0]] or not task.same_rows(one, other):
        raise UserError(
            "the runs were scored on other test rows",
            "A paired test takes the same rows, with the same answers wanted, on both sides",
            "Train them from one prepared dataset and measure them again",
        )
    return paired_difference(one, other, task.measure, name, rng, resamples=resamples)


def _place(row: Row) -> tuple[Any, Any]:
    return row["_file"], row["_row"]
