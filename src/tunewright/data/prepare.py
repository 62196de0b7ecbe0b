"""The door of the folder: from the ``data`` section of a recipe to a versioned dataset.

Read, set unreadable rows aside, clean, split, drop copies in train, learn the labels from train, write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.core.errors import UserError
from tunewright.core.folder import text_hash
from tunewright.core.log import say
from tunewright.core.schema import SPLITS, Finding
from tunewright.data.audit import RULES_VERSION
from tunewright.data.audit.apply import Chosen, Removed, apply, chosen, refuse
from tunewright.data.audit.base import TEST, TRAIN, Looked, Services, is_fault_column, rows_word
from tunewright.data.audit.near_duplicates import NearDuplicate
from tunewright.data.audit.personal import redactions, without_private
from tunewright.data.audit.redaction import Redaction
from tunewright.data.bad import BadRows
from tunewright.data.columns import in_roles, stacked, wanted_columns
from tunewright.data.dataset import Content, Dataset, write
from tunewright.data.keys import group_codes, times
from tunewright.data.listed import Listed
from tunewright.data.origins import Origins
from tunewright.data.read import require_columns
from tunewright.data.settings import DataSettings
from tunewright.data.shelf import BATCH_ROWS, only, remade, shelved, taken
from tunewright.data.source import Source, prepared_folder, read_source
from tunewright.data.splits.clusters import Labels, united
from tunewright.data.splits.folds import LATER_FOLD, UNUSED, folds, folds_by_time, with_fold
from tunewright.data.splits.split import Divided, by_time, stratified
from tunewright.data.summary import summary
from tunewright.tasks import TASKS
from tunewright.tasks.base import Task

RANGES = 10
"""Ranges of a number that splits have in the same shares."""
FEWEST = 10
"""Usable rows below which no splits are made: nothing could be learned, and nothing measured."""


@dataclass(frozen=True)
class Audit:
    """What preparing would write, in memory: the same face as a ``Dataset``."""

    content: Content

    @property
    def task(self) -> Task:
        """The task, with what was learned from the training rows."""
        return self.content.task

    @property
    def fingerprint(self) -> str:
        """Of the dataset that would be written."""
        return self.content.fingerprint

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that was found, each with all its rows."""
        return self.content.findings

    def rows(self, split: str) -> pa.Table:
        """The rows of one split: roles, other own columns, ``_file``, ``_row``."""
        return self.content.rows(split)

    def summary(self) -> dict[str, Any]:
        """What was read, removed, found and split; ``folder`` is null because nothing was written."""
        return {"name": self.content.name, "version": self.content.version, "folder": None, **self.content.summary}

    def refuse(self) -> None:
        """Stop if a policy says ``refuse``.

        Raises:
            DataRefused: naming every refusing rule, what it found and how to see the rows.
        """
        refuse(self.findings)


def audit(settings: DataSettings, task: Task, seed: int, base: Path, services: Services | None = None) -> Audit | Dataset:
    """Read, clean and split in memory; write nothing, refuse nothing. A source that is a prepared dataset is opened as it is.

    Args:
        settings: the ``data`` section of the recipe.
        task: as the recipe has it; its labels are learned here.
        seed: of the run.
        base: the folder of the recipe: relative sources are looked for there, then in the working directory.
        services: what rules may call: an encoder, a tokenizer.

    Raises:
        UserError: the source cannot be read, a column is missing, or the rows cannot be split and learned from.
        DataRefused: a policy says ``refuse`` and what is left cannot be split.
    """
    if folder := prepared_folder(settings.source, base):
        return _opened(folder, settings, task)
    rules = chosen(settings.rules, settings.policy, base)
    return Audit(_content(read_source(settings.source, base), settings, rules, task, seed, services or Services()))


def prepare(
    settings: DataSettings, task: Task, seed: int, base: Path, folder: Path, services: Services | None = None, locked: bool = False
) -> Dataset:
    """Write ``folder/<name>/<version>``, or open it where it stands already.

    Args:
        settings: the ``data`` section of the recipe.
        task: as the recipe has it; its labels are learned here.
        seed: of the run.
        base: the folder of the recipe: relative sources are looked for there, then in the working directory.
        folder: where datasets are kept.
        services: what rules may call: an encoder, a tokenizer.
        locked: leave the test split of a dataset that stands already unopened.

    Raises:
        UserError: the source cannot be read, a column is missing, the rows cannot be split and learned from, or the disk is full.
        DataRefused: a policy says ``refuse`` and there are such rows.
    """
    if prepared := prepared_folder(settings.source, base):
        return _opened(prepared, settings, task, locked)
    rules = chosen(settings.rules, settings.policy, base)
    source = read_source(settings.source, base)
    services = services or Services()
    fingerprint = _fingerprint(source, settings, rules, task, seed, services)
    place = folder / (settings.name or source.name) / fingerprint[:12]
    if ready := _ready(place, locked):
        return ready
    content = _content(source, settings, rules, task, seed, services)
    refuse(content.findings)
    return write(content, place)


