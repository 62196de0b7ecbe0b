"""JSON documents and JSON lines: each object is a row, a key is a column."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from tunewright.core.errors import UserError
from tunewright.data.formats import squad
from tunewright.data.formats.annotated import as_row
from tunewright.data.formats.decoding import Decoded, Lines
from tunewright.data.formats.kinds import Kinds, as_text
from tunewright.data.formats.packed import Damage
from tunewright.data.formats.rows import BadRow, Good, Notes, Part, gathered

DEEP = 200
WANTED = (
    "Wanted: a list of objects, one object with one list of objects, one object with a list for each column, or one object in each line"
)


class JsonLines:
    """Reads one object from each line; a line that holds none is a bad row.

    Args:
        kinds: the types of the columns, if they were found out before; else they are found out on the way.
    """

    def __init__(self, decoded: Decoded, notes: Notes, damage: Callable[[], Damage | None], kinds: Kinds | None = None) -> None:
        self._decoded, self._notes, self._damage = decoded, notes, damage
        self._kinds = kinds or Kinds()

    def parts(self, batch_rows: int) -> Iterator[Part]:
        """The rows in the file's order, at most ``batch_rows`` good ones at a time."""
        return gathered(self._items(), lambda rows: self._kinds.columns(rows, self._notes), batch_rows)

    def survey(self) -> Kinds:
        """Read all lines for the types of their columns alone."""
        for item in self._items():
            if isinstance(item, Good):
                self._kinds.observe(item.values)
        self._kinds.frozen = True
        return self._kinds

    def _items(self) -> Iterator[Good | BadRow]:
        lines = Lines(self._decoded.texts())
        number = 0
        tail, tail_line = "", None
        for line_number, line in enumerate(lines, 1):
            if not line.strip("\ufeff \t\r"):
                continue
            if lines.unfinished and self._damage():
                tail, tail_line = line, line_number
                break
            row, reason = _object(line)
            if row is None:
                yield self._notes.bad(number, reason, line, line_number)
            else:
                if self._decoded.broken and "\ufffd" in line:
                    self._notes.broken.append(number)
                yield Good(number, row, len(line))
            number += 1
        if damage := self._damage():
            yield self._notes.bad(number, f"from here on {damage.reason}", tail, tail_line, damage.offset)


def _object(line: str) -> tuple[dict[str, Any] | None, str]:
    """The object that a line holds, or why there is none."""
    try:
        value = _loads(line.strip("\ufeff \t\r"))
        if line.count("[") + line.count("{") > DEEP:
            as_text(value)  # what can be read must also be writable
    except (ValueError, RecursionError) as error:
        return None, f"it is not valid JSON ({_why(error)})"
    value = as_row(value)
    if not isinstance(value, dict):
        return None, f"it is a JSON {_word(value)}, not an object"
    return value, ""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands in it twice")
    return row


def _constant(name: str) -> float | None:
    return None if name == "NaN" else float(name.replace("Infinity", "inf"))


DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_constant)


def _loads(text: str) -> Any:
    return DECODER.decode(text)


class JsonDocument:
    """Reads one JSON document, whole: it has to fit into memory.

    Raises:
        UserError: it is no table, or it is not JSON. A list that breaks off keeps the rows before the break.
    """

    def __init__(self, decoded: Decoded, notes: Notes, damage: Callable[[], Damage | None]) -> None:
        self._notes, self._damage = notes, damage
        text = "".join(decoded.texts()).lstrip("\ufeff")
        try:
            values: list[Any] = [as_row(value) for value in _rows_of(_loads(text), notes)]
            as_text(values)  # what can be read must also be writable: not too deep
            self._rest: BadRow | None = None
        except (ValueError, RecursionError) as error:
            values, at = _list_until_broken(text)
            if not any(isinstance(value, dict) for value in values):
                _refuse(f"{notes.name} is not valid JSON ({_why(error)})", damage())
            line, offset = text.count("\n", 0, at) + 1, len(text[:at].encode(decoded.encoding, "replace"))
            self._rest = notes.bad(len(values), f"from here on it is not valid JSON ({_why(error)})", text[at : at + 1000], line, offset)
        if damage() and self._rest is None:
            _refuse(f"{notes.name} is not valid JSON", damage())
        if values and not any(isinstance(value, dict) for value in values):
            _refuse(f"{notes.name} is a JSON list of {_word(values[0])}s, not a table", None)
        self._items = list(self._numbered(values, decoded.broken))
        self._kinds = Kinds()
        for item in self._items:
            if isinstance(item, Good):
                self._kinds.observe(item.values)
        self._kinds.frozen = True

    def parts(self, batch_rows: int) -> Iterator[Part]:
        """The rows in the file's order, at most ``batch_rows`` good ones at a time."""
        return gathered(iter(self._items), lambda rows: self._kinds.columns(rows, self._notes), batch_rows)

    def _numbered(self, values: Sequence[Any], broken: bool) -> Iterator[Good | BadRow]:
        for number, value in enumerate(values):
            if isinstance(value, dict):
                if broken and "\ufffd" in as_text(value):
                    self._notes.broken.append(number)
                yield Good(number, value, 0)
            else:
                yield self._notes.bad(number, f"it is a JSON {_word(value)}, not an object", as_text(value))
        if self._rest:
            yield self._rest


