"""Entities in a text, as annotation tools and tagged tokens write them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tunewright.core.cells import value_of
from tunewright.core.errors import UserError
from tunewright.data.values.base import Values, is_list, what_it_is
from tunewright.data.values.tokens import places, token_lists
from tunewright.tasks.base import Role
from tunewright.tasks.tags import MARKED, OUTSIDE, entities, is_iob1, out_of_order

SPANS = pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())]))
"""Entities as a dataset keeps them: characters of the text, from 0, the end being the first one behind."""
QUOTES, ORDER = "quotes", "order"
"""What rules must know beside the entities: the text that the annotation itself quotes for each; tags that do not follow each other."""
START = ("start", "start_offset", "begin", "start_char", "from")
END = ("end", "end_offset", "stop", "end_char", "to")
LABEL = ("label", "labels", "hypertextlabels", "paragraphlabels", "entity_group", "entity", "type", "tag", "category")
QUOTE = ("text", "quote", "word", "surface", "mention", "value")
LISTS = ("entities", "spans", "result", "label", "labels")
"""Under which names of a record its entities stand."""
FARTHEST = 2**31


class Wrong(Exception):
    """A cell that holds no entities; says why."""


@dataclass(frozen=True)
class Span:
    """One entity as it is written."""

    start: int
    end: int
    label: str
    quote: str | None = None


Read = list[Span] | list[str] | None
"""Entities, tags of tokens, or nothing."""


def read(column: pa.ChunkedArray, role: Role, name: str, beside: pa.ChunkedArray) -> Values:
    """Entities as lists of ``start, end, label``; a missing or blank cell is null, an empty list is a row without entities (beside tokens
    that other rows have tags for: a row whose tags are missing).

    Cells hold lists of ``[start, end, label]`` or of records (doccano, spaCy, Prodigy, Label Studio), a tag for each token in any of the
    usual schemes, or one of these written as JSON or Python.

    Args:
        column: one cell for each row.
        role: of the column.
        name: of the column.
        beside: the texts, or their tokens.

    Raises:
        UserError: the column holds numbers, or no cell holds entities.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if is_list(kind) and pa.types.is_integer(kind.value_type):
        raise UserError(f"the column {name!r} holds lists of numbers", "A tag for each token is wanted by its name, as B-PER",
                        "Write the names of the tags in the place of their numbers")  # fmt: skip
    if not (pa.types.is_nested(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise UserError(f"the column {name!r} for the role {role.name!r} holds {what_it_is(kind)}", "Entities or tags were wanted",
                        f"Name the column with them: data.columns.{role.name}")  # fmt: skip
    cells = [_tried(cell) for cell in column.to_pylist()]
    _some_must_be_read(cells, column, role, name)
    lists = [_tags(cell) for cell in cells]
    tagged = _Tagged.of([tags for tags in lists if tags is not None])
    tokens = token_lists(beside) if tagged.some else None
    texts: Sequence[Any] = tokens if tokens is not None else beside.to_pylist() if tagged.some else [None] * len(cells)
    if tokens is not None:
        lists = [[] if cell == [] else tags for cell, tags in zip(cells, lists, strict=True)]  # tokens without a tag
    told = zip(cells, lists, texts, strict=True)
    rows = [(cell, None) if tags is None else tagged.spans(tags, text) for cell, tags, text in told]
    return _values(rows)


def _tried(cell: Any) -> Read | Wrong:
    try:
        return _read(value_of(cell))
    except Wrong as wrong:
        return wrong


def _some_must_be_read(cells: Sequence[Read | Wrong], column: pa.ChunkedArray, role: Role, name: str) -> None:
    wrong = [cell for cell in cells if isinstance(cell, Wrong)]
    if wrong and len(wrong) == sum(cell is not None for cell in cells):
        shown = ", ".join(dict.fromkeys(repr(cell)[:40] for cell in column.slice(0, 20).to_pylist() if cell is not None))[:100]
        raise UserError(
            f"the column {name!r} for the role {role.name!r} holds no entities ({shown}...: {wrong[0]})",
            "Lists of [start, end, type], records with start, end and label, or a tag for each token were wanted",
            f"Name another column: data.columns.{role.name}",
        )


def _values(rows: Sequence[tuple[Any, str | None]]) -> Values:
    """From the entities of each row, or why there are none, and what is wrong with the order of its tags."""
    kept = [None if spans is None or isinstance(spans, Wrong) else spans for spans, _ in rows]
    faults = [str(spans) if isinstance(spans, Wrong) else None for spans, _ in rows]
    written = [None if spans is None else [{"start": one.start, "end": one.end, "label": one.label} for one in spans] for spans in kept]
    quotes = [None if spans is None or not any(one.quote for one in spans) else [one.quote for one in spans] for spans in kept]
    orders = [order for _, order in rows]
    beside = {}
    if any(quotes):
        beside[QUOTES] = _chunked(quotes, pa.list_(pa.string()))
    if any(orders):
        beside[ORDER] = _chunked(orders, pa.string())
    return Values(_chunked(written, SPANS), _chunked(faults, pa.string()) if any(faults) else None, beside)


def _chunked(values: list[Any], kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


def _tags(cell: Any) -> list[str] | None:
    """The tags of a cell that holds tags."""
    return cell if isinstance(cell, list) and cell and isinstance(cell[0], str) else None


def _read(value: Any) -> Read:
    """Entities or tags of a cell.

    Raises:
        Wrong: it holds neither.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        words = value.split()
        if all(word == OUTSIDE or MARKED.fullmatch(word) for word in words):
            return words
        raise Wrong(f"{value[:40]!r} is no list of entities")
    if isinstance(value, Mapping):
        inner = next((value[key] for key in LISTS if isinstance(value.get(key), (list, tuple))), None)
        if inner is None:
            raise Wrong(f"a record with {', '.join(map(str, value)) or 'nothing'} is no list of entities")
        return _read(inner)
    if not isinstance(value, (list, tuple)):
        raise Wrong(f"{str(value)[:40]} is no list of entities")
    if value and all(isinstance(one, str) for one in value):
        return list(value)
    if value and all(isinstance(one, Mapping) and isinstance(one.get("result"), (list, tuple)) for one in value):
        return _agreed(value)
    return [span for number, one in enumerate(value, 1) for span in _spans(one, number)]


def _agreed(annotations: Sequence[Mapping[str, Any]]) -> Read:
    """Of several people's annotations of one text, what all of them say."""
    said = [_read(one["result"]) for one in annotations if not one.get("was_cancelled")]
    if any(one != said[0] for one in said[1:]):
        raise Wrong(f"its {len(said)} annotations do not agree")
    return said[0] if said else None


def _spans(one: Any, number: int) -> Iterator[Span]:
    """The entities of an item: one, several where it has several types, none where it marks something else than a piece of text."""
    if isinstance(one, (list, tuple)):
        if len(one) != 3:
            raise Wrong(f"entity {number} has {len(one)} parts; start, end and type were wanted")
        (start, end, label), quote = one, None
    elif isinstance(one, Mapping):
        inner = one["value"] if isinstance(one.get("value"), Mapping) else one
        if inner is not one and not any(key in inner for key in START):
            return
        start, end, label = (_first(inner, keys) for keys in (START, END, LABEL))
        quote = next((inner[key] for key in QUOTE if isinstance(inner.get(key), str)), None)
    else:
        raise Wrong(f"entity {number} is {one!r:.40}; start, end and type were wanted")
    for name in label if isinstance(label, (list, tuple)) else [label]:
        if not isinstance(name, (str, int)) or isinstance(name, bool) or not str(name).strip():
            raise Wrong(f"entity {number} has no type")
        yield Span(_place(start, "start", number), _place(end, "end", number), str(name).strip(), quote)


def _first(record: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((record[key] for key in keys if record.get(key) is not None), None)


def _place(value: Any, what: str, number: int) -> int:
    try:
        place = int(value) if not isinstance(value, bool) and float(value) == int(float(value)) else None
    except (TypeError, ValueError, OverflowError):
        place = None
    if place is None or abs(place) >= FARTHEST:
        raise Wrong(
            f"entity {number} has no {what}" if value is None else f"the {what} of entity {number} is {value!r:.40}, no place in a text"
        )
    return place


@dataclass(frozen=True)
class _Tagged:
    """How tags are written, seen from all of them.

    Args:
        some: whether there are any.
        bare: they are types alone.
        iob1: an entity begins with I.
    """

    some: bool
    bare: bool
    iob1: bool

    @classmethod
    def of(cls, tagged: Sequence[Sequence[str]]) -> _Tagged:
        marked = Counter(MARKED.fullmatch(tag) is not None for tags in tagged for tag in tags if tag != OUTSIDE)
        return cls(bool(tagged), marked[False] > marked[True], is_iob1(tagged))

    def spans(self, tags: Sequence[str], text: Any) -> tuple[list[Span] | Wrong | None, str | None]:
        """The entities that tags mark, and what is wrong with their order.

        Args:
            tags: of the tokens.
            text: the tokens; or the text, whose tokens stand between blanks.
        """
        if text is None:
            return None, None
        where = places(text) if isinstance(text, list) else [found.span() for found in re.finditer(r"\S+", text)]
        if len(where) != len(tags):
            return Wrong(f"it has {len(tags)} tags for {len(where)} tokens"), None
        if not self.bare and (strange := next((tag for tag in tags if tag != OUTSIDE and not MARKED.fullmatch(tag)), None)):
            return Wrong(f"the tag {strange!r} does not say whether it begins an entity (B-) or goes on with one (I-)"), None
        spans = [Span(where[start][0], where[behind - 1][1], label) for start, behind, label in entities(tags, self.bare)]
        return spans, None if self.bare else self._order(tags, text)

    def _order(self, tags: Sequence[str], text: Any) -> str | None:
        wrong = [one for one in out_of_order(tags) if not (self.iob1 and tags[one[0]].startswith("I"))]
        tokens = text if isinstance(text, list) else text.split()
        told = [f"token {at} {tokens[at]!r}: {what}" for at, what in wrong[:3]]
        return "; ".join(told) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "") if wrong else None
