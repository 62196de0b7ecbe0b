"""The ``data`` section of a recipe. Imports no Arrow and no pandas."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, PlainSerializer, WithJsonSchema, field_validator, model_validator

from tunewright.core.config import NAME, Config
from tunewright.core.errors import BadConfig, Problem, hint, short
from tunewright.core.schema import SPLITS, Policy
from tunewright.core.switches import Switches, settings_of, wrong
from tunewright.data.audit import RULES

_WORDS = {"keep": "kept", "drop": "dropped", "fix": "fixed", "refuse": "refused"}
_PLACES = {"type": ["string", "array"], "items": {"type": "string"}, "minLength": 1, "minItems": 1}


def _written(source: Any) -> Any:
    """The source as a recipe can hold it: paths and lists as they are, an object of Python by its type."""
    if isinstance(source, Mapping):
        return {str(split): _written(one) for split, one in source.items()}
    if isinstance(source, (list, tuple)) and all(isinstance(one, (str, Path)) for one in source):
        return [str(one) for one in source]
    return str(source) if isinstance(source, (str, Path)) else f"<{type(source).__name__}>"


Source = Annotated[
    Any,
    PlainSerializer(_written),
    WithJsonSchema(
        {
            "anyOf": [
                _PLACES,
                {"type": "object", "properties": dict.fromkeys(SPLITS, _PLACES), "required": ["train"], "additionalProperties": False},
            ]
        }
    ),
]
"""A file, glob, folder, Hub id or prepared dataset; a list of files; ``{train: ..., test: ...}``; from Python a DataFrame too."""


class SplitSettings(Config):
    """How the splits that the source does not name are made from its training rows."""

    by: Literal["stratified", "random", "group", "time", "given"] = "stratified"
    """``stratified`` gives every split the labels in the same shares; ``random`` leaves them to chance; ``group`` keeps the rows of one
    group (a customer, a thread) in one split, labels as even as that allows; ``time`` trains on the oldest rows and tests on the newest.
    Copies and near-copies of a text stay together in all of them. ``given`` makes no split: the source must name all three."""
    group: str | None = None
    """The column that tells which rows belong together; with any ``by``, rows of one group stay in one split."""
    time: str | None = None
    """The column that tells when a row was written; needed for ``by: time``."""
    validation: float = Field(0.1, gt=0, lt=1)
    """Share of the rows that choose the checkpoint; not used where the source names a validation split."""
    test: float = Field(0.1, gt=0, lt=1)
    """Share of the rows that are locked away for the quoted score; not used where the source names a test split."""
    folds: int | None = Field(None, ge=2)
    """For cross-validation: the rows that are not test fall into so many folds, and one of them is the validation split, in the place of
    the share ``validation``. The test split is the same whatever the fold. With ``by: time`` the folds follow each other behind the oldest
    rows, and train has only rows of the blocks before the fold; the rows of later ones go to the quarantine."""
    fold: int = Field(0, ge=0)
    """Which of the ``folds`` is the validation split, counted from 0."""

    @model_validator(mode="after")
    def _folds_there_are(self) -> Self:
        if self.folds is None:
            if self.fold:
                raise ValueError(f"fold: {self.fold} needs to know of how many: write data.split.folds, as {max(5, self.fold + 1)}")
            return self
        if self.by == "given":
            raise ValueError("by: given makes no split, so that there are no folds: leave folds out, or choose another by")
        if self.fold >= self.folds:
            raise ValueError(f"fold: {self.fold} is none of {self.folds} folds, which are counted from 0 to {self.folds - 1}")
        if self.validation != type(self).model_fields["validation"].default:
            raise ValueError(
                f"validation: {self.validation:g} and folds: {self.folds} both say how large the validation split is; leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _names_its_column(self) -> Self:
        if self.by in {"group", "time"} and getattr(self, self.by) is None:
            raise ValueError(f"by: {self.by} needs the column that tells it: data.split.{self.by}")
        return self

    @model_validator(mode="after")
    def _leaves_rows_to_train(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation and test together take {self.validation + self.test:g} of the rows; something below 1 leaves rows to train"
            )
        return self


class StreamSettings(Config):
    """How training rows are read that are not all prepared beforehand: ``true`` takes these values."""

    first_rows: int = Field(20_000, ge=10)
    """Rows from the beginning that are prepared as a dataset: labels are learned from them, and splits that the source does not name are
    made from them. The rows behind them are read, audited and encoded as the training needs them."""
    buffer_rows: int = Field(10_000, ge=1)
    """Rows that are shuffled together. So many are held in memory, encoded; with workers, twice as many."""
    remember_rows: int = Field(10_000_000, ge=0)
    """The latest rows, at least, among which earlier copies of a row are looked for; each takes 24 bytes of memory."""
    workers: int = Field(0, ge=0)
    """Processes that encode rows ahead of the training. The rows and their order do not depend on them."""


class CardSettings(Config):
    """What only people know of the rows; it stands in the dataset's card, and belongs to its version."""

    license: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9.-]*$")
    """The licence of the rows as the Hub writes it: ``cc-by-4.0``, ``apache-2.0``, or ``other`` for one that has no name."""
    language: tuple[Annotated[str, Field(pattern=r"^([a-z]{2,3}|code|multilingual)$")], ...] = ()
    """The languages of the texts as ISO 639 codes: ``[en, de]``."""
    source_url: str | None = None
    """Where the rows come from, for a reader of the card."""


