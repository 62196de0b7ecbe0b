"""The ``evaluate`` section of a recipe. Imports no torch."""

from __future__ import annotations

from pydantic import Field

from tunewright.core.config import Config


class EvaluateSettings(Config):
    """What is measured, how often it is resampled, and what it is held against."""

    metrics: tuple[str, ...] = ()
    """More scores, by name (``roc_auc``, ``top_5_accuracy``...) or your own as ``file.py:function``; computed during training and at
    the end."""
    baselines: tuple[str, ...] | None = None
    """Trivial models that are trained and scored on the same splits, as ``[majority, tfidf]``; left out, all that the task has;
    ``[]`` for none."""
    resamples: int = Field(1000, ge=100)
    """Bootstrap resamples behind each 95 % interval."""
    batch_size: int = Field(64, ge=1)
    """Rows per forward pass when answers are asked for; the answers do not depend on it."""
