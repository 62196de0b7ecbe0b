"""A source that is read as it is needed: blocks of rows that follow each other, from any place in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import UserError, first_line
from tunewright.core.schema import SPLITS, Finding
from tunewright.data.bad import BadRows
from tunewright.data.read import BadRow, Chunk, FileRead, Table, batches
from tunewright.data.source import found

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_ROWS = 4096
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")
BEGINNING = 1 << 16
"""Bytes by which JSON lines are told from a JSON document."""
WANTED = "A stream reads files (CSV, JSONL, Parquet, Arrow; a pattern, a folder, a list of them) or a dataset of the Hub"


@dataclass(frozen=True, order=True)
class Mark:
    """A place in a source: the number of a file, and the number of a row in its data; both from 0."""

    file: int = 0
    row: int = 0


@dataclass(frozen=True)
class Block:
    """Rows that follow each other, and the unreadable ones met among them.

    Args:
        begin: where it begins.
        end: where the next one begins.
        rows: own columns, ``_file``, ``_row``.
        bad: what the reader could not read.
        findings: what the reader told.
    """

    begin: Mark
    end: Mark
    rows: pa.Table
    bad: tuple[BadRow, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class StreamFile:
    """One file of a stream, or what stands for one.

    Args:
        name: as it is told.
        chunks: (number of a row) -> the rows from there on.
        length: how many rows it has, if that can be found out.
        bytes: as it lies on the disk.
    """

    name: str
    chunks: Callable[[int], Iterator[Chunk]]
    length: Callable[[], int | None]
    bytes: int = 0


@dataclass(frozen=True)
class RowStream:
    """The training rows of a source, in their order."""

    files: tuple[StreamFile, ...]

    def blocks(self, begin: Mark, rows: int) -> Iterator[Block]:
        """Blocks of ``rows`` readable rows each, the last one of what is left; where they are cut does not depend on ``begin``.

        Raises:
            UserError: the only file cannot be read to its end. One of several files is lost alone: it becomes an unreadable row.
        """
        gathered = _Gathered(begin, rows)
        for at in range(begin.file, len(self.files)):
            for chunk in self._chunks(at, begin.row if at == begin.file else 0):
                yield from gathered.add(at, chunk)
        yield from gathered.rest(Mark(len(self.files)))

    def first(self, rows: int) -> Block:
        """The first block.

        Raises:
            UserError: there is no row, or the only file cannot be read.
        """
        block = next(self.blocks(Mark(), rows), None)
        if block is None or not block.rows.num_rows:
            told = f"; the first: {block.bad[0].reason}" if block is not None and block.bad else ""
            raise UserError(f"no row of {self.files[0].name} can be read{told}", "A stream needs rows to learn the labels from",
                            "Check data.source")  # fmt: skip
        return block

    def length(self) -> int | None:
        """How many rows there are; files that do not say it are read through. None where that cannot be found out."""
        lengths = [file.length() for file in self.files]
        return None if None in lengths else sum(filter(None, lengths))

    def as_table(self, block: Block) -> Table:
        """A block as a table that can be prepared."""
        names = [self.files[at].name for at in range(block.begin.file, min(block.end.file + 1, len(self.files)))]
        counts = {one["values"]: one["counts"] for one in block.rows["_file"].value_counts().to_pylist()}
        for bad in block.bad:
            counts[bad.file] = counts.get(bad.file, 0) + 1
        sizes = {file.name: file.bytes for file in self.files}
        read = tuple(FileRead(name, "stream", "", "", counts[name], sizes[name], "") for name in names if name in counts)
        return Table(block.rows, BadRows.of(block.bad), block.findings, read)

    def _chunks(self, at: int, first: int) -> Iterator[Chunk]:
        file, after = self.files[at], first
        try:
            for chunk in file.chunks(first):
                chunk = _from(chunk, first, file.name)
                after = max([after, *(chunk.rows["_row"].to_pylist()[-1:]), *(one.row for one in chunk.bad)])
                yield chunk
        except UserError as error:
            if len(self.files) == 1:
                raise
            yield Chunk(_no_rows(), (BadRow(file.name, after, error.found, ""),))


class _Gathered:
    """Chunks on their way to become blocks."""

    def __init__(self, begin: Mark, rows: int) -> None:
        self._begin, self._rows = begin, rows
        self._tables: list[pa.Table] = []
        self._have = 0
        self._bad: list[tuple[Mark, BadRow]] = []
        self._findings: list[Finding] = []

    def add(self, file: int, chunk: Chunk) -> Iterator[Block]:
        self._bad += [(Mark(file, one.row), one) for one in chunk.bad]
        self._findings += chunk.findings
        table = chunk.rows
        while table.num_rows:
            taken = table.slice(0, self._rows - self._have)
            self._tables.append(taken)
            self._have += taken.num_rows
            table = table.slice(taken.num_rows)
            if self._have == self._rows:
                yield self._cut(Mark(file, taken["_row"][-1].as_py() + 1))

    def rest(self, end: Mark) -> Iterator[Block]:
        if self._have or self._bad:
            yield self._cut(end)

    def _cut(self, end: Mark) -> Block:
        from tunewright.data.columns import stacked

        rows, told = stacked(self._tables) if self._tables else (_no_rows(), ())
        bad = tuple(one for place, one in self._bad if place < end)
        block = Block(self._begin, end, rows, bad, (*self._findings, *told))
        self._bad = [(place, one) for place, one in self._bad if not place < end]
        self._begin, self._tables, self._have, self._findings = end, [], 0, []
        return block


def open_stream(source: Any, base: Path) -> RowStream:
    """The training rows that ``data.source`` names, as a stream; reads none of them.

    Files are called by their names without the folders above them, or as far as they differ.

    Args:
        source: of the recipe.
        base: the folder of the recipe.

    Raises:
        UserError: it is nothing that can be read in part, or there is no such file.
    """
    splits = {split: source[split] for split in SPLITS if split in source} if isinstance(source, Mapping) else {"train": source}
    wanted = found(splits["train"], base)
    if hub := _hub_name(wanted):
        return RowStream((_hub_file(hub),))
    paths = _paths(wanted)
    beside = [Path(str(one)) for split in SPLITS[1:] for one in _as_list(found(splits.get(split, []), base))]
    names = _names(paths, beside)
    return RowStream(tuple(_file(path, names[path]) for path in paths))


def _as_list(source: Any) -> list[Any]:
    return list(source) if isinstance(source, (list, tuple)) else [source]


def _paths(source: Any) -> list[Path]:
    from tunewright.data.formats.inputs import inputs_of
    from tunewright.data.formats.packed import Input
    from tunewright.data.formats.rows import Notes

    given = _as_list(source)
    if not given or not all(isinstance(one, (str, Path)) for one in given):
        raise UserError(f"a {type(source).__name__} cannot be streamed: it is in memory already", WANTED, "Leave data.streaming out")
    if "-" in map(str, given):
        raise UserError("standard input cannot be streamed", "A run that was stopped reads its source again", "Write it to a file first")
    inputs = list(inputs_of([str(one) for one in given], Notes(str(source))))
    if not all(isinstance(one, Input) and one.path for one in inputs):
        raise UserError(f"{source} was saved by the datasets library, and cannot be streamed as a folder", WANTED,
                        f"Name its files: {Path(str(given[0])) / '*.arrow'}")  # fmt: skip
    paths = [Path(one.path) for one in inputs]
    for path in paths:
        if kind := _held_whole(path):
            raise UserError(f"{path.name} is {kind}, which cannot be read in part", WANTED,
                            "Save it as CSV or JSON lines, or leave data.streaming out")  # fmt: skip
    if twice := [path for path in dict.fromkeys(paths) if paths.count(path) > 1]:
        raise UserError(f"data.source names {', '.join(map(str, twice))} twice", "Each file is read once", "Remove the repetition")
    return paths


def _held_whole(path: Path) -> str:
    """What a file is that cannot be read in part; empty for one that can be."""
    from tunewright.data.formats.sniff import text_format

    if path.suffix.lower() in WORKBOOKS:
        return "a workbook"
    if path.suffix.lower() != ".json":
        return ""
    with path.open("rb") as stream:
        begins = stream.read(BEGINNING)
    document = text_format(begins.decode("utf-8", "replace"), path.name, whole=len(begins) < BEGINNING) == "json"
    return "a JSON document" if document else ""


def _names(paths: Sequence[Path], beside: Sequence[Path]) -> dict[Path, str]:
    """Each file -> its name without the folders above it; with those in which files differ, where names are the same."""
    whole = {path: path.absolute() for path in paths}
    if len({path.name for path in [*paths, *beside]}) == len(paths) + len(beside):
        return {path: path.name for path in paths}
    above = Path(os.path.commonpath([path.absolute().parent for path in [*paths, *beside]]))
    return {path: one.relative_to(above).as_posix() for path, one in whole.items()}


def _file(path: Path, name: str) -> StreamFile:
    return StreamFile(name, lambda first: batches(str(path), CHUNK_ROWS, first), lambda: _length(path), path.stat().st_size)


def _length(path: Path) -> int:
    """Rows of a file: from its directory if it has one, else counted."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with path.open("rb") as stream:
        begins = stream.read(4)
    if begins == b"PAR1":
        try:
            return int(pq.ParquetFile(path).metadata.num_rows)
        except (pa.ArrowException, OSError):
            pass  # damaged: what can be read of it is counted
    try:
        return sum(chunk.rows.num_rows for chunk in batches(str(path), CHUNK_ROWS))
    except UserError:
        return 0


