"""A prepared dataset: a folder that is written once, named after its content, and checked when it is read."""

from __future__ import annotations

import json
import os
import platform
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tunewright.core.errors import UserError, hint
from tunewright.core.folder import clear_halves, file_hash, read_json, tree_hashes, whole, writable, write_json, write_text
from tunewright.core.schema import SPLITS, Finding, Numbers, Places
from tunewright.data.audit import RULES, RULES_VERSION
from tunewright.data.card import card
from tunewright.data.listed import Listed
from tunewright.data.origins import Origins
from tunewright.data.pictures import pictures
from tunewright.data.shelf import BATCH_ROWS, BYTES, kept, only, shelved
from tunewright.tasks import TASKS
from tunewright.tasks.base import Task

KIND = "tunewright dataset"
MADE_BY = "tunewright prepare RECIPE"
GROUP_ROWS, GROUP_BYTES = 1 << 16, 1 << 24
"""Rows of a Parquet row group, and the bytes that end one earlier."""
_FINDINGS = pa.schema(
    [
        ("rule", pa.string()),
        ("severity", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("group", pa.int64()),
        ("message", pa.string()),
        ("remedy", pa.string()),
        ("kept", pa.bool_()),
        ("numbers", pa.string()),
    ]
)


@dataclass(frozen=True)
class Content:
    """Everything that a dataset folder holds, before it is written.

    Args:
        name: of the dataset.
        fingerprint: SHA-256 of the rows read, the settings, the seed and the version of the rules, in hex.
        task: with what it learned from train.
        seed: of the run.
        settings: columns, policies and split, resolved.
        columns: role -> the table's column.
        roles: role -> its kind.
        kept: the rows of all splits.
        split: (kept rows,), index into ``SPLITS``.
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
    kept: pa.Table
    split: np.ndarray
    quarantine: pa.Table
    findings: tuple[Finding, ...]
    summary: dict[str, Any]

    @property
    def version(self) -> str:
        """The name of the folder: the first letters of the fingerprint."""
        return self.fingerprint[:12]

    def rows(self, split: str) -> pa.Table:
        """The rows of one split.

        Raises:
            UserError: there is no room on the disk for them.
        """
        return only(self.kept, self.split == SPLITS.index(split))


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
            mine = lines.slice(at, told["rows"])
            at += max(told["rows"], 1)
            places = Origins.of(mine, "file", "row").places()
            groups = () if mine["group"].null_count else Numbers(array("q", mine["group"].to_numpy().tobytes()))
            stays = () if mine["kept"].null_count else Numbers(array("q", mine["kept"].to_numpy().astype(np.int64).tobytes()))
            plain = {key: told[key] for key in ("rule", "severity", "message", "remedy", "recipe", "action", "numbers")}
            findings.append(Finding(**plain, places=places, groups=groups, kept=stays))
        return tuple(findings)

    def summary(self) -> dict[str, Any]:
        """What was read, removed, found and split: ``data.json`` of a run, but for the truncation. Opens no split."""
        labels = list(getattr(self.task, "labels", None) or ())
        return {"name": self.name, "version": self.version, "folder": str(self.folder), **self.manifest["summary"], "labels": labels}

    def verify(self, locked: bool = False) -> None:
        """Compare the hash of every file with the manifest. The card, which people may complete, is left out.

        Args:
            locked: do not open the test split; it need only be there, and is checked when it is read.

        Raises:
            UserError: naming every file that is missing or damaged.
        """
        wanted = {name: digest for name, digest in self.manifest["files"].items() if name != "README.md"}
        unopened = {"test.parquet"} if locked else set()
        damaged = [
            name
            for name, digest in wanted.items()
            if not (self.folder / name).is_file() or (name not in unopened and file_hash(self.folder / name) != digest)
        ]
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
        return replace(self, task=task.learn(Listed(self.rows("train").select(list(wanted)))))

    def _table(self, name: str) -> pa.Table:
        path = self.folder / name
        if not path.is_file() or file_hash(path) != self.manifest["files"][name]:
            raise self._damaged([name])
        file = pq.ParquetFile(path, pre_buffer=False)
        schema = file.schema_arrow.remove_metadata()
        groups = [file.metadata.row_group(at) for at in range(file.num_row_groups)]
        size, rows = max(sum(one.total_byte_size for one in groups), 1), max(file.metadata.num_rows, 1)
        step = min(max(BYTES * rows // size, 1), BATCH_ROWS)  # rows that hold some megabytes
        return shelved((pa.Table.from_batches([batch]).cast(schema) for batch in file.iter_batches(step)), schema)

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
    with beside_others(place.parent), whole(place) as half:
        half.mkdir()
        for at, split in enumerate(SPLITS):
            _write_rows(half / f"{split}.parquet", kept(content.kept, content.split == at), content.kept.schema)
        _write_rows(half / "quarantine.parquet", [content.quarantine], content.quarantine.schema)
        _write_rows(half / "findings.parquet", _finding_lines(content.findings), _FINDINGS)
        for name, picture in pictures(content.summary).items():
            write_text(half / name, picture)
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
        "test_fingerprint": _rows_hash(kept(content.kept.select(list(content.roles)), content.split == SPLITS.index("test"))),
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


def _rows_hash(pieces: Iterable[pa.Table]) -> str:
    """A hash of the rows, whatever their order: the hashes of all rows added up, in hex."""
    total = 0
    for piece in pieces:
        for row in Listed(piece):
            told = json.dumps(row, sort_keys=True, default=str).encode("utf-8", "surrogatepass")
            total += int.from_bytes(sha256(told).digest(), "big")
    return f"{total % (1 << 256):064x}"


def _write_rows(path: Path, pieces: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Rows that come piece by piece, as one file: a row group as soon as there are rows or bytes enough for it."""
    plain = pa.schema([pa.field(field.name, field.type) for field in schema])
    waiting: list[pa.Table] = []
    with pq.ParquetWriter(path, plain, compression="zstd") as writer:
        for piece in chain.from_iterable(_sliced(one) for one in pieces):
            waiting.append(piece)
            if sum(map(len, waiting)) >= GROUP_ROWS or sum(one.nbytes for one in waiting) >= GROUP_BYTES:
                writer.write_table(pa.concat_tables(waiting).cast(plain), row_group_size=GROUP_ROWS)
                waiting.clear()
        if waiting:
            writer.write_table(pa.concat_tables(waiting).cast(plain), row_group_size=GROUP_ROWS)


def _sliced(table: pa.Table) -> Iterator[pa.Table]:
    return (pa.Table.from_batches([batch]) for batch in table.to_batches(BATCH_ROWS))


def _finding_lines(findings: Sequence[Finding]) -> Iterator[pa.Table]:
    """One line per row concerned, piece by piece; a finding about no row in particular has one line without a row."""
    for finding in findings:
        count = len(finding.places)
        for start in range(0, max(count, 1), BATCH_ROWS):
            part = slice(start, start + BATCH_ROWS)
            places, groups, stays = Places.of(finding.places[part]), Numbers.of(finding.groups[part]), Numbers.of(finding.kept[part])
            lines = max(len(places), 1)
            nothing = pa.nulls(lines, pa.int64())
            columns = {
                **{name: pa.repeat(getattr(finding, name), lines) for name in ("rule", "severity", "message", "remedy")},
                "file": pa.array(places.files, pa.string()).take(pa.array(np.frombuffer(places.codes, np.intc)))
                if count
                else nothing.cast("string"),
                "row": pa.array(np.frombuffer(places.rows, np.int64)) if count else nothing,
                "group": pa.array(np.frombuffer(groups.values, np.int64)) if len(groups) else nothing,
                "kept": pa.array(np.frombuffer(stays.values, np.int64) > 0) if len(stays) else nothing.cast("bool"),
                "numbers": pa.repeat(json.dumps(finding.numbers, sort_keys=True), lines),
            }
            yield pa.table([columns[name] for name in _FINDINGS.names], schema=_FINDINGS)


@contextmanager
def beside_others(folder: Path) -> Iterator[None]:
    """Write to a folder in which others may write too. Who comes when nobody writes clears away what a kill left there.

    The kernel keeps the list of who writes, and strikes out a process that ends, however it ends.

    Raises:
        UserError: the folder cannot be made.
    """
    try:
        import fcntl
    except ImportError:  # not Unix: what a kill left stays
        yield
        return
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            clear_halves(folder)
        with suppress(OSError):  # a disk that knows no locks
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)
