"""The verb ``train``: a recipe becomes a run with a saved, proved model; or a stopped run goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.chance import seed_for
from tunewright.core.errors import BadConfig, DiskFull, Interrupted, Problem, ProofFailed, Terminated, UserError, hint
from tunewright.core.folder import file_hash, locked, read_json, writable, write_json, write_text
from tunewright.core.log import calm_libraries, say
from tunewright.core.schema import Row
from tunewright.model.methods import METHODS
from tunewright.pipeline import runs
from tunewright.pipeline.ahead import Found, Measure, find_all
from tunewright.pipeline.data import cache_folder, rows_of, truncation
from tunewright.pipeline.frozen import frozen_states, plan_bytes
from tunewright.pipeline.guarding import guarded, sightings
from tunewright.pipeline.prepare import prepare
from tunewright.pipeline.recipe import Recipe, read
from tunewright.pipeline.resolve import Reasons, flat, max_tokens, resolve, written
from tunewright.pipeline.stream import finish, steps_of, with_steps, with_stream

if TYPE_CHECKING:
    from torch import nn

    from tunewright.data.dataset import Dataset
    from tunewright.data.encode import EncodedRows
    from tunewright.model.base import Base
    from tunewright.model.build import Built
    from tunewright.model.device import Watch
    from tunewright.pipeline.frozen import Frozen
    from tunewright.tasks.base import Task
    from tunewright.train.run import Callback, Job, Run
    from tunewright.train.settings import TrainSettings

PROOF_ROWS = 64


@dataclass(frozen=True)
class Plan:
    """All that is known before the weights are loaded."""

    asked: Recipe
    recipe: Recipe
    reasons: Reasons
    dataset: Dataset
    base: Base
    train: tuple[list[Row], EncodedRows]
    validation: tuple[list[Row], EncodedRows]
    metrics: tuple[Measure, ...]
    why_tokens: str
    where: Path
    """The recipe's folder."""
    epoch_rows: int | None = None
    """Training rows of a pass over the source of a stream, where they were counted."""


def train(recipe: Recipe, where: Path, stem: str, command: str, overwrite: bool = False) -> Path:
    """Prepare the data, train, save and prove. The test split is not opened.

    Args:
        recipe: as the user has it.
        where: the recipe's folder; relative paths are looked for there.
        stem: names the run when the recipe does not.
        command: as the user gave it, for the manifest.
        overwrite: whether a run of this name may be thrown away.

    Returns:
        The run folder.

    Raises:
        UserError: anything that the user can mend, before the weights are loaded where that can be.
        DataRefused, Diverged, ProofFailed, Interrupted, Terminated: each with its exit status.
    """
    from tunewright.model.device import give_back
    from tunewright.pipeline.room import make_sure

    calm_libraries()
    _one_process()
    runs.may_claim(recipe, overwrite)
    found = find_all(recipe, where)  # before the first row is read: preparing the data may take hours
    plan = make_plan(recipe, where, prepare(recipe, where, locked=True), found)
    make_sure(plan, overwrite)
    ready = _ready(plan)
    ready.scores(ready.built.model)  # a score by that name, and metrics of the user's own, fail here: no run is begun, no epoch is lost
    give_back()
    run = runs.claim(plan.asked, stem, overwrite)
    with runs.begun(run):
        runs.begin(run, plan.recipe, where, command)
        write_text(run / "recipe.yaml", written(plan.recipe, plan.asked, plan.reasons))
        write_json(run / "data.json", data_facts(plan))
        _fit_and_save(run, plan, ready, None)
    return run


def resume(run: Path) -> Path:
    """Go on with a run that was stopped, from its newest whole checkpoint.

    Raises:
        UserError: the run is finished, another process writes it, its dataset is gone, or its recipe or data were changed since.
        Diverged, ProofFailed, Interrupted, Terminated: each with its exit status.
    """
    calm_libraries()
    _one_process()
    with locked(run):
        manifest = read_json(run / "manifest.json")
        if manifest["status"] == runs.FAILED:
            runs.served(run)
        if manifest["status"] != "training":
            raise UserError(f"the run {run} is finished", "Only a run that was stopped can go on", f"Measure it: tunewright evaluate {run}")
        _go_on(run, manifest)
    return run


def _go_on(run: Path, manifest: dict[str, Any]) -> None:
    from tunewright.data.dataset import Dataset
    from tunewright.train.checkpoint import latest, step_of

    checkpoint = latest(run / "checkpoints")
    recipe = read(run / "recipe.yaml")
    facts = read_json(run / "data.json")
    dataset = Dataset.open(Path(facts["folder"])).learned_by(recipe.task)
    dataset.verify(locked=True)
    plan = make_plan(recipe, Path(manifest["recipe_folder"]), dataset)
    if checkpoint is None:
        say(f"{run} holds no whole checkpoint: it begins again with step 1")
    else:
        say(f"Going on with {run} from step {step_of(checkpoint)}")
    _fit_and_save(run, plan, _ready(plan), checkpoint)


