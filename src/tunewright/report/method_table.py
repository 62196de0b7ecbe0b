"""Runs side by side as a picture: bars for what each costs and gives, over the run that they are held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

PANELS = (
    ("trainable", "trained weights"),
    ("training_memory_bytes", "training memory"),
    ("train_seconds", "training time"),
    ("storage_bytes", "storage per model"),
    ("merged_rows_per_second", "speed, merged"),
    ("attached_rows_per_second", "speed, attached"),
    ("score", "score"),
)
NAMES, BAR, AFTER, LINE, HEAD = 150, 240, 80, 20, 34
"""Pixels: of the run's name, of the longest bar, of the number behind it, of a run, of a panel's title."""
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#222}.title{font-weight:600}.bar{fill:#4878a8}.self{fill:#b0b0b0}"
    ".mark{stroke:#888;stroke-dasharray:3 3}@media(prefers-color-scheme:dark){text{fill:#ddd}}"
)


def svg(found: Mapping[str, Any]) -> str:
    """A picture that stands by itself: a panel for each thing that was measured, a bar for each run, as a share of the reference."""
    panels = [(name, title) for name, title in PANELS if any(name in one["relative"] for one in found["runs"])]
    height = sum(HEAD + LINE * len(found["runs"]) for _ in panels) + 8
    parts, top = [], 0
    for name, title in panels:
        parts.append(_panel(found, name, title, top))
        top += HEAD + LINE * len(found["runs"])
    wide = NAMES + BAR + AFTER
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{height}" viewBox="0 0 {wide} {height}" role="img" '
        f'aria-label="Runs side by side">\n<style>{STYLE}</style>\n{"".join(parts)}</svg>\n'
    )


def _panel(found: Mapping[str, Any], name: str, title: str, top: int) -> str:
    most = max([1.0, *(one["relative"].get(name, 0.0) for one in found["runs"])])
    mark = NAMES + BAR / most
    lines = [
        f'<text class="title" x="0" y="{top + 22}">{escape(title)}, share of {escape(found["reference"])}</text>\n',
        f'<line class="mark" x1="{mark:.1f}" x2="{mark:.1f}" y1="{top + HEAD - 4}" y2="{top + HEAD + LINE * len(found["runs"]) - 4}"/>\n',
    ]
    for at, one in enumerate(found["runs"]):
        y, share = top + HEAD + LINE * at, one["relative"].get(name)
        lines.append(f'<text x="0" y="{y + 11}">{escape(_short(one["run"]))}</text>\n')
        if share is None:
            lines.append(f'<text x="{NAMES}" y="{y + 11}">not measured</text>\n')
            continue
        long, kind = max(1.0, BAR * share / most), "self" if one["run"] == found["reference"] else "bar"
        lines.append(f'<rect class="{kind}" x="{NAMES}" y="{y}" width="{long:.1f}" height="14"/>\n')
        lines.append(f'<text x="{NAMES + long + 6:.1f}" y="{y + 11}">{100 * share:.3g} %</text>\n')
    return "".join(lines)


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def page(found: Mapping[str, Any], table: Sequence[Sequence[str]]) -> str:
    """The table and the picture as one HTML file that needs no network."""
    head, *lines = table
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>\n" for line in lines)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Runs side by side</title>\n'
        "<style>body{font:15px system-ui,sans-serif;margin:2rem}table{border-collapse:collapse;margin-bottom:2rem}"
        "td,th{padding:.3rem .7rem;border-bottom:1px solid #ccc;text-align:left}</style></head>\n"
        f"<body><h1>Runs side by side</h1>\n<table><tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>\n{rows}</table>\n"
        f"{svg(found)}</body></html>\n"
    )
