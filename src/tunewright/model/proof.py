"""Proof that a saved model answers as the trained one did: loaded in a fresh process, without our code."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunewright.core.errors import ProofFailed
from tunewright.core.schema import Row
from tunewright.model.predict import Predictor
from tunewright.tasks.base import Answer

TOLERANCE = 1e-3
"""Largest difference between two answers (of a probability, say) that counts as none; measured ones are about 1e-6 in float32."""

REPORT_IT = "Do not use this model; report it with the recipe and the versions in manifest.json"
CHILD = Path(__file__).with_name("proof_child.py")


def prove(folder: Path, specialist: Predictor, rows: Sequence[Row], trained: Sequence[Answer], pooling: str) -> dict[str, Any]:
    """Load ``folder`` in a fresh process with Hugging Face alone and compare its answers with those of the trained model.

    Args:
        folder: the saved model.
        specialist: the same, loaded by us: its task says what is asked and how answers are compared.
        rows: what to ask; at most 64 are needed.
        trained: the answers of the model as it was trained, before saving and merging, parallel to ``rows``.
        pooling: how the model was saved: ``architecture`` (transformers) or ``mean`` (sentence-transformers).

    Returns:
        The evidence, for ``metrics.json``.

    Raises:
        ProofFailed: an answer differs, or the model cannot be loaded.
    """
    task, tokenizer, limit = specialist.task, specialist.tokenizer, specialist.max_tokens
    found = _ask_fresh_process(folder, {"how": task.proof, "pooling": pooling, **task.asked(rows, limit)})
    encoded = task.encode(rows, tokenizer, limit)
    heard = [task.heard(told, row, one, tokenizer) for told, row, one in zip(found["answers"], rows, encoded, strict=True)]
    gaps = [task.difference(one, other) for one, other in zip(trained, heard, strict=True)]
    close, largest = sum(gap <= TOLERANCE for gap in gaps), max(gaps, default=0.0)
    if close != len(rows):
        by = f"by {largest:.2g} at most" if math.isfinite(largest) else "some beyond comparison, as with other labels or no number"
        raise ProofFailed(
            f"the model saved in {folder} does not answer as the trained one: {len(rows) - close} of {len(rows)} rows differ, {by}",
            f"Differences up to {TOLERANCE} are allowed",
            REPORT_IT,
        )
    return {
        "ok": True,
        "rows": len(rows),
        "same_labels": sum(task.agrees(one, other) for one, other in zip(trained, heard, strict=True)),
        "largest_difference": largest,
        "tolerance": TOLERANCE,
        "loaded_with": found["loaded_with"],
    }


def prove_batching(predictor: Predictor, rows: Sequence[Row]) -> dict[str, Any]:
    """Compare the answers of batches of one with those of batches of many.

    Raises:
        ProofFailed: they differ.
    """
    many = list(predictor.stream(rows))
    alone = Predictor(predictor.model, predictor.tokenizer, predictor.task, predictor.max_tokens, batch_size=1)
    largest = max((predictor.task.difference(a, b) for a, b in zip(many, alone.stream(rows), strict=True)), default=0.0)
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
