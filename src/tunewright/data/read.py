"""Read a table, whatever it is kept in: every row is in the table or among the bad rows, with its number and the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import UserError, nearest
from tunewright.core.folder import file_hash
from tunewright.core.schema import Finding
from tunewright.data.formats.files import File
from tunewright.data.formats.inputs import WANTED, inputs_of, spooled
from tunewright.data.formats.memory import MEMORY, reader_of
from tunewright.data.formats.packed import Input
from tunewright.data.formats.rows import BadRow, Notes, Part, Reader

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BadRow", "Chunk", "FileRead", "Glance", "Table", "batches", "glance", "read", "require_columns", "sample"]

FILE, ROW = "_file", "_row"


@dataclass(frozen=True)
class FileRead:
    """One file that was read, and how."""

    name: str
    """As the user wrote it; ``-`` for standard input, ``<memory>`` for an object."""
    format: str
    """csv (any delimited text), json, jsonl, parquet, arrow, xlsx, conll; or rows, pandas, datasets for objects."""
    encoding: str
    """A Python codec name; empty for what is no text."""
    delimiter: str
    """Empty for one column and for what is no delimited text."""
    rows: int
    """Good and bad ones."""
    bytes: int
    """As it lies on the disk; 0 for objects in memory."""
    sha256: str
    """Of the bytes on the disk; empty when only the first rows were read, and for objects in memory."""


@dataclass(frozen=True)
class Chunk:
    """Some rows that follow each other: their own columns, then ``_file`` and ``_row``; and the bad rows met among them."""

    rows: pa.Table
    bad: tuple[BadRow, ...]
    findings: tuple[Finding, ...] = ()
    """What was found out since the chunk before. What only the end of a file tells comes with a chunk of no rows."""


@dataclass(frozen=True)
class Table:
    """All rows of a source: their own columns, then ``_file`` (string) and ``_row`` (int64, from 0 in each file)."""

    rows: pa.Table
    bad: Sequence[BadRow]
    findings: tuple[Finding, ...]
    files: tuple[FileRead, ...]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over columns and values, in hex; file names, row numbers and the size of batches do not count."""
        from tunewright.data.formats.arrow_tables import fingerprint

        return fingerprint(self.rows.drop_columns([name for name in (FILE, ROW) if name in self.rows.column_names]))


@dataclass(frozen=True)
class Glance:
    """The first rows of a source as plain Python values, for those who must answer before Arrow is loaded."""

    columns: Mapping[str, Sequence[Any]]
    """Own columns, then ``_file`` and ``_row``, all equally long."""
    types: Mapping[str, str]
    """For each own column: string, int64, double, bool, list<...>, or an Arrow type by its name."""
    bad: tuple[BadRow, ...]
    findings: tuple[Finding, ...]
    files: tuple[FileRead, ...]


@dataclass
class _Opened:
    """One input on its way: its reader, and what was counted."""

    reader: Reader
    notes: Notes
    file: File | None = None
    source: Input | None = None
    good: int = 0
    bad: list[BadRow] = field(default_factory=list)
    lost: UserError | None = None
    """Why the rest of it was given up, or no row of it could be read."""

    @property
    def among(self) -> bool:
        """Whether it is one of several that a folder or a pattern stands for: then the others are read whatever becomes of it."""
        return self.source is not None and self.source.among

    def parts(self, batch_rows: int) -> Iterator[Part]:
        after = 0
        try:
            for part in self.reader.parts(batch_rows):
                self.good += len(part.numbers)
                self.bad += part.bad[: max(0, 1 - len(self.bad))]
                after = max([after, *(one.row + 1 for one in part.bad), *(number + 1 for number in part.numbers[-1:])])
                yield part
        except UserError as error:
            if not self.among:
                raise
            self.lost = error
            yield Part([], {}, (self.notes.bad(after, error.found, "", offset=None if after else 0),))

    def finish(self, rows: int) -> FileRead:
        size, digest = self.file.finish() if self.file else self._of_the_disk()
        notes = self.notes
        name, encoding = notes.name, notes.encoding
        if encoding and not encoding.startswith("utf-8"):
            message = f"{name} is not written in UTF-8; it was read as {encoding}"
            notes.tell("encoding", "info", message, "Save it as UTF-8 to be sure of every character")
        if notes.broken:
            rows_broken = sorted(set(notes.broken))
            message = f"{len(rows_broken)} row(s) of {name} hold bytes that are no text in {encoding or 'UTF-8'}; they read as \ufffd"
            notes.tell("encoding", "warning", message, "Save the file as UTF-8 from the program that wrote it", rows_broken)
        self._expect_rows()
        return FileRead(notes.name, notes.format, notes.encoding, notes.delimiter, rows, size, digest)

    def _of_the_disk(self) -> tuple[int, str]:
        """Size and hash of a file that no reader wanted."""
        if self.source is None or not self.source.path:
            return 0, ""
        try:
            return self.source.size or 0, file_hash(Path(self.source.path))
        except OSError:
            return self.source.size or 0, ""

    def _expect_rows(self) -> None:
        """Raise a ``UserError`` when no row at all could be read; one file among several tells it."""
        name = self.notes.name
        if self.good or self.lost:
            return
        if self.bad:
            first = self.bad[0]
            where = f" (line {first.line})" if first.line else ""
            self.lost = UserError(
                f"no row of {name} could be read; the first{where}: {first.reason}",
                "Wanted: one row that fits the header",
                "Check how the file was written: its delimiter, its quotes, its first line",
            )
        else:
            found = f"{name} has column names and no rows" if self.notes.format in {"csv", "xlsx"} else f"{name} holds no rows"
            self.lost = UserError(found, "Wanted: at least one row", "Check how it was written")
            if self.among:
                self.notes.tell("no-rows", "info", self.lost.found, "Nothing, if that is what you want")
        if not self.among:
            raise self.lost


