"""The trainer engine: a job driven by ``transformers.Trainer``, whose loss, batches, scores and checkpoints come from us."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import DefaultFlowCallback, PrinterCallback, Trainer, TrainerCallback
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import IntervalStrategy

from tunewright.train.callbacks.guests import ASKED, metrics_for
from tunewright.train.checkpoint import Parts
from tunewright.train.course import Course
from tunewright.train.hf_arguments import training_arguments
from tunewright.train.optimizers.groups import groups
from tunewright.train.run import Job, Run
from tunewright.train.share import Collated, Pieces, Share, StreamShare


def fit(job: Job) -> Run:
    """Drive a job to its end with the Hugging Face Trainer.

    The model of the returned run carries the weights of the last step; the best ones stand in the checkpoint
    ``best_step`` (``checkpoint.load_weights``).

    Raises:
        Diverged: the loss or the gradient left the finite numbers; the update was not made.
        UserError: ``TrainingArguments`` refuses what ``train.arguments`` passes on, or ``job.resume`` belongs to another run.
    """
    trainer = _Trainer(job)
    course, run = trainer.course, trainer.course.run
    with course.told():
        if job.resume and course.take_over(job.resume):
            course.begin(run.total_steps)
        else:
            trainer.train(resume_from_checkpoint=str(job.resume) if job.resume else None)
        run.model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)  # answers are given without autocast
    return run


class _Trainer(Trainer):
    """A Trainer whose batches, loss, optimizer, schedule, looks and checkpoints are those of the job."""

    def __init__(self, job: Job) -> None:
        arguments = training_arguments(job)
        self.job, self.course = job, Course(job, arguments.device)
        processes = self.course.processes
        self.share = Share(job.order, arguments.gradient_accumulation_steps, processes.number, processes.count)
        self.streamed = job.stream and StreamShare(job.stream, job.collate, processes.number, processes.count)
        callbacks = [*self.course.guests, _Bridge(self)]
        super().__init__(model=job.model, args=arguments, train_dataset=Pieces(job.pieces), callbacks=callbacks)
        for ours in (PrinterCallback, DefaultFlowCallback):  # the bridge decides what comes after a step
            self.remove_callback(ours)
        self.args.eval_strategy = IntervalStrategy.STEPS  # there are looks, whoever asks; the Trainer's own would want its data set
        self.model_accepts_loss_kwargs = True  # be told num_items_in_batch, and do not divide by the micro-batches again

    def get_train_dataloader(self) -> DataLoader[Any]:
        if self.streamed:
            return cast(DataLoader[Any], self.streamed)  # without a length: all steps are one epoch to the Trainer
        names = ("num_workers", "pin_memory", "persistent_workers", "prefetch_factor", "multiprocessing_context", "in_order")
        options: dict[str, Any] = {name: getattr(self.args, f"dataloader_{name}") for name in names}
        options |= {"collate_fn": Collated(self.job.collate, self.job.pieces[0]), "generator": torch.Generator()}
        # not prepared by Accelerate, whose own sharing repeats rows where they do not divide; with a generator of its own, because
        # it draws a seed for its workers at the start of every epoch
        return DataLoader(self.train_dataset, batch_sampler=self.share, **options)  # type: ignore[arg-type]

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            owner = cast(nn.Module, model or self.model)
            self.optimizer = self.job.settings.optimizer.make(groups(self.job, owner))
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        if self.lr_scheduler is None:
            settings = self.job.settings
            made = settings.schedule.make(
                cast(Any, optimizer or self.optimizer), settings.warmup_steps(num_training_steps), num_training_steps
            )
            self.lr_scheduler, self._created_lr_scheduler = cast(Any, made), True
        return self.lr_scheduler

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Tensor | None:
        return self.course.count(batch_samples) if batch_samples else None

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        def one_pass(part: Any) -> Tensor:
            return super(_Trainer, self).training_step(model, part, num_items_in_batch)

        return torch.stack(self.course.passes.compute(inputs, one_pass)).sum()

    def compute_loss(self, model: nn.Module, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        mean, outputs = self.course.loss(model, inputs, num_items_in_batch)
        return (mean, outputs) if return_outputs else mean

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        self.grad_norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
        return self.grad_norm

    def scheduled_rate(self) -> float:
        """The learning rate as the schedule has it."""
        return super()._get_learning_rate()

    def _get_learning_rate(self) -> float:
        return self.scheduled_rate() * self.course.run.rate_factor

    def _evaluate(self, trial: Any, ignore_keys_for_eval: Any, skip_scheduler: bool = False) -> dict[str, float]:
        course, run, control = self.course, self.course.run, self.control
        control.should_evaluate = False  # or the end of the epoch would look again
        course.evaluate(cast(nn.Module, self.model))
        metrics = metrics_for(run)
        if course.guests:
            self.log(metrics)
            self.control = control = self.callback_handler.on_evaluate(self.args, self.state, control, metrics)
            if control.should_training_stop and run.step < run.total_steps:
                run.stop = run.stop or ASKED
            course.agree()
        self.state.best_metric, self.state.best_global_step = run.best_score, run.best_step
        control.should_save = control.should_save or run.save or bool(run.stop)
        control.should_training_stop = control.should_training_stop or bool(run.stop)
        return metrics

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        return self.course.run.best_step == self.course.run.step

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        self.course.save(self._parts(), lambda half: self.state.save_to_json(str(half / TRAINER_STATE_NAME)))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        """Done before the Trainer began: ``Course.take_over``."""
        if self.streamed:
            self.streamed.start = self.course.resumed_position

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            self.course.put_back(Path(checkpoint), self._parts())

    def _load_scaler(self, checkpoint: str | None) -> None:
        """Done with the optimizer and the schedule."""

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Done before the first batch is made, which may draw as well: ``_Bridge.on_epoch_begin``."""

    def _parts(self) -> Parts:
        return Parts(cast(nn.Module, self.model), self.optimizer, self.lr_scheduler, getattr(self.accelerator, "scaler", None))