def _ready(place: Path, locked: bool) -> Dataset | None:
    """The dataset that stands there, if it is whole; a damaged one is told."""
    if not place.exists():
        return None
    try:
        dataset = Dataset.open(place)
        dataset.verify(locked)
    except UserError as error:
        say(f"The dataset in {place} is damaged and is prepared again. {error}")
        return None
    return dataset


def _opened(folder: Path, settings: DataSettings, task: Task, locked: bool = False) -> Dataset:
    """A prepared dataset as the source of a recipe.

    Raises:
        UserError: the recipe asks for what only preparing could do, the dataset is damaged, or it is one for another task.
    """
    plain = DataSettings(source=settings.source)
    idle = [key for key in ("policy", "rules", "split", "card") if getattr(settings, key) != getattr(plain, key)]
    idle += ["columns"] if any(role != column for role, column in settings.columns.items()) else []
    if idle:
        keys = ", ".join(f"data.{key}" for key in idle)
        raise UserError(
            f"{folder} is a prepared dataset, so that {keys} would change nothing",
            "",
            "Leave them out, or name the source that it was made from and prepare it again",
        )
    dataset = Dataset.open(folder)
    dataset.verify(locked)
    return dataset.learned_by(task)


def _fingerprint(source: Source, settings: DataSettings, rules: Chosen, task: Task, seed: int, services: Services) -> str:
    """SHA-256 of everything that decides what is written: the rows, the settings, the seed, the rules and what they may call."""
    facts = {
        "content": source.fingerprint,
        "given": source.given,
        "columns": {role.name: settings.columns.get(role.name, role.name) for role in task.roles()},
        "audit": rules.spec(),
        "called": rules.called(services),
        "split": settings.split.model_dump(),
        "card": settings.card.model_dump(mode="json"),
        "task": TASKS.spec(task),
        "seed": seed,
        "rules": RULES_VERSION,
    }
    return text_hash(json.dumps(facts, sort_keys=True))


def _content(source: Source, settings: DataSettings, rules: Chosen, task: Task, seed: int, services: Services) -> Content:
    looked, original, named, columns = _looked(source, settings, task)
    near = rules.rules.get("near-duplicate")
    looked = replace(looked, services=services, near_threshold=near.threshold if isinstance(near, NearDuplicate) else looked.near_threshold)
    cleaned = apply("clean", looked, rules, task)
    try:
        looked, made, unused = _split(cleaned.looked, settings, task, seed)
        last = apply("split", looked, rules, task)
        kept = _as_kept(last.looked)
        learned = task.learn(_role_rows(kept, kept.split == TRAIN))
    except UserError:
        refuse(cleaned.findings)
        raise
    removed = (*cleaned.removed, *unused, *last.removed)
    findings = (*source.findings, *named, *cleaned.findings, *last.findings)
    private = redactions(rules.rules, rules.policy)
    findings = _redacted(findings, private)
    quarantine = _quarantine(original, removed, source.bad)
    quarantine = without_private(quarantine, private, [columns[role.name] for role in kept.roles if role.kind != "text"])
    content = Content(
        name=settings.name or source.name,
        fingerprint=_fingerprint(source, settings, rules, task, seed, services),
        task=learned,
        seed=seed,
        settings={"columns": columns, "audit": rules.spec(), "split": settings.split.model_dump()},
        columns=columns,
        roles={role.name: role.kind for role in kept.roles},
        findings=findings,
        kept=kept.rows,
        split=kept.split,
        quarantine=quarantine,
        summary=summary(source, settings, rules, learned, seed, columns, original, kept, removed, findings, made, private),
    )
    _nothing_lost(source, content)
    return content


def _redacted(findings: tuple[Finding, ...], private: Sequence[Redaction]) -> tuple[Finding, ...]:
    """The findings without what the recipe has redacted: what the reader told may quote a cell."""
    if not private:
        return findings
    told = without_private(pa.table({"message": pa.array([one.message for one in findings], pa.string())}), private)["message"].to_pylist()
    return tuple(one.model_copy(update={"message": message}) for one, message in zip(findings, told, strict=True))


