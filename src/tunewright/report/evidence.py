"""The files of a run folder, as types. Any value may be missing; then a reason in words stands in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, WrapValidator, model_validator
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from tunewright.core.config import wanted_instead
from tunewright.core.errors import short
from tunewright.core.schema import Score


class Fact(BaseModel):
    """Something a run wrote down. Keys that a later version added are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class NotMeasured(Fact):
    """Stands where a value should be, and says why there is none."""

    not_measured: str

    def __str__(self) -> str:
        return f"not measured: {self.not_measured}"


def _value_or_reason(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    if isinstance(value, NotMeasured):
        return value
    if isinstance(value, Mapping) and "not_measured" in value:
        return NotMeasured(not_measured=str(value["not_measured"]))
    if value is None:
        return ABSENT
    try:
        return handler(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if str(part) in _keys(value))
        wanted = wanted_instead(first)
        why = f"{wanted} was wanted, not {short(first['input'])}" if wanted else first["msg"]
        return NotMeasured(not_measured=f"what was written cannot be read ({where + ': ' if where else ''}{why})")


def _keys(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return {str(key) for key in value}.union(*map(_keys, value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, list) else set()


T = TypeVar("T")
Maybe = Annotated[T | NotMeasured, WrapValidator(_value_or_reason)]
"""A value, or the reason why there is none."""

ABSENT = NotMeasured(not_measured="not recorded in this run folder")
Scores = dict[str, Maybe[Score]]


class Machine(Fact):
    """Where the run ran."""

    cpu: Maybe[str] = ABSENT
    cores: Maybe[int] = ABSENT
    memory_bytes: Maybe[int] = ABSENT
    gpu: str | None = None
    system: Maybe[str] = ABSENT
    python: Maybe[str] = ABSENT


class DataVersion(Fact):
    """Which dataset, exactly."""

    name: Maybe[str] = ABSENT
    version: Maybe[str] = ABSENT
    folder: Maybe[str] = ABSENT
    fingerprint: Maybe[str] = ABSENT


class Model(Fact):
    """What was trained, and how much of it."""

    base: Maybe[str] = ABSENT
    parameters: Maybe[int] = ABSENT
    trainable: Maybe[int] = ABSENT
    method: Maybe[str] = ABSENT
    max_tokens: Maybe[int] = ABSENT
    pooling: Maybe[str] = ABSENT


class Served(Fact):
    """The checkpoint that became the model, and the score that chose it."""

    step: Maybe[int] = ABSENT
    weights: Maybe[str] = ABSENT
    sha256: Maybe[str] = ABSENT
    by: Maybe[str] = ABSENT
    value: Maybe[float] = ABSENT


class Manifest(Fact):
    """``manifest.json``."""

    tunewright: Maybe[str]
    name: Maybe[str]
    command: Maybe[str]
    started: Maybe[str]
    ended: Maybe[str]
    machine: Maybe[Machine]
    versions: Maybe[dict[str, str]]
    seed: Maybe[int]
    data: Maybe[DataVersion]
    model: Maybe[Model]
    served: Maybe[Served]
    guards: Maybe[list[str]]
    """Those that watched the training."""
    files: Maybe[dict[str, str]]


class Source(Fact):
    """One file that was read."""

    name: str
    format: Maybe[str] = ABSENT
    encoding: Maybe[str] = ABSENT
    delimiter: Maybe[str] = ABSENT
    rows: Maybe[int] = ABSENT
    bytes: Maybe[int] = ABSENT
    sha256: Maybe[str] = ABSENT
    split: str | None = None


class RowCount(Fact):
    """What became of the rows that were read."""

    read: int
    kept: int
    quarantined: int
    by_rule: dict[str, int] = {}

    @property
    def adds_up(self) -> bool:
        return self.read == self.kept + self.quarantined


class SplitPlan(Fact):
    """How the splits came about."""

    by: Maybe[str] = ABSENT
    made: list[str] = []
    given: list[str] = []
    seed: Maybe[int] = ABSENT
    group: str | None = None
    """The column whose rows with the same value stand in one split."""
    time: str | None = None
    """The column that says when a row was written."""
    notes: list[str] = []
    """Why sizes are not what was wanted, and what else must be known of the splits."""


class Split(Fact):
    """One split: its rows, and how many have each label."""

    rows: int
    labels: dict[str, int] = {}


class ShownRow(Fact):
    """One of the first rows that a finding concerns."""

    file: str = ""
    row: int | None = None
    text: str = ""
    label: str = ""
    group: int | None = None
    """The cluster that it belongs to, where the rule finds rows that belong together."""
    kept: bool = True
    """Whether it is still among the rows of the dataset."""
    suggested: str = ""
    """The label that the rule takes for the right one; empty where it knows no better."""


class FoundFact(Fact):
    """One finding of the audit, with its first rows."""

    rule: str
    severity: str
    message: str
    remedy: str = ""
    recipe: str = ""
    action: str = "keep"
    rows: int = 0
    numbers: dict[str, int | float] = {}
    """Its figures: how many of the rows were removed or repaired, where not all were."""
    shown: list[ShownRow] = []

    @property
    def is_open(self) -> bool:
        """Whether its rows are still among those trained or scored on."""
        return self.severity in {"warning", "error"} and self.action == "keep"


class CutLabel(Fact):
    """What was cut from the rows of one label."""

    rows_cut: int = 0
    tokens_cut: int = 0


class CutSplit(Fact):
    """What was cut from the rows of one split."""

    rows: int
    rows_cut: int
    tokens: int = 0
    tokens_cut: int = 0
    rows_unknown: int = 0
    """Rows of which the model knows less than half of the tokens."""
    labels: dict[str, CutLabel] = {}


class Truncation(Fact):
    """How much of the texts the model could not read."""

    max_tokens: Maybe[int] = ABSENT
    why: str = ""
    splits: dict[str, CutSplit] = {}


class Change(Fact):
    """What people did to the dataset before this version of it."""

    by: str = ""
    rows_changed: int = 0
    sheet_sha256: str = ""


class Data(Fact):
    """``data.json``."""

    name: Maybe[str]
    version: Maybe[str]
    task: Maybe[str]
    columns: Maybe[dict[str, Any]]
    labels: Maybe[list[str]]
    sources: Maybe[list[Source]]
    rows: Maybe[RowCount]
    split: Maybe[SplitPlan]
    splits: Maybe[dict[str, Split]]
    never_trained: Maybe[dict[str, int]]
    test_without_label: Maybe[int]
    rules: Maybe[dict[str, str]]
    """The audit rules that looked, each with its policy."""
    findings: Maybe[list[FoundFact]]
    truncation: Maybe[Truncation]
    history: Maybe[list[Change]]
    """From the version as it was prepared to this one."""

    @property
    def corrected(self) -> tuple[int, int]:
        """Labels that people changed, and the sheets that they wrote them on."""
        steps = [one for one in self.history if one.by == "review labels"] if isinstance(self.history, list) else []
        return sum(one.rows_changed for one in steps), len(steps)


class Confusion(Fact):
    """``matrix[i][j]``: rows whose wanted label is ``wanted[i]`` and whose given label is ``labels[j]``.

    It has one line more than columns when rows want a label that was never trained.
    """

    labels: list[str]
    matrix: list[list[int]]

    @model_validator(mode="after")
    def _fits(self) -> Confusion:
        size = len(self.labels)
        if any(len(line) != size for line in self.matrix) or len(self.matrix) not in {size, size + 1}:
            raise ValueError(f"the confusion matrix does not fit its {size} labels")
        return self

    @property
    def wanted(self) -> list[str]:
        """The names of the lines."""
        return [*self.labels, "(never trained)"][: len(self.matrix)]

    def pairs(self) -> list[tuple[str, str, int, int]]:
        """Wanted, given, rows, rows with the wanted label: the confusions, most rows first."""
        found = [
            (self.wanted[i], self.labels[j], rows, sum(line))
            for i, line in enumerate(self.matrix)
            for j, rows in enumerate(line)
            if i != j and rows
        ]
        return sorted(found, key=lambda pair: (-pair[2], -pair[2] / pair[3], pair[0], pair[1]))


class Baseline(Fact):
    """The scores of a trivial model on the same rows."""

    scores: Scores = {}
    seconds: Maybe[float] = ABSENT

    @model_validator(mode="before")
    @classmethod
    def _apart(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or "scores" in value:
            return value
        return {"scores": {k: v for k, v in value.items() if k != "seconds"}, "seconds": value.get("seconds")}


class Baselines(Fact):
    """The trivial models, how far ours stands from them, and what follows."""

    models: dict[str, Maybe[Baseline]] = {}
    """By name; they stand beside the other keys in the file."""
    difference: dict[str, Maybe[Scores]] = {}
    verdict: str = ""
    worth_it: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _apart(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or "models" in value:
            return value
        others = {key: one for key, one in value.items() if key in cls.model_fields}
        return {**others, "models": {key: one for key, one in value.items() if key not in cls.model_fields}}


class BatchOfOne(Fact):
    """The answers of rows predicted alone, beside those of the batch."""

    rows: int
    largest_difference: float


class Proof(Fact):
    """The saved model, loaded again by someone else's code, beside the trained one."""

    ok: bool
    rows: Maybe[int] = ABSENT
    same_labels: Maybe[int] = ABSENT
    largest_difference: Maybe[float] = ABSENT
    loaded_with: Maybe[str] = ABSENT
    batch_of_one: Maybe[BatchOfOne] = ABSENT


class Excluded(Fact):
    """Rows that stand in the test split but not in its scores."""

    test_without_label: int = 0
    never_trained: dict[str, int] = {}


class Metrics(Fact):
    """``metrics.json``."""

    validation: Maybe[Scores]
    test: Maybe[Scores]
    support: Maybe[dict[str, int]]
    confusion: Maybe[Confusion]
    baselines: Maybe[Baselines]
    excluded: Maybe[Excluded]
    efficiency: Maybe[dict[str, Maybe[float]]]
    proof: Maybe[Proof]
    thresholds: Maybe[dict[str, float]]
    entities: Maybe[dict[str, dict[str, int]]]
    """Type -> how many are ``wanted, found, right, touched`` on the test split."""


class Look(Fact):
    """One look at the locked test split."""

    when: str = ""
    command: str = ""
    model: str = ""
    rows: int | None = None
