"""What annotation tools write as JSON, as rows of a table: Label Studio's tasks, and spaCy's pairs of a text and its entities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_row(value: Any) -> Any:
    """An annotated text as a row; anything else as it is.

    Label Studio keeps the texts under ``data``: its keys become columns beside ``annotations``. spaCy's training data are pairs.

    >>> as_row(["Anna sings", {"entities": [[0, 4, "PER"]]}])
    {'text': 'Anna sings', 'entities': [[0, 4, 'PER']]}
    >>> as_row({"id": 1, "data": {"text": "Anna"}, "annotations": []})
    {'text': 'Anna', 'id': 1, 'annotations': []}
    """
    if isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], str) and _is_spacy(value[1]):
        return {"text": value[0], **value[1]}
    if isinstance(value, Mapping) and isinstance(value.get("data"), Mapping) and isinstance(value.get("annotations"), list):
        return {**value["data"], **{name: inner for name, inner in value.items() if name != "data" and name not in value["data"]}}
    return value


def _is_spacy(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("entities"), list)
