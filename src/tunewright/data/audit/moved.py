"""Entities of texts that change, and what they say whatever the text around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

import pyarrow as pa


def moved_spans(before: pa.ChunkedArray, after: pa.ChunkedArray, spans: pa.ChunkedArray) -> pa.ChunkedArray:
    """Entities at the places where their characters stand in changed texts; one of which nothing is left is no more.

    Args:
        before: (rows,) texts as they were.
        after: (rows,) texts as they are.
        spans: (rows,) lists of ``start, end, label``.
    """
    texts = zip(before.to_pylist(), after.to_pylist(), spans.to_pylist(), strict=True)
    rows = [lists if not lists or old == new else list(_moved(old or "", new or "", lists)) for old, new, lists in texts]
    return pa.chunked_array([pa.array(rows, spans.type)])


def _moved(old: str, new: str, spans: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for span in spans:
        start, end = _place(blocks, span["start"], False), _place(blocks, span["end"], True)
        if start < end:
            yield {**span, "start": start, "end": end}


def _place(blocks: Sequence[tuple[str, int, int, int, int]], place: int, is_end: bool) -> int:
    """Where a place is now: one within a part that was replaced goes to the edge of what stands there, outwards."""
    for word, first, behind, now, now_behind in blocks:
        inside = first < place <= behind if is_end else first <= place < behind
        if inside and word == "equal":
            return now + place - first
        if inside:
            return now_behind if is_end else now
    return place if place <= 0 or not blocks else blocks[-1][4] + max(0, place - blocks[-1][2])


def written(texts: Sequence[str | None], rows: Sequence[Sequence[Mapping[str, Any]] | None]) -> list[str | None]:
    """What entities say, as one text for each row: the type and the letters of each, in their order; where they stand does not count.

    >>> written(["Paris!"], [[{"start": 0, "end": 5, "label": "LOC"}]]), written(["x", "x"], [[], None])
    (['LOC=paris'], ['', None])
    """
    return [
        None if spans is None else "|".join(_said(text or "", span) for span in sorted(spans, key=_in_order))
        for text, spans in zip(texts, rows, strict=True)
    ]


def _in_order(span: Mapping[str, Any]) -> tuple[int, int, str]:
    return span["start"], span["end"], span["label"]


def _said(text: str, span: Mapping[str, Any]) -> str:
    quoted = text[max(0, span["start"]) : max(0, span["end"])]
    return f"{span['label']}={''.join(char for char in quoted.casefold() if char.isalnum())}"