def make_plan(recipe: Recipe, where: Path, dataset: Dataset, found: Found | None = None) -> Plan:
    """Encode the rows and decide every ``auto``; reads no weights and no test row.

    Args:
        recipe: as the user has it.
        where: the recipe's folder.
        dataset: what was prepared of it.
        found: what ``find_all`` gave; left out, it is looked for here.
    """
    from tunewright.data.encode import encode
    from tunewright.model.device import device

    base, metrics = (found := found or find_all(recipe, where)).base, found.metrics
    task = dataset.task
    rows, held_out = rows_of(dataset.rows("train")), rows_of(dataset.rows("validation"))
    tokens = max_tokens(recipe, base, task, rows)
    _suits(recipe, base, task, tokens[0])
    resolved, reasons = resolve(recipe, base, task, tokens, device(), where)
    resolved, reasons, epoch_rows = with_steps(resolved, reasons, where, dataset)
    cache = cache_folder(recipe)
    plan = Plan(
        recipe,
        resolved,
        reasons,
        dataset,
        base,
        (rows, encode(rows, task, base.tokenizer, tokens[0], cache)),
        (held_out, encode(held_out, task, base.tokenizer, tokens[0], cache)),
        metrics,
        tokens[1],
        where,
        epoch_rows,
    )
    plan_bytes(plan)
    return plan


def _suits(recipe: Recipe, base: Base, task: Task, limit: int) -> None:
    """Hold the method against the base that was found."""
    from tunewright.model.size import size_without_weights

    recipe.method.suits(base.config, limit, base.longest)
    if recipe.method.by_parts:
        size_without_weights(base, recipe.model, task, recipe.method)


def data_facts(plan: Plan) -> dict[str, Any]:
    """``data.json``: what was read, removed, found, split, and cut in the splits that training sees."""
    limit = plan.recipe.model.max_tokens
    assert isinstance(limit, int)
    splits = {"train": (plan.train[0], plan.train[1].encoded), "validation": (plan.validation[0], plan.validation[1].encoded)}
    summary = plan.dataset.summary()
    return {
        **summary,
        "folder": str(Path(summary["folder"]).resolve()),
        "history": plan.dataset.manifest.get("history", []),
        "truncation": truncation(plan.recipe.task, splits, limit, plan.why_tokens),
    }


def scorer(plan: Plan, frozen: Frozen | None = None) -> Callable[[nn.Module], dict[str, float]]:
    """A function from a model to its scores on the validation rows, those of the recipe's own metrics and the loss among them."""
    from tunewright.model.predict import Predictor

    rows, encoded = plan.validation[0], frozen.validation.encoded if frozen else plan.validation[1].encoded
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


@dataclass(frozen=True)
class Ready:
    """A loaded model, and what training it needs beside the plan."""

    built: Built
    frozen: Frozen | None
    scores: Callable[[nn.Module], dict[str, float]]
    memory: Watch
    """From when the model was loaded."""


def _ready(plan: Plan) -> Ready:
    from tunewright.model.build import build
    from tunewright.model.device import Watch, give_back, keep_less, load_whole
    from tunewright.train import engine

    recipe = plan.recipe
    engine(recipe.train.engine)  # its libraries are no part of what training takes
    keep_less(small=plan_bytes(plan) > 0)
    built = build(plan.base, recipe.model, recipe.task, recipe.method, seed_for(recipe.seed, "head"))
    load_whole(built.model)
    memory = Watch()
    frozen = frozen_states(plan, built)
    give_back()
    return Ready(built, frozen, scorer(plan, frozen), memory)