def _refuse(found: str, damage: Damage | None) -> NoReturn:
    found += f"; from byte {damage.offset:,} on {damage.reason}" if damage else ""
    raise UserError(found, WANTED, "Write it again, best with one object in each line (.jsonl)")


def _list_until_broken(text: str) -> tuple[list[Any], int]:
    """The values of a list before it breaks off, and where that is."""
    values: list[Any] = []
    at = len(text) - len(text.lstrip())
    if not text.startswith("[", at):
        return values, at
    while text.startswith(("[", ",") if not values else ",", at):
        start = at + 1 + len(text[at + 1 : at + 1000]) - len(text[at + 1 : at + 1000].lstrip())
        try:
            value, end = DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            return values, start
        values.append(value)
        at = end + len(text[end : end + 1000]) - len(text[end : end + 1000].lstrip())
    return values, at


def _rows_of(value: Any, notes: Notes) -> list[Any]:
    """The rows that a document stands for.

    Raises:
        UserError: it stands for none.
    """
    if squad.is_nested(value):
        notes.tell("json-keys", "info", f"the rows of {notes.name} are the questions of its paragraphs, with their contexts",
                   "Nothing, if that is what you want")  # fmt: skip
        return squad.rows(value)
    if isinstance(value, list):
        if not value:
            _refuse(f"{notes.name} is an empty list", None)
        return value
    if not isinstance(value, dict):
        _refuse(f"{notes.name} is a JSON {_word(value)}, not a table", None)
    lists = [name for name, inner in value.items() if isinstance(inner, list) and any(isinstance(item, dict) for item in inner)]
    if (len(lists) == 1 and not all(isinstance(inner, list) for inner in value.values() if inner is not value[lists[0]])) or len(
        value
    ) == len(lists) == 1:
        others = [name for name in value if name != lists[0]]
        if others:
            notes.tell("json-keys", "info", f"the rows of {notes.name} are the list under {lists[0]!r}; left out: {', '.join(others)}",
                       "Nothing, if that is what you want")  # fmt: skip
        return list(value[lists[0]])
    if value and all(isinstance(inner, list) for inner in value.values()) and len(lists) < len(value):
        return _from_columns(value, notes)
    if value and all(isinstance(inner, dict) and inner and all(key.isdigit() for key in inner) for inner in value.values()):
        keys = dict.fromkeys(key for inner in value.values() for key in inner)
        return [{name: inner.get(key) for name, inner in value.items()} for key in keys]
    if len(lists) > 1:
        _refuse(f"{notes.name} holds several lists of objects: {', '.join(lists)}", None)
    _refuse(f"{notes.name} is one JSON object with the keys {', '.join(list(value)[:10]) or '(none)'}, not a table", None)


def _from_columns(value: Mapping[str, list[Any]], notes: Notes) -> list[Any]:
    lengths = {name: len(inner) for name, inner in value.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise UserError(
            f"the columns of {notes.name} are not equally long: {told}", "Wanted: one value for each row in each column", "Mend the file"
        )
    return [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]


def _word(value: Any) -> str:
    words = {str: "text", bool: "truth value", int: "number", float: "number", list: "list", dict: "object"}
    return words.get(type(value), "null")


def _why(error: BaseException) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
