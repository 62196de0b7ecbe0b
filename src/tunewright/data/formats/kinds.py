"""The types of columns whose values come from JSON or Python: one type for a column, strings when its values do not agree."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tunewright.data.formats.rows import Column, Good, Notes

PLAIN = {str: "string", bool: "bool", int: "int64", float: "double"}
BIG, EXACT = 2**63, 2**53


class Kinds:
    """Sees the rows of a table first, then turns them into columns of one type each."""

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}
        self.frozen = False

    @property
    def names(self) -> list[str]:
        """The columns seen so far, in the order in which they were first met."""
        return list(self._seen)

    def observe(self, row: Mapping[Any, Any]) -> None:
        """Take note of one row's columns and of what their values are."""
        for name, value in row.items():
            seen = self._seen.setdefault(name if type(name) is str else str(name), set())
            if value is not None:
                seen.add(_kind(value))

    def columns(self, rows: Sequence[Good], notes: Notes) -> Mapping[str, Column]:
        """Columns of one type each; a value that a row does not have is None.

        What is not a number, a truth value, a text or a list of these alone becomes JSON text; so does every value that is
        not a text in a column where they are mixed, which is told.
        """
        if not self.frozen:
            for row in rows:
                self.observe(row.values)
        return {_encodable(name): self._column(name, seen, rows, notes) for name, seen in self._seen.items()}

    def _column(self, name: str, seen: set[str], rows: Sequence[Good], notes: Notes) -> Column:
        kind = common_type(seen)
        nested = all(kind == "object" or kind.startswith("list:") for kind in seen)
        if kind == "string" and len(seen) > 1 and not nested:
            tell_mixed(name, seen, notes)
        elif kind == "string" and seen - {"string"}:
            notes.tell("nested-column", "info", f"column {name!r} of {notes.name} holds {_words(seen)}; they are kept as JSON text",
                       "Nothing where the task reads them itself; elsewhere read them with json.loads")  # fmt: skip
        return Column(kind, _whole_text(kind, [_as(kind, row.values.get(name)) for row in rows], rows, notes))


def tell_mixed(name: str, seen: Iterable[str], notes: Notes) -> None:
    """Tell that a column with values of several types was turned into strings."""
    notes.tell("mixed-type", "warning", f"column {name!r} of {notes.name} mixes {_words(seen)}; every value is read as text",
               "Write the column in one type if the types matter")  # fmt: skip


def common_type(seen: Iterable[str]) -> str:
    """The one type that holds values of all these kinds without loss: string when there is none.

    >>> common_type({"int64", "double"}), common_type({"int64", "string"}), common_type({"list:int64", "list:double"})
    ('double', 'string', 'list<double>')
    """
    kinds = set(seen)
    if kinds and all(kind.startswith("list:") for kind in kinds):
        inner = {part for kind in kinds for part in kind.removeprefix("list:").split(",") if part}
        item = common_type(inner)
        return "string" if item == "string" and inner - {"string"} else f"list<{item}>"
    if "long" in kinds and "double" not in kinds:
        kinds = kinds - {"long"} | {"int64"}
    if kinds == {"int64", "double"}:
        return "double"
    return kinds.pop() if len(kinds) == 1 and kinds <= set(PLAIN.values()) else "string"


def _kind(value: Any) -> str:
    """One of the plain types, ``list:`` and the kinds of its items, or ``object``.

    A whole number is ``long`` when a double cannot hold it, ``big`` beyond 64 bits.
    """
    if isinstance(value, (list, tuple)):
        return "list:" + ",".join(sorted({_scalar_kind(item) for item in value if item is not None}))
    return _scalar_kind(value)


def _scalar_kind(value: Any) -> str:
    plain = PLAIN.get(type(value), "object")
    if plain == "int64" and not -EXACT <= value <= EXACT:
        return "long" if -BIG <= value < BIG else "big"
    return plain


def _words(seen: Iterable[str]) -> str:
    words = {"string": "texts", "bool": "truth values", "int64": "whole numbers", "double": "numbers", "long": "whole numbers",
             "big": "whole numbers beyond 64 bits"}  # fmt: skip
    return " and ".join(sorted({words.get(kind, "lists" if kind.startswith("list") else "objects") for kind in seen}))


def _as(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "string":
        return value if type(value) is str else as_text(value)
    if kind == "double":
        return float(value)
    if kind == "list<double>":
        return [None if item is None else float(item) for item in value]
    return list(value) if kind.startswith("list") else value


def as_text(value: Any) -> str:
    """A value as JSON text; what JSON does not have is written as Python prints it."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _whole_text(kind: str, values: list[Any], rows: Sequence[Good], notes: Notes) -> list[Any]:
    """The values without lone surrogates, which JSON can write and no encoding can: they become U+FFFD, and the row is told."""
    if "string" not in kind or _can_encode(values):
        return values
    for place, value in enumerate(values):
        if not _can_encode([value]):
            values[place] = _encodable(value) if isinstance(value, str) else [item and _encodable(item) for item in value]
            if rows[place].number not in notes.broken[-1:]:
                notes.broken.append(rows[place].number)
    return values


def _can_encode(values: Sequence[Any]) -> bool:
    try:
        for value in values:
            if value is not None:
                (value if type(value) is str else "".join(filter(None, value))).encode()
    except UnicodeEncodeError:
        return False
    return True


def _encodable(text: str) -> str:
    """Pairs of surrogates joined, lone ones replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def without_nan(value: Any) -> Any:
    """NaN, which stands for a missing value in tables, as None."""
    return None if isinstance(value, float) and math.isnan(value) else value
