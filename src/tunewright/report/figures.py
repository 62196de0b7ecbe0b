"""Pictures as inline SVG. Places across are percentages and text keeps its size, so one picture fits a telephone and a desk.

Long names never stand inside a picture: they are HTML beside it, where they can wrap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tunewright.core.schema import Score
from tunewright.report.evidence import Confusion
from tunewright.report.words import count, short, signed

HEIGHT = 190
MOST_POINTS = 600
MOST_CLASSES_DRAWN = 200
MOST_DOTS = 1500


@dataclass(frozen=True)
class Line:
    """One series of a chart: ``kind`` is raw, smooth, points or lr, and names its looks in page.css."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    kind: str


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from at or below ``low`` to at or above ``high``, few of them.

    >>> ticks(0.13, 0.94)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    span = high - low if high > low else abs(high) or 1.0
    power = 10 ** math.floor(math.log10(span))
    for step in (power * factor for factor in (0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5, 10)):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < most:
            return [round(at * step, 12) for at in range(first, max(last, first + 1) + 1)]
    return [low, high]


def axis_of(scores: Sequence[Score], most: int = 5) -> list[float]:
    """The ticks of an axis that holds every interval."""
    return ticks(min(score.low for score in scores), max(score.high for score in scores), most)


def track(score: Score, axis: Sequence[float], kind: str = "ours") -> Markup:
    """A point with its interval as a bar, on an axis that runs through the whole width."""
    at, low, high = (_share(value, axis) for value in (score.value, score.low, score.high))
    grid = Markup("").join(Markup('<line class="grid" x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="28"/>').format(_share(t, axis)) for t in axis)
    return Markup(
        '<svg class="track {kind}" width="100%" height="28" role="img" aria-label="{label}">{grid}'
        '<line class="interval" x1="{low:.2f}%" x2="{high:.2f}%" y1="14" y2="14"/>'
        '<circle class="point" cx="{at:.2f}%" cy="14" r="5"/></svg>'
    ).format(
        kind=kind, label=f"{signed(score.value)}, from {signed(score.low)} to {signed(score.high)}", grid=grid, low=low, high=high, at=at
    )


def scale(axis: Sequence[float]) -> Markup:
    """The numbers below a column of tracks."""
    words = Markup("").join(
        Markup('<text x="{:.2f}%" y="13" text-anchor="{}">{}</text>').format(_share(t, axis), _anchor(_share(t, axis), both=True), short(t))
        for t in axis
    )
    return Markup('<svg class="scale" width="100%" height="18" aria-hidden="true">{}</svg>').format(words)


def chart(lines: Sequence[Line], label: str, mark: float | None = None, height: int = HEIGHT) -> Markup:
    """Lines over steps. ``mark`` is the step whose weights became the model; empty when no line has a point."""
    lines = [_thinned(line) for line in lines if line.x]
    if not lines:
        return Markup("")
    xs, ys = [x for line in lines for x in line.x], [y for line in lines for y in line.y]
    down, across = ticks(min(ys), max(ys), 5 if height > 120 else 3), ticks(0 if min(xs) < max(xs) / 4 else min(xs), max(xs))
    across = [t for t in across if t <= max(xs)] or [max(xs)]
    x_of = _place(across[0], max(*xs, across[-1]), 0, 100)
    y_of = _place(down[0], down[-1], height, 0)
    grid = Markup("").join(
        Markup(
            '<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/><text x="-8" y="{t:.1f}" text-anchor="end">{v}</text>'
        ).format(y=y_of(value), t=y_of(value) + 4, v=short(value))
        for value in down
    )
    foot = Markup("").join(
        Markup('<text x="{:.2f}%" y="{}" text-anchor="{}">{}</text>').format(x_of(v), height + 19, _anchor(x_of(v)), short(v))
        for v in across
    )
    served = (
        Markup('<line class="served" x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="{h}"/>').format(x=x_of(mark), h=height)
        if mark is not None
        else ""
    )
    drawn = Markup("").join(_drawn(line, x_of, y_of, height) for line in lines)
    return Markup('<div class="plot"><svg width="100%" height="{}" role="img" aria-label="{}">{}{}{}{}</svg></div>').format(
        height + 26, label, grid, served, drawn, foot
    )