class _Unreadable:
    """Reads nothing of a file, and says why."""

    def __init__(self, error: UserError) -> None:
        self._error = error

    def parts(self, batch_rows: int) -> Iterator[Part]:
        yield from ()
        raise self._error


def batches(source: Any, batch_rows: int = 8192, first_row: int = 0) -> Iterator[Chunk]:
    """Read any source of rows, at most ``batch_rows`` at a time, in memory that does not grow with its length.

    Files that can be opened twice are looked through beforehand for their encoding and, if they are JSON lines, for the types of their
    columns; of a stream the first block decides. A JSON document and a workbook are held whole. Own columns may differ from file to file.

    Args:
        source: what ``read`` takes; ``"-"`` is standard input.
        first_row: rows of a file before this one are not wanted: those that can be passed over unread are, the others come nonetheless.

    Raises:
        UserError: as ``read`` does, as soon as it is known.
    """
    general = Notes(str(source) if isinstance(source, str) else "the source")
    told: list[Finding] = []
    for opened in _opened(source, general, whole=True, spool=False):
        last: pa.Table | None = None
        if first_row and opened.file is not None:
            opened.file.skip(first_row)
            opened.good = first_row  # whoever passes over rows has met them
        for part in opened.parts(batch_rows):
            last = _arrow(part, opened.notes)
            yield Chunk(last, part.bad, _new(told, general, opened.notes))
        opened.finish(0)
        if last is not None and (findings := _new(told, general, opened.notes)):
            yield Chunk(last.slice(0, 0), (), findings)


def read(source: Any) -> Table:
    """Read a table: rows read = rows in the table + bad rows. Its rows lie on the disk and are mapped into memory.

    A file that cannot be read, or not to its end, is an error; but one of several that a folder or a pattern stands for is lost alone: it
    becomes a bad row that says why.

    Args:
        source: a file (CSV, TSV, XLSX, JSON, JSONL, Parquet, Arrow; each also as .gz or .zst), a pattern, a folder, several files, ``"-"``
            or a binary stream, a list of dicts, a pandas DataFrame, a pyarrow Table, a ``datasets.Dataset``, a folder that
            ``datasets.save_to_disk`` wrote, or a dataset of the Hub (``owner/name`` or ``owner/name:split``). What was read already is
            handed back.

    Raises:
        UserError: there is no such file, it is no table, its columns are not named or named twice, or none of its rows can be read.
    """
    if isinstance(source, Table):
        return source
    from tunewright.data.bad import BadShelf
    from tunewright.data.formats.arrow_tables import joined
    from tunewright.data.shelf import BATCH_ROWS, Shelf

    general = Notes(str(source) if isinstance(source, str) else "the source")
    shelf, bad = Shelf(), BadShelf()
    files: list[FileRead] = []
    findings: list[Finding] = []
    for opened in _opened(source, general, whole=True, spool=True):
        rows = 0
        for part in opened.parts(BATCH_ROWS):
            shelf.add(_arrow(part, opened.notes))
            bad.add(part.bad)
            rows += len(part.numbers) + len(part.bad)
        files.append(opened.finish(rows))
        findings += opened.notes.findings
    table = joined(shelf.tables(), [FILE, ROW], general)
    return Table(table, bad.rows(), (*general.findings, *findings), tuple(files))


def sample(source: Any, max_rows: int = 2000) -> Table:
    """The first rows of a source, without reading the rest; ``glance`` gives the same without Arrow.

    Raises:
        UserError: as ``read`` does.
    """
    import pyarrow as pa

    from tunewright.data.formats.arrow_tables import array

    seen = glance(source, max_rows)
    own = {name: array(seen.types[name], values) for name, values in seen.columns.items() if name in seen.types}
    rows = pa.table(own | {FILE: pa.array(seen.columns[FILE], pa.string()), ROW: pa.array(seen.columns[ROW], pa.int64())})
    return Table(rows, seen.bad, seen.findings, seen.files)


