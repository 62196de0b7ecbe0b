"""What was wrong with the data, at a glance: why rows were removed, and every finding, the gravest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tunewright.core.schema import done
from tunewright.report import figures
from tunewright.report.evidence import FoundFact, NotMeasured, RowCount
from tunewright.report.facts import Facts
from tunewright.report.words import SPACE, count, joined, percent, plural

GRAVITY = {"error": "error", "warning": "warning", "info": "for information"}
"""Severities, the gravest first, and what one is called in a sentence."""
FEW = 3
"""So few findings need no overview: they are one."""


@dataclass(frozen=True)
class Removed:
    """The rows that one rule took away."""

    rule: str
    rows: int
    share: str
    bar: Markup


@dataclass(frozen=True)
class Found:
    """One finding; ``number`` is its place on the page, from 1."""

    number: int
    fact: FoundFact
    severity: str
    open: bool
    done: str
    share: str
    bar: Markup


@dataclass(frozen=True)
class FindingsPart:
    """Every finding, the gravest first; ``overview`` tells whether there are enough for a list of them."""

    sentence: str
    found: list[Found]
    overview: bool


def removed(rows: RowCount) -> list[Removed]:
    """Why rows were removed, most rows first; each bar is drawn to the longest."""
    most = max(rows.by_rule.values(), default=0)
    ordered = sorted(rows.by_rule.items(), key=lambda pair: (-pair[1], pair[0]))
    return [Removed(rule, n, _share(n, rows.read), figures.bar(n, most)) for rule, n in ordered]


def findings_part(facts: Facts) -> FindingsPart:
    """The findings in the order in which they should be read."""
    told = facts.data.findings
    if isinstance(told, NotMeasured):
        return FindingsPart("", [], False)
    ordered = sorted(told, key=lambda one: (list(GRAVITY).index(_severity(one)), not _still(one), -one.rows, one.rule))
    read = 0 if isinstance(facts.data.rows, NotMeasured) else facts.data.rows.read
    most = max((one.rows for one in ordered), default=0)
    found = [
        Found(
            number=number,
            fact=one,
            severity=_severity(one),
            open=one.is_open,
            done="told" if one.action == "keep" and not one.rows else done(one.action, one.rows, one.numbers),
            share=_share(one.rows, read),
            bar=figures.bar(one.rows, most),
        )
        for number, one in enumerate(ordered, 1)
    ]
    return FindingsPart(_sentence(ordered), found, len(found) > FEW)


def _sentence(found: Sequence[FoundFact]) -> str:
    counts = [(word, sum(_severity(one) == name for one in found)) for name, word in GRAVITY.items()]
    told = [f"{n} {word}" if word == "for information" else plural(n, word) for word, n in counts if n]
    still = sum(one.is_open for one in found)
    left = f" {'One of them concerns' if still == 1 else f'{count(still)} of them concern'} rows that are left as found." if still else ""
    return f"{plural(len(found), 'finding')}: {joined(told)}.{left}"


def _severity(one: FoundFact) -> str:
    return one.severity if one.severity in GRAVITY else "info"


def _still(one: FoundFact) -> bool:
    return one.action not in {"drop", "fix"}


def _share(rows: int, read: int) -> str:
    """The share of the rows read; empty where there is none."""
    if not rows or not read:
        return ""
    return percent(rows / read) if rows / read >= 0.001 else f"<0.1{SPACE}%"
