"""The verb ``train``: a recipe becomes a run with a saved, proved model; or a stopped run goes on."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tunewright.core import launch
from tunewright.core.chance import seed_for
from tunewright.core.errors import DiskFull, Interrupted, Terminated, UserError
from tunewright.core.folder import read_json, write_json, write_text
from tunewright.core.log import calm_libraries, say
from tunewright.model.methods import METHODS
from tunewright.pipeline import runs
from tunewright.pipeline.ahead import find_all
from tunewright.pipeline.frozen import frozen_states, plan_bytes
from tunewright.pipeline.job import job_of, scorer, try_scores
from tunewright.pipeline.make_plan import data_facts, make_plan
from tunewright.pipeline.plan import Plan
from tunewright.pipeline.prepare import prepare
from tunewright.pipeline.recipe import Recipe, read
from tunewright.pipeline.resolve import written
from tunewright.pipeline.room import make_sure
from tunewright.pipeline.served import Ready, save_best
from tunewright.pipeline.stream import FOLDER, finish, with_stream
from tunewright.pipeline.together import together


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
    calm_libraries()
    if not together().first:
        return _follow()
    with together().leading():
        run = _begin_and_train(recipe, where, stem, command, overwrite)
        together().tell(str(run))
    return run


def resume(run: Path) -> Path:
    """Go on with a run that was stopped, from its newest whole checkpoint; with as many processes as it had.

    Raises:
        UserError: the run is finished, another process writes it, its dataset is gone, or its recipe or data were changed since.
        Diverged, ProofFailed, Interrupted, Terminated: each with its exit status.
    """
    calm_libraries()
    if not together().first:
        return _follow()
    with together().leading(), runs.alone(run):
        manifest = read_json(run / "manifest.json")
        if manifest["status"] == runs.FAILED:
            runs.served(run)
        if manifest["status"] != "training":
            raise UserError(f"the run {run} is finished", "Only a run that was stopped can go on", f"Measure it: tunewright evaluate {run}")
        _go_on(run)
        together().tell(str(run))
    return run


def _begin_and_train(recipe: Recipe, where: Path, stem: str, command: str, overwrite: bool) -> Path:
    from tunewright.model.device import apart, give_back

    runs.may_claim(recipe, overwrite)
    found = find_all(recipe, where)  # before the first row is read: preparing the data may take hours
    plan = make_plan(recipe, where, apart(lambda: prepare(recipe, where, locked=True)), found)
    make_sure(plan, overwrite)
    ready = ready_of(plan)
    try_scores(plan, ready.built.model, ready.frozen)  # they fail here: no run is begun, no epoch is lost
    give_back()
    run = runs.claim(plan.asked, stem, overwrite)
    with runs.begun(run):
        write_text(run / "recipe.yaml", written(plan.recipe, plan.asked, plan.reasons))
        write_json(run / "data.json", data_facts(plan))
        runs.begin(run, plan.recipe, where, command)  # comes last: a run with a manifest can go on
        _fit_and_save(run, plan, ready, None)
    return run


def _follow() -> Path:
    """Train with the first process, once it has prepared the rows, encoded them and begun the run; write nothing.

    Raises:
        Followed: the first process ended with an error.
        Diverged, Interrupted, Terminated: as in the first process.
    """
    import torch

    from tunewright.train import engine

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    told = together().heard()
    run, checkpoint = Path(told["run"]), told["checkpoint"] and Path(told["checkpoint"])
    plan = _plan_of(run)
    ready = ready_of(plan)
    with tempfile.TemporaryDirectory() as scratch:
        stream = Path(scratch) / FOLDER
        if (run / FOLDER).is_dir():
            shutil.copytree(run / FOLDER, stream)
        with together().grouped():
            job = job_of(run, plan, ready.built, ready.scores, checkpoint, frozen=ready.frozen, stream=stream)
            done = engine(plan.recipe.train.engine)(job)
    if done.stop in STOPPED:
        raise STOPPED[done.stop](f"{done.stop} at step {done.step}")
    together().heard()
    return run


def _go_on(run: Path) -> None:
    from tunewright.train.checkpoint import latest, step_of

    checkpoint = latest(run / "checkpoints")
    plan = _plan_of(run)
    if checkpoint is None:
        say(f"{run} holds no whole checkpoint: it begins again with step 1")
    else:
        say(f"Going on with {run} from step {step_of(checkpoint)}")
    _fit_and_save(run, plan, ready_of(plan), checkpoint)


def _plan_of(run: Path) -> Plan:
    """The plan of a run that was begun, from what its folder says."""
    from tunewright.data.dataset import Dataset

    recipe = read(run / "recipe.yaml")
    dataset = Dataset.open(Path(read_json(run / "data.json")["folder"])).learned_by(recipe.task)
    dataset.verify(locked=True)
    return make_plan(recipe, Path(read_json(run / "manifest.json")["recipe_folder"]), dataset)


def ready_of(plan: Plan) -> Ready:
    """The model of a plan, loaded, with what training it needs beside; its memory is watched from then on."""
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
        f"{recipe.train.precision}{f', {launch.count()} processes' if launch.count() > 1 else ''}"
    )
    say(size.line)
    if built.targets:
        say(f"{METHODS.name_of(recipe.method)} works on {', '.join(built.targets)}")
    with _can_be_mended(run):
        together().tell({"run": str(run.resolve()), "checkpoint": checkpoint and str(checkpoint.resolve())})
        with together().grouped():
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
        save_best(run, plan, done, ready)
    if recipe.data.streaming:
        finish(run)


@contextmanager
def _can_be_mended(run: Path) -> Iterator[None]:
    """Say of what ended a training from outside how the run goes on: a disk that is full, a callback of the user that raised."""
    from tunewright.train.callbacks.guests import CallbackBroke

    go_on = f"then go on with: tunewright train --resume {run}"
    try:
        yield
    except DiskFull as error:
        if not runs.was_trained(run):
            raise
        raise DiskFull(error.found, "", f"Make room there, {go_on}") from error
    except CallbackBroke as error:
        if not runs.was_trained(run):
            raise
        raise CallbackBroke(error.found, "All that was trained until then is saved", f"Mend it, {go_on}") from error


STOPPED: dict[str, type[UserError]] = {"interrupted": Interrupted, "terminated": Terminated}
