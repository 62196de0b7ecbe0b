"""Rows, planted faults, and the files they are written to."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

SPLITS = ("train", "validation", "test")
GROUP_ROWS = 4
"""Rows of one made group, about."""
FIRST_DAY, DAYS = datetime(2025, 1, 1), 300


@dataclass
class Row:
    """One row of a table on its way to a file."""

    uid: int
    """Stays with the row, whatever is planted around it."""
    text: str
    label: str
    split: str
    group: str = ""
    time: str = ""
    more: dict[str, str] = field(default_factory=dict)
    """Other columns."""
    ragged: str = ""
    """How the line is torn when it is written; empty for a whole one."""
    origin: int | None = None
    """``uid`` of the row that this one was copied from, if it is a copy."""


@dataclass(frozen=True)
class Fault:
    """One planted fault, or one decoy that looks like a fault and is none."""

    kind: str
    rows: tuple[int, ...]
    """``uid`` of every row that a right finding names: both rows of a pair, the changed row of anything else; none for a column."""
    variant: str = ""
    """Which form of the kind it is."""
    detail: str = ""
    before: str | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    together: bool = False
    """Whether the rows belong into one group of the finding."""
    beside: tuple[int, ...] = ()
    """``uid`` of other rows that may now be as alike to a row as they were not before, or no longer."""
    names: str = ""
    """What the message of a right finding must name: a column, a token."""


@dataclass(frozen=True)
class Planted:
    """A table with its faults."""

    rows: list[Row]
    faults: list[Fault]


def laid_out(rows: Iterable[Mapping[str, str]], seed: int) -> list[Row]:
    """Rows of a table, shuffled within their splits, with a group and a time where the table has none.

    A table without a validation split gives up the last tenth of train (by time, where it has times) for one, so that nobody need make one
    by chance. Made groups lie within one split, and made times of a later split are newer than all of the ones before: nothing leaks.
    Two more columns are innocent: ``ticket`` is different in every row, ``channel`` is chance.

    Args:
        rows: each with ``text``, ``label``, ``split``, and perhaps ``group`` and ``time``.
        seed: decides the order and what is made.
    """
    rng = random.Random(f"{seed}/layout")
    given = list(rows)
    given = sorted(rng.sample(given, len(given)), key=lambda row: (SPLITS.index(row["split"]), row.get("time", "")))
    ordered = given if any(row["split"] == "validation" for row in given) else _with_validation(given)
    laid: list[Row] = []
    number, tickets = 0, rng.sample(range(10_000, 10_000 + 3 * len(ordered)), len(ordered))
    for at, row in enumerate(ordered):
        if at == 0 or row["split"] != laid[-1].split or rng.random() < 1 / GROUP_ROWS:
            number += 1
        when = FIRST_DAY + timedelta(days=DAYS * (at + rng.random()) / len(ordered))
        more = {"ticket": f"T{tickets[at]}", "channel": rng.choice(("web", "mail", "phone", "chat"))}
        group, time = row.get("group") or f"C-{number:05}", row.get("time") or when.isoformat(timespec="seconds")
        laid.append(Row(at, row["text"], row["label"], row["split"], group, time, more))
    return laid


def _with_validation(rows: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    trained = sum(row["split"] == "train" for row in rows)
    return [{**row, "split": "validation"} if int(0.9 * trained) <= at < trained else row for at, row in enumerate(rows)]


def write(rows: Sequence[Row], folder: Path) -> dict[str, Path]:
    """Write a CSV file for each split, as a spreadsheet does; in a ragged row, what holds commas is not quoted.

    Returns:
        Split -> its file. The rows of a split stand there in their order, so that the n-th of them is row n of the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = ["text", "label", "group", "time", *dict.fromkeys(name for row in rows for name in row.more)]
    files: dict[str, Path] = {}
    for split in dict.fromkeys(row.split for row in rows):
        files[split] = folder / f"{split}.csv"
        with files[split].open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            for row in (one for one in rows if one.split == split):
                cells = [row.text, row.label, row.group, row.time, *(row.more.get(name, "") for name in columns[4:])]
                if row.ragged == "unquoted commas":
                    file.write(",".join(cells) + "\r\n")
                elif row.ragged == "a cell too many":
                    writer.writerow([*cells, "left over"])
                else:
                    writer.writerow(cells)
    return files
