"""The loop engine: a job driven by our own loop, on Accelerate; on a processor in float32 bit for bit as the trainer engine drives it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs, TorchDynamoPlugin, send_to_device, set_seed
from torch import Tensor, nn

from tunewright.train.callbacks.guests import Hosted
from tunewright.train.checkpoint import Parts
from tunewright.train.course import Course
from tunewright.train.optimizers.groups import groups
from tunewright.train.run import Job, Run
from tunewright.train.settings import TrainSettings
from tunewright.train.share import Collated, Pieces, Share, StreamShare, micro_rows, steps_of, stream_steps


def updates(
    course: Course, accelerator: Accelerator, model: nn.Module, parts: Parts, steps: Iterable[tuple[float, Any]]
) -> Iterator[float]:
    """The loop: one update for each step, which is yielded when it is done, as the epochs that are over by then."""
    clip = course.job.settings.clip or math.inf
    for epoch, batches in steps:
        course.before_step()
        model.train()
        items = course.count(batches)

        def one_pass(batch: Any, items: Tensor = items) -> None:
            loss, _ = course.loss(model, send_to_device(batch, accelerator.device), items)
            accelerator.backward(loss)

        for number, batch in enumerate(batches, 1):
            with nullcontext() if number == len(batches) else accelerator.no_sync(model):
                course.passes.compute(batch, one_pass)
        norm = accelerator.clip_grad_norm_(model.parameters(), clip)
        course.before_update(parts, norm, parts.schedule.get_last_lr()[0])
        parts.optimizer.step()
        if course.guards.after_update(parts) or not accelerator.optimizer_step_was_skipped:
            parts.schedule.step()
        parts.optimizer.zero_grad()
        yield epoch


def fit(job: Job) -> Run:
    """Drive a job to its end.

    The model of the returned run carries the weights of the last step; the best ones stand in the checkpoint
    ``best_step`` (``checkpoint.load_weights``).

    Raises:
        Diverged: the loss or the gradient left the finite numbers; the update was not made.
        UserError: rows cannot be shared out, or ``job.resume`` belongs to another run.
    """
    shown = _shown(job) if job.settings.callbacks else None
    accelerator = _accelerator(job.model, job.settings)
    course = Course(job, accelerator.device)
    set_seed(job.seed)
    if config := getattr(job.model, "config", None):
        config.use_cache = False  # as the Trainer does: what a model keeps for the next token is none of training's
    steps, total = _steps(job, course)
    with course.told():
        if job.resume and course.take_over(job.resume):
            course.begin(course.run.total_steps)
        else:
            _drive(course, accelerator, steps, total, shown)
        course.run.model = accelerator.unwrap_model(job.model, keep_fp32_wrapper=False)  # answers are given without autocast
    return course.run


def _shown(job: Job) -> Any:
    """The ``TrainingArguments`` that callbacks of Transformers read; its libraries take seconds to load, and only they need them."""
    from tunewright.train.hf_arguments import shown_arguments

    return shown_arguments(job)


def _drive(course: Course, accelerator: Accelerator, share: Share | StreamShare, total: int, shown: Any) -> None:
    job, run, settings = course.job, course.run, course.job.settings
    optimizer = settings.optimizer.make(groups(job, job.model))
    model, optimizer = accelerator.prepare(job.model, optimizer)
    schedule = settings.schedule.make(optimizer, settings.warmup_steps(total), total)
    parts = Parts(job.model, optimizer, schedule, accelerator.scaler)
    course.watchers += [Hosted.of(guest, shown, optimizer=optimizer, lr_scheduler=schedule) for guest in course.guests]
    if job.resume:
        course.put_back(job.resume, parts)
    course.begin(total)
    if isinstance(share, StreamShare):
        share.start = course.resumed_position
        steps = stream_steps(share, settings.accumulate)
    else:
        steps = steps_of(share, Collated(job.collate, job.pieces[0]), Pieces(job.pieces), run.step)
    if job.resume:
        course.put_chance_back(job.resume)
    for epoch in updates(course, accelerator, model, parts, steps):
        course.step_done(epoch)
        if run.evaluate:
            course.evaluate(job.model)
        if run.save:
            course.save(parts)
        if run.stop or run.step >= total:
            break


def _steps(job: Job, course: Course) -> tuple[Share | StreamShare, int]:
    """What this process takes of every step, and how many steps there are."""
    settings, processes = job.settings, course.processes
    micro_rows(settings, processes.count)
    if job.stream:
        assert settings.max_steps is not None
        streamed = StreamShare(job.stream, job.collate, processes.number, processes.count)
        course.epoch_steps, course.position = settings.max_steps, lambda: streamed.position
        return streamed, settings.max_steps
    share = Share(job.order, settings.accumulate, processes.number, processes.count)
    course.epoch_steps = share.steps
    return share, settings.max_steps or math.ceil(settings.epochs * share.steps)


def _checkpoints(model: nn.Module) -> bool:
    """Whether activations are computed again in the backward pass: a model calls that by its release, its layers in all releases alike."""
    return any(getattr(module, "gradient_checkpointing", False) for module in model.modules())


def _accelerator(model: nn.Module, settings: TrainSettings) -> Accelerator:
    """Devices, precision and processes, as the Trainer sets them up."""
    AcceleratorState._reset_state(reset_partial_state=True)  # of an earlier run in this process, perhaps in another precision
    unused = DistributedDataParallelKwargs(find_unused_parameters=not _checkpoints(model))
    made = Accelerator(
        cpu=not (torch.cuda.is_available() or torch.backends.mps.is_available()),
        mixed_precision="no" if settings.precision == "fp32" else settings.precision,
        dynamo_plugin=TorchDynamoPlugin(backend="inductor" if settings.compile else "no"),
        kwargs_handlers=[unused],
    )
    made.sync_gradients = True
    return made
