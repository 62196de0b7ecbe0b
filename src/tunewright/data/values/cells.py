"""What a cell holds whose text writes a list or a record. Imports no Arrow."""

from __future__ import annotations

import ast
import json
from typing import Any


def value_of(cell: Any) -> Any:
    """What a cell holds: the list or record that its text writes in JSON or Python, else the cell itself.

    >>> value_of("['a', 'b']"), value_of('[[0, 5, "PER"]]'), value_of("[sic] a text")
    (['a', 'b'], [[0, 5, 'PER']], '[sic] a text')
    """
    if not isinstance(cell, str) or not cell.strip().startswith(("[", "{")):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return cell
