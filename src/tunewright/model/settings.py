"""The ``model`` section of a recipe. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tunewright.core.config import Config


class ModelSettings(Config):
    """Which model to start from, and how it reads."""

    base: str
    """A local folder, a Hub id, or ``embedded``: the packaged small encoder, which needs no network."""
    max_tokens: Annotated[int, Field(ge=4)] | Literal["auto"] = "auto"
    """Tokens of a row that the model sees, those that mark its ends included; longer rows are cut, counted and listed, or, where the task
    does that (token-classification), cut into windows of this length. ``auto`` covers 99 % of the training rows, up to 256."""
    pooling: Literal["architecture", "mean"] = "architecture"
    """How token vectors become one: the architecture's own head (loads with plain Transformers), or their mean (better for sentence
    encoders; saved as a sentence-transformers folder)."""
    dropout: float | None = Field(None, ge=0, lt=1)
    """Dropout before the head; left out, the model's own."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the weights while they are trained and when they are saved."""
    revision: str | None = None
    """Branch, tag or commit of a Hub id."""
