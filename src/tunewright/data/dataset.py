"""A prepared dataset: a folder that is written once, named after its content, and checked when it is read."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from tunewright.core.errors import UserError, hint
from tunewright.core.folder import file_hash, read_json, text_hash, tree_hashes, whole, write_json, write_text
from tunewright.core.schema import SPLITS, Finding, Place
from tunewright.data.audit import RULES, RULES_VERSION
from tunewright.data.card import card
from tunewright.tasks import TASKS
from tunewright.tasks.base import Task

KIND = "tunewright dataset"
MADE_BY = "tunewright prepare RECIPE"
_FINDINGS = pa.schema(
    [
        ("rule", pa.string()),
        ("severity", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("group", pa.int64()),
        ("message", pa.string()),
        ("remedy", pa.string()),
    ]
)


@dataclass(frozen=True)
class Content:
    """Everything that a dataset folder holds, in memory.

    Args:
        name: of the dataset.
        fingerprint: SHA-256 of the rows read, the settings, the seed and the version of the rules, in hex.
        task: with what it learned from train.
        seed: of the run.
        settings: columns, policies and split, resolved.
        columns: role -> the table's column.
        roles: role -> its kind.
        splits: train, validation and test -> rows.
        quarantine: removed rows, each with its rule and reason.
        findings: all, each with all its rows.
        summary: ``data.json`` of a run without name, version and folder.
    """

    name: str
    fingerprint: str
    task: Task
    seed: int
    settings: dict[str, Any]
    columns: dict[str, str]
    roles: dict[str, str]
    splits: dict[str, pa.Table]
    quarantine: pa.Table
    findings: tuple[Finding, ...]
    summary: dict[str, Any]

    @property
    def version(self) -> str:
        """The name of the folder: the first letters of the fingerprint."""
        return self.fingerprint[:12]


@dataclass(frozen=True)
class Dataset:
    """A prepared dataset on disk. Each split is a file of its own, and only ``rows("test")`` opens the test split."""

    folder: Path
    manifest: dict[str, Any]
    task: Task

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a dataset folder by its manifest; no row is read.

        Raises:
            UserError: this is no dataset folder, or its manifest is damaged.
        """
        manifest = read_json(folder / "manifest.json", MADE_BY)
        if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
            raise UserError(f"{folder / 'manifest.json'} is not the manifest of a dataset", "", f"Prepare the dataset again: {MADE_BY}")
        return cls(folder, manifest, TASKS.build(manifest["task"]))

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @property
    def version(self) -> str:
        """The first letters of the fingerprint."""
        return str(self.manifest["version"])

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the rows read, the settings, the seed and the version of the rules, in hex."""
        return str(self.manifest["fingerprint"])

    def rows(self, split: str) -> pa.Table:
        """The rows of one split: roles, other own columns, ``_file``, ``_row``. Opens the file of that split and no other.

        Raises:
            UserError: there is no such split, or its file is missing or damaged.
        """
        if split not in SPLITS:
            raise UserError(f"no split is called {split!r}", hint(split, SPLITS))
        return self._table(f"{split}.parquet")

    @property
    def quarantine(self) -> pa.Table:
        """The removed rows: own columns, ``_file``, ``_row``, ``_rule``, ``_reason``.

        Raises:
            UserError: the file is missing or damaged.
        """
        return self._table("quarantine.parquet")

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that was found, each with all its rows.

        Raises:
            UserError: the file is missing or damaged.
        """
        lines = self._table("findings.parquet")
        findings, at = [], 0
        for told in self.manifest["summary"]["findings"]:
            mine = lines.slice(at, told["rows"]).select(["file", "row", "group"]).to_pydict()
            at += max(told["rows"], 1)
            places = tuple(Place(file=file, row=row) for file, row in zip(mine["file"], mine["row"], strict=True))
            groups = () if None in mine["group"] else tuple(mine["group"])
            plain = {key: told[key] for key in ("rule", "severity", "message", "remedy", "recipe", "action")}
            findings.append(Finding(**plain, places=places, groups=groups))
        return tuple(findings)

    def summary(self) -> dict[str, Any]:
        """What was read, removed, found and split: ``data.json`` of a run, but for the truncation. Opens no split."""
        labels = list(getattr(self.task, "labels", None) or ())
        return {"name": self.name, "version": self.version, "folder": str(self.folder), **self.manifest["summary"], "labels": labels}

    def verify(self) -> None:
        """Compare the hash of every file with the manifest. The card, which people may complete, is left out.

        Raises:
            UserError: naming every file that is missing or damaged.
        """
        wanted = {name: digest for name, digest in self.manifest["files"].items() if name != "README.md"}
        damaged = [name for name, digest in wanted.items() if not (self.folder / name).is_file() or file_hash(self.folder / name) != digest]
        if damaged:
            raise self._damaged(damaged)

    def learned_by(self, task: Task) -> Dataset:
        """The same dataset for the task of a recipe, which learns from its training rows.

        Raises:
            UserError: the dataset was prepared for other roles, or the task cannot learn from it.
        """
        there: dict[str, str] = self.manifest["roles"]
        wanted = {role.name: role.kind for role in task.roles() if role.needed or role.name in there}
        if differ := [name for name, kind in wanted.items() if there.get(name) != kind]:
            raise UserError(
                f"{self.folder} was prepared for another task: its {' and '.join(differ)} cannot be used for this one",
                f"The dataset has: {', '.join(f'{name} ({kind})' for name, kind in there.items())}",
                "Prepare the data again from their source, or correct the task",
            )
        return replace(self, task=task.learn(self.rows("train").select(list(wanted)).to_pylist()))

    def _table(self, name: str) -> pa.Table:
        path = self.folder / name
        if not path.is_file() or file_hash(path) != self.manifest["files"][name]:
            raise self._damaged([name])
        return pq.read_table(path, partitioning=None)

    def _damaged(self, names: Sequence[str]) -> UserError:
        return UserError(
            f"{', '.join(names)} in {self.folder} {'is' if len(names) == 1 else 'are'} missing or not what was written",
            "",
            f"Prepare the dataset again from its source: {MADE_BY}",
        )


