"""Lists of tokens in cells: as Arrow has them, or written as text in JSON or Python."""

from __future__ import annotations

import pyarrow as pa

from tunewright.core.cells import value_of
from tunewright.data.values.base import is_list


def token_lists(column: pa.ChunkedArray | pa.Array) -> list[list[str] | None] | None:
    """The tokens of each row, where every cell holds a list of texts; None where the column is no such one."""
    if not (is_list(column.type) or pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return None
    found: list[list[str] | None] = []
    for cell in column.to_pylist():
        value = value_of(cell)
        if value is None or (isinstance(value, str) and not value.strip()):
            found.append(None)
        elif isinstance(value, (list, tuple)) and all(token is None or isinstance(token, str) for token in value):
            found.append(["" if token is None else token for token in value])
        else:
            return None
    return found if any(one is not None for one in found) else None


def joined(tokens: list[str]) -> str:
    """Tokens as a text: single blanks between them."""
    return " ".join(tokens)


def places(tokens: list[str]) -> list[tuple[int, int]]:
    """Where each token stands in the text of all.

    >>> places(["New", "York", "."])
    [(0, 3), (4, 8), (9, 10)]
    """
    found, at = [], 0
    for token in tokens:
        found.append((at, at + len(token)))
        at += len(token) + 1
    return found
