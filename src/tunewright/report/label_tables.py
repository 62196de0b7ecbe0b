"""Each label with its scores, and which label is taken for which."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from tunewright.core.schema import Score
from tunewright.report import figures
from tunewright.report.evidence import Confusion, NotMeasured
from tunewright.report.facts import Facts
from tunewright.report.score_tables import AnyScore
from tunewright.report.verdict import worst_labels

MOST_NUMBERED = 12
"""Classes whose confusion matrix shows its numbers; more are drawn as a heat map."""
MOST_PAIRS = 12


@dataclass(frozen=True)
class ClassRow:
    """One label with its scores; ``number`` is its place in the label order, from 1."""

    number: int
    label: str
    f1: Score
    precision: AnyScore
    recall: AnyScore
    rows: int | None
    threshold: float | None
    track: Markup


@dataclass(frozen=True)
class Cell:
    """One number of the confusion matrix; ``share`` is how deep it is shaded, in percent."""

    rows: int
    kind: str
    share: int


@dataclass(frozen=True)
class MatrixLine:
    """One wanted label of the confusion matrix."""

    label: str
    cells: list[Cell]
    total: int


@dataclass(frozen=True)
class LabelTable:
    """Every label that was scored, the weakest first; ``thresholds`` tells whether any label has one of its own."""

    rows: list[ClassRow] = field(default_factory=list)
    scale: Markup | None = None
    thresholds: bool = False
    unscored: list[str] = field(default_factory=list)
    """Labels without a row in the test split."""


@dataclass(frozen=True)
class ConfusionTable:
    """The matrix with its numbers, or the heat map of a larger one; and the pairs (wanted, given, rows, of) most often confused."""

    matrix: list[MatrixLine] = field(default_factory=list)
    heat: Markup | None = None
    pairs: list[tuple[str, str, int, int]] = field(default_factory=list)
    pairs_left: int = 0
    most_share: float = 1.0


def confusion_table(confusion: Confusion | NotMeasured) -> ConfusionTable:
    """Shape a confusion matrix for its size."""
    if isinstance(confusion, NotMeasured):
        return ConfusionTable()
    pairs = confusion.pairs()
    small = len(confusion.labels) <= MOST_NUMBERED
    matrix = [
        MatrixLine(label, [_cell(rows, sum(line), i == j) for j, rows in enumerate(line)], sum(line))
        for i, (label, line) in enumerate(zip(confusion.wanted, confusion.matrix, strict=True))
    ]
    return ConfusionTable(
        matrix=matrix if small else [],
        heat=None if small else figures.heat_map(confusion),
        pairs=pairs[:MOST_PAIRS],
        pairs_left=max(0, len(pairs) - MOST_PAIRS),
        most_share=max((rows / whole for _, _, rows, whole in pairs[:MOST_PAIRS]), default=1.0),
    )


def _cell(rows: int, whole: int, right: bool) -> Cell:
    """Shaded lightly enough that its number can be read; a mistake is shaded more than its share, so that few can be seen."""
    share = rows / whole if whole else 0
    wrong = 12 + 80 * share if rows else 0
    return Cell(rows, "right" if right else "wrong", round(42 * share if right else min(42, wrong)))


def label_table(facts: Facts) -> LabelTable:
    """The labels with their scores on the test split; empty when they were not scored one by one."""
    test = facts.metrics.test
    if isinstance(test, NotMeasured) or not (found := worst_labels(test)):
        return LabelTable()
    support = facts.metrics.support if isinstance(facts.metrics.support, dict) else {}
    thresholds = facts.thresholds if isinstance(facts.thresholds, dict) else {}
    names = list(dict.fromkeys([*facts.labels, *sorted(name for name, _ in found)]))
    axis = figures.axis_of([score for _, score in found], 3)
    rows = [
        ClassRow(
            number=names.index(label) + 1,
            label=label,
            f1=f1,
            precision=test.get(f"precision/{label}"),
            recall=test.get(f"recall/{label}"),
            rows=support.get(label),
            threshold=thresholds.get(label),
            track=figures.track(f1, axis),
        )
        for label, f1 in found
    ]
    scored = {label for label, _ in found}
    return LabelTable(rows, figures.scale(axis), bool(thresholds), [name for name in facts.labels if name not in scored])