def _drawn(line: Line, x_of: Callable[[float], float], y_of: Callable[[float], float], height: int) -> Markup:
    """A line is stretched to the width of the page; its points are not, so that they stay round."""
    points = " ".join(f"{10 * x_of(x):.1f},{y_of(y):.1f}" for x, y in zip(line.x, line.y, strict=True))
    curve = Markup(
        '<svg viewBox="0 0 1000 {0}" width="100%" height="{0}" preserveAspectRatio="none"><polyline class="{1}" points="{2}"/></svg>'
    ).format(height, line.kind, points)
    if len(line.x) > 40 or line.kind not in {"points", "second", "third"}:
        return curve
    return curve + Markup("").join(
        Markup('<circle class="{}" cx="{:.2f}%" cy="{:.1f}" r="4"><title>step {}: {}</title></circle>').format(
            line.kind, x_of(x), y_of(y), count(x), short(y)
        )
        for x, y in zip(line.x, line.y, strict=True)
    )


def shares(parts: Sequence[tuple[str, int]], label: str) -> Markup:
    """One bar cut into parts; each part is (its looks in page.css, rows)."""
    whole, at, drawn = sum(rows for _, rows in parts) or 1, 0.0, Markup("")
    for kind, rows in parts:
        width = 100 * rows / whole
        drawn += Markup('<rect class="{}" x="{:.3f}%" y="0" width="{:.3f}%" height="20"/>').format(kind, at, width)
        at += width
    return Markup('<svg class="shares" width="100%" height="20" role="img" aria-label="{}">{}</svg>').format(label, drawn)


def bar(amount: float, most: float) -> Markup:
    """A bar for one amount of many, drawn to the largest."""
    return Markup(
        '<svg class="bar" width="100%" height="12" aria-hidden="true"><rect x="0" y="0" width="{:.2f}%" height="12"/></svg>'
    ).format(100 * amount / (most or 1))


