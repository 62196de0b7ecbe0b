"""Read a table, whatever it is kept in: every row is in the table or among the bad rows, with its number and the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import UserError, nearest
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
    """csv (any delimited text), json, jsonl, parquet, arrow, xlsx; or rows, pandas, datasets for objects."""
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
    bad: tuple[BadRow, ...]
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
    good: int = 0
    bad: list[BadRow] = field(default_factory=list)

    def parts(self, batch_rows: int) -> Iterator[Part]:
        for part in self.reader.parts(batch_rows):
            self.good += len(part.numbers)
            self.bad += part.bad[: max(0, 1 - len(self.bad))]
            yield part

    def refuse_nothing(self) -> None:
        """Raise a ``UserError`` when no row at all could be read."""
        name = self.notes.name
        if self.good == 0 and self.bad:
            first = self.bad[0]
            where = f" (line {first.line})" if first.line else ""
            raise UserError(f"no row of {name} could be read; the first{where}: {first.reason}", "Wanted: one row that fits the header",
                            "Check how the file was written: its delimiter, its quotes, its first line")  # fmt: skip
        if self.good == 0:
            raise UserError(f"{name} has column names and no rows" if self.notes.format in {"csv", "xlsx"} else f"{name} holds no rows",
                            "Wanted: at least one row", "Check how it was written")  # fmt: skip

    def finish(self, rows: int) -> FileRead:
        size, digest = self.file.finish() if self.file else (0, "")
        notes = self.notes
        name, encoding = notes.name, notes.encoding
        if encoding and not encoding.startswith("utf-8"):
            message = f"{name} is not written in UTF-8; it was read as {encoding}"
            notes.tell("encoding", "info", message, "Save it as UTF-8 to be sure of every character")
        if notes.broken:
            rows_broken = sorted(set(notes.broken))
            message = f"{len(rows_broken)} row(s) of {name} hold bytes that are no text in {encoding or 'UTF-8'}; they read as \ufffd"
            notes.tell("encoding", "warning", message, "Save the file as UTF-8 from the program that wrote it", rows_broken)
        return FileRead(notes.name, notes.format, notes.encoding, notes.delimiter, rows, size, digest)


def batches(source: Any, batch_rows: int = 8192) -> Iterator[Chunk]:
    """Read any source of rows, at most ``batch_rows`` at a time, in memory that does not grow with its length.

    Files that can be opened twice are looked through beforehand for their encoding and, if they are JSON lines, for the types of their
    columns; of a stream the first block decides. A JSON document and a workbook are held whole. Own columns may differ from file to file.

    Args:
        source: what ``read`` takes; ``"-"`` is standard input.

    Raises:
        UserError: as ``read`` does, as soon as it is known.
    """
    general = Notes(str(source) if isinstance(source, str) else "the source")
    told: list[Finding] = []
    for opened in _opened(source, general, whole=True, spool=False):
        last: pa.Table | None = None
        for part in opened.parts(batch_rows):
            last = _arrow(part, opened.notes)
            yield Chunk(last, part.bad, _new(told, general, opened.notes))
        opened.finish(0)
        opened.refuse_nothing()
        if last is not None and (findings := _new(told, general, opened.notes)):
            yield Chunk(last.slice(0, 0), (), findings)


def read(source: Any) -> Table:
    """Read a table into memory: rows read = rows in the table + bad rows.

    Args:
        source: a file (CSV, TSV, XLSX, JSON, JSONL, Parquet, Arrow; each also as .gz or .zst), a pattern, a folder, several files, ``"-"``
            or a binary stream, a list of dicts, a pandas DataFrame, a pyarrow Table, a ``datasets.Dataset``, a folder that
            ``datasets.save_to_disk`` wrote, or a dataset of the Hub (``owner/name`` or ``owner/name:split``).

    Raises:
        UserError: there is no such file, it is no table, its columns are not named or named twice, or none of its rows can be read.
    """
    from tunewright.data.formats.arrow_tables import joined

    general = Notes(str(source) if isinstance(source, str) else "the source")
    tables: list[pa.Table] = []
    bad: list[BadRow] = []
    files: list[FileRead] = []
    findings: list[Finding] = []
    for opened in _opened(source, general, whole=True, spool=True):
        rows = 0
        for part in opened.parts(8192):
            tables.append(_arrow(part, opened.notes))
            bad += part.bad
            rows += len(part.numbers) + len(part.bad)
        files.append(opened.finish(rows))
        opened.refuse_nothing()
        findings += opened.notes.findings
    table = joined(tables, [FILE, ROW], general)
    return Table(table, tuple(bad), (*general.findings, *findings), tuple(files))


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
        opened.refuse_nothing()
        findings += opened.notes.findings
        if first.full:
            break
    columns = first.columns()
    return Glance(columns, first.types, tuple(first.bad), (*general.findings, *findings), tuple(files))


def require_columns(table_columns: Sequence[str], wanted: Mapping[str, str], where: str) -> None:
    """Refuse a table that lacks a column.

    Args:
        table_columns: the columns there are.
        wanted: role -> the column that plays it.
        where: the file or source, for the message.

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
                    f"Set data.columns, for example data.columns.{next(iter(missing))}=<column>")  # fmt: skip


def _opened(source: Any, general: Notes, whole: bool, spool: bool) -> Iterator[_Opened]:
    """Each input of a source, opened in its turn and closed before the next."""
    for one in inputs_of(source, general):
        if not isinstance(one, Input):
            name = source if isinstance(source, str) else MEMORY
            notes = Notes(str(name))
            reader = reader_of(one, notes)
            if reader is None:
                raise UserError(f"a {type(one).__name__} cannot be read as a table", WANTED, "Turn it into one of these first")
            yield _Opened(reader, notes)
            continue
        notes = Notes(one.name)
        file = File(spooled(one) if spool and not one.again else one, notes, whole)
        try:
            yield _Opened(file, notes, file)
        finally:
            file.close()


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
    return pa.table(own | {FILE: pa.array([notes.name] * len(part.numbers), pa.string()), ROW: pa.array(part.numbers, pa.int64())})


def tell_taken(names: Sequence[str], notes: Notes) -> None:
    """Tell that own columns were replaced by ours."""
    message = f"{notes.name} has columns called {' and '.join(names)}, which are names of ours; its own values are left out"
    notes.tell("header", "info", message, "Rename them if they matter")
