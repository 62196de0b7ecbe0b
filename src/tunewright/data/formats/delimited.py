"""CSV, TSV and their relatives: every cell is a string, an empty one is missing, and no cell ever moves to another column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tunewright.core.errors import UserError
from tunewright.data.formats.decoding import Decoded, Lines
from tunewright.data.formats.dialect import Trial, detect, separator_line
from tunewright.data.formats.header import column_names
from tunewright.data.formats.packed import Damage
from tunewright.data.formats.records import Dialect, Record, Records, Shape
from tunewright.data.formats.rows import PART_CHARS, BadRow, Column, Notes, Part

SAMPLE_CHARS = 1 << 16
MOST_AT_ONCE = 1 << 12


@dataclass(frozen=True)
class _Run:
    """Good rows that follow each other: the number of the first, their cells, and how many characters they have."""

    first: int
    rows: list[list[str]]
    chars: int


class Delimited:
    """Reads delimited text row by row.

    Raises:
        UserError: the first line does not name the columns, or names one twice.
    """

    def __init__(self, decoded: Decoded, notes: Notes, damage: Callable[[], Damage | None], tabs: bool = False) -> None:
        self._decoded, self._notes, self._damage = decoded, notes, damage
        self._room = 0
        """Rows that the part at hand can still take."""
        lines = Lines(decoded.texts())
        sample, whole = lines.peek(SAMPLE_CHARS)
        skipped = 0
        trial: Trial | None = None
        if sample and (given := separator_line(sample[0])):
            next(lines)
            skipped = 1
            sample = sample[1:]
            trial = Trial(Dialect(given), tuple(Records(iter(sample), Dialect(given), more=not whole)))
        trial = trial or detect(sample, whole, notes.name, tabs)
        self._header, self.names = _header(trial, notes)
        rows = [row.cells for row in trial.records[1:] if row.cells is not None]
        shape = Shape(len(self.names))
        shape.learn([row for row in rows if len(row) == len(self.names)])
        self._records = Records(lines, trial.dialect, shape, line=skipped)
        notes.delimiter = trial.dialect.delimiter
        if len(self.names) == 1:
            _tell_one_column(self.names[0], notes)

    def parts(self, batch_rows: int) -> Iterator[Part]:
        """The rows in the file's order, at most ``batch_rows`` good ones at a time."""
        numbers: list[int] = []
        rows: list[list[str]] = []
        bad: list[BadRow] = []
        chars = 0
        self._room = batch_rows
        for item in self._items():
            if isinstance(item, _Run):
                numbers += range(item.first, item.first + len(item.rows))
                rows += item.rows
                chars += item.chars
            else:
                bad.append(item)
            if len(rows) >= batch_rows or len(bad) >= max(batch_rows, 1000) or chars >= PART_CHARS:
                yield Part(numbers, self._columns(rows), tuple(bad))
                numbers, rows, bad, chars = [], [], [], 0
            self._room = batch_rows - len(rows)
        if rows or bad:
            yield Part(numbers, self._columns(rows), tuple(bad))

    def _items(self) -> Iterator[_Run | BadRow]:
        """Good rows that follow each other, never more at once than there is room for; and bad ones."""
        records = iter(self._records)
        header = next(records, None)
        damage = self._damage()
        if damage and header and header.cut:
            raise UserError(f"of {self._notes.name} no whole line can be read: {damage.reason}", "", "Write or download it again")
        number = 0
        tail: Record | None = None
        doubtful: list[int] = []
        while True:
            plain, chars = self._records.plain(min(self._room, MOST_AT_ONCE), self._header)
            if plain:
                yield _Run(number, plain, chars)
                number += len(plain)
                continue
            record = next(records, None)
            if record is None:
                break
            if record.cut and self._damage():
                tail = record
                break
            reason = self._fault(record)
            if reason:
                yield self._notes.bad(number, reason, record.raw, record.line)
            else:
                if self._decoded.broken and "\ufffd" in record.raw:
                    self._notes.broken.append(number)
                if record.doubtful:
                    doubtful.append(number)
                yield _Run(number, [record.cells or []], len(record.raw))
            number += 1
        if doubtful:
            _tell_doubtful(doubtful, self._notes)
        if damage := self._damage():
            yield self._notes.bad(
                number, f"from here on {damage.reason}", tail.raw if tail else "", tail.line if tail else None, damage.offset
            )

    def _fault(self, record: Record) -> str:
        if record.cells is None:
            return record.reason
        if len(record.cells) != len(self.names):
            return f"{len(record.cells)} {_cells(len(record.cells))} where the header has {len(self.names)}"
        if record.cells == self._header and len(self._header) > 1:
            return "the line of column names stands here again"
        return "it holds NUL characters, which do not stand in text" if "\0" in record.raw else ""

    def _columns(self, rows: list[list[str]]) -> Mapping[str, Column]:
        by_column: Sequence[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [()] * len(self.names)
        return {name: Column("string", [cell or None for cell in cells]) for name, cells in zip(self.names, by_column, strict=True)}


def _header(trial: Trial, notes: Notes) -> tuple[list[str], list[str]]:
    """The cells of the first line as they are, and the names they give to the columns."""
    if not trial.records or trial.records[0].cells is None:
        reason = trial.records[0].reason if trial.records else "it begins with a quotation mark that is not closed"
        raise UserError(
            f"the first line of {notes.name} cannot be read: {reason}", "Wanted: a first line that names the columns", "Mend that line"
        )
    cells = trial.records[0].cells
    if "\0" in trial.records[0].raw:
        raise UserError(
            f"the first line of {notes.name} holds NUL characters", "Wanted: a first line that names the columns", "Mend that line"
        )
    rows = [row.cells for row in trial.records[1:] if row.cells is not None and row.cells != cells]
    return cells, column_names(cells, rows, notes)


def _tell_one_column(name: str, notes: Notes) -> None:
    notes.tell("one-column", "warning", f"{notes.name} was read as a single column, {name[:80]!r}; no delimiter was found",
               "If there should be more columns, save the file as CSV with commas")  # fmt: skip


def _tell_doubtful(rows: list[int], notes: Notes) -> None:
    message = f"{len(rows)} row(s) of {notes.name} have a quoted cell over several lines, each of which could be a row of its own"
    notes.tell("open-quote", "warning", message, "Look at these rows: a quotation mark may have been left open", rows)


def _cells(count: int) -> str:
    return "cell" if count == 1 else "cells"
