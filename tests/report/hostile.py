"""A run whose every text tries to break out of the page."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from run_folders import change, single

SCRIPT = "<script>window.broken=1</script>"
LABELS = (
    f"</style></title>{SCRIPT}",
    '" onmouseover="window.broken=1" x="',
    "שירות לקוחות — חיוב שגוי \u202e gnp.exe",
    "🚚📦 delivery 👩‍👩‍👧‍👦 " + "W" * 300,
    "a|b `c` *d* [e](javascript:window.broken=1) &amp; {{ 7 * 7 }}",
)
FILE = "<img src=x onerror=window.broken=1>.csv"
LONG = "x" * 10_000


def hostile(folder: Path) -> Path:
    """The run folder, written whole."""
    single(folder, LABELS, rows=120, right=0.6)
    path = folder / "predictions" / "test.parquet"
    rows = pq.read_table(path).to_pylist()
    texts = [
        LONG,
        SCRIPT,
        "مرحبا بالعالم " * 40,
        "nul \x00 bell \x07 turned \u202e end",
        "'\"><svg onload=window.broken=1>",
        "line\nbreaks\n" * 50,
    ]
    for index, row in enumerate(rows):
        row |= {"_file": FILE, "text": texts[index % len(texts)]}
    pq.write_table(pa.Table.from_pylist(rows), path)
    shown = [{"file": FILE, "row": row, "text": text} for row, text in enumerate([*texts, "lone \ud800 surrogate"])]
    finding = {"rule": SCRIPT, "severity": '"><b>', "message": LONG, "remedy": SCRIPT, "recipe": f"data.policy.{SCRIPT}: {LONG}"}
    findings = [finding | {"action": "keep", "rows": 3, "shown": shown}]
    source = {
        "name": FILE * 5,
        "format": SCRIPT,
        "encoding": "utf-8",
        "delimiter": "\t",
        "rows": 3,
        "bytes": 9,
        "sha256": "ab" * 32,
        "split": SCRIPT,
    }
    change(folder, "data.json", findings=findings, sources=[source], name=SCRIPT, never_trained={SCRIPT: 2}, columns={"text": SCRIPT})
    change(folder, "manifest.json", name=SCRIPT, command=f"tunewright run '{LONG}' {SCRIPT}", versions={SCRIPT: LONG})
    look = {"when": SCRIPT, "command": LONG, "model": SCRIPT, "rows": 3}
    (folder / "looks.jsonl").write_text(json.dumps(look) + "\n" + json.dumps(look) + "\n", encoding="utf-8")
    (folder / "recipe.yaml").write_text(f"task: text-classification  # </code></pre>{SCRIPT} {LONG}\n", encoding="utf-8")
    return folder
