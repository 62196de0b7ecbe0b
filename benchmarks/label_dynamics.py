"""What a training adds to the ranking of wrong labels: banking77 with 5 % of its labels flipped, trained with the defaults.

Usage: TUNEWRIGHT_DATA=... python -m benchmarks.label_dynamics RESULT.json

The labels are flipped as in ``benchmarks/label_noise.py``, with its first seed. Average precision of the flipped training rows: by the
other rows alone (the rule), by the mean margin of the training alone, and by both, as ``review labels --run`` ranks them, with other
weights beside the one that is used.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import label_noise
from benchmarks.sets import keep

SHARE = 0.05
WEIGHTS = (0.1, 0.2, 0.3, 0.5)


def main(result: str) -> None:
    """Measure both kinds of flips, write the numbers and the table."""
    rows = [json.loads(line) for line in (label_noise.data() / "banking77" / "train.jsonl").read_text().splitlines()]
    texts, names = [row["text"] for row in rows], sorted({row["label"] for row in rows})
    clean = np.array([names.index(row["label"]) for row in rows])
    kinds = {"any other class": None, "one of 3 alike, by words": label_noise.by_words(texts, clean)}
    found = []
    for kind, alike in kinds.items():
        labels = label_noise.flipped(clean, alike, SHARE, label_noise.SEEDS[0])
        with tempfile.TemporaryDirectory() as folder:
            scores = ranked(Path(folder), texts, [names[label] for label in labels], labels != clean)
        found.append({"flipped to": kind, "average_precision": scores})
        print(json.dumps(found[-1]), flush=True)
    told = (
        f"Made by `python -m benchmarks.label_dynamics {result}`.\n\n"
        f"banking77 train, {SHARE:.0%} of the labels flipped, seed {label_noise.SEEDS[0]}; average precision among the training rows."
    )
    keep(Path(result), found, told, table(found))


def ranked(folder: Path, texts: list[str], labels: list[str], bad: np.ndarray) -> dict[str, float]:
    """Average precision by ranking, over the training rows of a run."""
    from tunewright.core.folder import read_json, read_lines
    from tunewright.data.dataset import Dataset
    from tunewright.pipeline import review
    from tunewright.pipeline.recipe import build
    from tunewright.pipeline.train import train
    from tunewright.review import dynamics

    rows = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
    recipe: dict[str, Any] = {
        "task": "text-classification",
        "data": {"source": rows},
        "model": {"base": "embedded"},
        "output_dir": str(folder),
    }
    run = train(build(recipe), folder, "flipped", "benchmarks.label_dynamics")
    dataset = Dataset.open(Path(read_json(run / "data.json")["folder"]))
    table, split = review._rows(dataset, ["train"])
    judged = review._rule(dataset).judged(review._looked(dataset, table, split, folder / "datasets"))
    assert judged is not None
    learned = dynamics.dynamics(read_lines(run / dynamics.FILE), len(table)).of(judged.rows)
    flipped = bad[table["_row"].to_numpy()[judged.rows]]
    scores = {"the other rows": judged.score, "the training's margin": -learned.margin}
    scores |= {f"both, weight {weight}": dynamics.doubted(judged.score, learned, weight) for weight in WEIGHTS}
    return {name: round(label_noise.average_precision(flipped, score), 4) for name, score in scores.items()}


def table(found: list[dict[str, Any]]) -> str:
    """The numbers as Markdown."""
    names = list(found[0]["average_precision"])
    lines = [f"| flipped to | {' | '.join(names)} |", f"| --- | {' | '.join('---' for _ in names)} |"]
    for one in found:
        lines.append(f"| {one['flipped to']} | {' | '.join(f'{score:.3f}' for score in one['average_precision'].values())} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
