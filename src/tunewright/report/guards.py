"""What the guards of a training saw, and what was done about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunewright.report.evidence import NotMeasured
from tunewright.report.facts import Facts
from tunewright.report.words import count, joined, plural

DONE = {
    "go": "told",
    "skip": "update left out",
    "lower": "learning rates lowered",
    "restore": "taken back to the last checkpoint",
    "end": "run ended",
    "fail": "run given up",
}
"""What a verdict of a guard is called on the page."""
MOST_ROWS = 8


@dataclass(frozen=True)
class SeenByGuard:
    """All that one guard saw: ``message`` is its first sighting, ``rows`` are the rows that came up most often, with how often."""

    guard: str
    when: str
    done: str
    acted: bool
    message: str
    remedy: str
    rows: list[tuple[str, int]]


@dataclass(frozen=True)
class GuardsPart:
    """A sentence about all guards, and what those saw that saw something, those that acted first."""

    sentence: str
    seen: list[SeenByGuard]


def guards_part(facts: Facts) -> GuardsPart:
    """From ``events.jsonl`` and the names in ``manifest.json``."""
    if isinstance(facts.curve, NotMeasured):
        return GuardsPart("", [])
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for one in facts.curve.sightings:
        by_name.setdefault(str(one.get("guard")), []).append(one)
    seen = sorted((_seen(name, found) for name, found in by_name.items()), key=lambda one: not one.acted)
    watching = facts.manifest.guards
    if isinstance(watching, NotMeasured):
        return GuardsPart(f"How many guards watched is not recorded; {len(seen) or 'none'} told something.", seen)
    told = "none saw anything wrong" if not seen else f"{count(len(seen))} saw something"
    acted = sum(one.acted for one in seen)
    return GuardsPart(f"{plural(len(watching), 'guard')} watched every step; {told}{f', {count(acted)} acted' if acted else ''}.", seen)


def acted(facts: Facts) -> str:
    """What guards did to the training, for the card; empty when none acted."""
    done = [f"{one.guard} ({one.done})" for one in guards_part(facts).seen if one.acted]
    return f"Guards stepped in while it was trained: {joined(done)}." if done else ""


def _seen(name: str, found: Sequence[Mapping[str, Any]]) -> SeenByGuard:
    steps = [one["step"] for one in found if isinstance(one.get("step"), int)]
    when = (
        f"step {count(steps[0])}"
        if len(steps) == 1
        else f"{len(found)} times, steps {count(min(steps))} to {count(max(steps))}"
        if steps
        else ""
    )
    verdicts = Counter(str(one.get("verdict")) for one in found)
    done = [
        DONE.get(verdict, verdict) + (f" {times} times" if times > 1 and len(found) > times else "") for verdict, times in verdicts.items()
    ]
    rows = Counter(str(row) for one in found for row in one.get("rows") or ())
    first = found[0]
    return SeenByGuard(
        guard=name,
        when=when,
        done=joined(done),
        acted=set(verdicts) != {"go"},
        message=str(first.get("message", "")),
        remedy=str(first.get("remedy", "")),
        rows=rows.most_common(MOST_ROWS),
    )
