"""The public data sets that the benchmarks use, as the ``data`` section of a recipe."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SETS: dict[str, dict[str, Any]] = {
    "banking77": {"source": {"train": "banking77/train.jsonl", "test": "banking77/test.jsonl"}},
    "sms_spam": {"source": {"train": "sms_spam/train.jsonl", "test": "sms_spam/test.jsonl"}},
    "ag_news": {"source": {"train": "ag_news/train.jsonl", "validation": "ag_news/validation.jsonl", "test": "ag_news/test.jsonl"}},
    "rotten_tomatoes": {"source": {split: f"rotten_tomatoes/{split}.jsonl" for split in ("train", "validation", "test")}},
    "tweet_eval_emotion": {"source": {split: f"tweet_eval/emotion/{split}.jsonl" for split in ("train", "validation", "test")}},
    "newsgroups20": {"source": {"train": "newsgroups20/train.parquet", "test": "newsgroups20/test.parquet"}},
}
GLUE: dict[str, dict[str, Any]] = {
    "stsb": {
        "source": {split: f"stsb/{split}.jsonl" for split in ("train", "validation", "test")},
        "columns": {"text": "sentence1", "text_pair": "sentence2", "number": "score"},
    },
    "cola": {"source": {"train": "cola/train.jsonl", "test": "cola/validation.jsonl"}},
    "rte": {
        "source": {"train": "rte/train.jsonl", "test": "rte/validation.jsonl"},
        "columns": {"text": "premise", "text_pair": "hypothesis", "label": "label"},
    },
}
"""Sets whose published scores are those of the validation split, the test split being secret: it stands in the place of the test split,
and a validation split is made from train. (Of stsb all three are public.)"""
TASKS = {"stsb": "regression"}
"""Sets that are no classification."""


def data_of(name: str) -> dict[str, Any]:
    """The ``data`` section for a set, with full paths; the folder is named by TUNEWRIGHT_DATA."""
    root = Path(os.environ["TUNEWRIGHT_DATA"])
    section = {**SETS, **GLUE}[name]
    return {**section, "source": {split: str(root / path) for split, path in section["source"].items()}}


def recipe_of(name: str, out: Path, **sections: Any) -> dict[str, Any]:
    """A recipe for a set, defaults untouched but for what ``sections`` puts over them."""
    task = TASKS.get(name, "text-classification")
    return {"task": task, "data": data_of(name), "model": {"base": "embedded"}, "output_dir": str(out), **sections}


def keep(place: Path, results: Sequence[dict[str, Any]], told: str, table: str) -> None:
    """Write results with the day and the machine as JSON, and what is told of them with their table beside it."""
    from tunewright.model.device import machine, precision

    facts = {"measured": datetime.now(UTC).date().isoformat(), "machine": machine(), "precision": precision("auto", "cpu")}
    place.write_text(json.dumps({**facts, "results": results}, indent=1) + "\n")
    place.with_suffix(".md").write_text(f"{told}\n\n{table}\n")
