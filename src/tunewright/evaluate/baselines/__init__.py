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
    "token-classification": {
        "nothing": Place("finding nothing", "tunewright.evaluate.baselines.spans:nothing_of"),
        "lookup": Place("the most frequent tag of each known word", "tunewright.evaluate.baselines.spans:lookup_of"),
    },
    "text-classification": {
        "majority": Place("always the most frequent label", "tunewright.evaluate.baselines.classes:majority_of"),
        "tfidf": Place("TF-IDF with logistic regression", "tunewright.evaluate.baselines.classes:tfidf_of"),
    },
    "question-answering": {
        "no-answer": Place("always no answer", "tunewright.evaluate.baselines.answers:no_answer_of"),
        "first-sentence": Place("the first sentence", "tunewright.evaluate.baselines.answers:first_sentence_of"),
        "overlap": Place("words beside those of the question", "tunewright.evaluate.baselines.answers:overlap_of"),
    },
    "regression": {
        "mean": Place("always the mean", "tunewright.evaluate.baselines.numbers:mean_of"),
        "tfidf": Place("TF-IDF with ridge regression", "tunewright.evaluate.baselines.numbers:tfidf_of"),
    },
}
"""Task -> its baselines."""
