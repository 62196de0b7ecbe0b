"""Rules look, the recipe's policies decide, and every decision becomes a finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa

from tunewright.core.errors import DataRefused
from tunewright.core.schema import Finding, Place, Policy
from tunewright.data.audit import RULES
from tunewright.data.audit.base import Hit, Looked, Rule, one_chunk
from tunewright.tasks import TASKS
from tunewright.tasks.base import Task

QUOTED = 5
"""Rows quoted by number in a message; findings.parquet has all."""


@dataclass(frozen=True)
class Removed:
    """Rows that a rule took away: their numbers in the table as read, and why, one reason each."""

    rule: str
    numbers: np.ndarray
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Applied:
    """What is left, what was found, and what was taken away."""

    looked: Looked
    findings: tuple[Finding, ...]
    removed: tuple[Removed, ...]


def policies(wanted: Mapping[str, Policy]) -> dict[str, Policy]:
    """The policy of every rule: the recipe's, or the rule's default."""
    return {name: wanted.get(name, RULES.get(name).default) for name in RULES.places()}


def apply(when: Literal["clean", "split"], looked: Looked, policy: Mapping[str, Policy], task: Task) -> Applied:
    """Let every rule of this moment look, one after the other, each at what the ones before it left.

    A rule with the policy ``refuse`` goes on by its default, so that all refusals are told at once by ``refuse``.
    """
    findings: list[Finding] = []
    removed: list[Removed] = []
    for name in RULES.places():
        rule = RULES.build(name)
        if rule.when == when and _serves(rule, task, looked):
            for hit in list(rule.look(looked)):
                found, gone, looked = _decide(name, rule, hit, policy[name], looked)
                findings.append(found)
                removed += [gone] if gone is not None and len(gone.numbers) else []
            lost = np.concatenate([one.numbers for one in removed if one.rule == name] or [np.zeros(0, dtype=np.int64)])
            looked = looked.only(~np.isin(looked.number, lost)) if len(lost) else looked
    return Applied(looked, tuple(findings), tuple(removed))


def refuse(findings: Sequence[Finding]) -> None:
    """Stop if any finding says ``refuse``.

    Raises:
        DataRefused: naming every refusing rule, what it found and how to see the rows.
    """
    refused = [finding for finding in findings if finding.action == "refuse"]
    if refused:
        lines = "\n".join(f"  {finding}\n    remedy: {finding.remedy}" for finding in refused)
        keys = " ".join(f"--set data.policy.{rule}={_milder(rule)}" for rule in dict.fromkeys(finding.rule for finding in refused))
        raise DataRefused(
            f"{len(refused)} finding(s) that the recipe's data.policy refuses:\n{lines}",
            "",
            f"To see every row, prepare the dataset with {keys} and open findings.parquet",
        )


def quote(places: Sequence[Place]) -> str:
    """The first rows by number, and how many more there are.

    >>> quote([Place(file="a.csv", row=3), Place(file="a.csv", row=9)])
    'rows 3 and 9 of a.csv'
    """
    shown, rest = places[:QUOTED], len(places) - QUOTED
    if len({place.file for place in shown}) == 1:
        numbers = [str(place.row) for place in shown]
        tail = f" of {shown[0].file}"
        head = "row " if len(places) == 1 else "rows "
    else:
        numbers, head, tail = [str(place) for place in shown], "", ""
    if rest > 0:
        return f"{head}{', '.join(numbers)}{tail} and {rest:,} more"
    return head + (" and ".join(filter(None, [", ".join(numbers[:-1]), numbers[-1]]))) + tail


def _serves(rule: Rule, task: Task, looked: Looked) -> bool:
    has = {role.kind for role in looked.roles}
    return bool(has.intersection(rule.looks_at)) and (not rule.tasks or TASKS.name_of(task) in rule.tasks)


def _decide(name: str, rule: Rule, hit: Hit, wanted: Policy, looked: Looked) -> tuple[Finding, Removed | None, Looked]:
    """The finding of a hit, the rows it takes away, and the rows with its repairs."""
    action: Policy = "keep" if hit.told_only else wanted
    does = rule.default if action == "refuse" else action
    spared = np.zeros(len(hit.rows), dtype=bool) if rule.reaches_test else looked.locked[hit.rows]
    gone = None
    done = ""
    if does == "drop":
        meant = np.ones(len(hit.rows), dtype=bool) if hit.removable is None else hit.removable
        gone = _removed(name, hit, meant & ~spared, looked)
        done = f" Removed: {len(gone.numbers) + len(hit.places):,}." + _stay(int((meant & spared).sum()))
    elif does == "fix":
        looked = _fixed(looked, hit, ~spared)
        done = f" Repaired: {int((~spared).sum()):,}." + _stay(int(spared.sum()))
    places = hit.places or looked.places(hit.rows)
    rows = f" ({quote(places)})" if places else ""
    groups = () if hit.groups is None else tuple(hit.groups.tolist())
    finding = Finding(
        rule=name,
        severity=rule.severity,
        message=f"{hit.message}{rows}.{'' if action == 'refuse' else done}",
        remedy=rule.remedy,
        action=action,
        places=places,
        groups=groups,
        recipe=rule.recipe,
    )
    return finding, gone, looked


def _stay(count: int) -> str:
    return f" Left alone in the test split of the source: {count:,}." if count else ""


def _removed(name: str, hit: Hit, away: np.ndarray, looked: Looked) -> Removed:
    reasons = [hit.reasons] * len(hit.rows) if isinstance(hit.reasons, str) else hit.reasons
    return Removed(name, looked.number[hit.rows[away]], tuple(reason for reason, goes in zip(reasons, away.tolist(), strict=True) if goes))


def _fixed(looked: Looked, hit: Hit, mended: np.ndarray) -> Looked:
    """The rows with the values of ``hit.fixed`` where ``mended`` (bool, one per hit) says so."""
    rows = looked.rows
    for name, values in hit.fixed.items():
        both = pa.concat_arrays([one_chunk(rows[name]), values])
        take = np.arange(len(looked))
        take[hit.rows[mended]] = len(looked) + np.flatnonzero(mended)
        rows = rows.set_column(rows.column_names.index(name), name, both.take(pa.array(take)))
    return replace(looked, rows=rows)


def _milder(rule: str) -> Policy:
    return "keep" if "keep" in RULES.get(rule).policies else "drop"
