"""What one stage hands to the next. These classes are the contract between folders."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from tunewright.core.config import Config

Row = Mapping[str, Any]
"""One example: column name to value. Columns that begin with ``_`` are ours (``_file``, ``_row``...)."""

Severity = Literal["info", "warning", "error"]
Policy = Literal["keep", "drop", "fix", "refuse"]
SPLITS = ("train", "validation", "test")


class Score(Config):
    """A number that may be quoted: never without its size and its interval."""

    value: float
    low: float
    """Lower end of the 95 % interval (bootstrap over rows)."""
    high: float
    rows: int

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not all(map(math.isfinite, (self.value, self.low, self.high))):
            raise ValueError("a score is a finite number; what could not be measured says so in words")
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} is outside its own interval [{self.low}, {self.high}]")
        return self

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] n={self.rows}"


class Place(Config):
    """Where a row was read: its file, and its number in that file's data, from 0."""

    file: str
    row: int

    def __str__(self) -> str:
        return f"{self.file} row {self.row}"


class Finding(Config):
    """Something a check saw: which rows, what it means, what was done, and the remedy."""

    rule: str
    severity: Severity
    message: str
    remedy: str
    action: Policy = "keep"
    """What was done with the rows: ``keep`` (told only), ``drop`` (to quarantine), ``fix`` (repaired), ``refuse``."""
    places: tuple[Place, ...] = ()
    """Every row concerned."""
    groups: tuple[int, ...] = ()
    """Parallel to ``places``: rows with the same number belong together (duplicates of each other). Empty when there are no groups."""
    recipe: str = ""
    """The line of a recipe that applies the remedy, as ``data.policy.<rule>: drop``."""

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"
