"""What every reader hands on: good rows with their numbers, bad rows with their reason, and notes about the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tunewright.core.schema import Finding, Places, Severity

if TYPE_CHECKING:
    import pyarrow as pa

RAW_CHARS = 1000
PART_CHARS = 1 << 22
"""A part is handed on when its rows hold this many characters, however few they are: memory stays bounded."""


@dataclass(frozen=True)
class BadRow:
    """A row, or one unreadable region, that could not be read: where it is, why, and how it begins."""

    file: str
    row: int
    """Its number in the file's data, from 0; good and bad rows are counted together."""
    reason: str
    raw: str
    """Its first 1,000 characters."""
    line: int | None = None
    """The line of the file where it begins, from 1."""
    offset: int | None = None
    """Where it begins in the file, in bytes from 0."""


@dataclass(frozen=True)
class Good:
    """One row of a reader that goes row by row. What ``values`` is, is the reader's own business."""

    number: int
    values: Any
    chars: int


@dataclass(frozen=True)
class Column:
    """Plain Python values with one type: string, int64, double, bool, or a list of one of these, as ``list<string>``."""

    type: str
    values: Sequence[Any]


@dataclass(frozen=True)
class Part:
    """Some rows that follow each other: columns by name, or an Arrow table, with the row numbers; and the bad rows among them."""

    numbers: Sequence[int]
    columns: Mapping[str, Column] | pa.Table
    bad: tuple[BadRow, ...] = ()


@dataclass
class Notes:
    """What a reader found out about one file on its way."""

    name: str
    format: str = ""
    encoding: str = ""
    delimiter: str = ""
    findings: list[Finding] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    """Numbers of the rows in which characters could not be decoded."""

    def tell(self, rule: str, severity: Severity, message: str, remedy: str, rows: Sequence[int] = ()) -> None:
        """Add a finding, once."""
        places = Places.in_file(self.name, rows)
        finding = Finding(rule=rule, severity=severity, message=message, remedy=remedy, places=places)
        if finding not in self.findings:
            self.findings.append(finding)

    def bad(self, row: int, reason: str, raw: str, line: int | None = None, offset: int | None = None) -> BadRow:
        """A bad row of this file; ``raw`` is cut to its first 1,000 characters."""
        return BadRow(self.name, row, reason, raw[:RAW_CHARS].encode("utf-8", "replace").decode("utf-8"), line, offset)


class Reader(Protocol):
    """Reads one file from its beginning."""

    def parts(self, batch_rows: int) -> Iterator[Part]:
        """The rows in the file's order, at most ``batch_rows`` good ones at a time."""
        ...


def gathered(items: Iterator[Good | BadRow], columns: Callable[[list[Good]], Mapping[str, Column]], batch_rows: int) -> Iterator[Part]:
    """Rows that come one by one, as parts of at most ``batch_rows`` good rows."""
    good: list[Good] = []
    bad: list[BadRow] = []
    chars = 0
    for item in items:
        if isinstance(item, Good):
            good.append(item)
            chars += item.chars
        else:
            bad.append(item)
        if len(good) >= batch_rows or len(bad) >= max(batch_rows, 1000) or chars >= PART_CHARS:
            yield Part([row.number for row in good], columns(good), tuple(bad))
            good, bad, chars = [], [], 0
    if good or bad:
        yield Part([row.number for row in good], columns(good), tuple(bad))
