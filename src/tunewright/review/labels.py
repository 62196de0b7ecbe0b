"""The sheet of doubtful labels: written for a person with a spreadsheet program, and read back whatever that program did to it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.core.cells import value_of
from tunewright.core.errors import UserError, hint
from tunewright.core.folder import text_hash, whole, write_bytes

COLUMNS = ("rank", "score", "file", "row", "split", "text", "label", "suggested", "corrected", "key")
NEEDED = ("file", "row", "corrected")
WIDTHS = (6, 7, 18, 7, 11, 80, 24, 24, 24, 13, 34)
TRAINING = "training"
"""A column more, where a training tells of the rows."""
LETTERS = 5000
"""Characters of a text that a sheet shows; a cell of a workbook holds 32,767."""
TOLD = 10
"""Problems of a sheet that are told one by one."""
COMPARED, ENOUGH = 200, 12
"""Plain letters of a text by which it is recognised, and how many it must have for that: shorter ones may have become a date."""
LONGEST_LIST = 255
"""Characters that the choices of a cell may have."""


@dataclass(frozen=True)
class Line:
    """A row of the dataset, as a sheet shows it.

    Args:
        file: where it was read.
        row: its number there, from 0.
        split: the split it is in.
        text: its texts, in one.
        label: its label, or several, or none.
        score: how doubtful the label is, from 0 to 1.
        suggested: what it looks like instead.
        training: what a training tells of it; None where none is asked.
    """

    file: str
    row: int
    split: str
    text: str
    label: tuple[str, ...]
    score: float = 0.0
    suggested: tuple[str, ...] = ()
    training: str | None = None

    @property
    def key(self) -> str:
        """What the row says, in a few letters that no program takes for a number."""
        return "k" + text_hash(self.text, *sorted(self.label))[:10]


@dataclass(frozen=True)
class Correction:
    """A row whose label a person has changed."""

    line: Line
    new: tuple[str, ...]


@dataclass(frozen=True)
class Reviewed:
    """What a sheet that was filled in says.

    Args:
        corrections: the rows with another label, in the order of the sheet.
        confirmed: lines whose label was written again.
        empty: lines that nothing was written to.
    """

    corrections: tuple[Correction, ...]
    confirmed: int
    empty: int


def write(path: Path, lines: Iterable[Line], known: Sequence[str], several: bool) -> None:
    """Write a sheet, the most doubtful row first; ``.xlsx`` becomes a workbook, anything else CSV that every program opens.

    Args:
        known: every label there is.
        several: whether a row may have several labels or none.

    Raises:
        UserError: the file cannot be written.
    """
    lines = list(lines)
    columns: tuple[str, ...] = COLUMNS
    rows = [_cells(rank, line, known, several) for rank, line in enumerate(lines, 1)]
    if any(line.training is not None for line in lines):
        columns, rows = (*COLUMNS, TRAINING), [[*row, line.training or ""] for row, line in zip(rows, lines, strict=True)]
    if path.suffix.lower() == ".xlsx":
        _write_workbook(path, columns, rows, () if several else known)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_unarmed(cell) for cell in row] for row in rows)
    write_bytes(path, text.getvalue().encode("utf-8-sig"))


def places(cells: Sequence[Mapping[str, Any]], name: str) -> list[tuple[str, int] | None]:
    """The file and row number of each line of a sheet; None where there is no number.

    Args:
        cells: the lines as read, column -> cell.
        name: of the sheet, for the message.

    Raises:
        UserError: a column is missing.
    """
    there = set(cells[0]) if cells else set(NEEDED)
    if missing := [column for column in NEEDED if column not in there]:
        raise UserError(
            f"{name} has no column {' and no column '.join(map(repr, missing))}",
            f"A sheet that tunewright review labels wrote is wanted; its columns are {', '.join(COLUMNS)}",
            "Fill in 'corrected' and leave the other columns as they are",
        )
    numbers = [_number(one["row"]) for one in cells]
    return [None if number is None else (_plain(one["file"]), number) for one, number in zip(cells, numbers, strict=True)]


def reviewed(
    cells: Sequence[Mapping[str, Any]], lines: Mapping[tuple[str, int], Line], known: Sequence[str], several: bool, name: str
) -> Reviewed:
    """What was filled in, held against the rows of the dataset.

    Args:
        cells: the lines of the sheet as read, column -> cell.
        lines: (file, row) -> the row of the dataset, of those that the sheet names.
        known: every label there is.
        several: whether a row may have several labels or none.
        name: of the sheet, for the message.

    Raises:
        UserError: naming every line that fits no row, has changed otherwise, or holds a label that does not exist.
    """
    problems: list[str] = []
    found: dict[tuple[str, int], Correction] = {}
    empty = 0
    for number, (one, place) in enumerate(zip(cells, places(cells, name), strict=True), 2):
        wanted = _plain(one["corrected"])
        line = lines.get(place) if place else None
        problem = _changed_elsewhere(one, line, known, several) if not wanted else _unlike(one, place, line)
        if problem:
            problems.append(f"line {number}: {problem}")
        elif not wanted or line is None:
            empty += 1
        else:
            new, unknown = _labels(one["corrected"], known, several)
            if unknown is not None:
                problems.append(f"line {number}: no label is called {unknown!r}. {hint(unknown, known)}")
            elif place in found and set(found[place].new) != set(new):
                problems.append(f"line {number}: row {line.row} of {line.file} stands in the sheet twice, with different corrections")
            elif place is not None:
                found[place] = Correction(line, new)
    if problems:
        more = f"\n  and {len(problems) - TOLD:,} more" if len(problems) > TOLD else ""
        told = "\n".join(f"  {problem}" for problem in problems[:TOLD])
        next_step = "Nothing was changed. Mend these lines and apply the sheet again"
        raise UserError(f"{len(problems)} line(s) of {name} cannot be applied:\n{told}{more}\n{next_step}")
    changed = tuple(one for one in found.values() if set(one.new) != set(one.line.label))
    return Reviewed(changed, len(found) - len(changed), empty)


def _changed_elsewhere(cells: Mapping[str, Any], line: Line | None, known: Sequence[str], several: bool) -> str:
    """Whether the person has written the correction over the label; a cell that a program spoilt is no label."""
    if line is None or not _plain(cells.get("label")):
        return ""
    there, unknown = _labels(cells["label"], known, several)
    if unknown is not None or set(there) == set(line.label):
        return ""
    return f"its label was changed from {_told(line.label)} to {_told(there)} in place; write it under 'corrected', and the old one back"


def _unlike(cells: Mapping[str, Any], place: tuple[str, int] | None, line: Line | None) -> str:
    """Why a line is not about a row of the dataset, if it is not."""
    if place is None:
        return f"{cells['row']!r} is no row number"
    if line is None:
        return f"the dataset has no row {place[1]} of {place[0]}"
    if _plain(cells.get("key")) not in {"", line.key}:
        return f"row {line.row} of {line.file} has another text or label than when the sheet was written"
    if "text" in cells and len(_letters(line.text)) >= ENOUGH and _letters(_plain(cells["text"])) != _letters(line.text):
        return f"its text is not that of row {line.row} of {line.file}; were the cells moved, or sorted without their neighbours?"
    return ""


def _labels(cell: Any, known: Sequence[str], several: bool) -> tuple[tuple[str, ...], str | None]:
    """The labels that a cell names, and the first name that is none."""
    parts = _parted(_plain(cell), known) if several else [_plain(cell)]
    names = [(_resolved(part, known), part) for part in parts]
    unknown = next((part for name, part in names if name is None), None)
    return tuple(dict.fromkeys(name for name, _ in names if name is not None)), unknown


def _resolved(cell: str, known: Sequence[str]) -> str | None:
    """The label that a cell means: a spreadsheet program may have changed case, blanks and the form of a number."""
    if cell in known:
        return cell
    for same in (_folded, _as_number):
        wanted = same(cell)
        found = [name for name in known if wanted is not None and same(name) == wanted]
        if len(found) == 1:
            return found[0]
    return None


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _as_number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def _separator(known: Sequence[str]) -> str | None:
    """What stands between several labels: something that is in none of their names; None where JSON is needed."""
    return next((one for one in ";|," if not any(one in name for name in known)), None)


def _joined(names: Sequence[str], known: Sequence[str], several: bool) -> str:
    if not several:
        return names[0] if names else ""
    separator = _separator(known)
    return json.dumps(list(names), ensure_ascii=False) if separator is None or not names else f"{separator} ".join(names)


def _parted(cell: str, known: Sequence[str]) -> list[str]:
    if cell.startswith("["):  # a name between brackets is no list
        found = value_of(cell)
        return [str(one) for one in found] if isinstance(found, list) else [cell]
    separator = _separator(known)
    return [part for one in (cell.split(separator) if separator else [cell]) if (part := one.strip())]


def _told(names: Sequence[str]) -> str:
    return " and ".join(map(repr, names)) or "nothing"


def _cells(rank: int, line: Line, known: Sequence[str], several: bool) -> list[str | int | float]:
    shown = line.text if len(line.text) <= LETTERS else line.text[:LETTERS] + " ..."
    label, suggested = _joined(line.label, known, several), _joined(line.suggested, known, several)
    values: list[str | int | float] = [rank, round(line.score, 3), line.file, line.row, line.split, shown, label, suggested, "", line.key]
    return [re.sub("[\ud800-\udfff]", "\ufffd", one) if isinstance(one, str) else one for one in values]


def _unarmed(cell: str | int | float) -> str | int | float:
    """A text that a program would run as a formula, behind the mark that makes it a text again."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _plain(cell: Any) -> str:
    """A cell as text, without the blanks around it and the mark of ``_unarmed``; nothing where it is empty."""
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = str(cell).strip()
    return text[1:] if text[:2] in {"'=", "'+", "'-", "'@"} else text