def _fit_and_save(run: Path, plan: Plan, ready: Ready, checkpoint: Path | None) -> None:
    from tunewright.model.size import size_of
    from tunewright.train import engine
    from tunewright.train.guards import chosen

    recipe, facts, built = plan.recipe, read_json(run / "data.json"), ready.built
    size = size_of(built.model)
    runs.update(
        run,
        {
            "model": {
                "base": recipe.model.base,
                "parameters": size.parameters,
                "trainable": size.trainable,
                "method": METHODS.name_of(recipe.method),
                "targets": list(built.targets),
                "max_tokens": recipe.model.max_tokens,
                "pooling": recipe.model.pooling,
            },
            "data": {key: facts[key] for key in ("name", "version", "folder")} | {"fingerprint": plan.dataset.fingerprint},
            "guards": list(chosen(recipe.guards)),
        },
    )
    say(
        f"Training {run.name}: {len(plan.train[0])} rows{' and the stream behind them' if recipe.data.streaming else ''}, "
        f"{recipe.train.precision}"
    )
    say(size.line)
    if built.targets:
        say(f"{METHODS.name_of(recipe.method)} works on {', '.join(built.targets)}")
    with _room_can_be_made(run):
        done = engine(recipe.train.engine)(job_of(run, plan, built, ready.scores, checkpoint, frozen=ready.frozen))
        ready.memory.end()
        if recipe.data.streaming:
            write_json(run / "data.json", with_stream(data_facts(plan), run, plan, done.epoch))
        if done.stop in STOPPED:
            raise STOPPED[done.stop](
                f"{done.stop} at step {done.step} of {done.total_steps}; all that was done is saved",
                "",
                f"Go on with: tunewright train --resume {run}",
            )
        _save_best(run, plan, done, ready)
    if recipe.data.streaming:
        finish(run)


@contextmanager
def _room_can_be_made(run: Path) -> Iterator[None]:
    """Say of a disk that fills up while a run is trained how the run goes on."""
    try:
        yield
    except DiskFull as error:
        if not runs.was_trained(run):
            raise
        raise DiskFull(error.found, "", f"Make room there, then go on with: tunewright train --resume {run}") from error


STOPPED: dict[str, type[UserError]] = {"interrupted": Interrupted, "terminated": Terminated}


def job_of(
    run: Path,
    plan: Plan,
    built: Built,
    scores: Callable[[nn.Module], dict[str, float]],
    checkpoint: Path | None,
    watchers: Sequence[Callback] = (),
    frozen: Frozen | None = None,
) -> Job:
    """All that an engine needs, from a plan and a built model; ``watchers`` are callbacks beside the usual ones."""
    from tunewright.data.batch import batches
    from tunewright.metrics.classes import higher_is_better
    from tunewright.train.run import Job, compose

    recipe, train, criterion = plan.recipe, plan.recipe.train, plan.recipe.criterion
    assert criterion is not None and train.best_by is not None
    lengths = plan.train[1].lengths
    order = batches(lengths, train.batch_size, micro_rows(train), recipe.seed, train.bucket)
    return Job(
        model=built.model,
        pieces=frozen.train.pieces if frozen else plan.train[1].pieces,
        order=order,
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
        stream=(lambda position: steps_of(run, plan, position)) if recipe.data.streaming else None,
    )


def _identity(plan: Plan) -> dict[str, Any]:
    """What a run must go on with: every setting that decides what it computes, and the data. The engine adds ``train`` and ``guards``."""
    told = plan.recipe.model_dump(mode="json", exclude={"name", "output_dir", "trackers", "train", "guards"})
    return {**flat(told), "fingerprint of the data": plan.dataset.fingerprint}


def micro_rows(train: TrainSettings) -> int:
    """Rows of a forward pass."""
    return train.batch_size // (train.accumulate * _processes())


def _callbacks(run: Path, plan: Plan) -> list[Callback]:
    from tunewright.train.callbacks.clock import Clock
    from tunewright.train.callbacks.early_stop import EarlyStop
    from tunewright.train.callbacks.journal import Journal
    from tunewright.train.callbacks.progress import Progress
    from tunewright.train.callbacks.signals import Signals

    train = plan.recipe.train
    assert train.best_by is not None
    for tracker in plan.recipe.trackers:
        tracker.describe(run.name, str(run), flat(plan.recipe.model_dump(mode="json", exclude={"trackers"})))
    patience = [EarlyStop(patience=train.early_stopping)] if train.early_stopping else []
    clock = Clock(save_minutes=train.save_minutes, stop_after_minutes=train.stop_after_minutes)
    return [Signals(), clock, *patience, Journal(path=run / "events.jsonl"), Progress(best_by=train.best_by), *plan.recipe.trackers]


def _save_best(run: Path, plan: Plan, done: Run, ready: Ready) -> None:
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
    told = {"guards": sightings(run), "efficiency": _efficiency(run, plan, done, ready), "proof": proof}
    write_json(run / "metrics.json", told)
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


def _one_process() -> None:
    """Refuse several processes: the engine shares its work out over them, but a run folder has one writer, and that is not guarded yet."""
    if _processes() > 1:
        raise UserError(
            f"{_processes()} processes were started",
            "A run is trained by one process for now",
            "Start tunewright by itself, without torchrun",
        )


def _processes() -> int:
    import os

    return int(os.environ.get("WORLD_SIZE", "1"))
