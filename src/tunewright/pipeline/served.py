"""The end of a training run: the best checkpoint is saved, proved, and only then served."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import ProofFailed
from tunewright.core.folder import file_hash, writable, write_json
from tunewright.core.log import say
from tunewright.core.schema import Row
from tunewright.model.methods import METHODS
from tunewright.pipeline import runs
from tunewright.pipeline.guarding import sightings
from tunewright.pipeline.plan import Plan

if TYPE_CHECKING:
    from torch import nn

    from tunewright.model.build import Built
    from tunewright.model.device import Watch
    from tunewright.pipeline.frozen import Frozen
    from tunewright.train.run import Run

PROOF_ROWS = 64


@dataclass(frozen=True)
class Ready:
    """A loaded model, and what training it needs beside the plan."""

    built: Built
    frozen: Frozen | None
    scores: Callable[[nn.Module], dict[str, float]]
    memory: Watch
    """From when the model was loaded."""


def save_best(run: Path, plan: Plan, done: Run, ready: Ready) -> None:
    """Put the best checkpoint's weights back, save the model complete, prove it, and only then give it the name that is served."""
    try:
        proof = _save_and_prove(run, plan, done)
    except ProofFailed:
        runs.update(run, {"status": runs.FAILED, "ended": runs.now()})
        raise
    for name in ("adapter", "model"):
        _give_its_name(run / name)
    place = next(name for name in runs.WEIGHTS if (run / name).is_file())
    weights = file_hash(run / place)
    write_json(run / "metrics.json", {"guards": sightings(run), "efficiency": _efficiency(run, plan, done, ready), "proof": proof})
    best = plan.recipe.train.best_by
    runs.update(
        run,
        {
            "status": "trained",
            "ended": runs.now(),
            "served": {"step": done.best_step, "weights": place, "sha256": weights, "by": best, "value": done.best_score},
        },
    )
    say(
        f"Serving checkpoint {done.best_step} of {done.step} steps ({best} {done.best_score:.4f} on validation), "
        f"weights sha256 {weights[:12]}; proved on {proof['rows']} rows"
    )


def _save_and_prove(run: Path, plan: Plan, done: Run) -> dict[str, Any]:
    """The evidence; the model stands in ``model.unproved/``, which nothing serves."""
    from tunewright.model.build import save
    from tunewright.model.predict import Predictor
    from tunewright.model.proof import prove, prove_batching, prove_merging
    from tunewright.model.quantize import quantised
    from tunewright.tasks import TASKS
    from tunewright.train.checkpoint import load_weights

    recipe, method = plan.recipe, plan.recipe.method
    limit = recipe.model.max_tokens
    assert isinstance(limit, int)
    load_weights(done.model, run / "checkpoints" / f"checkpoint-{done.best_step}")
    trained = Predictor(done.model, plan.base.tokenizer, recipe.task, limit, recipe.evaluate.batch_size)
    rows, encoded = plan.validation
    answers = trained.answers(rows, encoded.encoded)
    task = recipe.task.tuned(recipe.task.outcome(rows, answers)).settled(done.model)
    half, adapter = run / f"model{runs.UNPROVED}", run / f"adapter{runs.UNPROVED}"
    some: Sequence[Row] = rows[:PROOF_ROWS]
    known, merging = answers[: len(some)], {}
    with writable(adapter):
        method.save_adapter(done.model, adapter)
    plain = method.merge(done.model)
    beside = None if method.merges else (METHODS.spec(method), adapter)
    if method.merges and METHODS.name_of(method) != "full":
        one = Predictor(plain, plan.base.tokenizer, task, limit, recipe.evaluate.batch_size)
        merging = {"merging": prove_merging(one, some, known, recipe.model.precision, quantised(recipe.model, method))}
        known = one.answers(some, encoded.encoded[: len(some)])
    roles = [role.name for role in task.roles() if role.name in rows[0]]
    plan.base.tokenizer("", truncation=True, max_length=limit)  # it saves how it cut last, which was never where rows came from the cache
    save(plain, half, plan.base.tokenizer, task, TASKS.spec(task), recipe.model, limit, roles, beside)
    say("Proving the saved model in a fresh process")
    saved = Predictor.load(half)
    proof = prove(half, saved, some, known, recipe.model.pooling)
    return {**proof, "batch_of_one": prove_batching(saved, some), **merging}


def _give_its_name(artefact: Path) -> None:
    half = artefact.with_name(artefact.name + runs.UNPROVED)
    if half.is_dir():
        shutil.rmtree(artefact, ignore_errors=True)  # a kill came between this name and the manifest, and the run went on
        half.replace(artefact)


def _efficiency(run: Path, plan: Plan, done: Run, ready: Ready) -> dict[str, Any]:
    from tunewright.model.device import peak_memory

    train, frozen = plan.recipe.train, ready.frozen
    seen = done.step * train.batch_size if plan.recipe.data.streaming else done.epoch * len(plan.train[0])
    return {
        "train_seconds": round(done.seconds + (frozen.seconds if frozen else 0), 2),
        "rows_per_second": round(seen / done.seconds, 2) if done.seconds else None,
        "steps": done.step,
        "epochs": round(done.epoch, 3),
        "tokens": done.tokens,
        "peak_memory_bytes": peak_memory(),
        "training_memory_bytes": ready.memory.growth,
        "training_processor_seconds": round(ready.memory.processor_seconds, 2),
        "model_bytes": _size(run / "model"),
        **({"adapter_bytes": _size(run / "adapter")} if (run / "adapter").is_dir() else {}),
        **({"frozen_cache_bytes": frozen.bytes, "frozen_cache_seconds": round(frozen.seconds, 2)} if frozen else {}),
    }


def _size(folder: Path) -> int:
    """Bytes of all files in it."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
