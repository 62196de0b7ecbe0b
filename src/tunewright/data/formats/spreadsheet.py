"""Excel workbooks: the first sheet, each cell as a person would type it."""

from __future__ import annotations

import datetime
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile

from tunewright.core.errors import UserError, first_line
from tunewright.data.formats.header import column_names
from tunewright.data.formats.rows import BadRow, Column, Good, Notes, Part, gathered

LOOK = 200
FORMULA_WITHOUT_VALUE = re.compile(rb"<f[ >/][^<]*(</f>)?\s*(<v\s*/>|<v>\s*</v>)?\s*</c>")


class Sheet:
    """Reads the first sheet of a workbook row by row; blank rows do not count.

    Raises:
        UserError: it is no workbook, or its first row does not name the columns.
    """

    def __init__(self, source: BinaryIO, notes: Notes) -> None:
        self._notes = notes
        self._rows = _cells(source, notes)
        first = next(self._rows, [])
        if isinstance(first, str):
            raise _damaged(notes.name, first)
        while first and first[-1] is None:
            first.pop()
        ahead = list(islice(self._rows, LOOK))
        self._rows = _chained(ahead, self._rows)
        self.names = column_names(first, [row for row in ahead if not isinstance(row, str)], notes) if first else []

    def parts(self, batch_rows: int) -> Iterator[Part]:
        """The rows in the sheet's order, at most ``batch_rows`` good ones at a time."""
        return gathered(self._items(), self._columns, batch_rows)

    def _items(self) -> Iterator[Good | BadRow]:
        width = len(self.names)
        for number, row in enumerate(self._rows):
            if isinstance(row, str):
                yield self._notes.bad(number, f"from here on the sheet cannot be read ({row})", "")
            elif any(cell is not None for cell in row[width:]):
                filled = max(place for place, cell in enumerate(row, 1) if cell is not None)
                yield self._notes.bad(number, f"{filled} cells where the header has {width}", "\t".join(cell or "" for cell in row))
            else:
                yield Good(number, (row + [None] * width)[:width], sum(len(cell or "") for cell in row))

    def _columns(self, rows: list[Good]) -> Mapping[str, Column]:
        return {name: Column("string", [row.values[place] for row in rows]) for place, name in enumerate(self.names)}


def _chained(ahead: list[list[str | None] | str], rest: Iterator[list[str | None] | str]) -> Iterator[list[str | None] | str]:
    yield from ahead
    yield from rest


def _damaged(name: str, reason: str) -> UserError:
    return UserError(
        f"{name} is not a workbook that can be read ({reason})",
        "Wanted: an .xlsx file without a password",
        "Open it in Excel and save it again, or save it as CSV",
    )


def _cells(source: BinaryIO, notes: Notes) -> Iterator[list[str | None] | str]:
    """The rows that are not blank; a last one that is a text says why the rest cannot be read."""
    from openpyxl import load_workbook

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(source, read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        others = book.sheetnames[1:]
        rows = sheet.iter_rows(values_only=True)
    except Exception as error:  # damaged bytes make zip and XML readers raise nearly anything
        raise _damaged(notes.name, first_line(error)) from None
    if others:
        notes.tell("sheets", "info", f"{notes.name}: the sheet {book.sheetnames[0]!r} was read; left out: {', '.join(others)}",
                   "To use another sheet, move it to the front or save it as CSV")  # fmt: skip
    _tell_empty_formulas(source, notes)
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values = next(rows, None)
            if values is None:
                return
            row = [_text(value) for value in values]
        except Exception as error:  # as above
            yield first_line(error)
            return
        if any(cell is not None for cell in row):
            yield row


def _text(value: Any) -> str | None:
    """A cell as a person would type it: 3 and not 3.0, dates in ISO 8601."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return (value.date() if value.time() == datetime.time() else value).isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _tell_empty_formulas(source: BinaryIO, notes: Notes) -> None:
    """Formulas whose value was never stored read as missing: Excel stores it when it saves, other programs do not."""
    try:
        with ZipFile(source) as archive:
            sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
            found = 0
            with archive.open(min(sheets, key=lambda name: (len(name), name))) as stream:
                tail = b""
                while block := stream.read(1 << 20):
                    window = tail + block
                    found += len(FORMULA_WITHOUT_VALUE.findall(window))
                    cut = window.rfind(b"</c>") + 4
                    tail = window[cut:][-(1 << 16) :] if cut > 3 else window[-(1 << 16) :]
    except (BadZipFile, OSError, ValueError, KeyError, RuntimeError, EOFError, zlib.error):
        return  # the reading of the rows meets the same damage and tells it
    if found:
        notes.tell("formula-without-value", "warning", f"{notes.name} has {found} formula(s) without a stored value; they read as missing",
                   "Open the file in Excel, save it, and read it again")  # fmt: skip