def _looked(source: Source, settings: DataSettings, task: Task) -> tuple[Looked, pa.Table, tuple[Finding, ...], dict[str, str]]:
    """The rows under the names of their roles; the rows as read; what was told on the way; role -> column."""
    roles = task.roles()
    wanted = wanted_columns(
        {source.told_as(name): table.rows.column_names for name, table in source.tables.items()}, roles, settings.columns
    )
    original, mixed = stacked([table.rows for table in source.tables.values()])
    named = in_roles(original, roles, wanted)
    places = [np.full(table.rows.num_rows, SPLITS.index(name)) for name, table in source.tables.items()]
    labels = tuple(getattr(task, "labels", None) or ())
    looked = Looked(named.rows, named.roles, np.concatenate(places), source.given, np.arange(original.num_rows), source.bad, labels)
    looked = _keyed(looked, original, settings)
    return looked, original, (*mixed, *named.findings), wanted


def _keyed(looked: Looked, original: pa.Table, settings: DataSettings) -> Looked:
    """The rows with the group and the time of each, where the recipe names their columns."""
    group, time = settings.split.group, settings.split.time
    wanted = {key: name for key, name in (("group", group), ("time", time)) if name is not None}
    require_columns(original.column_names, wanted, "the source", "data.split")
    return replace(
        looked,
        group=None if group is None else group_codes(original[group]),
        time=None if time is None else times(original[time], time),
    )


def _split(looked: Looked, settings: DataSettings, task: Task, seed: int) -> tuple[Looked, Divided | None, list[Removed]]:
    """The rows with the missing splits made from train; how well that went, None where every split is given; and rows of later folds.

    Raises:
        UserError: too few rows, too few labels, or too many copies to fill every split.
    """
    shares = {name: getattr(settings.split, name) for name in SPLITS[1:] if name not in looked.given}
    _every_given_split_has_rows(looked)
    pool = looked.split == TRAIN
    if not shares:
        return looked, None, []
    if pool.sum() < FEWEST:
        raise UserError(
            f"only {rows_word(int(pool.sum()))} can be used",
            f"At least {FEWEST} are needed to make splits, and some hundred to learn from",
            "Collect more rows, or name files of your own for every split: data.source: {train: ..., validation: ..., test: ...}",
        )
    task.learn(_role_rows(looked, pool))
    _ = looked.near_texts  # found once: for the split, and for the rules that look after it
    rows = looked.only(pool)
    made = _divided(rows, settings, shares, seed)
    if empty := [name for name in shares if not made.reached[name]]:
        texts, labels = len(np.unique(rows.normal_texts)), len(rows.label_counts(np.ones(len(rows), dtype=bool)))
        raise UserError(
            f"no row is left for {' and '.join(empty)}: {rows_word(len(rows))} with {texts:,} different texts and {labels:,} labels. "
            + ". ".join(made.notes),
            "Each label needs a row to train on; copies of a text, rows of one group and rows of one time stay in one split",
            "Collect more rows of each label, or choose another data.split",
        )
    everywhere = looked.split.copy()
    everywhere[pool] = made.split
    if not (later := everywhere == UNUSED).any():
        return looked.split_as(everywhere), made, []
    why = f"newer than fold {settings.split.fold} of {settings.split.folds}, which is the validation split"
    unused = Removed(LATER_FOLD, looked.number[later], (why,) * int(later.sum()))
    return looked.split_as(everywhere).only(~later), made, [unused]


def _every_given_split_has_rows(looked: Looked) -> None:
    for name in looked.given or ("train",):
        if not (looked.split == SPLITS.index(name)).any():
            where = f"the {name} split of the source" if looked.given else "the source"
            raise UserError(
                f"no row of {where} can be used",
                "Rows with a text and a label are wanted",
                "Check data.columns: are these the right columns?",
            )


def _divided(rows: Looked, settings: DataSettings, shares: Mapping[str, float], seed: int) -> Divided:
    """The rows in train and in the splits that are made from it."""
    made = _by_shares(rows, settings, shares, seed)
    k = settings.split.folds
    if k is None:
        return made
    rest = made.split != TEST
    others = rows.only(rest)
    if settings.split.by == "time" and others.time is not None:
        return with_fold(made, folds_by_time(_clusters(others), others.time, k), k, settings.split.fold, by_time=True)
    labels = None if settings.split.by == "random" else _strata(others)
    return with_fold(made, folds(_clusters(others), labels, k, others.said, seed), k, settings.split.fold)


