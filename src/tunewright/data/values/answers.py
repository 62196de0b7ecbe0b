"""Answers that stand in a context: where each begins and what it says; none, where a question has no answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from tunewright.core.cells import value_of
from tunewright.core.errors import UserError
from tunewright.data.values.base import Values, what_it_is
from tunewright.tasks.base import Role

ANSWERS = pa.list_(pa.struct([("start", pa.int32()), ("text", pa.string())]))
UNPLACED = -1
"""The start of an answer whose place is not told; the rules look for it."""
STARTS = ("answer_start", "start", "answer_starts", "starts", "offset")
TEXTS = ("text", "answer", "texts", "answers")
NONE = {"", "nan", "na", "n/a", "null", "none", "<na>"}
FURTHEST = 2**31 - 1


class Unreadable(ValueError):
    """Why a cell holds no answers."""


def read(column: pa.ChunkedArray, role: Role, name: str) -> Values:
    """Answers as lists of ``start`` (characters of the context, from 0; -1 where no place is told) and ``text``.

    Read are: lists of records ``{text, answer_start}``; a record of two lists, as ``{text: [...], answer_start: [...]}``; the same as JSON
    in a text; a plain text, or a list of texts. An empty list says that there is no answer; a missing or blank cell is null.

    Raises:
        UserError: the column holds numbers, times or bytes.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    nested = pa.types.is_nested(kind) or pa.types.is_null(kind)
    if not (nested or pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise UserError(f"the column {name!r} for the role {role.name!r} holds {what_it_is(kind)}", "Answers are texts of their contexts",
                        f"Name the column with the answers: data.columns.{role.name}")  # fmt: skip
    found, faults = [], []
    for chunk in column.chunks:
        answers: list[list[dict[str, Any]] | None] = []
        told: list[str | None] = []
        for cell in chunk.to_pylist():
            try:
                answers.append(answers_of(cell))
                told.append(None)
            except Unreadable as error:
                answers.append(None)
                told.append(str(error))
        found.append(pa.array(answers, ANSWERS))
        faults.append(pa.array(told, pa.string()))
    bad = pa.chunked_array(faults, pa.string())
    return Values(pa.chunked_array(found, ANSWERS), bad if bad.null_count < len(bad) else None)


def answers_of(cell: Any) -> list[dict[str, Any]] | None:
    """The answers in a cell; None where it is blank.

    Raises:
        Unreadable: it holds something else.
    """
    if isinstance(cell, str):
        text = cell.strip()
        if text.lower() in NONE:
            return None
        parsed = _parsed(text)
        return [_answer(cell, None)] if parsed is None else answers_of(parsed)
    if cell is None:
        return None
    if isinstance(cell, Mapping):
        return _of_record(cell)
    return list({(one["start"], one["text"]): one for part in cell for one in _of_item(part)}.values())


def _of_item(item: Any) -> list[dict[str, Any]]:
    if isinstance(item, str):
        return [_answer(item, None)]
    if isinstance(item, Mapping):
        return _of_record(item)
    raise Unreadable(f"{str(item)[:60]!r} is no answer: a text, or text and answer_start, is wanted")


def _of_record(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    texts = next((record[name] for name in TEXTS if record.get(name) is not None), None)
    starts = next((record[name] for name in STARTS if record.get(name) is not None), None)
    if texts is None:
        if starts is None or not len(record):
            return []
        raise Unreadable("a place without the text of its answer")
    if isinstance(texts, str):
        return [_answer(texts, starts)]
    if starts is None:
        return [_answer(text, None) for text in texts]
    if not isinstance(starts, list) or len(starts) != len(texts):
        raise Unreadable(f"{len(texts)} texts of answers and {len(starts) if isinstance(starts, list) else 1} places")
    return [_answer(text, start) for text, start in zip(texts, starts, strict=True)]


def _answer(text: Any, start: Any) -> dict[str, Any]:
    if not isinstance(text, str) or not text.strip():
        raise Unreadable("an answer without a text")
    if start is None:
        return {"start": UNPLACED, "text": text}
    whole = isinstance(start, int) or (isinstance(start, float) and start.is_integer()) or (isinstance(start, str) and start.isdigit())
    if not whole or isinstance(start, bool) or not 0 <= int(start) <= FURTHEST:
        raise Unreadable(f"{str(start)[:40]!r} is no place in a context: a whole number from 0 is wanted")
    return {"start": int(start), "text": text}


def _parsed(text: str) -> Any:
    """What a text that is JSON, or a list or record as Python writes it, holds; None for any other text."""
    found = value_of(text)
    return found if isinstance(found, list | dict) else None