def _from(chunk: Chunk, first: int, name: str) -> Chunk:
    """A chunk under the name of its file, without the rows before ``first``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = chunk.rows
    if first and rows.num_rows and rows["_row"][0].as_py() < first:
        rows = rows.filter(pc.greater_equal(rows["_row"], first))
    rows = rows.set_column(rows.column_names.index("_file"), "_file", pa.array([name] * rows.num_rows, pa.string()))
    bad = tuple(replace(one, file=name) for one in chunk.bad if one.row >= first)
    return Chunk(rows, bad, () if first else chunk.findings)


def _no_rows() -> pa.Table:
    import pyarrow as pa

    return pa.table({"_file": pa.array([], pa.string()), "_row": pa.array([], pa.int64())})


def _hub_name(source: Any) -> str:
    """``owner/name`` or ``owner/name:split``, if that is what a source is."""
    from tunewright.data.formats.inputs import HUB_ID
    from tunewright.data.formats.sniff import promised

    if not isinstance(source, str) or not HUB_ID.match(source) or promised(source):
        return ""
    return "" if Path(source).exists() or Path(source).parent.is_dir() else source


def _hub_file(name: str) -> StreamFile:
    from tunewright.data.formats.memory import the_split

    dataset, _, split = name.partition(":")

    def opened() -> Any:
        from datasets import load_dataset

        try:
            return the_split(load_dataset(dataset, streaming=True), split, name)
        except UserError:
            raise
        except Exception as error:  # no network, no such dataset, no permission: each has errors of its own
            raise UserError(f"{name} is no file here, and the Hub dataset of that name could not be opened "
                            f"({type(error).__name__}: {first_line(error)})", WANTED,
                            "Check the name and the connection, or download the dataset and give its files") from None  # fmt: skip

    def chunks(first: int) -> Iterator[Chunk]:
        rows = opened()
        for chunk in batches(rows.skip(first) if first else rows, CHUNK_ROWS):
            yield _numbered_from(chunk, first)

    def length() -> int | None:
        rows = opened()
        known = (rows.info.splits or {}).get(str(rows.split)) if rows.info is not None else None
        return known.num_examples if known is not None and known.num_examples else None

    return StreamFile(name, chunks, length)


def _numbered_from(chunk: Chunk, first: int) -> Chunk:
    """The rows of a stream that was opened behind its first rows, with the numbers they have in the whole."""
    import pyarrow.compute as pc

    rows = chunk.rows.set_column(chunk.rows.column_names.index("_row"), "_row", pc.add(chunk.rows["_row"], first))
    return Chunk(rows, tuple(replace(one, row=one.row + first) for one in chunk.bad), chunk.findings)
