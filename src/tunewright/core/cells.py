"""What a cell holds whose text writes a list or a record. Imports no Arrow."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from itertools import pairwise
from typing import Any

SIDE_BY_SIDE = re.compile(r"""['"]\s+['"]""")
"""The end of a text and the beginning of another, with nothing but blanks between them."""


def value_of(cell: Any) -> Any:
    """What a cell holds: the list or record that its text writes in JSON, Python or NumPy, else the cell itself.

    >>> value_of("['a', 'b']"), value_of("['a' 'b']"), value_of('[[0, 5, "PER"]]'), value_of("[sic] a text")
    (['a', 'b'], ['a', 'b'], [[0, 5, 'PER']], '[sic] a text')
    """
    if not isinstance(cell, str) or not cell.strip().startswith(("[", "{")):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(_with_commas(cell.strip()))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return cell


def listed(cell: str) -> list[str] | None:
    """The names in a cell that writes a list, as ``value_of`` reads it, or bare between brackets; None for any other text.

    >>> listed("['late' 'damaged']"), listed("[late, damaged]"), listed("[]"), listed("[sic] a text"), listed("late, damaged")
    (['late', 'damaged'], ['late', 'damaged'], [], None, None)
    """
    value, text = value_of(cell), cell.strip()
    if isinstance(value, (list, set)):
        return [str(one) for one in value if one is not None]
    inside = text[1:-1]
    if isinstance(value, dict) or not (text.startswith("[") and text.endswith("]")) or any(sign in inside for sign in "[]\"'"):
        return None
    return [name for part in inside.split(",") if (name := part.strip())]


def _with_commas(text: str) -> str:
    """A list as NumPy prints it, with commas between its texts; without, Python would read two texts as one."""
    if not SIDE_BY_SIDE.search(text):
        return text
    try:
        signs = [one for one in tokenize.generate_tokens(io.StringIO(text).readline) if one.type != tokenize.NL]
    except (tokenize.TokenError, SyntaxError):
        return text
    lines = text.split("\n")
    for one, other in reversed(list(pairwise(signs))):
        if one.type == other.type == tokenize.STRING:
            line, column = one.end[0] - 1, one.end[1]
            lines[line] = f"{lines[line][:column]},{lines[line][column:]}"
    return "\n".join(lines)
