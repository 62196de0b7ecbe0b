"""Proof that a saved model answers as the trained one did: loaded in a fresh process, without our code."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunewright.core.errors import ProofFailed
from tunewright.core.schema import Row
from tunewright.model.predict import Predictor
from tunewright.tasks.base import Answer, text_of

TOLERANCE = 1e-3
"""Largest difference between two probabilities that counts as the same answer; measured ones are about 1e-6 in float32."""

REPORT_IT = "Do not use this model; report it with the recipe and the versions in manifest.json"
CHILD = Path(__file__).with_name("proof_child.py")


def prove(folder: Path, rows: Sequence[Row], trained: Sequence[Answer], pooling: str, multi_label: bool) -> dict[str, Any]:
    """Load ``folder`` in a fresh process with Hugging Face alone and compare its answers with those of the trained model.

    Args:
        folder: the saved model.
        rows: what to ask; at most 64 are needed.
        trained: the answers of the model as it was trained, before saving and merging, parallel to ``rows``.
        pooling: how the model was saved: ``architecture`` (transformers) or ``mean`` (sentence-transformers).
        multi_label: whether probabilities are independent of each other.

    Returns:
        The evidence, for ``metrics.json``.

    Raises:
        ProofFailed: a label or a probability differs, or the model cannot be loaded.
    """
    asked = {
        "texts": [text_of(row["text"]) for row in rows],
        "pairs": [text_of(row["text_pair"]) for row in rows] if rows and "text_pair" in rows[0] else None,
        "pooling": pooling,
        "multi_label": multi_label,
    }
    found = _ask_fresh_process(folder, asked)
    pairs = [(one["probabilities"], other) for one, other in zip(trained, found["probabilities"], strict=True)]
    if strange := next((other for one, other in pairs if set(one) != set(other)), None):
        raise ProofFailed(
            f"the model saved in {folder} has other labels than the trained one: {', '.join(sorted(strange)[:10])}",
            "The names must be the same",
            REPORT_IT,
        )
    close = sum(_distance(one, other) <= TOLERANCE for one, other in pairs)
    largest = max((_distance(one, other) for one, other in pairs), default=0.0)
    same = sum(_top(one) == _top(other) for one, other in pairs)
    proof = {
        "ok": close == len(rows),
        "rows": len(rows),
        "same_labels": same,
        "largest_difference": largest,
        "tolerance": TOLERANCE,
        "loaded_with": found["loaded_with"],
    }
    if close != len(rows):
        raise ProofFailed(
            f"the model saved in {folder} does not answer as the trained one: {len(rows) - close} of {len(rows)} rows differ, "
            f"by {largest:.2g} at most",
            f"Differences up to {TOLERANCE} are allowed",
            REPORT_IT,
        )
    return proof


def prove_batching(predictor: Predictor, rows: Sequence[Row]) -> dict[str, Any]:
    """Compare the answers of batches of one with those of batches of many.

    Raises:
        ProofFailed: they differ.
    """
    many = list(predictor.stream(rows))
    alone = Predictor(predictor.model, predictor.tokenizer, predictor.task, predictor.max_tokens, batch_size=1)
    one = list(alone.stream(rows))
    largest = max((_distance(a["probabilities"], b["probabilities"]) for a, b in zip(many, one, strict=True)), default=0.0)
    if largest > TOLERANCE:
        raise ProofFailed(
            f"a row alone and in a batch get different answers, by {largest:.2g} at most",
            f"Differences up to {TOLERANCE} are allowed",
            "The model mixes the rows of a batch or reads padding: choose another model.base",
        )
    return {"rows": len(rows), "largest_difference": largest}


def _ask_fresh_process(folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        question, answer = Path(scratch) / "asked.json", Path(scratch) / "answered.json"
        question.write_text(json.dumps(asked))
        done = subprocess.run(
            [sys.executable, "-I", str(CHILD), str(folder), str(question), str(answer)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ProofFailed(
                f"the model saved in {folder} cannot be loaded in a fresh process ({last})",
                "",
                REPORT_IT,
            )
        found: dict[str, Any] = json.loads(answer.read_text())
        return found


def _top(probabilities: dict[str, float]) -> str:
    return max(probabilities, key=lambda name: probabilities[name])


def _distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The largest difference between two answers; infinite where a number is none."""
    gaps = [abs(one[name] - other[name]) for name in one]
    return max((gap if math.isfinite(gap) else math.inf for gap in gaps), default=0.0)
