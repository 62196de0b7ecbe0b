"""Run folders of a model that finds entities: plain ones, and some whose every text tries to break out of the page."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from run_folders import change, score, single

TYPES = ("Person", "Place_of_birth", "Organisation", "Product or service")
SPAN = [("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())]
FOUND = [*SPAN, ("text", pa.string()), ("probability", pa.float64())]


def entities(
    folder: Path, types: tuple[str, ...] = TYPES, rows: int = 200, words: str = "Anna flew from Oslo to the office of ACME"
) -> Path:
    """A run whose model finds most entities, and makes every kind of mistake."""
    single(folder, types, rows=rows)
    rng = Random(4)
    table = [_row(rng, types, words, number) for number in range(rows)]
    lists = {"wanted": pa.list_(pa.struct(SPAN)), "spans": pa.list_(pa.struct(FOUND))}
    columns = {name: [row[name] for row in table] for name in table[0]}
    written = pa.table({name: pa.array(values, lists.get(name)) for name, values in columns.items()})
    pq.write_table(written, folder / "predictions" / "test.parquet")
    counts = {name: {"wanted": 90, "found": 80, "right": 70, "touched": 75} for name in types}
    metrics = json.loads((folder / "metrics.json").read_text())
    test = {name: score(0.8, rows) for name in ("f1", "precision", "recall", "f1_macro", "f1_partial", "exact_rows")}
    test |= {f"{kind}/{name}": score(0.7, rows) for kind in ("f1", "precision", "recall") for name in types}
    change(folder, "metrics.json", test=test, validation=test, entities=counts, confusion=None, baselines=metrics["baselines"])
    change(folder, "data.json", task="token-classification", labels=list(types))
    change(folder, "manifest.json", served={"step": 10, "sha256": "ab" * 32, "by": "f1", "value": 0.8})
    return folder


def hostile_entities(folder: Path) -> Path:
    """Types and texts that try to be markup, turn the page around, or never end."""
    script = "<script>window.broken=1</script>"
    types = (script, '" onmouseover="window.broken=1" x="', "שירות \u202e gnp.exe", "W" * 300)
    return entities(folder, types, 60, f"</mark>{script} מרחבא \u202e {'x' * 3000} nul \x00 end & {{{{ 7 * 7 }}}}")


def _row(rng: Random, types: tuple[str, ...], words: str, number: int) -> dict[str, Any]:
    parts = [*words.split(" "), str(number)]
    text = " ".join(parts * rng.choice((1, 1, 6)))
    wanted = []
    for at in sorted(rng.sample(range(len(parts) - 1), 3)):
        start = len(" ".join(parts[:at])) + (at > 0)
        wanted.append({"start": start, "end": start + len(parts[at]), "label": rng.choice(types)})
    found: list[dict[str, Any]] = []
    for one in wanted:
        kind = rng.choice(["right", "right", "right", "type", "border", "both", "missed", "invented"])
        if kind == "missed":
            continue
        other = types[(types.index(one["label"]) + 1) % len(types)]
        end = min(len(text), one["end"] + 4 * (kind in {"border", "both"}))
        label = other if kind in {"type", "both"} else one["label"]
        found.append({"start": one["start"], "end": end, "label": label, "text": text[one["start"] : end], "probability": rng.random()})
        if kind == "invented":
            last = len(text) - len(parts[-1])
            found.append({"start": last, "end": len(text), "label": other, "text": parts[-1], "probability": rng.random()})
    return {"_file": "letters.jsonl", "_row": number, "text": text, "wanted": wanted, "spans": found}
