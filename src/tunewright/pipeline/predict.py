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
from tunewright.core.log import calm_libraries

if TYPE_CHECKING:
    from tunewright.model.predict import Predictor

Format = Literal["csv", "jsonl", "parquet"]


@dataclass
class Told:
    """What became of the rows of a prediction."""

    answered: int = 0
    failed: int = 0


def load(run: str | Path, batch_size: int = 64) -> Predictor:
    """The specialist of a run, ready to be asked: ``load("runs/tickets-1").predict(["where is my parcel?"])``.

    Raises:
        UserError: there is no such run, or it has no model yet.
    """
    from tunewright.model.predict import Predictor
    from tunewright.pipeline.runs import find

    calm_libraries()
    return Predictor.load(find(run) / "model", batch_size)


def predict(run: Path, source: str, out: Path | None, form: Format, columns: Mapping[str, str] | None = None) -> Told:
    """Answer the rows of a file (or ``-``, standard input), in their order, each with the number of its row.

    A row that cannot be read, or has no text, gets a line with its reason in place of an answer.

    Args:
        run: the run folder.
        source: anything that tunewright reads; ``-`` is standard input.
        out: where to write; None is standard output.
        form: of what is written.
        columns: role -> column of this file; those of the training data when left out.

    Raises:
        UserError: the source cannot be read, or has not the columns.
    """
    specialist = load(run)
    roles = dict(columns or _columns(run))
    told = Told()
    lines = _lines(specialist, source, roles, told)
    if out is None:
        _write(lines, form, sys.stdout, specialist)
    elif form == "parquet":
        _write_parquet(lines, out)
    else:
        with whole(out) as half, half.open("w", encoding="utf-8", newline="") as stream:
            _write(lines, form, stream, specialist)
    return told


def _columns(run: Path) -> dict[str, str]:
    columns: dict[str, str] = read_json(run / "data.json")["columns"]
    return columns


def _lines(specialist: Predictor, source: str, columns: Mapping[str, str], told: Told) -> Iterator[dict[str, Any]]:
    from tunewright.data.read import batches, require_columns

    texts = [role.name for role in specialist.task.roles() if role.kind == "text" and (role.needed or role.name in columns)]
    for chunk in batches(source):
        there = set(chunk.rows.column_names)
        wanted = {role: columns[role] if columns.get(role) in there or role not in there else role for role in texts}
        if chunk.rows.num_rows:
            require_columns([name for name in chunk.rows.column_names if not name.startswith("_")], wanted, source)
        rows = [({role: row[column] for role, column in wanted.items()}, row["_row"]) for row in chunk.rows.to_pylist()]
        failed = [
            (number, f"no {columns.get(missing[0], missing[0])}")
            for row, number in rows
            if (missing := [role for role in texts if _blank(row[role])])
        ]
        bad = failed + [(one.row, one.reason) for one in chunk.bad]
        blank = {number for number, _ in failed}
        good = [(row, number) for row, number in rows if number not in blank]
        answers = specialist.stream(row for row, _ in good)
        found = {number: _line(number, answer) for (_, number), answer in zip(good, answers, strict=True)}
        found |= {
            number: {"row": number, "label": None, "probability": None, "probabilities": None, "error": reason} for number, reason in bad
        }
        told.answered, told.failed = told.answered + len(good), told.failed + len(bad)
        yield from (found[number] for number in sorted(found))


def _blank(value: Any) -> bool:
    return value is None or not str(value).strip()


def _line(number: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    probabilities, label = answer["probabilities"], answer["label"]
    sure = probabilities[label] if isinstance(label, str) else min((probabilities[name] for name in label), default=None)
    return {"row": number, "label": label, "probability": sure, "probabilities": dict(probabilities), "error": None}


def _write(lines: Iterator[dict[str, Any]], form: Format, stream: IO[str], specialist: Predictor) -> None:
    if form == "parquet":
        raise UserError("Parquet cannot be written to standard output", "", "Name a file: --out answers.parquet")
    if form == "jsonl":
        for line in lines:
            stream.write(
                json.dumps({name: value for name, value in line.items() if value is not None or name == "label"}, ensure_ascii=False) + "\n"
            )
        return
    names = list(getattr(specialist.task, "labels", None) or ())
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["row", "label", "probability", *(f"probability of {name}" for name in names), "error"])
    for line in lines:
        label = ";".join(line["label"]) if isinstance(line["label"], list) else line["label"]
        shares = line["probabilities"] or {}
        writer.writerow([line["row"], label, line["probability"], *(shares.get(name) for name in names), line["error"]])


def _write_parquet(lines: Iterator[dict[str, Any]], out: Path) -> None:
    from itertools import islice

    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    with whole(out) as half:
        while part := list(islice(lines, 4096)):
            names = [name for line in part if line["probabilities"] for name in line["probabilities"]]
            shares = (
                pa.struct([(name, pa.float64()) for name in dict.fromkeys(names)])
                if writer is None
                else writer.schema.field("probabilities").type
            )
            several = any(isinstance(line["label"], list) for line in part)
            label = pa.list_(pa.string()) if several else pa.string() if writer is None else writer.schema.field("label").type
            schema = pa.schema(
                [("row", pa.int64()), ("label", label), ("probability", pa.float64()), ("probabilities", shares), ("error", pa.string())]
            )
            writer = writer or pq.ParquetWriter(half, schema)
            writer.write_table(pa.Table.from_pylist(part, schema=writer.schema))
        if writer is None:
            raise UserError("there are no rows to answer", "", "Check the file")
        writer.close()


def format_of(form: str | None, out: Path | None) -> Format:
    """The format that is asked for by name, else by the ending of the file, else JSONL.

    Raises:
        UserError: no format is called so.
    """
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