def _number(cell: Any) -> int | None:
    found = _as_number(_plain(cell))
    return int(found) if found is not None and found.is_integer() else None


def _letters(text: str) -> str:
    """The plain letters of a text: all that a program with another encoding, or with habits, leaves as it was."""
    return re.sub("[^A-Za-z]+", "", text)[:COMPARED]


def _write_workbook(path: Path, columns: tuple[str, ...], rows: Sequence[Sequence[str | int | float]], choices: Sequence[str]) -> None:
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "labels"
    sheet.append(columns)
    for at, row in enumerate(rows, 2):
        for column, value in enumerate(row, 1):
            cell = sheet.cell(at, column)
            if isinstance(value, str):
                cell.value = ILLEGAL_CHARACTERS_RE.sub("\ufffd", value)
                cell.data_type = "s"  # a text that begins with = is no formula
                cell.number_format = "@"
            else:
                cell.value = value
            cell.alignment = Alignment(vertical="top", wrap_text=column == COLUMNS.index("text") + 1)
    for column, width in enumerate(WIDTHS[: len(columns)], 1):
        sheet.column_dimensions[get_column_letter(column)].width = width
        sheet.cell(1, column).font = Font(bold=True)
    sheet.freeze_panes = "A2"
    listed = ",".join(choices)
    if rows and choices and len(listed) <= LONGEST_LIST and not any("," in one or '"' in one for one in choices):
        choice = DataValidation(type="list", formula1=f'"{listed}"', allow_blank=True, showErrorMessage=False)
        sheet.add_data_validation(choice)
        corrected = get_column_letter(COLUMNS.index("corrected") + 1)
        choice.add(f"{corrected}2:{corrected}{len(rows) + 1}")
    with whole(path) as half, half.open("wb") as stream:
        book.save(stream)