class _Bridge(TrainerCallback):
    """Translates the Trainer's events into ours, and decides when to evaluate and to save. It is asked after all others."""

    def __init__(self, trainer: _Trainer) -> None:
        self.trainer, self.course, self.run = trainer, trainer.course, trainer.course.run

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        streamed, share = self.trainer.streamed, self.trainer.share
        self.course.epoch_steps = state.max_steps if streamed else share.steps
        if streamed:
            self.course.position = lambda: streamed.position
        self.course.begin(state.max_steps)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.trainer.job.resume and self.run.step == self.run.resumed_at:
            self.course.put_chance_back(self.trainer.job.resume)
        if not self.trainer.streamed:
            self.trainer.share.epoch = state.global_step // self.trainer.share.steps

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.course.before_step()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.course.before_update(self.trainer._parts(), self.trainer.grad_norm, self.trainer.scheduled_rate())

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        parts = self.trainer._parts()
        if self.course.guards.after_update(parts) and self.trainer.accelerator.optimizer_step_was_skipped:
            parts.schedule.step()  # the Trainer does it only where the scaler let the optimizer work

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        run, streamed = self.run, self.trainer.streamed
        self._take_asked(control)
        self.course.step_done(streamed.epoch if streamed else float(state.epoch))
        control.should_evaluate, control.should_save = run.evaluate, run.save
        control.should_log = self.course.logs
        control.should_training_stop = bool(run.stop) or run.step >= run.total_steps

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if control.should_training_stop and self.run.step < self.run.total_steps and not self.run.stop:
            self.run.stop, control.should_save = ASKED, True

    def _take_asked(self, control: Any) -> None:
        """What the callbacks of Transformers have asked for in this step."""
        run = self.run
        run.evaluate, run.save = run.evaluate or control.should_evaluate, run.save or control.should_save
        if control.should_training_stop:
            run.stop = run.stop or ASKED