def write(content: Content, place: Path) -> Dataset:
    """Write a dataset folder, whole or not at all, over whatever stands there.

    Raises:
        UserError: the folder cannot be written or the disk is full.
    """
    with whole(place) as half:
        half.mkdir()
        for split in SPLITS:
            _write_table(half / f"{split}.parquet", content.splits[split])
        _write_table(half / "quarantine.parquet", content.quarantine)
        _write_table(half / "findings.parquet", _finding_lines(content.findings))
        write_text(half / "README.md", card(content.name, content.version, content.summary))
        write_json(half / "manifest.json", _manifest(content, tree_hashes(half)))
    return Dataset.open(place)


def is_prepared(folder: Path) -> bool:
    """Whether a folder is a prepared dataset, whole or damaged."""
    try:
        return bool(json.loads((folder / "manifest.json").read_text(encoding="utf-8")).get("kind") == KIND)
    except (OSError, ValueError, AttributeError):
        return False


def _manifest(content: Content, files: dict[str, str]) -> dict[str, Any]:
    """No clock and no path of this machine: the same input gives the same bytes."""
    return {
        "kind": KIND,
        "name": content.name,
        "version": content.version,
        "fingerprint": content.fingerprint,
        "test_fingerprint": _rows_hash(content.splits["test"].select(list(content.roles))),
        "task": TASKS.spec(content.task),
        "columns": content.columns,
        "roles": content.roles,
        "settings": content.settings,
        "seed": content.seed,
        "rules": {"version": RULES_VERSION, "names": list(RULES.places())},
        "versions": {"tunewright": version("tunewright"), "pyarrow": pa.__version__, "python": platform.python_version()},
        "summary": content.summary,
        "files": files,
    }


def _rows_hash(rows: pa.Table) -> str:
    """A hash of the rows, whatever their order."""
    return text_hash(*sorted(json.dumps(row, sort_keys=True, default=str) for row in rows.to_pylist()))


def _write_table(path: Path, table: pa.Table) -> None:
    fields = [pa.field(field.name, field.type) for field in table.schema]
    plain = table.combine_chunks().cast(pa.schema(fields))
    pq.write_table(plain, path, compression="zstd", row_group_size=1 << 16)


def _finding_lines(findings: Sequence[Finding]) -> pa.Table:
    """One line per row concerned; a finding about no row in particular has one line without a row."""
    columns: dict[str, list[Any]] = {name: [] for name in _FINDINGS.names}
    for finding in findings:
        count = max(len(finding.places), 1)
        columns["rule"] += [finding.rule] * count
        columns["severity"] += [finding.severity] * count
        columns["file"] += [place.file for place in finding.places] or [None]
        columns["row"] += [place.row for place in finding.places] or [None]
        columns["group"] += list(finding.groups) or [None] * count
        columns["message"] += [finding.message] * count
        columns["remedy"] += [finding.remedy] * count
    return pa.table(columns, schema=_FINDINGS)
