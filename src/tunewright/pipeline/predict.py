"""The verb ``predict``: rows of a file or of standard input become answers, with constant memory."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from tunewright.core.errors import UserError, hint
from tunewright.core.folder import read_json, whole
from tunewright.core.log import calm_libraries, say

if TYPE_CHECKING:
    import pyarrow as pa

    from tunewright.data.read import Chunk
    from tunewright.model.predict import Predictor
    from tunewright.tasks.base import Task

Format = Literal["csv", "jsonl", "parquet"]
PART_ROWS = 4096
"""Lines that are written to Parquet at a time."""


@dataclass
class Told:
    """What became of the rows of a prediction."""

    answered: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Asked:
    """The rows of a chunk, sorted out."""

    rows: list[dict[str, str]]
    """Those that can be answered: text role -> text."""
    places: list[tuple[str, int]]
    """Parallel to ``rows``: the file, and the number in it."""
    failed: dict[tuple[str, int], str]
    """Place -> why the row cannot be answered."""


def load(run: str | Path, batch_size: int = 64) -> Predictor:
    """The specialist of a run, ready to be asked: ``load("runs/tickets-1").predict(["where is my parcel?"])``.

    Raises:
        UserError: there is no such run, or it has no model yet.
    """
    from tunewright.model.predict import Predictor
    from tunewright.pipeline.runs import find

    calm_libraries()
    folder = find(run)
    return Predictor.load(folder / "model", batch_size, _columns(folder) if (folder / "data.json").exists() else None)


def predict(run: Path, source: str, out: Path | None, form: Format, columns: Mapping[str, str] | None = None) -> Told:
    """Answer the rows of a file (or ``-``, standard input), in their order, each with its file and its number there.

    A row that cannot be read, or lacks a text, gets a line with its reason in place of an answer. What the reader finds out about
    the file is said once on standard error.

    Args:
        run: the run folder.
        source: anything that tunewright reads; ``-`` is standard input.
        out: where to write; None is standard output.
        form: of what is written.
        columns: text role -> column of this file; for a role left out, that of the training data, or the one called as the role.

    Raises:
        UserError: the source cannot be read, has not the columns, or would be overwritten by the answers.
    """
    if out is None and form == "parquet":
        raise UserError("Parquet cannot be written to standard output", "", "Name a file: --out answers.parquet")
    if out is not None:
        _refuse_source(source, out)
    specialist = load(run)
    told = Told()
    lines = _lines(specialist, source, _columns(run), _known(columns or {}, specialist), told)
    if out is None:
        _write(lines, form, sys.stdout, specialist.task)
    elif form == "parquet":
        _write_parquet(lines, out, specialist.task)
    else:
        with whole(out) as half, half.open("w", encoding="utf-8", newline="") as stream:
            _write(lines, form, stream, specialist.task)
    return told


def _refuse_source(source: str, out: Path) -> None:
    """Refuse to put the answers in the place of the rows."""
    from tunewright.data.formats.inputs import inputs_of
    from tunewright.data.formats.packed import Input
    from tunewright.data.formats.rows import Notes

    if not out.is_file():
        return
    for one in inputs_of(source, Notes(source)):
        if isinstance(one, Input) and one.path and out.samefile(one.path):
            raise UserError(f"{out} is read and would be overwritten by its answers", "", "Name another file with --out")


def _columns(run: Path) -> dict[str, str]:
    columns: dict[str, str] = read_json(run / "data.json")["columns"]
    return columns


def _known(given: Mapping[str, str], specialist: Predictor) -> Mapping[str, str]:
    for role in given:
        if role not in specialist.texts:
            raise UserError(f"--column names {role!r}, which is no text that this model reads", hint(role, specialist.texts))
    return given


def _lines(
    specialist: Predictor, source: str, trained: Mapping[str, str], given: Mapping[str, str], told: Told
) -> Iterator[dict[str, Any]]:
    for chunk in _chunks(source):
        for finding in chunk.findings:
            say(f"{finding.message}. {finding.remedy}.")
        asked = _asked(chunk, specialist, source, trained, given)
        nothing = dict.fromkeys(specialist.task.answer_schema().names)
        found = {place: {"file": place[0], "row": place[1], **nothing, "error": reason} for place, reason in asked.failed.items()}
        for place, answer in zip(asked.places, specialist.stream(asked.rows), strict=True):
            found[place] = {"file": place[0], "row": place[1], **specialist.task.line(answer), "error": None}
        told.answered, told.failed = told.answered + len(asked.rows), told.failed + len(asked.failed)
        yield from (found[place] for place in sorted(found))


def _chunks(source: str) -> Iterator[Chunk]:
    from tunewright.data.read import batches

    try:
        yield from batches(source)
    except OSError as error:
        raise UserError(f"{source} cannot be read ({error.strerror or error})", "", "Check the file and the disk it lies on") from error


def _asked(chunk: Chunk, specialist: Predictor, source: str, trained: Mapping[str, str], given: Mapping[str, str]) -> Asked:
    """The texts as training reads them (``data.columns``), and blank where the audit calls them so."""
    import numpy as np

    from tunewright.data.audit.base import Looked
    from tunewright.data.columns import in_roles

    failed = {(one.file, one.row): one.reason for one in chunk.bad}
    if not chunk.rows.num_rows:
        return Asked([], [], failed)
    columns = _found(chunk.rows.column_names, specialist.texts, source, trained, given)
    roles = [role for role in specialist.task.roles() if role.name in columns]
    table = chunk.rows.select([*dict.fromkeys(columns.values()), "_file", "_row"])
    try:
        named = in_roles(table, roles, columns)
    except UserError as error:
        raise UserError(error.found, error.wanted, _name_it(columns)) from None
    every = np.arange(len(table))
    empty = Looked(named.rows, named.roles, np.zeros_like(every), (), every).empty_texts
    rows, places = [], []
    for at, row in enumerate(named.rows.to_pylist()):
        place = row["_file"], row["_row"]
        if missing := next((columns[role] for role in columns if empty[role][at]), None):
            failed[place] = f"no {missing}"
        else:
            rows.append({role: row[role] for role in columns})
            places.append(place)
    return Asked(rows, places, failed)


def _found(there: list[str], texts: tuple[str, ...], source: str, trained: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Text role -> the column that plays it here: the one that was named, that of the training data, or the one called as the role."""
    from tunewright.data.read import require_columns

    usual = {role: trained.get(role, role) for role in texts}
    columns = {role: given.get(role) or (role if column not in there and role in there else column) for role, column in usual.items()}
    try:
        require_columns(there, columns, "standard input" if source == "-" else source)
    except UserError as error:
        raise UserError(error.found, error.wanted, _name_it(columns)) from None
    return columns


