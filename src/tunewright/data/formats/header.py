"""The first line of a table: are these names of columns, and can they be told apart?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tunewright.core.errors import UserError
from tunewright.data.formats.rows import Notes

NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*%?$")
YEAR = re.compile(r"(19|20)\d\d$")
LONG = 200


def column_names(cells: Sequence[str | None], rows: Sequence[Sequence[str | None]], notes: Notes) -> list[str]:
    """The names of the columns, stripped; a column without one is called after its place, ``column_1``.

    Args:
        cells: the first line.
        rows: some of the rows below it, to compare with.

    Raises:
        UserError: two columns have the same name, or the line looks like data.
    """
    names = [(cell or "").strip().lstrip("\ufeff") for cell in cells]
    refuse_data(names, rows, notes.name)
    for place, name in enumerate(names):
        if not name:
            names[place] = f"column_{place + 1}"
            notes.tell("header", "info", f"column {place + 1} of {notes.name} has no name; it is called column_{place + 1} here",
                       "Give it a name in the first line")  # fmt: skip
    refuse_twice(names, notes.name)
    return names


def refuse_twice(names: Sequence[str], where: str) -> None:
    """Refuse a table with two columns of the same name.

    Raises:
        UserError: naming them and their places.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        places = "; ".join(f"{name!r} is column {' and '.join(str(i + 1) for i, one in enumerate(names) if one == name)}" for name in twice)
        raise UserError(
            f"{where} has columns of the same name: {places}", "Wanted: one name for each column", "Rename one of them in the file"
        )


def refuse_data(names: Sequence[str], rows: Sequence[Sequence[str | None]], where: str) -> None:
    """Refuse a first line that is a row already.

    Raises:
        UserError: saying what gives it away, and how to name the columns.
    """
    why = _gives_away(names, rows)
    if why:
        example = ",".join(["text", "label", *(f"column_{place}" for place in range(3, len(names) + 1))][: len(names)])
        raise UserError(f"the first line of {where} looks like a row, not like column names: {why}",
                        "Wanted: a first line that names the columns", f"Add one on top of the file, for example: {example}")  # fmt: skip


def _gives_away(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> str:
    filled = [name for name in names if name]
    if not filled:
        return "every cell of it is empty"
    for place, name in enumerate(names):
        below = [row[place] for row in rows if place < len(row) and row[place]]
        if len(name) > LONG:
            return f"its cell {place + 1} has {len(name)} characters ({name[:40]!r}...)"
        if NUMBER.match(name) and not YEAR.match(name) and below and all(NUMBER.match(cell) for cell in below if cell):
            return f"its cell {place + 1} is a number ({name}), as in the rows below"
        again = sum(cell is not None and cell.strip() == name for cell in below)
        if name and again >= max(2, len(below) // 100):
            return f"its cell {place + 1} ({name[:40]!r}) stands in {again} of the {len(below)} rows looked at as well"
    if all(NUMBER.match(name) for name in filled) and not all(YEAR.match(name) for name in filled):
        return "every name is a number"
    return ""