def scatter(across: Sequence[float], up: Sequence[float], label: str, height: int = 420) -> tuple[Markup, int]:
    """Pairs of numbers as points over one and the same axis, with the line on which both are equal; and how many points are drawn.

    Of more than ``MOST_DOTS`` pairs as many are drawn, evenly from the first to the last, and those furthest from the line.
    """
    axis = ticks(min(*across, *up), max(*across, *up))
    wide = sorted(range(len(up)), key=lambda at: -abs(up[at] - across[at]))[: MOST_DOTS // 10]
    step = max(1, math.ceil(len(up) / MOST_DOTS))
    chosen = sorted({*range(0, len(up), step), *wide})
    x_of, y_of = _place(axis[0], axis[-1], 0, 100), _place(axis[0], axis[-1], height, 0)
    grid = Markup("").join(
        Markup(
            '<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/><text x="-8" y="{t:.1f}" text-anchor="end">{v}</text>'
            '<text x="{x:.2f}%" y="{foot}" text-anchor="{anchor}">{v}</text>'
        ).format(y=y_of(v), t=y_of(v) + 4, x=x_of(v), foot=height + 19, anchor=_anchor(x_of(v)), v=short(v))
        for v in axis
    )
    dots = Markup("").join(
        Markup('<circle class="dot" cx="{:.2f}%" cy="{:.1f}" r="3"/>').format(x_of(across[at]), y_of(up[at])) for at in chosen
    )
    return Markup(
        '<div class="plot"><svg width="100%" height="{}" role="img" aria-label="{}">{}'
        '<line class="equal" x1="0" y1="{}" x2="100%" y2="0"/>{}</svg></div>'
    ).format(height + 26, label, grid, height, dots), len(chosen)


def skyline(counts: Sequence[tuple[str, int]], label: str, height: int = 120) -> Markup:
    """The rows of many labels as columns, most rows first; the names show when pointed at and stand in the table."""
    ordered = sorted(counts, key=lambda pair: -pair[1])
    down = ticks(0, max(rows for _, rows in ordered), 4)
    wide = 100 / len(ordered)
    grid = Markup("").join(
        Markup(
            '<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/><text x="-8" y="{t:.1f}" text-anchor="end">{v}</text>'
        ).format(y=height * (1 - v / down[-1]), t=height * (1 - v / down[-1]) + 4, v=short(v))
        for v in down
    )
    columns = Markup("").join(
        Markup('<rect x="{:.3f}%" y="{:.1f}" width="{:.3f}%" height="{:.1f}"><title>{}: {}</title></rect>').format(
            i * wide, height * (1 - rows / down[-1]), wide * 0.8, height * rows / down[-1], name, count(rows)
        )
        for i, (name, rows) in enumerate(ordered)
    )
    return Markup('<div class="plot"><svg class="skyline" width="100%" height="{}" role="img" aria-label="{}">{}{}</svg></div>').format(
        height + 6, label, grid, columns
    )


def heat_map(confusion: Confusion) -> Markup | None:
    """Many classes as a square of cells, wanted downwards and given across, each row shaded by its share.

    Cells show their rows when pointed at; labels are numbered as in the table of labels. None for more labels than can be told apart.
    """
    size = len(confusion.labels)
    if size > MOST_CLASSES_DRAWN:
        return None
    cells = Markup("").join(
        Markup('<rect class="{}" x="{}" y="{}" width="1" height="1" fill-opacity="{:.2f}"><title>{} → {}: {}</title></rect>').format(
            "right" if i == j else "wrong", j, i, 0.2 + 0.8 * rows / sum(line), confusion.wanted[i], confusion.labels[j], count(rows)
        )
        for i, line in enumerate(confusion.matrix)
        for j, rows in enumerate(line)
        if rows
    )
    step = next(one for one in (1, 2, 5, 10, 20, 50) if size / one <= 10)
    marks = Markup("").join(
        Markup(
            '<text x="{p:.2f}%" y="-6" text-anchor="middle">{n}</text><text x="-6" y="{p:.2f}%" dy="4" text-anchor="end">{n}</text>'
        ).format(p=100 * (n - 0.5) / size, n=n)
        for n in [*([1] if step > 2 else []), *range(step, size + 1, step)]
    )
    return Markup(
        '<div class="heat"><svg width="100%" height="100%" role="img" aria-label="Confusion of {0} classes">{1}'
        '<svg viewBox="0 0 {0} {3}" width="100%" height="100%" preserveAspectRatio="none">'
        '<rect class="ground" width="{0}" height="{3}"/>{2}</svg></svg></div>'
    ).format(size, marks, cells, len(confusion.matrix))


def _share(value: float, axis: Sequence[float]) -> float:
    return 100 * (value - axis[0]) / (axis[-1] - axis[0])


def _anchor(at: float, both: bool = False) -> str:
    return "end" if at > 96 else "start" if both and at < 4 else "middle"


def _place(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = high - low or 1.0
    return lambda value: start + (end - start) * (value - low) / span


def _thinned(line: Line) -> Line:
    """At most ``MOST_POINTS`` points; of each bundle the lowest and the highest stay, so that no spike is lost."""
    if len(line.x) <= MOST_POINTS:
        return line
    wide = math.ceil(2 * len(line.x) / MOST_POINTS)
    keep: list[int] = []
    for start in range(0, len(line.x), wide):
        bundle = range(start, min(start + wide, len(line.x)))
        keep += sorted({min(bundle, key=lambda i: line.y[i]), max(bundle, key=lambda i: line.y[i])})
    return Line(line.name, [line.x[i] for i in keep], [line.y[i] for i in keep], line.kind)
