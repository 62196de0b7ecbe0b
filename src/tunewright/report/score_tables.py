"""The scores of a run, shaped for pictures and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from markupsafe import Markup

from tunewright.core.schema import Score
from tunewright.report import figures
from tunewright.report.evidence import Excluded, NotMeasured
from tunewright.report.facts import Facts
from tunewright.report.verdict import baseline_rows, quoted
from tunewright.report.words import MODELS, duration, joined, lower_is_better, plural, score_meaning, score_name

PICTURED = ("accuracy", "balanced_accuracy", "f1_micro", "f1_macro", "mcc", "f1_partial", "pearson", "spearman", "r2", "exact_match", "f1")

AnyScore = Score | NotMeasured | None


@dataclass(frozen=True)
class Bar:
    """One line of a picture of scores."""

    name: str
    kind: str
    score: Score
    track: Markup


@dataclass(frozen=True)
class Group:
    """One score of several models, on one axis."""

    title: str
    meaning: str
    split: str
    bars: list[Bar]
    scale: Markup


@dataclass(frozen=True)
class ScoreRow:
    """One line of a table of scores."""

    title: str
    meaning: str
    scores: list[AnyScore]


@dataclass(frozen=True)
class ScoreTables:
    """Every score of a run that is not of a single label. Empty when nothing was scored."""

    headline: Group | None = None
    groups: list[Group] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[ScoreRow] = field(default_factory=list)
    difference_columns: list[str] = field(default_factory=list)
    differences: list[ScoreRow] = field(default_factory=list)
    note: str = ""


def score_tables(facts: Facts) -> ScoreTables:
    """The quoted split beside the baselines and beside validation, then the differences to each baseline."""
    metrics, main = facts.metrics, quoted(facts)
    if isinstance(main, NotMeasured):
        return ScoreTables()
    split, name, score = main
    ours = metrics.test if split == "test" else metrics.validation
    assert isinstance(ours, dict)
    theirs = {MODELS[key]: one.scores for key, one in baseline_rows(metrics.baselines).items()}
    models = {"This model": ours} | (theirs if split == "test" else {})
    groups = {one: group for one in [name, *PICTURED] if (group := _group(one, split, models))}
    columns = {f"This model, {split}": ours, **theirs}
    if split == "test" and isinstance(metrics.validation, dict):
        columns["This model, validation"] = metrics.validation
    wanted = dict.fromkeys(one for scores in columns.values() for one in scores if "/" not in one)
    difference_columns, differences = _differences(facts)
    return ScoreTables(
        headline=groups.get(name),
        groups=list(groups.values()),
        columns=list(columns),
        rows=[ScoreRow(score_name(one), score_meaning(one), [scores.get(one) for scores in columns.values()]) for one in wanted],
        difference_columns=difference_columns,
        differences=differences,
        note=_score_note(facts, split, score.rows),
    )


def _group(name: str, split: str, models: Mapping[str, Mapping[str, AnyScore]]) -> Group | None:
    found = [(model, one) for model, scores in models.items() if isinstance(one := scores.get(name), Score)]
    if not found or lower_is_better(name):
        return None
    axis = figures.axis_of([one for _, one in found])
    kinds = ["ours" if model == "This model" else "theirs" for model, _ in found]
    bars = [Bar(model, kind, one, figures.track(one, axis, kind)) for kind, (model, one) in zip(kinds, found, strict=True)]
    return Group(score_name(name), score_meaning(name), split, bars, figures.scale(axis))


def _score_note(facts: Facts, split: str, rows: int) -> str:
    seconds = [
        f"{MODELS[key]}: {duration(one.seconds)}"
        for key, one in baseline_rows(facts.metrics.baselines).items()
        if isinstance(one.seconds, float)
    ]
    took = f" Time to fit and score: {'; '.join(seconds)}." if seconds else ""
    about = "Intervals hold 95 % of what other rows of the same kind would give (bootstrap over rows)."
    left_out = _left_out(facts.metrics.excluded)
    return f"Measured on {plural(rows, f'{split} row')}. {left_out}{about}{took}"


def _left_out(excluded: Excluded | NotMeasured) -> str:
    if isinstance(excluded, NotMeasured):
        return ""
    parts = [f"{plural(excluded.test_without_label, 'row')} without a label"] if excluded.test_without_label else []
    parts += [f"{plural(rows, 'row')} with “{name}”, never trained" for name, rows in excluded.never_trained.items()]
    return f"Counted beside, not in the scores: {joined(parts)}. " if parts else ""


def _differences(facts: Facts) -> tuple[list[str], list[ScoreRow]]:
    baselines = facts.metrics.baselines
    if isinstance(baselines, NotMeasured):
        return [], []
    found = {key: one for key in MODELS if isinstance(one := baselines.difference.get(key), dict)}
    names = dict.fromkeys(name for scores in found.values() for name in scores if "/" not in name)
    rows = [
        ScoreRow(
            score_name(name), "less than 0 is better" if lower_is_better(name) else "", [scores.get(name) for scores in found.values()]
        )
        for name in names
    ]
    return [MODELS[key] for key in found], rows
