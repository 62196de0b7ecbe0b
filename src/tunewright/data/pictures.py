"""The pictures of a dataset card, as SVG files of their own: what became of the rows, and how many have each label.

A card is shown by others, beside words of their choosing: a picture has a ground of its own, and letters that a telephone can show.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tunewright.core.schema import SPLITS

WIDE = 480
"""Of a picture, in pixels."""
MOST_BARS = 24
"""Labels that get a bar each; more are drawn as one skyline."""
_EDGE, _LINE, _NAMES, _NUMBERS, _SKY = 16, 22, 178, 58, 130
_COLOURS = {"train": "#0b665e", "validation": "#6aa39e", "test": "#b9d3d0", "removed": "#9a3b0a"}
_INK, _QUIET, _RULE, _GROUND = "#1c1f23", "#5a6068", "#e2dfd8", "#fbfaf7"
_LETTERS = "font-family='system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif' font-size='13'"
_NAME_LETTERS, _LEGEND_LETTER = 24, 7.2
"""Letters of a name that fit beside its bar, and pixels of a letter, roughly."""


def pictures(summary: Mapping[str, Any]) -> dict[str, str]:
    """File name -> SVG: ``rows.svg``, and ``labels.svg`` where rows have labels. The same summary gives the same bytes.

    Args:
        summary: what was read, removed, found and split.
    """
    drawn = {"rows.svg": _rows(summary)}
    counts = label_counts(summary)
    if counts:
        drawn["labels.svg"] = _labels(counts) if len(counts) <= MOST_BARS else _skyline(counts)
    return drawn


def label_counts(summary: Mapping[str, Any]) -> list[tuple[str, list[int]]]:
    """Each label with its rows in train, validation and test, the most frequent first. Blanks that cannot be seen are shown."""
    found = [summary["splits"][split]["labels"] for split in SPLITS]
    names = dict.fromkeys(name for labels in found for name in labels)
    counts = [(_edged(name), [labels.get(name, 0) for labels in found]) for name in names]
    return sorted(counts, key=lambda pair: (-sum(pair[1]), pair[0]))


def _rows(summary: Mapping[str, Any]) -> str:
    """One bar for all rows read, and one for each rule that took some away, drawn to the longest of these."""
    rows = summary["rows"]
    whole = [(split, summary["splits"][split]["rows"]) for split in SPLITS] + [("removed", rows["quarantined"])]
    title = f"{rows['read']:,} rows read: {rows['kept']:,} kept, {rows['quarantined']:,} removed"
    height = _EDGE + 14.0
    parts = [_text(_EDGE, height, title, weight=600)]
    parts += _stacked([(name, count) for name, count in whole if count], _EDGE, height + 12, WIDE - 2 * _EDGE, max(rows["read"], 1), 20)
    legend, height = _legend(whole, height + 56)
    parts += legend
    removed = sorted(rows["by_rule"].items(), key=lambda pair: (-pair[1], pair[0]))
    most = max((count for _, count in removed), default=1)
    for rule, count in removed:
        height += _LINE + (10 if rule == removed[0][0] else 0)
        parts += _bar(rule, [("removed", count)], height, most, f"{count:,}")
    return _picture(parts, height + _EDGE, title)


def _labels(counts: Sequence[tuple[str, list[int]]]) -> str:
    title = f"Rows of {len(counts)} label{'s' * (len(counts) != 1)}"
    most = max(sum(rows) for _, rows in counts) or 1
    sums = [sum(rows[at] for _, rows in counts) for at in range(len(SPLITS))]
    height = _EDGE + 14.0
    parts = [_text(_EDGE, height, title, weight=600)]
    legend, height = _legend(list(zip(SPLITS, sums, strict=True)), height + 24)
    parts += legend
    height += 10
    for name, rows in counts:
        height += _LINE
        parts += _bar(name, list(zip(SPLITS, rows, strict=True)), height, most, f"{sum(rows):,}")
    return _picture(parts, height + _EDGE, title)


def _skyline(counts: Sequence[tuple[str, list[int]]]) -> str:
    """Many labels as columns side by side, the most rows first; the first and the last are named."""
    ordered = sorted(((sum(rows), name) for name, rows in counts), key=lambda pair: (-pair[0], pair[1]))
    most, wide = ordered[0][0] or 1, (WIDE - 2 * _EDGE - _NUMBERS) / len(ordered)
    title = f"Rows of {len(ordered)} labels, most rows first"
    top, left = _EDGE + 34, _EDGE + _NUMBERS
    parts = [_text(_EDGE, _EDGE + 14, title, weight=600)]
    for share in (0, 0.5, 1):
        y = top + _SKY * (1 - share)
        parts += [f"<line x1='{left}' x2='{WIDE - _EDGE}' y1='{y:.1f}' y2='{y:.1f}' stroke='{_RULE}'/>"]
        parts += [_text(left - 8, y + 4, f"{share * most:,.0f}", "end", _QUIET)]
    for at, (rows, name) in enumerate(ordered):
        tall = _SKY * rows / most
        parts.append(
            f"<rect x='{left + at * wide:.2f}' y='{top + _SKY - tall:.2f}' width='{max(0.82 * wide, 0.4):.2f}' height='{tall:.2f}' "
            f"fill='{_COLOURS['train']}'><title>{_safe(name)}: {rows:,}</title></rect>"
        )
    (highest, first), (lowest, last) = ordered[0], ordered[-1]
    bottom = top + _SKY + _LINE
    parts += [_text(left, bottom, f"{_short(first)}: {highest:,}", colour=_QUIET)]
    parts += [_text(WIDE - _EDGE, bottom + _LINE, f"{_short(last)}: {lowest:,}", "end", _QUIET)]
    return _picture(parts, bottom + _LINE + _EDGE, title)


def _legend(parts: Sequence[tuple[str, int]], y: float) -> tuple[list[str], float]:
    """What each colour means, in as many lines as it takes; and where the last line stands."""
    drawn, x = [], float(_EDGE)
    for name, count in parts:
        told = f"{name} {count:,}"
        wide = 18 + _LEGEND_LETTER * len(told) + 14
        if x > _EDGE and x + wide > WIDE - _EDGE:
            x, y = float(_EDGE), y + 20
        drawn.append(f"<rect x='{x:.0f}' y='{y - 10:.0f}' width='11' height='11' rx='2' fill='{_COLOURS[name]}'/>")
        drawn.append(_text(x + 18, y, told, colour=_QUIET))
        x += wide
    return drawn, y


def _bar(name: str, parts: Sequence[tuple[str, int]], y: float, most: int, told: str) -> list[str]:
    """A line of the picture: a name, its bar, its number."""
    left = _EDGE + _NAMES
    wide = WIDE - _EDGE - _NUMBERS - left
    return [
        f"<g><title>{_safe(name)}</title>{_text(_EDGE, y, _short(name))}</g>",
        *_stacked([part for part in parts if part[1]], left, y - 11, wide, most, 13),
        _text(WIDE - _EDGE, y, told, "end", _QUIET),
    ]


def _stacked(parts: Sequence[tuple[str, int]], x: float, y: float, wide: float, whole: int, tall: int) -> list[str]:
    """One bar of several colours; what is too little to be seen is drawn as thin as can be."""
    drawn = []
    for name, count in parts:
        long = max(wide * count / whole, 0.8)
        drawn.append(f"<rect x='{x:.2f}' y='{y:.1f}' width='{long:.2f}' height='{tall}' fill='{_COLOURS[name]}'/>")
        x += wide * count / whole
    return drawn


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = _INK, weight: int = 400) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{colour}' font-weight='{weight}'>{_safe(text)}</text>"


def _picture(parts: Sequence[str], height: float, title: str) -> str:
    body = "\n".join(parts)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDE} {height:.0f}' width='{WIDE}' height='{height:.0f}' role='img' "
        f"aria-label={quoteattr(title)} {_LETTERS}>\n<rect width='{WIDE}' height='{height:.0f}' rx='6' fill='{_GROUND}'/>\n{body}\n</svg>\n"
    )


def _edged(name: str) -> str:
    """A label with its outer blanks, and with several in a row, as signs."""
    return re.sub(r"^\s+|\s+$|\s{2,}", lambda blanks: "␣" * len(blanks[0]), name)


def _short(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= _NAME_LETTERS else f"{name[: _NAME_LETTERS - 1].rstrip()}…"


def _safe(text: str) -> str:
    """A text as XML can hold it; a sign that it cannot hold is replaced."""
    return escape("".join(sign if sign.isprintable() else "\ufffd" for sign in " ".join(text.split())))
