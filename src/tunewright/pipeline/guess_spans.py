"""Whether the columns of a table hold entities: a tag for each token, or their places in a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from tunewright.core.cells import value_of
from tunewright.tasks.tags import MARKED, OUTSIDE, parts

SEEN = 200
"""Cells of a column that are looked at."""
TAG_NAMES = ("tags", "ner_tags", "ner", "labels", "entities", "label")
"""Names of columns with tags, from the likeliest on; of others, the last column is chosen."""
STRANGE = 0.1
"""Share of the cells that may hold no entities where the others do."""
START, END = ("start", "start_offset", "begin", "start_char"), ("end", "end_offset", "stop", "end_char")
INSIDE = ("entities", "spans", "result", "labels", "label")


class Entities(NamedTuple):
    """Columns that are for finding entities.

    Args:
        text: the column of the text, or of its tokens; None where it must still be found.
        spans: that of the entities or tags.
        why: role -> the reason, in words.
        others: columns that could hold the entities as well.
    """

    text: str | None
    spans: str
    why: dict[str, str]
    others: tuple[str, ...] = ()


def entities_in(columns: Mapping[str, Sequence[Any]]) -> Entities | None:
    """What columns hold entities, if some do.

    Args:
        columns: the table's own columns, equally long, as plain values.
    """
    there = {name: islice((cell for cell in values if not _blank(cell)), SEEN) for name, values in columns.items()}
    cells = {name: [value_of(cell) for cell in some] for name, some in there.items()}
    return _tagged(cells, columns) or _placed(cells)


def _blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _tagged(cells: Mapping[str, Sequence[Any]], columns: Mapping[str, Sequence[Any]]) -> Entities | None:
    """Tokens and their tags: lists of the same lengths in nearly all rows, the one of words, the other of few tags."""
    lists = {name: found for name, values in cells.items() if (found := _lists(values))}
    tags = [name for name, found in lists.items() if _are_tags(found)]
    for text in (name for name in lists if name not in tags):
        fitting = [name for name in tags if _go_together(columns[text], columns[name])]
        if fitting:
            best = min(fitting, key=lambda name: (TAG_NAMES.index(name) if name in TAG_NAMES else len(TAG_NAMES), -fitting.index(name)))
            why = {
                "text": "lists of tokens, which are read with single blanks between them",
                "spans": _told(_types(lists[best]), "a tag for each token"),
            }
            return Entities(text, best, why, tuple(name for name in fitting if name != best))
    return None


def _placed(cells: Mapping[str, Sequence[Any]]) -> Entities | None:
    """Lists of places, or records of them."""
    found = {name: types for name, values in cells.items() if (types := _places(values))}
    if not found:
        return None
    best = max(found, key=lambda name: (sum(found[name].values()), name == "spans"))
    why = {"spans": _told(found[best], "entities by their places")}
    return Entities(None, best, why, tuple(name for name in found if name != best))


def _lists(values: Sequence[Any]) -> list[list[str | None]]:
    """The lists of texts in a column; none where more than a few cells hold something else."""
    found = [one for one in values if isinstance(one, list) and all(isinstance(token, str) or token is None for token in one)]
    return found if len(found) >= (1 - STRANGE) * len(values) else []


def _go_together(tokens: Sequence[Any], tags: Sequence[Any]) -> bool:
    """Whether there is a tag for each token, in nearly all rows that have both."""
    both = ((one, other) for one, other in zip(tokens, tags, strict=True) if not (_blank(one) or _blank(other)))
    pairs = [(value_of(one), value_of(other)) for one, other in islice(both, SEEN)]
    fitting = sum(isinstance(one, list) and isinstance(other, list) and len(one) == len(other) for one, other in pairs)
    return fitting > 0 and fitting >= (1 - STRANGE) * len(pairs)


def _are_tags(values: Sequence[Sequence[str | None]]) -> bool:
    """Lists of tags: ``O`` and, of the others, most with their place (B-, I-)."""
    counts = Counter(tag for one in values for tag in one)
    marked = sum(count for tag, count in counts.items() if tag and MARKED.fullmatch(tag))
    return counts[OUTSIDE] > 0 and marked > 0.9 * (sum(counts.values()) - counts[OUTSIDE]) > 0


def _types(values: Sequence[Sequence[str | None]]) -> Counter[str]:
    return Counter(label for one in values for tag in one if tag and tag != OUTSIDE for place, label in [parts(tag)] if place not in "IEL")


def _places(values: Sequence[Any]) -> Counter[str]:
    """The types of the entities of a column; none where more than a few cells hold something else."""
    types, strange = Counter[str](), 0
    for value in values:
        found = list(_entities(value)) if isinstance(value, (list, dict)) else [None]
        types.update(one for one in found if one)
        strange += None in found
    return types if strange <= STRANGE * len(values) else Counter()


def _entities(value: Any) -> Iterator[str | None]:
    """The type of each entity in a cell; None for what is none."""
    if isinstance(value, dict):
        inner = next((value[key] for key in INSIDE if isinstance(value.get(key), list)), None)
        yield from [None] if inner is None else _entities(inner)
        return
    for one in value:
        if isinstance(one, dict) and isinstance(one.get("result"), list):
            yield from _entities(one["result"])
        elif isinstance(one, dict):
            yield from _of_record(one)
        else:
            fits = isinstance(one, list) and len(one) == 3 and all(isinstance(place, int) for place in one[:2]) and isinstance(one[2], str)
            yield str(one[2]) if fits else None


def _of_record(record: Mapping[str, Any]) -> Iterator[str | None]:
    inner = record["value"] if isinstance(record.get("value"), dict) else record
    if not (any(key in inner for key in START) and any(key in inner for key in END)):
        yield from () if inner is not record else (None,)
        return
    label = next((inner[key] for key in ("label", "labels", "hypertextlabels", "entity", "type", "tag") if inner.get(key)), None)
    yield from map(str, label) if isinstance(label, list) else [None if label is None else str(label)]


def _told(types: Mapping[str, int], what: str) -> str:
    """Types in words, the most frequent first."""
    shown = ", ".join(f"{name} {count:,}" for name, count in Counter(types).most_common(5))
    kinds = "1 type" if len(types) == 1 else f"{len(types)} types"
    return f"{what}: {kinds} ({shown}{'...' if len(types) > 5 else ''})"