def glance(source: Any, max_rows: int = 2000) -> Glance:
    """The first rows of a source as plain Python values; for text formats nothing heavy is imported.

    Raises:
        UserError: as ``read`` does.
    """
    from tunewright.data.formats.first_rows import FirstRows

    general = Notes(str(source) if isinstance(source, str) else "the source")
    first = FirstRows(max_rows)
    files: list[FileRead] = []
    findings: list[Finding] = []
    for opened in _opened(source, general, whole=False, spool=False):
        rows = 0
        for part in opened.parts(max_rows):
            rows += first.add(part, opened.notes.name)
            if first.full:
                break
        files.append(opened.finish(rows))
        findings += opened.notes.findings
        if first.full:
            break
    columns = first.columns()
    return Glance(columns, first.types, tuple(first.bad), (*general.findings, *findings), tuple(files))


def require_columns(table_columns: Sequence[str], wanted: Mapping[str, str], where: str, section: str = "data.columns") -> None:
    """Refuse a table that lacks a column.

    Args:
        table_columns: the columns there are.
        wanted: role -> the column that plays it.
        where: the file or source, for the message.
        section: of the recipe, where the columns are named.

    Raises:
        UserError: naming every column that is missing, the nearest one there is, and all that there are.
    """
    there = [name for name in table_columns if name not in (FILE, ROW)]
    missing = {role: name for role, name in wanted.items() if name not in there}
    if not missing:
        return
    told = []
    for role, name in missing.items():
        near = nearest(name, there)
        told.append(f"{name!r} (for {role})" + (f"; did you mean {near!r}?" if near else ""))
    raise UserError(f"{where} has no column {', no column '.join(told)}", f"Its columns are: {', '.join(there) or '(none)'}",
                    f"Set {section}, for example {section}.{next(iter(missing))}=<column>")  # fmt: skip


def _opened(source: Any, general: Notes, whole: bool, spool: bool) -> Iterator[_Opened]:
    """Each input of a source, opened in its turn and closed before the next.

    Raises:
        UserError: an input cannot be opened, or none of several has a row.
    """
    all_lost: UserError | None = None
    some = False
    for one in inputs_of(source, general):
        opened = _open(one, source, whole, spool)
        try:
            yield opened
        finally:
            if opened.file is not None:
                opened.file.close()
        all_lost, some = all_lost or opened.lost, some or opened.good > 0
    if all_lost is not None and not some:
        raise all_lost


def _open(one: Any, source: Any, whole: bool, spool: bool) -> _Opened:
    """One input and its reader; of a file among several that cannot be opened, a reader that says why."""
    if not isinstance(one, Input):
        notes = Notes(str(source if isinstance(source, str) else MEMORY))
        reader = reader_of(one, notes)
        if reader is None:
            raise UserError(f"a {type(one).__name__} cannot be read as a table", WANTED, "Turn it into one of these first")
        return _Opened(reader, notes)
    notes = Notes(one.name)
    try:
        file = File(spooled(one) if spool and not one.again else one, notes, whole)
    except UserError as error:
        if not one.among:
            raise
        return _Opened(_Unreadable(error), notes, source=one)
    return _Opened(file, notes, file, one)


def _new(told: list[Finding], *several: Notes) -> tuple[Finding, ...]:
    """The findings that are not among ``told`` yet; from now on they are."""
    found = tuple(finding for notes in several for finding in notes.findings if finding not in told)
    told += found
    return found


def _arrow(part: Part, notes: Notes) -> pa.Table:
    """A part as an Arrow table with ``_file`` and ``_row``; own columns of these names give way, and that is told."""
    import pyarrow as pa

    from tunewright.data.formats.arrow_tables import array

    columns = part.columns
    if isinstance(columns, Mapping):
        table = pa.table({name: array(column.type, column.values) for name, column in columns.items()})
    else:
        table = columns
    if taken := [name for name in (FILE, ROW) if name in table.column_names]:
        tell_taken(taken, notes)
        table = table.drop_columns(taken)
    own = {name: table.column(name) for name in table.column_names}
    return pa.table(own | {FILE: pa.repeat(notes.name, len(part.numbers)), ROW: pa.array(part.numbers, pa.int64())})


def tell_taken(names: Sequence[str], notes: Notes) -> None:
    """Tell that own columns were replaced by ours."""
    message = f"{notes.name} has columns called {' and '.join(names)}, which are names of ours; its own values are left out"
    notes.tell("header", "info", message, "Rename them if they matter")
