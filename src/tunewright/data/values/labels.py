"""Label names: one or several in a cell."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tunewright.core.cells import value_of
from tunewright.core.errors import UserError
from tunewright.data.values.base import Values, as_text, is_list, remade_column, what_it_is
from tunewright.tasks.base import Role
from tunewright.tasks.text_classification import split_labels


def one(column: pa.ChunkedArray, role: Role, name: str) -> Values:
    """One label name per row.

    Raises:
        UserError: as ``label_text``; or every cell writes a list as text.
    """
    found = label_text(column, name)
    _no_lists(found, name)
    return Values(found)


def several(column: pa.ChunkedArray, role: Role, name: str) -> Values:
    """Lists of label names."""
    return Values(labels_text(column, name, role.separator))


def label_text(column: pa.ChunkedArray | pa.Array, name: str) -> pa.ChunkedArray:
    """Labels as strings: ``3`` for 3 and for 3.0, ``true`` for True; missing stays null.

    Raises:
        UserError: the labels are fractions, or no plain values at all.
    """
    return remade_column(column, lambda values: _label_text(values, name), pa.string())


def labels_text(column: pa.ChunkedArray | pa.Array, name: str, separator: str | None) -> pa.ChunkedArray:
    """Several labels per row as lists of strings; a list or JSON list as it is, a text cut at ``separator``; missing or blank is null.

    Raises:
        UserError: the labels are fractions, or no plain values at all.
    """
    return remade_column(column, lambda values: _labels_text(values, name, separator), pa.list_(pa.string()))


def _no_lists(column: pa.ChunkedArray, name: str) -> None:
    filled = pc.utf8_trim_whitespace(column.drop_null())
    if not len(filled) or not pc.all(pc.starts_with(filled, "[")).as_py():
        return
    cells = pc.unique(filled).to_pylist()
    if all(isinstance(value_of(cell), list) for cell in cells):
        raise UserError(
            f"the label column {name!r} holds lists written as text ({', '.join(cells[:2])}...)",
            "One label per row is wanted: a name or a whole number",
            "For several labels per row write task: {name: text-classification, multi_label: true}",
        )


def _label_text(values: pa.Array, name: str) -> pa.Array:
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _label_text(values.dictionary_decode(), name)
    if pa.types.is_floating(kind):
        return _whole_numbers(values, name).cast(pa.string())
    if pa.types.is_nested(kind):
        raise UserError(
            f"the label column {name!r} holds {what_it_is(kind)}",
            "A label is a name: a text or a whole number",
            "For several labels per row write task: {name: text-classification, multi_label: true}",
        )
    return as_text(values, name, "label")


def _labels_text(values: pa.Array, name: str, separator: str | None) -> pa.Array:
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _labels_text(values.dictionary_decode(), name, separator)
    if is_list(kind):
        flat = _label_text(pc.list_flatten(values), name).to_pylist()
        lengths = pc.list_value_length(values).to_pylist()
        at, lists = 0, []
        for length in lengths:
            lists.append(None if length is None else list(dict.fromkeys(flat[at : at + length])))
            at += length or 0
        return pa.array(lists, pa.list_(pa.string()))
    cells = _label_text(values, name).to_pylist()
    cut = [None if cell is None or not cell.strip() else list(dict.fromkeys(split_labels(cell, separator))) for cell in cells]
    return pa.array(cut, pa.list_(pa.string()))


def _whole_numbers(values: pa.Array, name: str) -> pa.Array:
    """Floats that are whole as int64, NaN as null."""
    values = pc.if_else(pc.is_nan(values), None, values)
    fractions = pc.invert(pc.equal(pc.floor(values), values))
    if pc.any(pc.fill_null(pc.or_(fractions, pc.is_inf(values)), False)).as_py():
        some = ", ".join(f"{one:g}" for one in pc.unique(values.filter(fractions)).slice(0, 3).to_pylist()) or "inf"
        raise UserError(
            f"the label column {name!r} holds fractions ({some}...): it is a label column of floats",
            "For numbers a regression is wanted, which this task is not; a label is a name or a whole number",
            "Write task: regression and data.columns: {number: ...}, or check data.columns.label: is it the right column?",
        )
    return values.cast(pa.int64())
