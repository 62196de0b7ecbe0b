"""STS-B, CoLA and RTE with the defaults untouched, beside published scores: a pair of texts rated, a text and a pair classified.

Usage: TUNEWRIGHT_DATA=... python -m benchmarks.glue RESULT_JSON [SET ...]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from benchmarks.sets import GLUE, keep, recipe_of

SCORES = {"stsb": ("pearson", "spearman", "root_mean_squared_error"), "cola": ("mcc", "accuracy"), "rte": ("accuracy", "f1_macro")}
PUBLISHED = {
    "stsb": "test: all-MiniLM-L6-v2 Spearman about 0.820 without training on it (m); validation: DistilBERT 0.869 (m)",
    "cola": "validation, MCC: BERT-base 0.589, MiniLM-L12 0.585 (v), DistilBERT 0.513 (m)",
    "rte": "validation, accuracy: BERT-base 0.686, MiniLM-L12 0.733 (v), DistilBERT 0.599 (m)",
}
"""(v): read in a published page, the card of microsoft/MiniLM-L12-H384-uncased; (m): from memory of the named paper or card. These
models are two to five times as large as the packaged encoder, but for the first."""


def measure(name: str, out: Path) -> dict[str, Any]:
    """One whole run in a process of its own, from the table to the report."""
    recipe = out / f"{name}.yaml"
    recipe.write_text(yaml.safe_dump(recipe_of(name, out)))
    program = "from tunewright.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program, "run", str(recipe), "--json"], stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout)
    metrics, data = told["metrics"], json.loads((Path(told["run"]) / "data.json").read_text())
    baselines = metrics["baselines"]
    return {
        "set": name,
        "train": data["splits"]["train"]["rows"],
        "removed": data["rows"]["by_rule"],
        "scored": "test" if name == "stsb" else "the published validation split",
        "test": {score: metrics["test"][score] for score in SCORES[name]},
        "validation": {score: metrics["validation"][score] for score in SCORES[name]},
        "tfidf": {score: baselines["tfidf"].get(score) for score in SCORES[name]},
        "train_seconds": metrics["efficiency"]["train_seconds"],
        "proof": metrics["proof"]["largest_difference"],
    }


def table(results: list[dict[str, Any]]) -> str:
    """The results as a Markdown table."""
    names = ["set", "training rows", "scored on", "score", "ours", "TF-IDF", "published"]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for one in results:
        for score, found in one["test"].items():
            cells = [one["set"], f"{one['train']:,}", f"{one['scored']}, {found['rows']:,} rows", score.replace("_", " ")]
            lines.append("| " + " | ".join([*cells, _shown(found), _shown(one["tfidf"][score]), PUBLISHED[one["set"]]]) + " |")
    return "\n".join(lines)


def _shown(score: dict[str, float] | None) -> str:
    return "none" if score is None else f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


def main(result: str, *names: str) -> None:
    """Measure the named sets (all three when none is named) and add them to a result file, with the table beside it."""
    place = Path(result)
    kept = json.loads(place.read_text())["results"] if place.exists() else []
    for name in names or GLUE:
        with tempfile.TemporaryDirectory() as out:
            found = measure(name, Path(out))
        kept = [one for one in kept if one["set"] != name] + [found]
        told = f"Made by `python -m benchmarks.glue {result}`, packaged encoder; in brackets 95 % bootstrap intervals over the rows."
        keep(place, kept, told, table(kept))
        print(table([found]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
