"""What the guards of a run need to know of its recipe and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.folder import read_lines
from tunewright.core.schema import Place, Row
from tunewright.pipeline.recipe import Recipe
from tunewright.train.criteria import CRITERIA
from tunewright.train.guards import chosen

if TYPE_CHECKING:
    from tunewright.data.encode import EncodedRows


def guarded(recipe: Recipe, rows: Sequence[Row], encoded: EncodedRows) -> dict[str, Any]:
    """The parts of a job that guards are asked with, by name.

    Args:
        recipe: with its criterion.
        rows: for training, with ``_file`` and ``_row``.
        encoded: the same rows.
    """
    plain = recipe.criterion == CRITERIA.build("cross-entropy")  # smoothed, it is no measure of what validation rows measure
    same_loss = "log_loss" if plain and recipe.task.gold == "label" else ""
    return {"guards": chosen(recipe.guards), "place": Places(rows, encoded).of_piece, "same_loss": same_loss}


def sightings(run: Path) -> dict[str, dict[str, int]]:
    """What the guards of a run saw, for ``metrics.json``: guard -> verdict -> how many times; empty when nothing was seen."""
    found: dict[str, dict[str, int]] = {}
    for line in read_lines(run / "events.jsonl"):
        if line["event"] == "guard":
            verdicts = found.setdefault(line["guard"], {})
            verdicts[line["verdict"]] = verdicts.get(line["verdict"], 0) + 1
    return found


class Places:
    """Where the rows of pieces were read; nothing is computed before it is asked for.

    Args:
        rows: in the order of the split.
        encoded: the same rows; a long one may have several pieces.
    """

    def __init__(self, rows: Sequence[Row], encoded: EncodedRows) -> None:
        self._rows, self._encoded = rows, encoded

    def of_piece(self, piece: int) -> str:
        """The file and the number of the row that a piece belongs to."""
        row = self._rows[self._owners[piece]]
        return str(Place(file=str(row["_file"]), row=int(row["_row"])))

    @cached_property
    def _owners(self) -> list[int]:
        return [at for at, one in enumerate(self._encoded.encoded) for _ in one.pieces]
