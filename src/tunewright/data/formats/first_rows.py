"""The first rows of one or more files, as plain Python columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunewright.data.formats.rows import BadRow, Column, Part

OURS = ("_file", "_row")


class FirstRows:
    """Collects parts until there are enough rows."""

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._columns: dict[str, list[Any]] = {}
        self._files: list[str] = []
        self._numbers: list[int] = []
        self.types: dict[str, str] = {}
        self.bad: list[BadRow] = []

    @property
    def full(self) -> bool:
        """Whether there are as many rows as were wanted."""
        return len(self._numbers) >= self._max_rows

    def add(self, part: Part, name: str) -> int:
        """Take the rows of a part, as many as there is room for; how many rows, good and bad, that were."""
        before, room = len(self._numbers), self._max_rows - len(self._numbers)
        numbers = list(part.numbers[:room])
        for column, found in _plain(part).items():
            if column in OURS:
                continue
            self.types[column] = found.type if self.types.get(column, found.type) == found.type else "string"
            values = self._columns.setdefault(column, [None] * before)
            values.extend(found.values[:room])
        for values in self._columns.values():
            values.extend([None] * (before + len(numbers) - len(values)))
        self._files += [name] * len(numbers)
        self._numbers += numbers
        self.bad += part.bad
        return len(numbers) + len(part.bad)

    def columns(self) -> dict[str, list[Any]]:
        """Own columns, then ``_file`` and ``_row``."""
        from tunewright.data.formats.kinds import as_text

        for name, kind in self.types.items():
            if kind == "string":
                self._columns[name] = [
                    value if value is None or isinstance(value, str) else as_text(value) for value in self._columns[name]
                ]
        return self._columns | {"_file": self._files, "_row": self._numbers}


def _plain(part: Part) -> Mapping[str, Column]:
    if isinstance(part.columns, Mapping):
        return part.columns
    return {name: Column(str(part.columns.column(name).type), part.columns.column(name).to_pylist()) for name in part.columns.column_names}
