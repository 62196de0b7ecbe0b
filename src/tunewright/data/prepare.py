"""The door of the folder: from the ``data`` section of a recipe to a versioned dataset.

Read, set unreadable rows aside, clean, split, drop copies in train, learn the labels from train, write.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
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
from tunewright.data.audit.base import TRAIN, Looked, Services, rows_word
from tunewright.data.columns import in_roles, stacked, wanted_columns
from tunewright.data.dataset import Content, Dataset, write
from tunewright.data.keys import group_codes, times
from tunewright.data.read import require_columns
from tunewright.data.settings import DataSettings
from tunewright.data.source import Source, prepared_folder, read_source
from tunewright.data.split import split
from tunewright.data.summary import summary
from tunewright.tasks import TASKS
from tunewright.tasks.base import Task

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
    def findings(self) -> tuple[Finding, ...]:
        """Everything that was found, each with all its rows."""
        return self.content.findings

    def rows(self, split: str) -> pa.Table:
        """The rows of one split: roles, other own columns, ``_file``, ``_row``."""
        return self.content.splits[split]

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


def prepare(settings: DataSettings, task: Task, seed: int, base: Path, folder: Path, services: Services | None = None) -> Dataset:
    """Write ``folder/<name>/<version>``, or open it where it stands already.

    Args:
        settings: the ``data`` section of the recipe.
        task: as the recipe has it; its labels are learned here.
        seed: of the run.
        base: the folder of the recipe: relative sources are looked for there, then in the working directory.
        folder: where datasets are kept.
        services: what rules may call: an encoder, a tokenizer.

    Raises:
        UserError: the source cannot be read, a column is missing, the rows cannot be split and learned from, or the disk is full.
        DataRefused: a policy says ``refuse`` and there are such rows.
    """
    if prepared := prepared_folder(settings.source, base):
        return _opened(prepared, settings, task)
    rules = chosen(settings.rules, settings.policy, base)
    source = read_source(settings.source, base)
    services = services or Services()
    fingerprint = _fingerprint(source, settings, rules, task, seed, services)
    place = folder / (settings.name or source.name) / fingerprint[:12]
    if ready := _ready(place):
        return ready
    content = _content(source, settings, rules, task, seed, services)
    refuse(content.findings)
    return write(content, place)


def _ready(place: Path) -> Dataset | None:
    """The dataset that stands there, if it is whole; a damaged one is told."""
    if not place.exists():
        return None
    try:
        dataset = Dataset.open(place)
        dataset.verify()
    except UserError as error:
        say(f"The dataset in {place} is damaged and is prepared again. {error}")
        return None
    return dataset


def _opened(folder: Path, settings: DataSettings, task: Task) -> Dataset:
    """A prepared dataset as the source of a recipe.

    Raises:
        UserError: the recipe asks for what only preparing could do, the dataset is damaged, or it is one for another task.
    """
    plain = DataSettings(source=settings.source)
    idle = [key for key in ("policy", "rules", "split") if getattr(settings, key) != getattr(plain, key)]
    idle += ["columns"] if any(role != column for role, column in settings.columns.items()) else []
    if idle:
        keys = ", ".join(f"data.{key}" for key in idle)
        raise UserError(
            f"{folder} is a prepared dataset, so that {keys} would change nothing",
            "",
            "Leave them out, or name the source that it was made from and prepare it again",
        )
    dataset = Dataset.open(folder)
    dataset.verify()
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
        "task": TASKS.spec(task),
        "seed": seed,
        "rules": RULES_VERSION,
    }
    return text_hash(json.dumps(facts, sort_keys=True))


def _content(source: Source, settings: DataSettings, rules: Chosen, task: Task, seed: int, services: Services) -> Content:
    looked, original, named, columns = _looked(source, settings, task)
    looked = replace(looked, services=services)
    cleaned = apply("clean", looked, rules, task)
    try:
        looked = _split(cleaned.looked, settings, task, seed)
        last = apply("split", looked, rules, task)
        kept = _texts_filled(last.looked)
        learned = task.learn(_role_rows(kept, kept.split == TRAIN))
    except UserError:
        refuse(cleaned.findings)
        raise
    findings = (*source.findings, *named, *cleaned.findings, *last.findings)
    quarantine = _quarantine(original, (*cleaned.removed, *last.removed), source)
    content = Content(
        name=settings.name or source.name,
        fingerprint=_fingerprint(source, settings, rules, task, seed, services),
        task=learned,
        seed=seed,
        settings={"columns": columns, "audit": rules.spec(), "split": settings.split.model_dump()},
        columns=columns,
        roles={role.name: role.kind for role in kept.roles},
        findings=findings,
        splits={name: kept.rows.filter(pa.array(kept.split == at)) for at, name in enumerate(SPLITS)},
        quarantine=quarantine,
        summary=summary(source, settings, rules, learned, seed, columns, original, kept, (*cleaned.removed, *last.removed), findings),
    )
    _nothing_lost(source, content)
    return content


def _looked(source: Source, settings: DataSettings, task: Task) -> tuple[Looked, pa.Table, tuple[Finding, ...], dict[str, str]]:
    """The rows under the names of their roles; the rows as read; what was told on the way; role -> column."""
    roles = task.roles()
    wanted = wanted_columns(
        {source.told_as(name): table.rows.column_names for name, table in source.tables.items()}, roles, settings.columns
    )
    original, mixed = stacked([table.rows for table in source.tables.values()])
    named = in_roles(original, roles, wanted, getattr(task, "separator", None))
    places = [np.full(table.rows.num_rows, SPLITS.index(name)) for name, table in source.tables.items()]
    labels = tuple(getattr(task, "labels", None) or ())
    looked = Looked(named.rows, named.roles, np.concatenate(places), source.given, np.arange(original.num_rows), source.bad, labels)
    looked = _keyed(looked, original, settings)
    return looked, original, (*mixed, *named.findings), wanted


def _keyed(looked: Looked, original: pa.Table, settings: DataSettings) -> Looked:
    """The rows with the group and the time of each, where the recipe names their columns."""
    group, time = settings.split.group, settings.split.time
    wanted = {f"split.{key}": name for key, name in (("group", group), ("time", time)) if name is not None}
    require_columns(original.column_names, wanted, "the source")
    return replace(
        looked,
        group=None if group is None else group_codes(original[group]),
        time=None if time is None else times(original[time], time),
    )


def _split(looked: Looked, settings: DataSettings, task: Task, seed: int) -> Looked:
    """The rows with the missing splits made from train.

    Raises:
        UserError: too few rows, too few labels, or too many copies to fill every split.
    """
    shares = {name: getattr(settings.split, name) for name in SPLITS[1:] if name not in looked.given}
    _every_given_split_has_rows(looked)
    pool = looked.split == TRAIN
    if not shares:
        return looked
    if pool.sum() < FEWEST:
        raise UserError(
            f"only {rows_word(int(pool.sum()))} can be used",
            f"At least {FEWEST} are needed to make splits, and some hundred to learn from",
            "Collect more rows, or name files of your own for every split: data.source: {train: ..., validation: ..., test: ...}",
        )
    task.learn(_role_rows(looked, pool))
    rows = looked.only(pool)
    chosen = split(rows.normal_texts, _label_ids(rows, settings), shares, seed)
    empty = [name for name in shares if not (chosen == SPLITS.index(name)).any()]
    if empty:
        texts, labels = len(np.unique(rows.normal_texts)), len(rows.label_counts(np.ones(len(rows), dtype=bool)))
        raise UserError(
            f"no row is left for {' and '.join(empty)}: {rows_word(len(rows))} with {texts:,} different texts and {labels:,} labels",
            "Each label needs a row to train on, and copies of a text stay in one split",
            "Collect more rows of each label",
        )
    everywhere = looked.split.copy()
    everywhere[pool] = chosen
    return looked.split_as(everywhere)


def _every_given_split_has_rows(looked: Looked) -> None:
    for name in looked.given or ("train",):
        if not (looked.split == SPLITS.index(name)).any():
            where = f"the {name} split of the source" if looked.given else "the source"
            raise UserError(
                f"no row of {where} can be used",
                "Rows with a text and a label are wanted",
                "Check data.columns: are these the right columns?",
            )


def _label_ids(rows: Looked, settings: DataSettings) -> list[list[int]]:
    """The label ids of each row; all the same where chance alone is to decide."""
    if settings.split.by == "random":
        return [[0]] * len(rows)
    names, owners = rows.label_names
    ids: list[list[int]] = [[] for _ in range(len(rows))]
    known = {name: number for number, name in enumerate(rows.label_counts(np.ones(len(rows), dtype=bool)))}
    for owner, name in zip(owners.tolist(), names.to_pylist(), strict=True):
        ids[owner].append(known[name])
    return ids if rows.label_role else [[0]] * len(rows)


def _role_rows(looked: Looked, which: np.ndarray) -> list[dict[str, Any]]:
    """The rows with their roles alone, as a task reads them."""
    chosen = looked.rows.select([role.name for role in looked.roles]).filter(pa.array(which))
    rows: list[dict[str, Any]] = chosen.to_pylist()
    return rows


def _texts_filled(looked: Looked) -> Looked:
    """A missing text that a policy keeps becomes an empty one: a model reads it as it is, not as the word None."""
    rows = looked.rows
    for name in looked.text_roles:
        rows = rows.set_column(rows.column_names.index(name), name, pc.fill_null(rows[name], ""))
    return replace(looked, rows=rows)


def _quarantine(original: pa.Table, removed: tuple[Removed, ...], source: Source) -> pa.Table:
    """Every removed row with its own columns, the rule and the reason; unreadable rows with what was read of them in ``_raw``."""
    numbers = np.concatenate([one.numbers for one in removed] or [np.zeros(0, dtype=np.int64)])
    order = np.argsort(numbers, kind="stable")
    rules = np.array([one.rule for one in removed for _ in one.numbers], dtype=object)[order]
    reasons = np.array([reason for one in removed for reason in one.reasons], dtype=object)[order]
    rows = original.take(pa.array(numbers[order]))
    rows = rows.append_column("_rule", pa.array(rules, pa.string())).append_column("_reason", pa.array(reasons, pa.string()))
    if not source.bad:
        return rows
    bad = pa.table(
        {
            "_file": pa.array([one.file for one in source.bad], pa.string()),
            "_row": pa.array([one.row for one in source.bad], pa.int64()),
            "_rule": pa.array(["unreadable-row"] * len(source.bad), pa.string()),
            "_reason": pa.array([one.reason for one in source.bad], pa.string()),
            "_raw": pa.array([one.raw for one in source.bad], pa.string()),
        }
    )
    return pa.concat_tables([rows, bad], promote_options="permissive")


def _nothing_lost(source: Source, content: Content) -> None:
    """Rows read = rows kept + rows quarantined, and no row stands in two places."""
    tables = [*content.splits.values(), content.quarantine]
    places = pa.concat_tables([table.select(["_file", "_row"]) for table in tables], promote_options="permissive")
    distinct = places.group_by(["_file", "_row"]).aggregate([]).num_rows
    if not source.rows_read == places.num_rows == distinct:
        raise RuntimeError(f"{source.rows_read} rows were read, but {places.num_rows} are accounted for, {distinct} of them distinct")