def _clusters(rows: Looked) -> np.ndarray:
    """(rows,) int, the same number for rows that must stay in one split."""
    return rows.near_texts if rows.group is None else united(rows.near_texts, rows.group)


def _by_shares(rows: Looked, settings: DataSettings, shares: Mapping[str, float], seed: int) -> Divided:
    clusters = _clusters(rows)
    if settings.split.by == "time" and rows.time is not None:
        return by_time(clusters, rows.time, shares)
    return stratified(clusters, None if settings.split.by == "random" else _strata(rows), shares, rows.said, seed)


def _strata(rows: Looked) -> Labels | None:
    """What every split shall have in the same shares: labels; of numbers, ten ranges with as many rows each; questions without answer."""
    role = rows.gold_role
    if role is None:
        return None
    if role.kind == "answers":
        answered = pc.fill_null(pc.list_value_length(rows.rows[role.name]), 0).to_numpy() > 0
        return Labels(np.arange(len(answered)), answered.astype(np.int64))
    if role.kind != "number":
        return Labels(rows.label_ids.owners, rows.label_ids.ids)
    numbers = rows.rows[role.name].to_numpy().astype(np.float64)
    edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, RANGES + 1)[1:-1])) if len(numbers) else np.zeros(0)
    return Labels(np.arange(len(numbers)), np.searchsorted(edges, numbers, side="right"))


def _role_rows(looked: Looked, which: np.ndarray) -> Listed:
    """The rows with their roles alone, as a task reads them."""
    return Listed(only(looked.rows.select([role.name for role in looked.roles]), which))


def _as_kept(looked: Looked) -> Looked:
    """A missing text that a policy keeps becomes an empty one: a model reads it as it is, not as the word None. Faults were told."""
    rows = looked.rows
    for name in looked.text_roles:
        if rows[name].null_count:
            filled = remade(rows[name], lambda texts: pc.fill_null(texts, ""), pa.string())
            rows = rows.set_column(rows.column_names.index(name), name, filled)
    return replace(looked, rows=rows.drop_columns([name for name in rows.column_names if is_fault_column(name)]))


def _quarantine(original: pa.Table, removed: tuple[Removed, ...], bad: BadRows) -> pa.Table:
    """Every removed row with its own columns, the rule and the reason; unreadable ones with what was read of them and its position."""
    own = [pa.field(field.name, field.type) for field in original.schema]
    schema = pa.schema([*own, ("_rule", pa.string()), ("_reason", pa.string())])
    if bad:
        schema = pa.schema([*schema, ("_raw", pa.string()), ("_line", pa.int64()), ("_offset", pa.int64())])
    return shelved(chain(_removed_rows(original, removed), _unreadable_rows(bad)), schema, fill=True)


def _removed_rows(original: pa.Table, removed: tuple[Removed, ...]) -> Iterator[pa.Table]:
    numbers = np.concatenate([np.zeros(0, dtype=np.int64), *(one.numbers for one in removed)])
    order = np.argsort(numbers, kind="stable")
    rules = np.repeat(np.arange(len(removed)), [len(one.numbers) for one in removed])[order]
    reasons = np.fromiter(chain.from_iterable(one.reasons for one in removed), dtype=object, count=len(numbers))[order]
    for piece, part in taken(original, numbers[order]):
        told = pa.array([removed[at].rule for at in rules[part].tolist()], pa.string())
        yield piece.append_column("_rule", told).append_column("_reason", pa.array(reasons[part], pa.string()))


def _unreadable_rows(bad: BadRows) -> Iterator[pa.Table]:
    for batch in bad.table.to_batches(BATCH_ROWS):
        rows = {f"_{name}": batch.column(name) for name in batch.schema.names}
        yield pa.table(rows | {"_rule": pa.repeat("unreadable-row", len(batch))})


def _nothing_lost(source: Source, content: Content) -> None:
    """Rows read = rows kept + rows quarantined, and no row stands in two places."""
    files = [file.name for _, file in source.files]
    read = [Origins.of(table.rows) for table in source.tables.values()] + [Origins.of(source.bad.table, "file", "row")]
    there = [Origins.of(content.kept), Origins.of(content.quarantine)]
    were, are = (np.sort(np.concatenate([one.keys(files) for one in some])) for some in (read, there))
    if not np.array_equal(were, are) or (are[1:] == are[:-1]).any():
        raise RuntimeError(f"{len(were)} rows were read, but {len(are)} are accounted for, {len(np.unique(are))} of them distinct")
