"""Find out how a text keeps its cells apart: try the few ways there are on its beginning, and keep the one that gives even rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from tunewright.core.errors import UserError
from tunewright.data.formats.records import Dialect, Record, Records

DELIMITERS = (",", ";", "\t", "|")
RECORDS = 200
SEPARATOR_LINE = re.compile(r"\ufeff?sep=(.)\r?$", re.IGNORECASE)


@dataclass(frozen=True)
class Trial:
    """A dialect, and the records that the beginning of a text has in it, the header first."""

    dialect: Dialect
    records: tuple[Record, ...]

    @property
    def width(self) -> int:
        """Cells in the header; 0 when it cannot be read."""
        return len(self.records[0].cells or ()) if self.records else 0

    @property
    def even(self) -> float:
        """Share of the rows that are as wide as the header."""
        rows = self.records[1:]
        return sum(len(row.cells or ()) == self.width for row in rows) / len(rows) if rows else 1.0


def detect(lines: Sequence[str], whole: bool, name: str, tabs: bool = False) -> Trial:
    """The dialect in which the beginning of a text gives the most even rows.

    Args:
        lines: the beginning, without line ends.
        whole: whether that is all of the text.
        name: the file, for messages.
        tabs: the file's name promises tabs.

    Raises:
        UserError: the first line is a title above the table.
    """
    text = "\n".join(lines)
    trials = [trial for dialect in _dialects(text) if _believable(trial := _trial(lines, dialect, whole))]
    wide = [trial for trial in trials if trial.width >= 2 and (trial.even >= 0.05 or len(trial.records) <= 3)]
    if tabs:
        wide = [trial for trial in wide if trial.dialect.delimiter == "\t" and trial.even >= 0.5] or wide
    if wide:
        return _with_blanks(max(wide, key=lambda trial: (round(trial.even, 2), trial.width)), lines, whole)
    _refuse_title(trials, name)
    alone = [_trial(lines, dialect, whole) for dialect in _quotings(text, "")]
    return max(alone, key=lambda trial: round(trial.even, 2))


def _trial(lines: Sequence[str], dialect: Dialect, whole: bool) -> Trial:
    return Trial(dialect, tuple(islice(Records(iter(lines), dialect, more=not whole), RECORDS)))


def _believable(trial: Trial) -> bool:
    """Quotes mean nothing only if that makes nearly every row even: one quoted delimiter shows that they do mean something."""
    return bool(trial.dialect.quote) or trial.even >= 0.98


def _with_blanks(trial: Trial, lines: Sequence[str], whole: bool) -> Trial:
    """The same with blanks after the delimiters left out, if every cell but the first has one and quotes stand behind some."""
    after = [cell for row in trial.records for cell in (row.cells or ())[1:] if cell]
    quoted = any(cell.startswith(f" {trial.dialect.quote}") for cell in after) if trial.dialect.quote else False
    if not quoted or not all(cell.startswith(" ") for cell in after):
        return trial
    spaced = _trial(lines, replace(trial.dialect, spaced=True), whole)
    return spaced if spaced.even >= trial.even else trial


def _dialects(text: str) -> Iterator[Dialect]:
    for delimiter in DELIMITERS:
        if delimiter in text:
            yield from _quotings(text, delimiter)


def _quotings(text: str, delimiter: str) -> Iterator[Dialect]:
    """The ways of quoting that a text shows signs of; the usual one first, because the first of equals is taken."""
    wrapped, half = _quoted_cells(text, delimiter, '"')
    singles, half_singles = _quoted_cells(text, delimiter, "'")
    if '"' not in text and singles > half_singles and singles * 2 >= text.count("\n"):
        yield Dialect(delimiter, "'")
    yield Dialect(delimiter)
    if '\\"' in text:
        yield Dialect(delimiter, escaped=True)
    if delimiter and f'{delimiter} "' in text:
        yield Dialect(delimiter, spaced=True)
    if half > wrapped or (half and half == wrapped and not delimiter):
        yield Dialect(delimiter, quote="")


def _quoted_cells(text: str, delimiter: str, quote: str) -> tuple[int, int]:
    """How many cells begin and end with a quote, and how many do only one of the two."""
    if quote not in text:
        return 0, 0
    wrapped = half = 0
    for line in islice(text.split("\n"), RECORDS * 5):
        for cell in line.removesuffix("\r").split(delimiter) if delimiter else [line.removesuffix("\r")]:
            cell = cell.strip(" ")
            ends = cell.startswith(quote) + cell.endswith(quote) if len(cell) > 1 else 2 * cell.startswith(quote)
            wrapped, half = wrapped + (ends == 2), half + (ends == 1)
    return wrapped, half


def _refuse_title(trials: Sequence[Trial], name: str) -> None:
    for trial in trials:
        widths = Counter(len(row.cells or ()) for row in trial.records[1:])
        if not widths or trial.width != 1:
            continue
        width, count = widths.most_common(1)[0]
        if count >= 5 and count >= 0.9 * widths.total() and (width >= 3 or (width == 2 and count >= 20)):
            raise UserError(f"the first line of {name} has 1 cell ({trial.records[0].raw[:60]!r}) where the lines below have {width}",
                            "Wanted: a first line that names the columns", "Delete what stands above the line of column names")  # fmt: skip


def separator_line(line: str) -> str:
    """The delimiter that a first line ``sep=;``, as Excel writes it, names; empty for any other line."""
    found = SEPARATOR_LINE.match(line)
    return found[1] if found else ""
