"""How the training went: its curves, and what happened on the way."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from tunewright.report import figures
from tunewright.report.curve import Curve
from tunewright.report.evidence import NotMeasured, Served
from tunewright.report.figures import Line
from tunewright.report.words import lower_is_better, percent, plural, score_name, short, signed, within

KINDS = ("points", "second", "third")


@dataclass(frozen=True)
class Chart:
    """One picture; ``legend`` holds (its looks in page.css, name), ``size`` is normal or small."""

    title: str
    legend: list[tuple[str, str]]
    picture: Markup
    size: str = "normal"


def charts(curve: Curve, served: Served | NotMeasured) -> list[Chart]:
    """Loss, validation scores and learning rate, as far as they were recorded."""
    at = served.step if isinstance(served, Served) and isinstance(served.step, int) else None
    validation = curve.score("loss")
    losses = [
        Line("training, each step", curve.steps, curve.loss, "raw"),
        Line("training, smoothed", curve.steps, curve.smoothed(), "smooth"),
        Line("validation", [step for step, _ in validation], [value for _, value in validation], "points"),
    ]
    scores = [
        Line(score_name(name), [step for step, _ in found], [value for _, value in found], kind)
        for kind, name in zip(KINDS, _pictured(curve, served), strict=False)
        if (found := curve.score(name))
    ]
    rates = [(step, rate) for step, rate in zip(curve.steps, curve.lr, strict=True) if rate is not None]
    drawn = [
        _chart("Loss", losses, at),
        _chart("Scores on the validation split", scores, at),
        _chart("Learning rate", [Line("learning rate", [step for step, _ in rates], [rate for _, rate in rates], "lr")], None, small=True),
    ]
    return [one for one in drawn if one]


def _chart(title: str, lines: list[Line], at: int | None, small: bool = False) -> Chart | None:
    lines = [line for line in lines if line.x]
    at = at if lines and at is not None and at <= max(x for line in lines for x in line.x) else None
    picture = figures.chart(lines, title, at, 64 if small else figures.HEIGHT)
    legend = (
        [] if small else [(line.kind, line.name) for line in lines] + ([("served", f"the model, step {at:,}")] if at is not None else [])
    )
    return Chart(title, legend, picture, "small" if small else "normal") if picture else None


def _pictured(curve: Curve, served: Served | NotMeasured) -> list[str]:
    """The score that chose the model first, then those best known."""
    by = [served.by] if isinstance(served, Served) and isinstance(served.by, str) else []
    known = dict.fromkeys([*by, "accuracy", "f1_micro", "f1_macro", "mcc"])
    seen = {name for scores in curve.evaluated.values() for name in scores}
    rest = sorted(name for name in seen if "/" not in name and name not in known)
    return [name for name in [*known, *rest] if name in seen and not lower_is_better(name)]


def sentence(curve: Curve, served: Served | NotMeasured) -> str:
    """How long it trained, how far the loss fell, and which step became the model."""
    if not curve.steps:
        return "No step with a finite loss is recorded."
    smooth = curve.smoothed()
    fell = f"the smoothed training loss went from {short(round(smooth[0], 3))} to {short(round(smooth[-1], 3))}"
    said = f"{plural(curve.steps[-1], 'step')}, {plural(len(curve.evaluated), 'evaluation')}; {fell}."
    if isinstance(served, Served) and isinstance(served.step, int):
        why = f", chosen by {within(score_name(served.by))}" if isinstance(served.by, str) else ""
        value = f" ({signed(served.value)} on validation)" if isinstance(served.value, float) else ""
        said += f" The model is the one of step {served.step:,}{why}{value}."
    return said


def notes(curve: Curve) -> list[str]:
    """What a reader of the curves must know."""
    found = []
    if curve.without_loss:
        found.append(f"{plural(curve.without_loss, 'step')} had no finite loss and cannot be drawn.")
    if curve.split_at is not None:
        told = f"Memory failed in step {curve.split_at:,}: from there on steps took more passes, each over fewer rows. "
        found.append(told + "Their gradients are the same, but for rounding.")
    if curve.lines_lost:
        found.append(f"{plural(curve.lines_lost, 'line')} of events.jsonl could not be read; the curves may be short.")
    if not curve.evaluated:
        found.append("No evaluation on the validation split is recorded.")
    validation = [value for _, value in curve.score("loss")]
    if len(validation) > 2 and validation[-1] > 1.1 * min(validation):
        rise = percent(validation[-1] / min(validation) - 1, 0)
        found.append(f"The validation loss ended {rise} above its lowest: the last steps learned the training rows by heart.")
    return found
