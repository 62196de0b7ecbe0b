"""Audit rules: each looks at a table and tells which rows are doubtful. The order of the table is the order in which they look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunewright.core.registry import Registry

if TYPE_CHECKING:
    from tunewright.data.audit.base import Rule

RULES: Registry[Rule] = Registry(
    "rule",
    {
        "unreadable-row": "tunewright.data.audit.rows:UnreadableRow",
        "empty-text": "tunewright.data.audit.rows:EmptyText",
        "missing-label": "tunewright.data.audit.missing:MissingLabel",
        "mojibake": "tunewright.data.audit.mojibake:Mojibake",
        "label-variant": "tunewright.data.audit.variants:LabelVariant",
        "conflicting-label": "tunewright.data.audit.duplicates:ConflictingLabel",
        "leak-exact": "tunewright.data.audit.leaks:LeakExact",
        "rare-label": "tunewright.data.audit.labels:RareLabel",
        "exact-duplicate": "tunewright.data.audit.duplicates:ExactDuplicate",
        "normalised-duplicate": "tunewright.data.audit.duplicates:NormalisedDuplicate",
        "label-never-trained": "tunewright.data.audit.labels:LabelNeverTrained",
        "imbalance": "tunewright.data.audit.labels:Imbalance",
    },
)

RULES_VERSION = 1
"""Raised when a rule finds other rows or mends them otherwise than before: datasets then get a new version."""
