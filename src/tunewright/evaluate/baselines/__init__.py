"""What costs nothing, over the same test rows as the model: for each its name in a recipe, what it is called, where it lives."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A baseline of some tasks."""

    called: str
    """As a sentence calls it."""
    function: str
    """``module:function``; it takes what is asked (``base.Asked``) and gives a ``Baseline``."""


BASELINES: dict[str, dict[str, Place]] = {
    "text-classification": {
        "majority": Place("always the most frequent label", "tunewright.evaluate.baselines.classes:majority_of"),
        "tfidf": Place("TF-IDF with logistic regression", "tunewright.evaluate.baselines.classes:tfidf_of"),
    },
}
"""Task -> its baselines."""
