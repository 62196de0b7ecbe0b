"""The answers that were wrong and sure, with their texts, out of ``predictions/``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.core.errors import UserError

SHOWN = 20


@dataclass(frozen=True)
class Mistake:
    """One row that got a wrong answer."""

    file: str
    row: int
    texts: tuple[tuple[str, str], ...]
    """(role, text), in the order of the columns."""
    wanted: tuple[str, ...]
    given: tuple[str, ...]
    probability: float
    """Single-label: of the answer. Multi-label: how far the probability of the worst label lies from what was wanted, 0 to 1."""


@dataclass(frozen=True)
class Predictions:
    """The answers on one split."""

    split: str
    rows: int
    scored: int
    """Rows that have a wanted label."""
    wrong: int
    multi_label: bool
    worst: tuple[Mistake, ...]
    """The surest mistakes, surest first."""


def read_predictions(folder: Path, labels: Sequence[str]) -> Predictions:
    """The test split where it was scored, else the validation split.

    Args:
        folder: ``predictions/`` of a run.
        labels: the names in the order of the column ``probabilities``; empty when nothing tells them.

    Raises:
        UserError: neither is there, or the file cannot be read or lacks a column.
    """
    split, table = answers_table(folder, ("wanted", "label", "probability"))
    return _predictions(split, table, labels)


def answers_table(folder: Path, columns: Sequence[str]) -> tuple[str, Any]:
    """The name and the file of the test split where it was scored, else of the validation split.

    Args:
        folder: ``predictions/`` of a run.
        columns: those that it must have beside ``_file`` and ``_row``.

    Raises:
        UserError: neither is there, or the file cannot be read or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = [folder / f"{split}.parquet" for split in ("test", "validation")]
    path = next((one for one in paths if one.exists()), None)
    if path is None:
        raise UserError(f"{folder} holds neither test.parquet nor validation.parquet", "", "They are written by: tunewright evaluate RUN")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read ({error})", "", "Write it again: tunewright evaluate RUN") from None
    lacking = sorted({"_file", "_row", *columns} - set(table.column_names))
    if lacking:
        raise UserError(f"{path} has no column {', '.join(lacking)}", "", "Write it again: tunewright evaluate RUN")
    return path.stem, table


def _predictions(split: str, table: Any, labels: Sequence[str]) -> Predictions:
    wanted, given = table["wanted"].to_pylist(), table["label"].to_pylist()
    multi_label = any(isinstance(one, list) for one in (*given, *wanted))
    if multi_label and any(isinstance(one, str) for one in (*wanted, *given)):
        raise UserError(
            f"predictions/{split}.parquet holds lists of labels in one place and text in another",
            "",
            "Write it again: tunewright evaluate RUN",
        )
    scored = [index for index, one in enumerate(wanted) if one is not None]
    wrong = [index for index in scored if (set(wanted[index]) != set(given[index] or ()) if multi_label else wanted[index] != given[index])]
    sureness = _sureness(table, wanted, given, labels if multi_label else ())
    first = sorted(wrong, key=lambda index: (-sureness[index], index))[:SHOWN]
    ours = {"wanted", "label", "probability", "probabilities"}
    texts = [name for name in table.column_names if name not in ours and not name.startswith("_")]
    worst = []
    for index in first:
        row = table.slice(index, 1).to_pylist()[0]
        worst.append(
            Mistake(
                file=str(row["_file"]),
                row=int(row["_row"]),
                texts=tuple((name, str(row[name])) for name in texts if row[name] is not None),
                wanted=_names(wanted[index]),
                given=_names(given[index]),
                probability=float(sureness[index]),
            )
        )
    return Predictions(split, table.num_rows, len(scored), len(wrong), multi_label, tuple(worst))


def _sureness(table: Any, wanted: Sequence[Any], given: Sequence[Any], labels: Sequence[str]) -> np.ndarray:
    """How sure each answer is; for several labels, how far the worst of those that differ lies from 0 or 1."""
    plain = np.nan_to_num(np.asarray(table["probability"].to_numpy(zero_copy_only=False), dtype=np.float64))
    if not labels or "probabilities" not in table.column_names:
        return plain
    found = plain.copy()
    for index, (want, give, probabilities) in enumerate(zip(wanted, given, table["probabilities"].to_pylist(), strict=True)):
        p = dict(zip(labels, probabilities or [], strict=False))
        missed, extra = set(want or ()) - set(give or ()), set(give or ()) - set(want or ())
        gaps = [1 - p[name] for name in missed if name in p] + [p[name] for name in extra if name in p]
        found[index] = max(gaps, default=0.0)
    return found


def _names(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)
