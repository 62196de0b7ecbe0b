"""One block of a stream after the other: its rows under their roles, audited, and what is wrong with them set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tunewright.core.errors import DataRefused, UserError
from tunewright.core.schema import SPLITS, Finding
from tunewright.data.audit.apply import Chosen, Removed, apply, quote
from tunewright.data.audit.base import TRAIN, Looked, Services
from tunewright.data.audit.near_duplicates import NearDuplicate
from tunewright.data.audit.normal import hashes
from tunewright.data.audit.on_the_fly import Memory, StreamedLeak, marks, on_the_fly
from tunewright.data.audit.personal import redactions, without_private
from tunewright.data.columns import in_roles
from tunewright.data.read import BadRow, require_columns
from tunewright.data.streams.seen import both
from tunewright.data.streams.stream import Block
from tunewright.tasks.base import Task

QUOTED = 5
"""Rows of a finding that are kept by their numbers; the quarantine has all that were removed."""


@dataclass(frozen=True)
class Audited:
    """A block that was looked at for the first time.

    Args:
        rows: those that stay: roles, other own columns, ``_file``, ``_row``.
        away: the indices of the others in the block, ascending.
        quarantine: removed and unreadable rows, each with its own columns, ``_rule`` and ``_reason``.
        told: rows read and kept, removed by rule, labels, findings, in plain values.
        marks: (3, rows) uint64, what the rows that were met are remembered by.
        conflicting: texts that were met with several labels here for the first time, by their hash.
        content: a hash of the block as it was read.
    """

    rows: pa.Table
    away: tuple[int, ...]
    quarantine: pa.Table
    told: dict[str, Any]
    marks: np.ndarray
    conflicting: tuple[int, ...]
    content: str


class BlockAudit:
    """The rules of a recipe, as they look at the blocks of a stream.

    Args:
        rules: of the recipe.
        task: with what it learned from the prepared train split.
        columns: role -> column.
        memory: of the rows before.
        made: whether validation or test rows were made from the first rows.
        services: what rules may call.
    """

    def __init__(
        self, rules: Chosen, task: Task, columns: Mapping[str, str], memory: Memory, made: bool, services: Services | None = None
    ) -> None:
        self._services = services or Services()
        near = rules.rules.get("near-duplicate", NearDuplicate())
        self._near = near.threshold if isinstance(near, NearDuplicate) else NearDuplicate().threshold
        self._task, self._columns, self._memory, self._made = task, dict(columns), memory, made
        self.rules = on_the_fly(rules, memory, made)
        repairs = {name: rule for name, rule in self.rules.rules.items() if self.rules.policy[name] == "fix"}
        self._repairs = Chosen(repairs, {name: self.rules.policy[name] for name in repairs})
        self._redactions = redactions(self.rules.rules, self.rules.policy)
        self._texts = [role.name for role in task.roles() if role.kind == "text"]
        self._raw_leaks = Chosen({"leak-exact": StreamedLeak().with_memory(memory)}, {"leak-exact": "drop"})

    def looked(self, block: Block) -> Looked:
        """A block as rules look at it.

        Raises:
            UserError: it lacks a column, or holds what cannot be a text or a label.
        """
        names = sorted(set(block.rows["_file"].to_pylist()))
        require_columns(block.rows.column_names, self._columns, " and ".join(names[:2]))
        roles = in_roles(block.rows, self._task.roles(), self._columns)
        count = block.rows.num_rows
        labels = tuple(self._memory.labels)
        return Looked(
            roles.rows,
            roles.roles,
            np.full(count, TRAIN),
            SPLITS,
            np.arange(count),
            block.bad,
            labels,
            near_threshold=self._near,
            services=self._services,
        )

    def first_time(self, block: Block) -> Audited:
        """Look at a block that follows those that are remembered, and remember its rows.

        Raises:
            DataRefused: a policy says ``refuse``; its first rows are named.
            UserError: the block lacks a column, or holds what cannot be a text or a label.
        """
        if not block.rows.num_rows:
            return self._of_bad_rows_alone(block)
        looked, findings, removed = self.looked(block), list(block.findings), list[Removed]()
        as_read = content(looked)
        applied = [apply("clean", looked, self._raw_leaks, self._task)] if self._made else []
        for when in ("clean", "split"):
            met = applied[-1].looked if applied else looked
            applied.append(apply(when, met, self.rules, self._task))
            if when == "clean":
                rows = marks(applied[-1].looked)
        for one in applied:
            findings += one.findings
            removed += one.removed
        _refuse(findings)
        kept = applied[-1].looked
        fresh, self._memory.fresh = self._memory.fresh, set()
        self._memory.remember(rows, fresh)
        away = np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *(one.numbers for one in removed)]))
        told = _told(block, kept, removed, findings)
        return Audited(kept.rows, tuple(away.tolist()), self._quarantine(block, removed), told, rows, tuple(fresh), as_read)

    def again(self, block: Block, away: Sequence[int], as_read: str) -> pa.Table:
        """The rows of a block that was looked at before: those that stayed then, with their repairs.

        Args:
            away: the indices of those that did not stay.
            as_read: a hash of the block as it was read then.

        Raises:
            UserError: the rows are not those that were read before.
        """
        if not block.rows.num_rows:
            return block.rows
        looked = self.looked(block)
        must_be(looked, as_read)
        stays = np.ones(len(looked), dtype=bool)
        stays[list(away)] = False
        return self.repaired(looked.only(stays)).rows

    def repaired(self, looked: Looked) -> Looked:
        """Rows with the repairs of the rules whose policy is ``fix``."""
        for when in ("clean", "split"):
            looked = apply(when, looked, self._repairs, self._task).looked
        return looked

    def _quarantine(self, block: Block, removed: Sequence[Removed]) -> pa.Table:
        """Removed and unreadable rows, without what the recipe has redacted."""
        numbers = np.concatenate([np.zeros(0, dtype=np.int64), *(one.numbers for one in removed)])
        order = np.argsort(numbers, kind="stable")
        rules = [one.rule for one in removed for _ in one.numbers]
        reasons = [reason for one in removed for reason in one.reasons]
        rows = block.rows.take(pa.array(numbers[order]))
        if block.bad:
            rows = pa.concat_tables([rows, _unreadable(block.bad)], promote_options="permissive")
        rows = without_private(rows, self._redactions, [self._columns[role] for role in self._columns if role not in self._texts])
        bad = len(block.bad)
        told = {
            "_rule": [*(rules[at] for at in order.tolist()), *["unreadable-row"] * bad],
            "_reason": [*(reasons[at] for at in order.tolist()), *(one.reason for one in block.bad)],
        }
        for name, values in told.items():
            rows = rows.append_column(name, pa.array(values, pa.string()))
        return rows

    def _of_bad_rows_alone(self, block: Block) -> Audited:
        rule = self.rules.rules.get("unreadable-row")
        policy = self.rules.policy.get("unreadable-row", "drop")
        empty = Looked(block.rows, (), np.zeros(0, dtype=np.int64), SPLITS, np.zeros(0, dtype=np.int64), block.bad)
        findings = [
            Finding(rule="unreadable-row", severity=rule.severity, message=f"{hit.message} ({quote(hit.places)})", remedy=rule.remedy,
                    recipe=rule.recipe, places=hit.places, action=policy)
            for hit in (rule.look(empty) if rule else ())
            if rule
        ]  # fmt: skip
        _refuse(findings)
        told = _told(block, empty, [], [*block.findings, *findings])
        return Audited(block.rows, (), self._quarantine(block, []), told, np.zeros((3, 0), dtype=np.uint64), (), "")


def must_be(looked: Looked, as_read: str) -> None:
    """Compare rows with the hash of what was read in their place before.

    Raises:
        UserError: they are others.
    """
    if content(looked) != as_read:
        first = looked.rows.slice(0, 1).to_pylist()[0]
        raise UserError(f"{first['_file']} from row {first['_row']} on does not hold the rows that were read there before",
                        "The source of a stream stays as it is while a run goes on",
                        "Put the file back as it was, or train the recipe again under another name or with --overwrite")  # fmt: skip


def content(looked: Looked) -> str:
    """A hash of what plays a role in the rows, in their order."""
    found = np.zeros(len(looked), dtype=np.uint64)
    for role in looked.roles:
        column = looked.rows[role.name]
        texts = column if role.kind != "labels" else pa.chunked_array([pa.array(map(str, column.to_pylist()), pa.string())])
        found = both(found, np.concatenate([np.zeros(0, dtype=np.uint64), *(hashes(chunk) for chunk in texts.chunks)]))
    from xxhash import xxh3_64_hexdigest

    return xxh3_64_hexdigest(found.tobytes())


def _refuse(findings: Sequence[Finding]) -> None:
    refused = [finding for finding in findings if finding.action == "refuse"]
    if refused:
        lines = "\n".join(f"  {finding}\n    remedy: {finding.remedy}" for finding in refused)
        rule = refused[0].rule
        raise DataRefused(
            f"{len(refused)} finding(s) in the stream that the recipe's data.policy refuses:\n{lines}",
            "",
            f"Mend these rows and train again, or let them go: --set data.policy.{rule}=drop",
        )


def _unreadable(bad: Sequence[BadRow]) -> pa.Table:
    return pa.table(
        {
            "_file": pa.array([one.file for one in bad], pa.string()),
            "_row": pa.array([one.row for one in bad], pa.int64()),
            "_raw": pa.array([one.raw for one in bad], pa.string()),
        }
    )


def _told(block: Block, kept: Looked, removed: Sequence[Removed], findings: Sequence[Finding]) -> dict[str, Any]:
    by_rule = Counter({"unreadable-row": len(block.bad)} if block.bad else {})
    for one in removed:
        by_rule[one.rule] += len(one.numbers)
    return {
        "read": block.rows.num_rows + len(block.bad),
        "kept": len(kept),
        "by_rule": dict(by_rule),
        "labels": kept.label_counts(np.ones(len(kept), dtype=bool)) if len(kept) else {},
        "findings": [_finding(finding) for finding in findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    plain = finding.model_dump(include={"rule", "severity", "message", "remedy", "recipe", "action"})
    shown = [{"file": place.file, "row": place.row} for place in finding.places[:QUOTED]]
    return {**plain, "rows": len(finding.places), "shown": shown}