class DataSettings(Config):
    """Where the rows come from, which column plays which part, and what happens to rows that a rule finds."""

    source: Source
    """A file, glob, folder, Hub id or prepared dataset; or ``{train: a.jsonl, test: b.jsonl}``. A missing split is made from train."""
    columns: dict[str, str] = Field(default_factory=dict)
    """The task's roles -> the table's columns, as ``{text: body, label: queue}``; a role left out is looked for under its own name."""
    policy: dict[str, Policy] = Field(default_factory=dict)
    """Audit rule -> ``keep``, ``drop``, ``fix`` or ``refuse``; rules left out keep their default."""
    rules: Switches = Field(default_factory=dict)
    """Audit rule -> its settings, or ``false`` to leave it out, ``true`` to have one that is off by default; with settings it is on, unless
    ``enabled: false`` is one. A rule of your own is written ``file.py:Class`` (relative to the recipe) or ``package.module:Class``."""
    split: SplitSettings = Field(default_factory=SplitSettings)
    """How missing splits are made."""
    streaming: StreamSettings | bool = False
    """``true``, or settings: training rows are read as they are needed, from a source that may be larger than memory and disk."""
    card: CardSettings = Field(default_factory=CardSettings)
    """What only people know of the rows, for the dataset's card."""
    name: str | None = Field(None, pattern=NAME)
    """What the dataset is called; left out, it is named after its file."""

    @field_validator("source")
    @classmethod
    def _names_something(cls, source: Any) -> Any:
        if isinstance(source, Mapping):
            _check_splits(source)
        elif _names_nothing(source):
            raise ValueError("name a file, a folder, a list of files, or {train: ..., test: ...}")
        return source

    @field_validator("streaming", mode="before")
    @classmethod
    def _true_is_short_for_settings(cls, streaming: Any) -> Any:
        if isinstance(streaming, Mapping) or streaming is True:
            return StreamSettings.read({} if streaming is True else streaming)
        if isinstance(streaming, StreamSettings) or streaming is False:
            return streaming
        raise ValueError(f"true, false or settings were wanted, as {{buffer_rows: 10000}} (got {short(streaming)})")

    @model_validator(mode="after")
    def _given_splits_are_named(self) -> Self:
        missing = [name for name in SPLITS if not (isinstance(self.source, Mapping) and name in self.source)]
        if self.split.by == "given" and missing:
            raise ValueError(
                f"split.by: given makes no split, and the source names no {' and no '.join(missing)}: write source: "
                "{train: ..., validation: ..., test: ...}, or let the missing ones be made, as by split.by: stratified"
            )
        return self

    @model_validator(mode="after")
    def _folds_can_be_made(self) -> Self:
        if self.split.folds is not None and isinstance(self.source, Mapping) and "validation" in self.source:
            raise ValueError(
                "split.folds makes the validation split, and the source names one: leave split.folds out, or give its rows to train"
            )
        if self.split.folds is not None and self.streaming:
            raise ValueError(
                "split.folds cannot be kept by a stream, whose later rows are trained on whatever the fold: leave folds or streaming out"
            )
        return self

    @model_validator(mode="after")
    def _can_be_streamed(self) -> Self:
        made = [name for name in SPLITS[1:] if not (isinstance(self.source, Mapping) and name in self.source)]
        if self.streaming and self.split.by == "time" and made:
            raise ValueError(
                f"split.by: time cannot be kept by a stream, whose later rows may be older than its first ones: name a file for "
                f"{' and '.join(made)}, as source: {{train: ..., {', '.join(f'{name}: ...' for name in made)}}}, or leave streaming out"
            )
        return self

    @field_validator("policy", mode="before")
    @classmethod
    def _rules_can(cls, policy: Any) -> Any:
        if isinstance(policy, Mapping):
            problems = [Problem(str(name), problem) for name, wanted in policy.items() if (problem := _cannot(str(name), wanted))]
            if problems:
                raise BadConfig(problems)
        return policy

    @field_validator("rules")
    @classmethod
    def _rules_known(cls, rules: Switches) -> Switches:
        problems = [problem for name, wanted in rules.items() if ":" not in name for problem in wrong(RULES, name, wanted)]
        if problems:
            raise BadConfig(problems)
        return rules

    @model_validator(mode="after")
    def _policies_have_their_rules(self) -> Self:
        off = [name for name in self.policy if ":" not in name and not RULES.get(name).read(settings_of(self.rules.get(name, {}))).enabled]
        if off:
            raise BadConfig(
                [Problem(f"policy.{name}", f"the rule is off, so that nothing would be done. {_how_to_have(name)}") for name in off]
            )
        return self

    @field_validator("columns")
    @classmethod
    def _one_column_each(cls, columns: dict[str, str]) -> dict[str, str]:
        roles: dict[str, str] = {}
        for role, column in columns.items():
            if column in roles:
                raise ValueError(f"column {column!r} is given to both {roles[column]!r} and {role!r}; each role has a column of its own")
            roles[column] = role
        return columns


