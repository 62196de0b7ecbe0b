"""The facts of a run, shaped for the page: what stands in which picture and in which line of which table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tunewright.report import figures, findings, learning
from tunewright.report.evidence import NotMeasured, RowCount, Split
from tunewright.report.facts import Facts
from tunewright.report.guards import GuardsPart, guards_part
from tunewright.report.label_tables import ConfusionTable, LabelTable, confusion_table, label_table
from tunewright.report.score_tables import ScoreTables, score_tables
from tunewright.report.task_parts import TaskPart, part_of
from tunewright.report.words import count, day, duration, joined, parameters, plural, sentence, size

MOST_BARS = 20
"""Labels that get a bar each; more are drawn as one skyline."""


@dataclass(frozen=True)
class LabelCount:
    """The rows of one label in each split."""

    label: str
    rows: list[int]
    total: int
    bar: Markup


@dataclass(frozen=True)
class DataPart:
    """Where the rows went, and how many have each label."""

    rows_parts: list[tuple[str, str, int]]
    """(looks in page.css, name, rows)."""
    rows_bar: Markup
    removed: list[findings.Removed]
    findings: findings.FindingsPart
    split_sentence: str
    counts: list[LabelCount]
    skyline: Markup | None


@dataclass(frozen=True)
class LearningPart:
    """The sentence, the curves and the warnings of the training."""

    sentence: str
    charts: list[learning.Chart]
    notes: list[str]


@dataclass(frozen=True)
class View:
    """Everything the template shows that is not in the facts as it stands."""

    kind: str
    own: TaskPart | None
    """What the task adds; None for a classification."""
    parts: list[tuple[str, str]]
    data: DataPart
    learning: LearningPart | None
    guards: GuardsPart
    scores: ScoreTables
    confusion: ConfusionTable
    labels: LabelTable
    tiles: list[tuple[str, Any]]
    origin: list[tuple[str, Any]]


def view_of(facts: Facts) -> View:
    """Shape the facts of a run for the page."""
    own = part_of(facts)
    return View(
        kind=_kind(facts) if own is None else f"{facts.task}, {own.kind}",
        own=own,
        parts=_parts(facts, own),
        data=_data(facts),
        learning=_learning(facts),
        guards=guards_part(facts),
        scores=score_tables(facts),
        confusion=confusion_table(facts.metrics.confusion),
        labels=label_table(facts),
        tiles=_tiles(facts),
        origin=_origin(facts),
    )


def _learning(facts: Facts) -> LearningPart | None:
    curve, served = facts.curve, facts.manifest.served
    if isinstance(curve, NotMeasured):
        return None
    return LearningPart(learning.sentence(curve, served), learning.charts(curve, served), learning.notes(curve))


def _kind(facts: Facts) -> str:
    task = facts.data.task
    labels = plural(len(facts.labels), "label") if facts.labels else ""
    several = "several per row" if facts.multi_label else ""
    return ", ".join(part for part in (task if isinstance(task, str) else "", labels, several) if part)


def _parts(facts: Facts, own: TaskPart | None) -> list[tuple[str, str]]:
    first = [("verdict", "Verdict"), ("data", "Data"), ("learning", "Learning"), ("scores", "Scores")]
    last = [("cost", "Cost"), ("checklist", "Checklist"), ("again", "Make it again")]
    if own is not None:
        return [*first, *((one.anchor, one.title) for one in own.sections), *last]
    confusion = [] if facts.multi_label else [("confusion", "Confusion")]
    return [*first, *confusion, ("classes", "Labels"), ("mistakes", "Mistakes"), *last]


def _data(facts: Facts) -> DataPart:
    rows, splits = facts.data.rows, facts.data.splits
    parts: list[tuple[str, str, int]] = []
    if isinstance(rows, RowCount):
        found = {name: split.rows for name, split in splits.items()} if isinstance(splits, dict) else {}
        parts = [(name if name in {"train", "validation", "test"} else "other", name, n) for name, n in found.items()]
        rest = rows.kept - sum(found.values())
        parts += [("other", "kept in no split", rest)] if rest > 0 else []
        parts.append(("quarantine", "in quarantine", rows.quarantined))
    counts = _label_counts(splits, facts.labels) if isinstance(splits, dict) else []
    many = len(counts) > MOST_BARS
    return DataPart(
        rows_parts=parts,
        rows_bar=figures.shares([(kind, n) for kind, _, n in parts], "Where the rows went"),
        removed=findings.removed(rows) if isinstance(rows, RowCount) else [],
        findings=findings.findings_part(facts),
        split_sentence=_split_sentence(facts),
        counts=counts,
        skyline=figures.skyline([(one.label, one.total) for one in counts], f"Rows of {len(counts)} labels") if many else None,
    )


def _label_counts(splits: Mapping[str, Split], labels: Sequence[str]) -> list[LabelCount]:
    names = dict.fromkeys([*labels, *(name for split in splits.values() for name in split.labels)])
    rows = {name: [split.labels.get(name, 0) for split in splits.values()] for name in names}
    most = max(map(sum, rows.values()), default=0)
    counts = [LabelCount(name, found, sum(found), figures.bar(sum(found), most)) for name, found in rows.items()]
    return sorted(counts, key=lambda one: (-one.total, one.label))


def _split_sentence(facts: Facts) -> str:
    plan = facts.data.split
    if isinstance(plan, NotMeasured):
        return ""
    how = {
        "stratified": "keeping the shares of the labels",
        "random": "at random",
        "given": "as given",
        "group": "as even in labels as whole groups allow",
        "time": f"the oldest rows to train, the newest to test{f' ({plan.time})' if plan.time else ''}",
    }
    made = f"{joined(plan.made)} made from train, {how.get(str(plan.by), f'by {plan.by}')}, seed {plan.seed}" if plan.made else ""
    given = f"{joined(plan.given)} given with the data" if plan.given else ""
    said = "; ".join(part for part in (given, made) if part) or "how the splits were made is not recorded"
    together = f"rows with the same {plan.group} stand in one split" if plan.group else ""
    return " ".join(sentence(part[:1].upper() + part[1:]) for part in (said, together, *plan.notes) if part)


def _tiles(facts: Facts) -> list[tuple[str, Any]]:
    found = facts.metrics.efficiency
    if isinstance(found, NotMeasured):
        return []
    shown = {
        "train_seconds": ("Training", duration),
        "total_seconds": ("Whole run", duration),
        "steps": ("Steps", count),
        "epochs": ("Epochs", lambda value: f"{value:g}"),
        "rows_per_second": ("Rows trained per second", lambda value: f"{value:,.3g}"),
        "predict_rows_per_second": ("Rows answered per second", lambda value: f"{value:,.3g}"),
        "peak_memory_bytes": ("Most memory in use", size),
        "model_bytes": ("Size of the model", size),
    }
    return [
        (title, value if isinstance(value := found[key], NotMeasured) else say(value))
        for key, (title, say) in shown.items()
        if key in found
    ]


def _day(moment: str | NotMeasured) -> str | NotMeasured:
    return moment if isinstance(moment, NotMeasured) else day(moment)


def _origin(facts: Facts) -> list[tuple[str, Any]]:
    manifest = facts.manifest
    rows: list[tuple[str, Any]] = [("Seed", manifest.seed), ("Started", _day(manifest.started)), ("Ended", _day(manifest.ended))]
    data = manifest.data
    if isinstance(data, NotMeasured):
        rows.append(("Data", data))
    else:
        rows += [("Data", data.name), ("Version of the data", data.version), ("Fingerprint of the data", data.fingerprint)]
    model = manifest.model
    if isinstance(model, NotMeasured):
        rows.append(("Model", model))
    else:
        sizes = [parameters(one) for one in (model.parameters, model.trainable) if isinstance(one, int)]
        rows += [
            ("Base model", model.base),
            ("Method", model.method),
            ("Parameters", ", of which trained ".join(sizes) or model.parameters),
        ]
    served = manifest.served
    rows.append(("Weights (SHA-256)", served if isinstance(served, NotMeasured) else served.sha256))
    machine = manifest.machine
    if isinstance(machine, NotMeasured):
        return [*rows, ("Machine", machine)]
    memory = size(machine.memory_bytes) if isinstance(machine.memory_bytes, int) else "memory not recorded"
    return [
        *rows,
        ("Machine", f"{machine.cpu}, {machine.cores} cores, {memory}, {machine.gpu or 'no GPU'}"),
        ("System", f"{machine.system}, Python {machine.python}"),
    ]
