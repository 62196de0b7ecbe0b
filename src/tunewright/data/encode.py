"""Rows encoded once and kept: by content, tokenizer, task and code."""

from __future__ import annotations

import gc
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tunewright.core.folder import file_hash, text_hash, write_bytes
from tunewright.core.schema import Row
from tunewright.tasks import collate
from tunewright.tasks.base import Encoded, Task

BATCH = 4096
BESIDE = "_beside_"
"""What the columns are called by that no model reads."""
CHECK = sha256().digest_size
"""Bytes at the beginning of a kept file: the hash of all that follows, for Parquet's own checksums leave out names and sizes."""


@dataclass(frozen=True)
class EncodedRows:
    """All rows of a split as the model sees them."""

    encoded: tuple[Encoded, ...]
    from_cache: bool

    @property
    def pieces(self) -> list[Mapping[str, Any]]:
        """The pieces of all rows, in their order."""
        return [piece for one in self.encoded for piece in one.pieces]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each piece."""
        return [len(piece["input_ids"]) for piece in self.pieces]


def encode(rows: Sequence[Row], task: Task, tokenizer: Any, max_tokens: int, cache: Path | None) -> EncodedRows:
    """Encode rows, or take what an earlier run left in ``cache``.

    The key is a hash over the rows' roles, the tokenizer, the task with its labels, ``max_tokens`` and the code that encodes.
    """
    place = cache / f"{_key(rows, task, tokenizer, max_tokens)}.rows" if cache else None
    if place and place.exists() and (kept := _read(place, len(rows))):
        return EncodedRows(kept, from_cache=True)
    encoded = [one for start in range(0, len(rows), BATCH) for one in task.encode(rows[start : start + BATCH], tokenizer, max_tokens)]
    if place:
        _write(place, _table(encoded))
    return EncodedRows(tuple(encoded), from_cache=False)


def _key(rows: Sequence[Row], task: Task, tokenizer: Any, max_tokens: int) -> str:
    content = sha256()
    names = [role.name for role in task.roles()]
    for row in rows:
        content.update(
            json.dumps([row.get(name) for name in names], ensure_ascii=False, default=str).encode("utf-8", "surrogatepass") + b"\n"
        )
    code = [file_hash(path) for path in sorted({Path(inspect.getfile(type(task))), *Path(collate.__file__).parent.glob("*.py")})]
    reader = _without_limits(tokenizer.backend_tokenizer.to_str())
    habits = [tokenizer.truncation_side, tokenizer.padding_side, *tokenizer.model_input_names]
    return text_hash(content.hexdigest(), reader, type(tokenizer).__name__, *habits, task.model_dump_json(), str(max_tokens), *code)[:32]


def _without_limits(reader: str) -> str:
    """A tokenizer's own description, without the truncation and padding that its last call left in it."""
    values = json.loads(reader)
    return json.dumps({name: value for name, value in values.items() if name not in {"truncation", "padding"}})


def _table(encoded: Sequence[Encoded]) -> pa.Table:
    pieces = [
        {**piece, **{f"{BESIDE}{name}": value for name, value in beside.items()}, "_of": index}
        for index, one in enumerate(encoded)
        for piece, beside in zip(one.pieces, one.beside or [{}] * len(one.pieces), strict=True)
    ]
    columns = dict.fromkeys(name for piece in pieces for name in piece)
    table = pa.table({name: pa.array([piece.get(name) for piece in pieces]) for name in columns})
    counts = {"tokens": [one.tokens for one in encoded], "cut": [one.cut for one in encoded]}
    return table.replace_schema_metadata({"counts": json.dumps(counts)})


def _write(place: Path, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    data = sink.getvalue()
    write_bytes(place, b"".join([sha256(data).digest(), data]))


def _read(place: Path, rows: int) -> tuple[Encoded, ...] | None:
    try:
        data = pa.py_buffer(place.read_bytes())
        if sha256(data[CHECK:]).digest() != data[:CHECK].to_pybytes():
            return None  # a damaged cache is made again
        table = pq.read_table(pa.BufferReader(data[CHECK:]))
    except (pa.ArrowException, OSError):
        return None  # so is one that another release of Arrow wrote and this one cannot read
    with _uncollected():
        return _rows(table, json.loads(table.schema.metadata[b"counts"]), rows)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Make many lists and dicts without the collector of garbage looking through all of them again and again: less than half the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _rows(table: pa.Table, counts: Mapping[str, Sequence[int]], rows: int) -> tuple[Encoded, ...]:
    """The rows that ``_table`` made a table of."""
    pieces: list[list[dict[str, Any]]] = [[] for _ in range(rows)]
    beside: list[list[dict[str, Any]]] = [[] for _ in range(rows)]
    for piece in table.to_pylist():
        row = piece.pop("_of")
        there = {name: value for name, value in piece.items() if value is not None}
        pieces[row].append({name: value for name, value in there.items() if not name.startswith(BESIDE)})
        if len(there) > len(pieces[row][-1]):
            beside[row].append({name.removeprefix(BESIDE): value for name, value in there.items() if name.startswith(BESIDE)})
    told = zip(pieces, counts["tokens"], counts["cut"], beside, strict=True)
    return tuple(Encoded(tuple(own), tokens, cut, tuple(more)) for own, tokens, cut, more in told)