def _name_it(columns: Mapping[str, str]) -> str:
    return "Name the columns of this file: " + " ".join(f"--column {role}=<column>" for role in columns)


def _write(lines: Iterator[dict[str, Any]], form: Format, stream: IO[str], task: Task) -> None:
    if form == "jsonl":
        first = task.answer_schema().names[0]
        for line in lines:
            told = {name: value for name, value in line.items() if value is not None or name == first}
            stream.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["file", "row", *task.cells({}), "error"])
    for line in lines:
        writer.writerow([line["file"], line["row"], *task.cells(line).values(), line["error"]])


def _write_parquet(lines: Iterator[dict[str, Any]], out: Path, task: Task) -> None:
    from itertools import islice

    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(task)
    with whole(out) as half, pq.ParquetWriter(half, schema) as writer:
        while part := list(islice(lines, PART_ROWS)):
            writer.write_table(pa.Table.from_pylist(part, schema=schema))


def _schema(task: Task) -> pa.Schema:
    """The columns of the answers in Parquet. They follow from the task alone: the first part may hold no answer at all."""
    import pyarrow as pa

    return pa.schema([("file", pa.string()), ("row", pa.int64()), *task.answer_schema(), ("error", pa.string())])


def format_of(form: str | None, out: Path | None) -> Format:
    """The format that is asked for by name, else by the ending of the file, else JSONL.

    Raises:
        UserError: no format is called so, or the file is a folder.
    """
    if out is not None and out.is_dir():
        raise UserError(f"--out {out} is a folder", "A file that the answers go into is wanted", f"As in: --out {out / 'answers.csv'}")
    if out is not None and not form and not out.suffix:
        raise UserError(
            f"--out {out} has no ending that says the format", "csv, jsonl or parquet is wanted", f"As in: --out {out}.csv, or --format csv"
        )
    name = form or (out.suffix.removeprefix(".") if out else "jsonl")
    formats: dict[str, Format] = {"csv": "csv", "jsonl": "jsonl", "parquet": "parquet"}
    if name not in formats:
        raise UserError(f"no format is called {name!r}", hint(name, formats), "Name it with --format")
    return formats[name]


def roles(pairs: list[str]) -> dict[str, str] | None:
    """``["text=body"]`` -> ``{"text": "body"}``.

    Raises:
        UserError: a pair has no ``=``.
    """
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise UserError(f"--column {wrong[0]!r} names no column", "ROLE=COLUMN is wanted, as text=body")
    return dict(pair.split("=", 1) for pair in pairs) or None
