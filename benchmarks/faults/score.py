"""Holds what was found against what was planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.kinds import ALWAYS, KINDS
from benchmarks.faults.table import Fault, Planted

EXAMPLES, LETTERS = 3, 160
INNOCENT = ("ticket", "channel")
"""Columns that a rule about columns has no reason to name."""


@dataclass(frozen=True)
class Found:
    """One finding of an audit.

    Args:
        rule: its name.
        message: its words.
        rows: ``uid`` of each row.
        groups: parallel to ``rows``; empty when there are none.
    """

    rule: str
    message: str
    rows: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Audited:
    """The findings of one audit, looked up by rule."""

    rows: Mapping[str, set[int]]
    groups: Mapping[str, list[Mapping[int, set[int]]]]
    messages: Mapping[str, list[str]] = field(default_factory=dict)


def scores(planted: Planted, found: Iterable[Found], found_clean: Iterable[Found], rules: Iterable[str]) -> dict[str, Any]:
    """Recall of each kind and precision of each rule.

    A fault is found when the rule of its kind names all its rows, in one group where the fault is a pair or a cluster; a column or a token,
    when the rule's message names it. A row is a false alarm of a rule that names it when no fault of the rule's kinds lies in it, when the
    rule is not among those that may rightly name the fault it holds (``Kind.also``), and when the rule named neither it nor the row that it
    is a copy of in the clean table.

    Args:
        planted: the table with its faults.
        found: what the audit of it found.
        found_clean: what the audit of the same table before planting found.
        rules: every rule that there is.

    Returns:
        ``kinds``: planted, found, recall, missed by variant, examples; ``rules``: rows right, false alarms, precision, examples. A kind
        for which there is no rule has the recall None.
    """
    seen, before = _audited(found), _audited(found_clean)
    for rows in before.rows.values():
        rows |= {row.uid for row in planted.rows if row.origin in rows}
    known = set(rules)
    faults: dict[str, list[Fault]] = {name: [one for one in planted.faults if one.kind == name] for name in KINDS}
    texts = {row.uid: row.text for row in planted.rows}
    kinds = {name: _recall(name, ones, seen, known, texts) for name, ones in faults.items() if ones and KINDS[name].rule}
    sought = {KINDS[name].rule for name in kinds}
    # A rule that no fault was planted for has no right to name the rows of any, or one more than before.
    ours = [rule for rule in dict.fromkeys([*sorted(sought), *seen.rows]) if rule in known and rule not in ALWAYS]
    return {"kinds": kinds, "rules": {rule: _precision(rule, faults, seen, before, texts) for rule in ours}}


def _audited(found: Iterable[Found]) -> _Audited:
    rows: dict[str, set[int]] = {}
    groups: dict[str, list[Mapping[int, set[int]]]] = {}
    messages: dict[str, list[str]] = {}
    for one in found:
        rows.setdefault(one.rule, set()).update(one.rows)
        messages.setdefault(one.rule, []).append(one.message)
        members: dict[int, set[int]] = {}
        for row, group in zip(one.rows, one.groups or (0,) * len(one.rows), strict=True):
            members.setdefault(row, set()).add(group)
        groups.setdefault(one.rule, []).append(members)
    return _Audited(rows, groups, messages)


def _recall(name: str, faults: Sequence[Fault], seen: _Audited, known: set[str], texts: Mapping[int, str]) -> dict[str, Any]:
    rule = KINDS[name].rule
    told = {"rule": rule, "planted": len(faults)}
    if rule not in known:
        return {**told, "found": None, "recall": None}
    missed = [fault for fault in faults if not _is_found(fault, rule, seen)]
    found = len(faults) - len(missed)
    return {
        **told,
        "found": found,
        "recall": found / len(faults),
        "missed": dict(Counter(fault.variant for fault in missed).most_common()),
        "of": dict(Counter(fault.variant for fault in faults if fault.variant in {one.variant for one in missed})),
        "examples": [_example(fault, texts) for fault in missed[:EXAMPLES]],
    }


def _is_found(fault: Fault, rule: str, seen: _Audited) -> bool:
    if fault.names and any(fault.names in message for message in seen.messages.get(rule, [])):
        return True
    if not fault.together:
        return bool(fault.rows) and set(fault.rows) <= seen.rows.get(rule, set())
    return any(set.intersection(*(members.get(row, set()) for row in fault.rows)) for members in seen.groups.get(rule, []))


def _precision(
    rule: str, faults: Mapping[str, Sequence[Fault]], seen: _Audited, before: _Audited, texts: Mapping[int, str]
) -> dict[str, Any]:
    truth = {row for name, ones in faults.items() if KINDS[name].rule == rule for one in ones for row in one.rows}
    also = {row for name, ones in faults.items() if rule in KINDS[name].also for one in ones for row in (*one.rows, *one.beside)}
    holds = {row: one for ones in faults.values() for one in ones for row in one.rows}
    named = seen.rows.get(rule, set())
    false = sorted(named - truth - also - before.rows.get(rule, set()))
    names = [one.names for ones in faults.values() for one in ones if one.names and KINDS[one.kind].rule == rule]
    idle = [message for message in seen.messages.get(rule, []) if message not in before.messages.get(rule, [])]
    wrong = [message for message in idle if names and any(repr(column) in message for column in INNOCENT)]
    right = len(named & truth) + sum(any(name in message for message in idle) for name in names)
    alarms = len(false) + len(wrong)
    return {
        "right": right,
        "false_alarms": alarms,
        "precision": right / (right + alarms) if right + alarms else None,
        "in_the_clean_table": len(before.rows.get(rule, set())),
        "examples": [{"holds": _kind_of(row, holds), "text": texts[row][:LETTERS]} for row in false[:EXAMPLES]] + wrong[:EXAMPLES],
        "holding": dict(Counter(_kind_of(row, holds) for row in false).most_common()),
    }


def _kind_of(row: int, holds: Mapping[int, Fault]) -> str:
    fault = holds.get(row)
    return f"{fault.kind}: {fault.variant}" if fault and fault.variant else fault.kind if fault else "nothing planted"


def _example(fault: Fault, texts: Mapping[int, str]) -> dict[str, Any]:
    return {
        "variant": fault.variant,
        "detail": fault.detail[:LETTERS],
        "texts": [texts[row][:LETTERS] for row in fault.rows[:3]],
        **fault.numbers,
    }
