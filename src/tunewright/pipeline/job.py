"""From a plan and a built model to the job that an engine drives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.chance import seed_for
from tunewright.core.errors import BadConfig, Problem, UserError, hint
from tunewright.pipeline.guarding import guarded
from tunewright.pipeline.plan import Plan, order_of
from tunewright.pipeline.resolve import flat
from tunewright.pipeline.stream import FOLDER, steps_of

if TYPE_CHECKING:
    from torch import nn

    from tunewright.model.build import Built
    from tunewright.pipeline.frozen import Frozen
    from tunewright.train.run import Callback, Job


TRIED_ROWS = 256
"""Validation rows that are scored before a run is begun."""


def try_scores(plan: Plan, model: nn.Module, frozen: Frozen | None) -> None:
    """Find out, before a run is begun, whether its validation rows can be scored: on some of them; where those do not do, on all.

    Raises:
        UserError: there is no score by the name of ``train.best_by``, or a metric of the user's own fails.
    """
    try:
        scorer(plan, frozen, TRIED_ROWS)(model)
    except UserError:
        scorer(plan, frozen)(model)  # a metric may need rows that are not among the few


def scorer(plan: Plan, frozen: Frozen | None = None, most: int | None = None) -> Callable[[nn.Module], dict[str, float]]:
    """A function from a model to its scores on the validation rows, those of the recipe's own metrics and the loss among them.

    Args:
        plan: of the run.
        frozen: the cache of frozen layers.
        most: rows that are looked at, from the whole length of the split; left out, all.
    """
    from tunewright.model.predict import Predictor

    every = max(1, len(plan.validation[0]) // most) if most else 1
    rows = plan.validation[0][::every]
    encoded = (frozen.validation.encoded if frozen else plan.validation[1].encoded)[::every]
    task, recipe, collate = plan.recipe.task, plan.recipe, frozen.validation.collate if frozen else None

    def evaluate(model: nn.Module) -> dict[str, float]:
        assert isinstance(recipe.model.max_tokens, int)
        predictor = Predictor(model, plan.base.tokenizer, task, recipe.model.max_tokens, recipe.evaluate.batch_size, collate=collate)
        outcome = task.outcome(rows, predictor.answers(rows, encoded))
        scores = task.measure(outcome)
        for metric in plan.metrics:
            scores |= metric(outcome)
        wanted = recipe.train.best_by
        if wanted not in scores:
            raise BadConfig(
                [Problem("train.best_by", f"no score on the validation rows is called {wanted!r}. {hint(str(wanted), scores)}")]
            )
        return scores

    return evaluate


def job_of(
    run: Path,
    plan: Plan,
    built: Built,
    scores: Callable[[nn.Module], dict[str, float]],
    checkpoint: Path | None,
    watchers: Sequence[Callback] = (),
    frozen: Frozen | None = None,
    stream: Path | None = None,
) -> Job:
    """All that an engine needs, from a plan and a built model.

    Args:
        run: its folder.
        plan: of the run.
        built: its model.
        scores: from the model to its scores on the validation rows.
        checkpoint: from which it goes on.
        watchers: callbacks beside the usual ones.
        frozen: the cache of frozen layers.
        stream: where it is written down what became of a stream; left out, in the run's folder.
    """
    from tunewright.metrics.classes import higher_is_better
    from tunewright.train.run import Job, compose

    recipe, train, criterion = plan.recipe, plan.recipe.train, plan.recipe.criterion
    assert criterion is not None and train.best_by is not None
    return Job(
        model=built.model,
        pieces=frozen.train.pieces if frozen else plan.train[1].pieces,
        order=order_of(plan),
        collate=frozen.train.collate if frozen else recipe.task.collate(plan.base.tokenizer),
        loss_fn=compose(recipe.task.forward, criterion),
        count=lambda batch: criterion.count(batch["labels"]),
        evaluate=scores,
        best_by=train.best_by,
        higher_is_better=higher_is_better(train.best_by),
        settings=train,
        callbacks=[*_callbacks(run, plan), *watchers],
        **guarded(recipe, *plan.train),
        folder=run / "checkpoints",
        seed=seed_for(recipe.seed, "train"),
        head_weights=built.head_weights,
        rate_factors=built.rate_factors,
        before_step=built.before_step,
        resume=checkpoint,
        identity=_identity(plan),
        watch=recipe.task.watch if _watches(plan) else None,
        stream=(lambda position: steps_of(stream or run / FOLDER, plan, position)) if recipe.data.streaming else None,
    )


def _watches(plan: Plan) -> bool:
    """Whether it is kept what the steps make of each row."""
    recipe = plan.recipe
    return recipe.task.watched and recipe.train.watch_rows and not recipe.data.streaming


def _identity(plan: Plan) -> dict[str, Any]:
    """What a run must go on with: every setting that decides what it computes, and the data. The engine adds ``train`` and ``guards``."""
    told = flat(plan.recipe.model_dump(mode="json", exclude={"name", "output_dir", "trackers", "train", "guards"}))
    told.pop("data.streaming.workers", None)  # they give the same rows in the same order, sooner
    return {**told, "fingerprint of the data": plan.dataset.fingerprint}


def _callbacks(run: Path, plan: Plan) -> list[Callback]:
    from tunewright.review import dynamics
    from tunewright.train.callbacks.clock import Clock
    from tunewright.train.callbacks.early_stop import EarlyStop
    from tunewright.train.callbacks.journal import Journal, RowJournal
    from tunewright.train.callbacks.progress import Progress
    from tunewright.train.callbacks.signals import Signals

    train = plan.recipe.train
    assert train.best_by is not None
    for tracker in plan.recipe.trackers:
        tracker.describe(run.name, str(run), flat(plan.recipe.model_dump(mode="json", exclude={"trackers"})))
    patience = [EarlyStop(patience=train.early_stopping)] if train.early_stopping else []
    watch = [RowJournal(path=run / dynamics.FILE)] if _watches(plan) else []
    clock = Clock(save_minutes=train.save_minutes, stop_after_minutes=train.stop_after_minutes)
    return [Signals(), clock, *patience, Journal(path=run / "events.jsonl"), *watch, Progress(best_by=train.best_by), *plan.recipe.trackers]
