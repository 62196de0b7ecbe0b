"""The verb ``demo``: the whole story, offline, on generated tickets and the packaged small encoder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tunewright.core.errors import UserError
from tunewright.core.folder import read_json, write_text
from tunewright.core.log import say

RECIPE = """\
# Which queue does a support ticket belong to? Run it again: tunewright run {name}
task: text-classification
data:
  source: tickets.csv
  columns: {{text: body, label: queue}}
  policy: {{label-variant: fix, mojibake: fix}}
  split: {{validation: 0.15, test: 0.25}}  # a quarter is locked away: the more test rows, the narrower the intervals
model: {{base: embedded}}
# Half of the layers learn, for two epochs, to be done in minutes. Without these two lines, all of them learn for three, and better.
method: {{name: top-layers, k: 3}}
train: {{epochs: 2}}
"""
NEW = (
    "I was charged twice for my subscription this month, please refund the second payment.",
    "The parcel was supposed to arrive on Tuesday and the tracking has not moved since.",
    "The kettle switches itself off after ten seconds, I already tried another socket.",
    "How do I change the e-mail address that I log in with?",
)
NOT_SOUGHT = {"typo", "mail-footer"}
"""Planted because real rows have them; no fault to find."""


@dataclass(frozen=True)
class Sought:
    """What was planted of one kind, and how many of its rows a rule of that name found."""

    kind: str
    planted: int
    found: int | None
    """None where no rule of that name looks yet."""


def demo(
    folder: Path, rows: int, command: str, seed: int, show: Callable[[str], None], settings: Mapping[str, Any] = MappingProxyType({})
) -> Path:
    """Generate tickets, run the whole road on them, show what was found against what was planted, and answer new sentences.

    Args:
        folder: where everything goes.
        rows: tickets to make: 3,000 take some five minutes on two cores, 800 under two, with a weaker model.
        command: as the user gave it.
        seed: of the tickets and of the run.
        show: called with each paragraph for the person who watches.
        settings: put over the recipe's, by dotted path.

    Returns:
        The path of the report.

    Raises:
        MissingExtra: the packaged encoder is not installed.
        UserError: as the stages do.
    """
    from tunewright.demo.tickets import Tickets
    from tunewright.model.base import embedded_folder
    from tunewright.pipeline.predict import load
    from tunewright.pipeline.recipe import read
    from tunewright.pipeline.run import run
    from tunewright.pipeline.summary import summary

    embedded_folder()
    tickets = Tickets(rows=rows, seed=seed)
    table = tickets.write(folder)
    recipe = write_text(folder / "tickets.yaml", RECIPE.format(name=folder / "tickets.yaml"))
    show(f"1. {tickets.rows} support tickets over eight queues, with planted faults: {table}\n   The recipe: {recipe}")
    say("2. Check, prepare, train, evaluate, report")
    plan = read(recipe, {"output_dir": str(folder), "seed": seed, **settings})
    place, _ = run(plan, folder, "tickets", command)
    show(f"2. What the audit found against what was planted (in {folder / 'planted.json'})\n{_against(planted_and_found(folder, place))}")
    show(f"3. The model on the locked test rows\n{summary(place)}")
    answers = load(place).predict(list(NEW))
    show(
        "4. New sentences\n"
        + "\n".join(
            f"   {one['label']:<12} {one['probabilities'][one['label']]:.2f}  {text}" for text, one in zip(NEW, answers, strict=True)
        )
    )
    return place / "report.html"


def planted_and_found(folder: Path, run: Path) -> list[Sought]:
    """Each kind of planted fault beside what the rule of the same name found of its rows."""
    from tunewright.data.audit import RULES
    from tunewright.data.dataset import Dataset

    planted: dict[str, list[dict[str, Any]]] = read_json(folder / "planted.json")
    dataset = Dataset.open(Path(read_json(run / "data.json")["folder"]))
    rows: dict[str, set[int]] = defaultdict(set)
    for finding in dataset.findings:
        rows[finding.rule] |= {place.row for place in finding.places}
    rows["ragged-row"] = rows["unreadable-row"]
    known = {*RULES.places(), "ragged-row"}
    return [
        Sought(kind, len(faults), len({fault["row"] for fault in faults} & rows[kind]) if kind in known else None)
        for kind, faults in sorted(planted.items())
        if kind not in NOT_SOUGHT
    ]


def _against(sought: list[Sought]) -> str:
    lines = [f"   {'planted':<22}{'rows':>5}{'found':>7}"]
    lines += [
        f"   {one.kind:<22}{one.planted:>5}{'not sought' if one.found is None else one.found:>{7 if one.found is not None else 12}}"
        for one in sought
    ]
    return "\n".join(lines)


def free_folder(wanted: Path) -> Path:
    """``wanted``, or ``wanted-2``, ``-3``... if something stands there already."""
    for number in range(1, 1000):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        if not folder.exists():
            return folder
    raise UserError(f"{wanted} and 998 more like it exist", "", "Remove some, or name another folder with --out")
