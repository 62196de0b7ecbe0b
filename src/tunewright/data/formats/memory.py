"""Tables that are in memory already: rows as dicts, data frames, Arrow tables, and what the datasets library holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import UserError
from tunewright.data.formats.annotated import as_row
from tunewright.data.formats.kinds import Kinds, as_text, without_nan
from tunewright.data.formats.rows import BadRow, Good, Notes, Part, Reader, gathered

if TYPE_CHECKING:
    import pyarrow as pa

MEMORY = "<memory>"
ARROW_ROWS = 4096


class Dicts:
    """Reads rows that are mappings; anything else among them is a bad row."""

    def __init__(self, rows: Sequence[Any], notes: Notes) -> None:
        self._rows, self._notes = rows, notes
        self._kinds = Kinds()
        for item in self._items():
            if isinstance(item, Good):
                self._kinds.observe(item.values)
        self._kinds.frozen = True

    def parts(self, batch_rows: int) -> Iterator[Part]:
        """The rows in their order, at most ``batch_rows`` good ones at a time."""
        return gathered(self._items(), lambda rows: self._kinds.columns(rows, self._notes), batch_rows)

    def _items(self) -> Iterator[Good | BadRow]:
        for number, row in enumerate(self._rows):
            row = as_row(row)
            if isinstance(row, Mapping):
                yield Good(number, {str(name): plain_value(value) for name, value in row.items()}, 0)
            else:
                yield self._notes.bad(number, f"it is a {type(row).__name__}, not a mapping of column names to values", as_text(row))


def plain_value(value: Any) -> Any:
    """A value of numpy or pandas as one of Python; what these libraries have for missing is None."""
    if type(value).__module__.partition(".")[0] in {"numpy", "pandas"}:
        if type(value).__name__ in {"NAType", "NaTType"}:
            return None
        value = value.tolist() if hasattr(value, "tolist") else value
    return without_nan(value)


def reader_of(source: Any, notes: Notes) -> Reader | None:
    """The reader for an object in memory; None when it is none that holds rows.

    Raises:
        UserError: it holds several tables, or columns of the same name.
    """
    library, kind = type(source).__module__.partition(".")[0], type(source).__name__
    if isinstance(source, (list, tuple)) and any(isinstance(as_row(row), Mapping) for row in source):
        notes.format = "rows"
        return Dicts(source, notes)
    if library == "pandas" and kind == "DataFrame":
        notes.format = "pandas"
        return _frame(source, notes)
    if library == "pyarrow" and kind in {"Table", "RecordBatch"}:
        notes.format = "arrow"
        return _arrow(iter([source]), notes)
    if library == "datasets":
        notes.format = "datasets"
        return _dataset(source, notes)
    return None


def _frame(frame: Any, notes: Notes) -> Reader:
    import pyarrow as pa

    from tunewright.data.formats.header import refuse_twice

    names = [str(name) for name in frame.columns]
    refuse_twice(names, "the DataFrame")
    columns = [frame.iloc[:, place] for place in range(len(names))]
    try:
        arrays = [pa.array(column, from_pandas=True) for column in columns]
        return _arrow(iter([pa.table(dict(zip(names, arrays, strict=True)))]), notes)
    except (
        pa.ArrowException,
        UnicodeEncodeError,
        TypeError,
        ValueError,
        OverflowError,
    ):  # mixed values, which Arrow refuses and Dicts tells
        return Dicts([dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)], notes)


def _arrow(tables: Iterator[Any], notes: Notes) -> Reader:
    import pyarrow as pa

    from tunewright.data.formats.columnar import InMemory

    return InMemory((pa.Table.from_batches([one]) if isinstance(one, pa.RecordBatch) else one for one in tables), notes)


def _dataset(source: Any, notes: Notes) -> Reader:
    """A ``datasets.Dataset``; of a ``DatasetDict`` the only split it has. Class numbers become class names."""
    if isinstance(source, Mapping):
        source = the_split(source, "", notes.name)
    arrow = source.with_format("arrow")
    return _arrow((_named(table, source.features or {}) for table in arrow.iter(ARROW_ROWS)), notes)


def the_split(splits: Mapping[Any, Any], wanted: str, where: str) -> Any:
    """One split of several.

    Raises:
        UserError: none is called so, or there are several and none was named.
    """
    names = [str(name) for name in splits]
    if wanted in names or (len(names) == 1 and not wanted):
        return splits[wanted or names[0]]
    if wanted:
        raise UserError(f"{where} has no split called {wanted!r}", f"Splits there: {', '.join(names)}", "Name one of these after the colon")
    raise UserError(f"{where} holds several splits: {', '.join(names)}", "Wanted: one table", _how_to_name(where, names))


def _how_to_name(where: str, names: Sequence[str]) -> str:
    if where == MEMORY:
        return f"Give one of them, as dataset[{names[0]!r}]"
    return f"Name one: {Path(where) / names[0] if Path(where).is_dir() else f'{where}:{names[0]}'}"


def _named(table: pa.Table, features: Mapping[str, Any]) -> pa.Table:
    """The table with the names of classes in the place of their numbers; a number below 0 stands for a missing label."""
    import pyarrow as pa

    for place, name in enumerate(table.column_names):
        feature = features.get(name)
        inner = getattr(feature, "feature", feature)
        names = getattr(inner, "names", None)
        if not isinstance(names, list) or type(inner).__name__ != "ClassLabel":
            continue
        values = table.column(place).to_pylist()
        if inner is feature:
            texts: list[Any] = [_class_name(value, names) for value in values]
        else:
            texts = [None if value is None else [_class_name(item, names) for item in value] for value in values]
        table = table.set_column(place, name, pa.array(texts, pa.string() if inner is feature else pa.list_(pa.string())))
    return table


def _class_name(number: int | None, names: Sequence[str]) -> str | None:
    return names[number] if number is not None and 0 <= number < len(names) else None


def saved_dataset(folder: Path, name: str) -> Any:
    """What ``datasets.save_to_disk`` wrote to a folder.

    Raises:
        UserError: it is damaged, or holds several splits.
    """
    from datasets import load_from_disk

    try:
        found = load_from_disk(str(folder))
    except Exception as error:  # a damaged folder makes it raise nearly anything
        raise UserError(f"{name} was saved by the datasets library and cannot be loaded ({type(error).__name__}: {str(error)[:200]})",
                        "Wanted: a folder that datasets.load_from_disk reads", "Save it again") from None  # fmt: skip
    return the_split(found, "", name) if isinstance(found, Mapping) else found


def hub_dataset(name: str) -> Any:
    """A dataset of the Hub, ``owner/name`` or ``owner/name:split``.

    Raises:
        UserError: it cannot be reached, does not exist, or holds several splits and none was named.
    """
    from datasets import load_dataset

    dataset, _, split = name.partition(":")
    try:
        found = load_dataset(dataset)
    except Exception as error:  # no network, no such dataset, no permission: each has errors of its own
        reason = (str(error).strip().splitlines() or [""])[0][:200]
        raise UserError(f"{name} is no file here, and the Hub dataset of that name could not be loaded ({type(error).__name__}: {reason})",
                        "Wanted: a file, a folder, or a dataset that can be reached",
                        "Check the name and the connection, or download the dataset and give its files") from None  # fmt: skip
    return the_split(found, split, name) if isinstance(found, Mapping) else found
