"""From the cells of a table to the values of a role: one file for each kind of role."""

from __future__ import annotations

KINDS: dict[str, str] = {
    "text": "tunewright.data.values.texts:read",
    "label": "tunewright.data.values.labels:one",
    "labels": "tunewright.data.values.labels:several",
    "number": "tunewright.data.values.numbers:read",
}
"""Kind of role -> ``module:function``; the function takes the column, the role and the column's name, and gives ``base.Values``."""
