"""The public data sets that the benchmarks use, as the ``data`` section of a recipe."""

from __future__ import annotations

import os
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


def data_of(name: str) -> dict[str, Any]:
    """The ``data`` section for a set, with full paths; the folder is named by TUNEWRIGHT_DATA."""
    root = Path(os.environ["TUNEWRIGHT_DATA"])
    section = SETS[name]
    return {**section, "source": {split: str(root / path) for split, path in section["source"].items()}}


def recipe_of(name: str, out: Path, **sections: Any) -> dict[str, Any]:
    """A recipe for a set, defaults untouched but for what ``sections`` puts over them."""
    return {"task": "text-classification", "data": data_of(name), "model": {"base": "embedded"}, "output_dir": str(out), **sections}