def _names_nothing(source: Any) -> bool:
    return source is None or isinstance(source, (bool, int, float)) or (isinstance(source, (str, list, tuple)) and not source)


def _check_splits(source: Mapping[Any, Any]) -> None:
    problems = [Problem(str(name), f"no split is called {str(name)!r}. {hint(str(name), SPLITS)}") for name in source if name not in SPLITS]
    problems += [Problem(str(name), "name a file or a list of files") for name, one in source.items() if _names_nothing(one)]
    if "train" not in source and not problems:
        problems = [Problem("train", "this split is needed: there is nothing to train on without it, and missing splits are made from it")]
    if problems:
        raise BadConfig(problems)


def _how_to_have(rule: str) -> str:
    return f"Write data.rules: {{{rule}: {RULES.get(rule).switched_on}}}, or leave the policy out"


def _cannot(name: str, wanted: Any) -> str:
    """Why rule ``name`` cannot do what is ``wanted``, in words; empty when it can. A rule of the user's own is asked when it is loaded."""
    places = RULES.places()
    if ":" in name and isinstance(wanted, str) and wanted in get_args(Policy):
        return ""
    if name not in places:
        return f"no audit rule is called {name!r}. {hint(name, places)}"
    if not isinstance(wanted, str) or wanted not in get_args(Policy):
        return f"{wanted!r} is no policy. {hint(str(wanted), get_args(Policy))}"
    can = RULES.get(name).policies
    return "" if wanted in can else f"these rows cannot be {_WORDS[wanted]}; known for this rule: {', '.join(can)}"
