"""Records of delimited text: quoted cells may run over lines, and a quote that is never closed takes one line with it, not the file."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, takewhile, tee
from typing import TYPE_CHECKING

from tunewright.data.formats.decoding import Lines
from tunewright.data.formats.header import NUMBER

if TYPE_CHECKING:
    from _csv import Reader

OPEN_CHARS = 1 << 26
"""The longest quoted cell, in characters; a quote that is not closed within it is taken for a fault."""
FAULT_LINES, MANY_LINES = 100, 6
NOT_DOUBLED = "a quotation mark inside a quoted cell is not doubled"
NOT_CLOSED = "a quotation mark is opened and not closed where the row should end"


@dataclass(frozen=True)
class Dialect:
    """How the cells of a text are kept apart."""

    delimiter: str = ","
    """Empty for a text of one column."""
    quote: str = '"'
    """Empty when quotation marks mean nothing."""
    escaped: bool = False
    """Quotes inside quoted cells are written with a backslash, not doubled."""
    spaced: bool = False
    """A blank follows each delimiter."""


@dataclass(frozen=True)
class Record:
    """One record: where it begins, its text, and its cells, or why there are none."""

    line: int
    raw: str
    cells: list[str] | None
    reason: str = ""
    cut: bool = False
    """It reaches the end of the text, and that end is not the end of a line."""
    doubtful: bool = False
    """A cell of it runs over lines that could each be a row."""


@dataclass
class Shape:
    """What rows of a table look like: how many cells, and which columns hold numbers or a handful of words only."""

    width: int
    known: list[frozenset[str] | None] = field(default_factory=list)
    """For each column the values it has; empty: any number; None: anything."""
    filled: list[int] = field(default_factory=list)
    """For each column how many cells were seen; with fewer than eight it tells nothing."""

    def learn(self, rows: Sequence[Sequence[str]]) -> None:
        """Take note of some rows of this width."""
        for place in range(self.width):
            if place < len(self.known) and self.known[place] is None and self.filled[place]:
                continue  # anything may stand there, whatever comes
            cells = [row[place] for row in rows if row[place]]
            if place == len(self.known):
                self.known.append(None)
                self.filled.append(0)
            if len(cells) >= 8:
                fresh = self.filled[place] == 0
                self.known[place] = _values(cells) if fresh else _together(self.known[place], _values(cells))
                self.filled[place] += len(cells)

    def starts(self, cells: Sequence[str]) -> bool:
        """Whether cells could be the first ones of a row."""
        return len(cells) <= self.width and all(not cell or _fits(cell, values) for cell, values in zip(cells, self.known, strict=False))

    def encloses(self, cells: Sequence[str], free: int) -> bool | None:
        """Whether cells are a row in whose column ``free`` there may be any text, delimiters too; None when no other column tells."""
        if len(cells) < self.width:
            return False
        after = self.width - free - 1
        pairs = [*zip(cells[:free], self.known[:free], strict=True), *zip(cells[len(cells) - after :], self.known[free + 1 :], strict=True)]
        telling = [(cell, values) for cell, values in pairs if values is not None]
        return all(_fits(cell, values) for cell, values in telling) if telling else None


def _fits(cell: str, values: frozenset[str] | None) -> bool:
    return values is None or (cell in values if values else bool(NUMBER.match(cell)))


def _values(cells: Sequence[str]) -> frozenset[str] | None:
    if all(NUMBER.match(cell) for cell in cells):
        return frozenset()
    few = frozenset(cells)
    return few if len(few) * 4 <= len(cells) and max(map(len, few)) <= 60 else None


def _together(old: frozenset[str] | None, new: frozenset[str] | None) -> frozenset[str] | None:
    if old is None or new is None or bool(old) != bool(new):
        return None
    both = old | new
    return both if len(both) <= 500 else None


def _reason(taken: Sequence[str], count: int, end: str) -> str:
    return NOT_DOUBLED if end == "wrong" and (count > 1 or len(taken) == 1) else NOT_CLOSED


class Records:
    """Iterates over the records of lines of text.

    Args:
        lines: without their ends; its ``unfinished``, if it has one, tells that the last line was cut.
        shape: what rows look like, to tell where a quote that was never closed should have ended. None: not known yet.
        more: the lines are only the beginning of a text; a record that runs over their end is left out.
    """

    def __init__(self, lines: Iterator[str], dialect: Dialect, shape: Shape | None = None, more: bool = False, line: int = 0) -> None:
        self.dialect, self.shape = dialect, shape
        self._lines, self._more, self._line = lines, more, line
        self._back: deque[str] = deque()
        self._recent: list[list[str]] = []
        self._tail = self._begun = False
        self._special = re.compile(r"\\.|" + re.escape(dialect.quote), re.DOTALL) if dialect.quote and dialect.escaped else None

    def plain(self, most: int, header: list[str]) -> tuple[list[list[str]], int]:
        """The cells of the next records, as many as can be told at a glance, and their characters.

        These are rows as wide as the table, each in a line of its own and without a character that text does not have; the header is not
        among them.
        """
        dialect, shape = self.dialect, self.shape
        if self._back or shape is None or shape.width < 2 or dialect.spaced or not isinstance(self._lines, Lines):
            return [], 0
        rows, chars = [], 0
        for line, cells in self._alone(line.removesuffix("\r") for line in self._lines.ready(most)):
            if len(cells) != shape.width or cells == header or "\0" in line or "\ufffd" in line:
                break
            rows.append(cells)
            chars += len(line)
        self._lines.drop(len(rows))
        self._line += len(rows)
        self._tail = False
        self._learn(rows)
        return rows, chars

    def _alone(self, lines: Iterator[str]) -> Iterator[tuple[str, list[str]]]:
        """Each line and its cells, as long as lines are records by themselves: none with a quotation mark, or all with theirs in order."""
        quote, first = self.dialect.quote, next(lines, None)
        if first is None:
            return
        lines = chain([first], lines)
        if not quote or quote not in first:
            without = takewhile(lambda line: not quote or quote not in line, lines)
            yield from ((line, line.split(self.dialect.delimiter)) for line in without)
            return
        told, read = tee(takewhile(lambda line: "\r" not in line and (quote in line or not self.dialect.escaped), lines))
        reader = self._reader(read)
        with suppress(csv.Error):
            for count, cells in enumerate(reader, 1):
                if reader.line_num != count:
                    return
                yield next(told), cells

    def __iter__(self) -> Iterator[Record]:
        quote = self.dialect.quote
        while (line := self._next()) is not None:
            if not line.strip("\r \ufeff") and not self._is_empty_cell(line):
                continue
            if not quote or quote not in line:
                record: Record | None = Record(self._line, line, self._split(line), cut=self._cut)
            else:
                record = self._quoted(line)
            if record is not None:
                self._begun = True
                if self.shape is not None and record.cells is not None and len(record.cells) == self.shape.width:
                    self._learn([record.cells])
                yield record

    def _is_empty_cell(self, line: str) -> bool:
        """Whether a line without anything is a row whose only cell is empty: in a table of one column, behind the header."""
        return self._begun and self.shape is not None and self.shape.width == 1 and not line.strip("\r ")

    def _learn(self, rows: list[list[str]]) -> None:
        """Take note of rows as wide as the table, two hundred at a time."""
        self._recent += rows
        while self.shape is not None and len(self._recent) >= 200:
            self.shape.learn(self._recent[:200])
            del self._recent[:200]

    @property
    def _cut(self) -> bool:
        return self._tail and not self._back

    def _next(self) -> str | None:
        if self._back:
            line: str | None = self._back.popleft()
        else:
            line = next(self._lines, None)
            self._tail = line is not None and getattr(self._lines, "unfinished", False)
        self._line += line is not None
        return line

    def _split(self, line: str) -> list[str]:
        line = line.removesuffix("\r")
        cells = line.split(self.dialect.delimiter) if self.dialect.delimiter else [line]
        return [cell.lstrip(" ") for cell in cells] if self.dialect.spaced else cells

    def _quoted(self, line: str) -> Record | None:
        """The record that begins with this line, which has a quotation mark."""
        start = self._line
        cells = self._parse(line)
        if cells is not None:
            return Record(start, line, cells, cut=self._cut)
        taken, end = self._until_closed(line) if self._ends(line) == "open" else (self._until_odd(line), "wrong")
        if end == "over":
            return None
        if end == "closed":
            raw = "\n".join(taken)
            cells = self._parse(raw)
            swallowed = cells is None or self._swallowed(taken, cells)
            if not swallowed:
                return Record(start, raw, cells, cut=self._cut, doubtful=swallowed is None)
        count = self._lines_at_fault(taken, end)
        self._back.extendleft(reversed(taken[count:]))
        self._line -= len(taken) - count
        return Record(start, "\n".join(taken[:count]), None, _reason(taken, count, end), self._cut)

    def _until_closed(self, line: str) -> tuple[list[str], str]:
        """The lines from one that leaves a cell open to the one that closes it: "closed", "wrong", "open", or "over" the sample's end."""
        taken, chars, end = [line], len(line), "open"
        while end == "open" and chars <= OPEN_CHARS:
            line_after = self._next()
            if line_after is None:
                return taken, "over" if self._more else "open"
            taken.append(line_after)
            chars += len(line_after)
            if self.dialect.quote in line_after:
                end = self._ends(line_after, inside=True)
        return taken, end

    def _until_odd(self, line: str) -> list[str]:
        """The lines over which a cell with quotes in disorder may run: to the next odd number of quotes, or the next row."""
        taken = [line]
        if self.shape is None or line.count(self.dialect.quote) % 2 == 0:
            return taken
        while len(taken) < FAULT_LINES and (line_after := self._next()) is not None:
            taken.append(line_after)
            if line_after.count(self.dialect.quote) % 2 or self._stands_alone(line_after):
                break
        return taken

    def _ends(self, line: str, inside: bool = False) -> str:
        """How a line leaves the quoting: "closed", "open", or "wrong" when a closing quote is followed by more text."""
        line = line.removesuffix("\r")
        quote, delimiter = self.dialect.quote, self.dialect.delimiter or "\n"
        at = 0
        while True:
            if inside:
                at = self._closing(line, at)
                if at < 0:
                    return "open"
                if at == len(line):
                    return "closed"
                if not line.startswith(delimiter, at):
                    return "wrong"
                at += 1
            while self.dialect.spaced and line.startswith(" ", at):
                at += 1
            inside = line.startswith(quote, at)
            if inside:
                at += 1
                continue
            at = line.find(delimiter, at) + 1
            if at == 0:
                return "closed"

    def _closing(self, line: str, at: int) -> int:
        """The place after the quote that closes a cell, or -1."""
        quote = self.dialect.quote
        if self._special:
            return next((found.end() for found in self._special.finditer(line, at) if found[0] == quote), -1)
        while (at := line.find(quote, at)) >= 0:
            if not line.startswith(quote, at + 1):
                return at + 1
            at += 2
        return -1

    def _parse(self, text: str) -> list[str] | None:
        """The cells of one whole record, or None when its quotes are not in order."""
        if len(text) > csv.field_size_limit():
            csv.field_size_limit(min(len(text) * 2, 2**31 - 1))  # the limit is the process's own: only ever raised
        try:
            return next(self._reader((text.removesuffix("\r"),)))
        except (csv.Error, StopIteration):
            return None

    def _reader(self, lines: Iterable[str]) -> Reader:
        dialect = self.dialect
        return csv.reader(lines, delimiter=dialect.delimiter or "\x1f", quotechar=dialect.quote, doublequote=not dialect.escaped,
                          escapechar="\\" if dialect.escaped else None, skipinitialspace=dialect.spaced, strict=True)  # fmt: skip

    def _swallowed(self, taken: Sequence[str], cells: Sequence[str]) -> bool | None:
        """Whether a cell over several lines is really rows between two quotes that have nothing to do with each other.

        None when it may be so, and no column is there to tell.
        """
        shape = self.shape
        if shape is None:
            return False
        if len(cells) != shape.width:
            return any(self._stands_alone(line) for line in taken[1:])
        free = next(place for place, cell in enumerate(cells) if "\n" in cell)
        whole = [shape.encloses([cell.strip(self.dialect.quote) for cell in self._split(line)], free) for line in (taken[0], taken[-1])]
        inner = [shape.encloses(self._split(line), free) for line in taken[1:-1] if line]
        if None not in whole:
            return all(whole) and sum(map(bool, inner)) >= 0.8 * len(inner)
        even = shape.width >= 3 and all(len(self._split(line)) == shape.width for line in taken)
        return (len(taken) >= MANY_LINES or None) if even and len(taken) >= 3 else False

    def _lines_at_fault(self, taken: Sequence[str], end: str) -> int:
        """How many of the lines belong to the broken record: as few as possible, so that the rows after it are kept."""
        for count, line in enumerate(taken[1:], 1):
            if self._stands_alone(line):
                return 1
            if line.count(self.dialect.quote) % 2 and count < len(taken):
                return count + 1
        return len(taken) if end == "open" and self._tail else 1

    def _stands_alone(self, line: str) -> bool:
        """Whether a line can be a row by itself, or the beginning of one whose last cell goes on below."""
        if self.shape is None:
            return True
        end = self._ends(line)
        if end == "open":
            before = line[: line.rfind(self.dialect.quote)]
            cells = self._parse(before[:-1]) if before else []
            return cells is not None and len(cells) < self.shape.width and self.shape.starts(cells)
        cells = self._parse(line) if end == "closed" and line.count(self.dialect.quote) % 2 == 0 else None
        return cells is not None and len(cells) == self.shape.width and self.shape.starts(cells)
