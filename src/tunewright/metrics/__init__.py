"""Pure functions from answers to numbers, and the names under which a recipe may ask for them (``evaluate.metrics``)."""

from __future__ import annotations

from typing import NamedTuple


class Family(NamedTuple):
    """The scores of one kind of outcome."""

    names: dict[str, str]
    """Name in a recipe -> ``module:function``; each function takes an outcome and gives one number."""
    takes: tuple[str, ...] = ("wanted", "given")
    """What a function of the user's own is called with."""


METRICS: dict[str, str] = {
    "accuracy": "tunewright.metrics.named:accuracy",
    "balanced_accuracy": "tunewright.metrics.named:balanced_accuracy",
    "f1": "tunewright.metrics.named:f1",
    "f1_macro": "tunewright.metrics.named:f1",
    "f1_micro": "tunewright.metrics.named:f1_micro",
    "f1_weighted": "tunewright.metrics.named:f1_weighted",
    "hamming_loss": "tunewright.metrics.named:hamming_loss",
    "log_loss": "tunewright.metrics.named:log_loss",
    "mcc": "tunewright.metrics.named:mcc",
    "precision": "tunewright.metrics.named:precision",
    "recall": "tunewright.metrics.named:recall",
    "roc_auc": "tunewright.metrics.named:roc_auc",
    "subset_accuracy": "tunewright.metrics.named:accuracy",
    "top_3_accuracy": "tunewright.metrics.named:top_3_accuracy",
    "top_5_accuracy": "tunewright.metrics.named:top_5_accuracy",
}
"""Name in a recipe -> ``module:function``; each function takes a ``ClassOutcome`` and gives one number."""

FAMILIES: dict[str, Family] = {
    "answers": Family(
        {
            "exact_match": "tunewright.metrics.answers:exact_match",
            "f1": "tunewright.metrics.answers:mean_f1",
            "no_answer_accuracy": "tunewright.metrics.answers:no_answer_accuracy",
        }
    ),
    "classes": Family(METRICS, ("wanted", "probabilities", "names")),
    "numbers": Family(
        {
            name: f"tunewright.metrics.numbers:{name}"
            for name in (
                "largest_error",
                "mean_absolute_error",
                "median_absolute_error",
                "pearson",
                "r2",
                "root_mean_squared_error",
                "spearman",
            )
        }
    ),
}
"""Family of outcomes, as a task names it in ``scores`` -> its scores."""
