"""What page and card say of a model that gives numbers: given against wanted, misses by range, the widest misses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from tunewright.core.errors import UserError
from tunewright.core.folder import read_json
from tunewright.report import figures, quoted
from tunewright.report.evidence import NotMeasured
from tunewright.report.facts import Facts
from tunewright.report.mistakes import SHOWN, answers_table
from tunewright.report.task_parts import Section, TaskPart
from tunewright.report.words import count, plural, signed

RANGES = 8
"""Ranges of what was wanted, with about as many rows each."""
LEANS = 0.5
"""From which share of the typical miss on a range counts as answered too low or too high."""


@dataclass(frozen=True)
class Numbers:
    """The answers on one split.

    Args:
        split: its name.
        wanted: (rows,) float64.
        given: (rows,) float64.
        table: the file as it stands.
        texts: the names of its columns that hold texts.
    """

    split: str
    wanted: np.ndarray
    given: np.ndarray
    table: Any
    texts: tuple[str, ...]

    @property
    def misses(self) -> np.ndarray:
        """(rows,) given minus wanted."""
        found: np.ndarray = self.given - self.wanted
        return found


@dataclass(frozen=True)
class Range:
    """Rows whose wanted number lies between ``low`` and ``high``."""

    low: float
    high: float
    rows: int
    mean: float
    """Of given minus wanted."""
    size: float
    """Mean distance."""


def part(facts: Facts) -> TaskPart:
    """What a regression adds to page and card."""
    numbers = _numbers(facts)
    scale = _scale(facts)
    kind = f"numbers from {_n(numbers.wanted.min())} to {_n(numbers.wanted.max())}" if isinstance(numbers, Numbers) else "numbers"
    return TaskPart(
        kind=kind,
        sections=_sections(numbers),
        hints=_hints(numbers),
        pipeline_tag="text-classification",
        task_name="Regression",
        metrics={
            "pearson": "pearsonr",
            "spearman": "spearmanr",
            "r2": "r_squared",
            "mean_absolute_error": "mae",
            "root_mean_squared_error": "rmse",
        },
        what=f"A model that gives a number for {'a pair of texts' if _pair(facts) else 'a text'}",
        answers=_answers(facts, scale),
        limits=_limits(numbers),
        snippet=_snippet(facts, scale),
    )


def _numbers(facts: Facts) -> Numbers | NotMeasured:
    try:
        split, table = answers_table(facts.run / "predictions", ("wanted", "number"))
    except UserError as error:
        return NotMeasured(not_measured=error.found.replace(f"{facts.run}/", ""))
    wanted, given = (np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.float64) for name in ("wanted", "number"))
    if not len(wanted):
        return NotMeasured(not_measured=f"no row of the {split} split was answered")
    texts = tuple(name for name in table.column_names if name not in {"wanted", "number"} and not name.startswith("_"))
    return Numbers(split, wanted, given, table, texts)


def _scale(facts: Facts) -> dict[str, Any]:
    try:
        found = read_json(facts.run / "metrics.json").get("numbers")
    except (UserError, OSError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def _sections(numbers: Numbers | NotMeasured) -> tuple[Section, ...]:
    if isinstance(numbers, NotMeasured):
        return (Section("numbers", "Numbers", "Given against wanted", quoted.absent(numbers.not_measured)),)
    ranges = ranges_of(numbers)
    return (
        Section("numbers", "Numbers", "Given against wanted", _scatter(numbers) + _ranges(ranges, numbers.split)),
        Section("mistakes", "Misses", "The widest misses", _worst(numbers)),
    )


def _scatter(numbers: Numbers) -> Markup:
    picture, drawn = figures.scatter(numbers.wanted.tolist(), numbers.given.tolist(), "Given against wanted numbers")
    rows = plural(len(numbers.wanted), "row")
    told = f"Each point is one of the {rows} of the {numbers.split} split" if drawn == len(numbers.wanted) else (
        f"{count(drawn)} of the {rows} of the {numbers.split} split, evenly drawn"
    )  # fmt: skip
    return Markup(
        '<figure class="square"><figcaption>Number given, by number wanted</figcaption>{}<p class="axis">number wanted</p></figure>'
        '<p class="note">{}. A perfect model has them all on the line.</p>'
    ).format(picture, told)


def ranges_of(numbers: Numbers) -> list[Range]:
    """Misses by what was wanted: ranges with about as many rows each; few different numbers stand by themselves."""
    wanted, misses = numbers.wanted, numbers.misses
    values = np.unique(wanted)
    if len(values) <= RANGES:
        place = np.searchsorted(values, wanted)
    else:
        edges = np.unique(np.quantile(wanted, np.linspace(0, 1, RANGES + 1)[1:-1]))
        place = np.searchsorted(edges, wanted, side="right")
    found = []
    for at in np.unique(place):
        mine = place == at
        own = wanted[mine]
        found.append(
            Range(float(own.min()), float(own.max()), int(mine.sum()), float(misses[mine].mean()), float(np.abs(misses[mine]).mean()))
        )
    return found


def _ranges(ranges: list[Range], split: str) -> Markup:
    most = max(one.size for one in ranges)
    lines = Markup("").join(
        Markup(
            '<tr><th scope="row">{}</th><td class="n">{}</td><td class="n">{}</td><td class="n">{}</td><td class="wide">{}</td></tr>'
        ).format(_span(one), count(one.rows), _n(one.mean, plus=True), _n(one.size), figures.bar(one.size, most))
        for one in ranges
    )
    table = Markup(
        '<table><thead><tr><th>Number wanted</th><th class="n">Rows</th><th class="n">Given minus wanted</th><th class="n">Distance</th>'
        '<th class="wide"></th></tr></thead><tbody>{}</tbody></table>'
    ).format(lines)
    note = Markup(
        '<p class="note">Rows of the {} split, by what was wanted, on average. Where low numbers are answered too high and high '
        "ones too low, the model plays safe, near the mean.</p>"
    ).format(split)
    return Markup("<h3>Misses by range</h3>") + quoted.scroll("Misses by range", table) + note


def _worst(numbers: Numbers) -> Markup:
    first = np.argsort(-np.abs(numbers.misses), kind="stable")[:SHOWN]
    rows = []
    for at in first.tolist():
        row = numbers.table.slice(at, 1).to_pylist()[0]
        texts = [(name, str(row[name])) for name in numbers.texts if row[name] is not None]
        told = Markup(
            '<p class="pair"><span class="part"><span class="role">wanted</span> <span class="chip">{}</span></span>'
            '<span class="part"><span class="role">given</span> <span class="chip wrong">{}</span></span><span class="sure">{}</span></p>'
        ).format(_n(row["wanted"]), _n(row["number"]), _n(numbers.misses[at], plus=True))
        rows.append(told + quoted.texts(texts) + quoted.place(str(row["_file"]), int(row["_row"])))
    lead = Markup("<p>Look for numbers that are wrong in the data before blaming the model.</p>")
    return lead + quoted.items(rows)


def _hints(numbers: Numbers | NotMeasured) -> tuple[tuple[str, str], ...]:
    if isinstance(numbers, NotMeasured):
        return ()
    ranges, typical = ranges_of(numbers), float(np.abs(numbers.misses).mean())
    leaning = [one for one in ranges if abs(one.mean) > LEANS * typical and typical > 0]
    if not leaning:
        return ()
    worst = max(leaning, key=lambda one: abs(one.mean))
    side = "high" if worst.mean > 0 else "low"
    return ((f"Where {_span(worst)} is wanted, answers are too {side} by {_n(abs(worst.mean))} on average.", "numbers"),)


def _limits(numbers: Numbers | NotMeasured) -> tuple[str, ...]:
    if isinstance(numbers, NotMeasured):
        return ()
    worst = max(ranges_of(numbers), key=lambda one: one.size)
    half = float(np.median(np.abs(numbers.misses)))
    return (
        f"Half of its answers on the {numbers.split} split are within {_n(half)} of what was wanted.",
        f"Weakest where {_span(worst)} is wanted: {_n(worst.size)} off on average ({plural(worst.rows, 'row')}).",
    )


def _answers(facts: Facts, scale: dict[str, Any]) -> str:
    asked = "pairs of texts" if _pair(facts) else "texts"
    low, high = scale.get("low"), scale.get("high")
    bounds = {(True, True): f", from {low} to {high}", (True, False): f", {low} or more", (False, True): f", {high} or less"}
    kept = bounds.get((low is not None, high is not None), "")
    only = " (tunewright keeps answers within these bounds; the model by itself may give numbers beyond them)" if kept else ""
    return f"Give it {asked} of the kind it was trained on; it answers with one number{kept}, also for a text that fits none{only}."


def _snippet(facts: Facts, scale: dict[str, Any]) -> str:
    asked = '{"text": "the first text", "text_pair": "the second text"}' if _pair(facts) else '"a text"'
    model = facts.manifest.model
    cut = f", max_length={model.max_tokens}" if not isinstance(model, NotMeasured) and isinstance(model.max_tokens, int) else ""
    unit, zero = scale.get("unit", 1.0), scale.get("zero", 0.0)
    back = f" * {unit!r} + {zero!r}" if (unit, zero) != (1.0, 0.0) else ""
    if not isinstance(model, NotMeasured) and model.pooling == "mean":
        return (
            f'from sentence_transformers import SentenceTransformer\n\nprint(SentenceTransformer("model").encode(["a text"])[0, 0]{back})'
        )
    return (
        'from transformers import pipeline\n\nrate = pipeline("text-classification", model="model", function_to_apply="none")\n'
        f'print(rate([{asked}], truncation=True{cut})[0]["score"]{back})'
    )


def _pair(facts: Facts) -> bool:
    return isinstance(facts.data.columns, dict) and "text_pair" in facts.data.columns


def _span(one: Range) -> str:
    return _n(one.low) if one.low == one.high else f"{_n(one.low)} to {_n(one.high)}"


def _n(value: float, plus: bool = False) -> str:
    """A number of the table in four digits, whatever its size."""
    if value == 0 or not 1e-3 <= abs(value) < 1e7:
        return f"{value:{'+' if plus and value else ''}.3g}".replace("-", "−")
    digits = max(0, 3 - int(np.floor(np.log10(abs(value)))))
    text = signed(value, min(digits, 3), plus)
    return text.rstrip("0").rstrip(".") if "." in text else f"{text[0] if text[0] in '+−' else ''}{abs(round(value)):,}"
