"""The trainer engine: a job driven by ``transformers.Trainer``, whose loss, batches, scores and checkpoints come from us."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from accelerate.utils import broadcast_object_list, gather_object
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from tunewright.core.errors import Diverged, UserError
from tunewright.core.folder import clear_halves, read_json, whole, write_json
from tunewright.train.callbacks.signals import WORDS
from tunewright.train.checkpoint import load_weights, prune, save_weights, seal
from tunewright.train.run import Job, Run, in_json, tell
from tunewright.train.share import EMPTY, Collated, Pieces, Share, StreamShare

if TYPE_CHECKING:
    from tunewright.train.settings import TrainSettings

PROGRESS = "run.json"
KEPT_OF_A_RUN = ("step", "epoch", "tokens", "seconds", "scores", "best_step", "best_score", "stop")
"""What a run that goes on must know of what it did before."""

T = TypeVar("T")


def fit(job: Job) -> Run:
    """Drive a job to its end with the Hugging Face Trainer.

    The model of the returned run carries the weights of the last step; the best ones stand in the checkpoint
    ``best_step`` (``checkpoint.load_weights``).

    Raises:
        Diverged: the loss or the gradient left the finite numbers; the update was not made.
        UserError: ``TrainingArguments`` refuses what ``train.arguments`` passes on.
    """
    run = Run(job.model)
    trainer = _Trainer(job, run)
    clear_halves(job.folder)
    try:
        if job.resume and trainer.is_done(read_json(job.resume / PROGRESS)):
            trainer.stand_where(job.resume)
        else:
            trainer.train(resume_from_checkpoint=str(job.resume) if job.resume else None)
    except BaseException as error:
        run.failed, run.stop = True, error.found if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        for callback in trainer.watchers:
            with suppress(Exception):  # handlers are put back and files closed; the error that ended the run is the one to tell
                callback.fit_end(run)
        raise
    run.model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)  # answers are given without autocast
    tell(trainer.watchers, "fit_end", run)
    return run


class _Trainer(Trainer):
    """A Trainer that divides the summed loss by the count of the whole step, before the backward pass."""

    def __init__(self, job: Job, run: Run) -> None:
        self.job, self.run = job, run
        self._sums: list[Tensor] = []
        arguments = _arguments(job)
        self.share = Share(job.order, arguments.gradient_accumulation_steps, arguments.process_index, arguments.world_size)
        self.streamed = job.stream and StreamShare(job.stream, job.collate, arguments.process_index, arguments.world_size)
        super().__init__(model=job.model, args=arguments, train_dataset=Pieces(job.pieces), callbacks=[_Bridge(self)])
        self.remove_callback(PrinterCallback)
        self.model_accepts_loss_kwargs = True  # be told num_items_in_batch, and do not divide by the micro-batches again
        self.watchers = [one for one in job.callbacks if one.everywhere or arguments.process_index == 0]

    def get_train_dataloader(self) -> DataLoader[Any]:
        if self.streamed:
            return cast(DataLoader[Any], self.streamed)  # without a length: all steps are one epoch to the Trainer
        names = ("num_workers", "pin_memory", "persistent_workers", "prefetch_factor", "multiprocessing_context", "in_order")
        options: dict[str, Any] = {name: getattr(self.args, f"dataloader_{name}") for name in names}
        collate = Collated(self.job.collate, self.job.pieces[0])
        # not prepared by Accelerate, whose own sharing repeats rows where they do not divide
        return DataLoader(self.train_dataset, batch_sampler=self.share, collate_fn=collate, **options)  # type: ignore[arg-type]

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            settings, owner = self.job.settings, cast(Any, model or self.model)
            decayed = set(self.get_decay_parameter_names(owner))
            groups: dict[tuple[bool, float, bool], list[nn.Parameter]] = {}
            for name, weight in owner.named_parameters():
                if weight.requires_grad:
                    key = (name in self.job.head_weights, self.job.rate_factors.get(name, 1.0), name in decayed)
                    groups.setdefault(key, []).append(weight)
            rates: dict[bool, Any] = {False: settings.learning_rate, True: settings.head_learning_rate}
            parameters = [
                {"params": weights, "lr": rates[new] * factor, "weight_decay": settings.weight_decay if decay else 0.0}
                for (new, factor, decay), weights in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] != 1, item[0]))
            ]  # those with the encoder's own rate come first: it is the one that is told
            kind, options = self.get_optimizer_cls_and_kwargs(self.args, owner)
            self.optimizer = kind(parameters, **options)
        return self.optimizer

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Tensor | None:
        if not batch_samples:
            return None
        count = torch.tensor(sum(self.job.count(batch) for batch in batch_samples if EMPTY not in batch), device=device)
        total: Tensor = self.accelerator.gather(count).sum()
        return total

    def compute_loss(self, model: nn.Module, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        share = 0.0 if inputs.pop(EMPTY, False) else 1.0
        loss = self.job.loss_fn(model, inputs)
        total = loss.total * share
        tokens = (
            inputs["attention_mask"].sum()
            if "attention_mask" in inputs
            else torch.tensor(inputs["input_ids"].numel() if "input_ids" in inputs else 0, device=total.device)
        )
        self._sums.append(torch.stack([total.detach().double(), tokens.double() * share]))
        # gradients are averaged over the processes, but the count is already that of all of them
        mean = total * self.accelerator.num_processes / num_items_in_batch
        self._items = num_items_in_batch
        return (mean, loss.outputs) if return_outputs else mean

    def step_sums(self) -> tuple[float, int]:
        """Mean loss and tokens of the micro-batches since the last call, over all processes. One wait for the device."""
        own = torch.stack(self._sums).sum(0)
        self._sums.clear()
        total, tokens = self.accelerator.gather(own[None]).sum(0).tolist()
        return total / float(self._items), int(tokens)

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        found = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
        self.run.grad_norm = float(found)
        return found

    def _evaluate(self, trial: Any, ignore_keys_for_eval: Any, skip_scheduler: bool = False) -> dict[str, float]:
        run, job = self.run, self.job
        self.control.should_evaluate = False  # or the end of the epoch would look again
        run.scores = self.agreed(job.evaluate(cast(nn.Module, self.model)) if self.args.process_index == 0 else {})
        score, best = run.scores[job.best_by], run.best_score
        if best is None or math.isnan(best) or (score > best if job.higher_is_better else score < best):
            run.best_score, run.best_step = score, run.step
            self.control.should_save = True
        run.seconds = self.clock()
        tell(self.watchers, "evaluated", run)
        run.stop = self.agreed(run.stop)
        self.control.should_training_stop = self.control.should_training_stop or bool(run.stop)
        if run.stop:
            self.control.should_save = True
        return run.scores

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        return self.run.best_step == self.run.step

    def agreed(self, value: T) -> T:
        """What the first process has, told to all of them."""
        found: T = broadcast_object_list([value])[0]
        return found

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        run, chance = self.run, self._random_states()
        if self.args.should_save:
            with whole(self.job.folder / f"checkpoint-{run.step}") as half:
                half.mkdir()
                save_weights(cast(nn.Module, self.model), half)
                self._save_optimizer_and_scheduler(str(half))
                self._save_scaler(str(half))
                for name, state in chance.items():
                    (half / name).write_bytes(state)
                self.state.save_to_json(str(half / TRAINER_STATE_NAME))
                write_json(half / PROGRESS, self._progress())
                seal(half)
            prune(self.job.folder, self.job.settings.save_total_limit, run.best_step)
            tell(self.watchers, "saved", run)
        self.accelerator.wait_for_everyone()

    def _random_states(self) -> dict[str, bytes]:
        """The state of every stream of randomness of every process, as files by name."""
        with TemporaryDirectory() as scratch:
            self._save_rng_state(scratch)
            own = [(path.name, path.read_bytes()) for path in Path(scratch).iterdir()]
        return dict(gather_object(own))

    def _progress(self) -> dict[str, Any]:
        run = self.run
        plain = {"scores": in_json(run.scores), "best_score": in_json(run.best_score)}
        asked = {"stop": ""} if run.stop in WORDS.values() else {}  # of that process alone
        kept = {name: getattr(run, name) for name in KEPT_OF_A_RUN} | plain | asked
        states = [callback.state() for callback in self.job.callbacks]
        stream = {"stream": self.streamed.position} if self.streamed else {}
        return {**kept, "callbacks": [state if _plain(state) else {} for state in states], **stream}

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        folder = Path(resume_from_checkpoint)
        load_weights(cast(nn.Module, model or self.model), folder)
        kept, run = read_json(folder / PROGRESS), self.run
        for name in KEPT_OF_A_RUN:
            setattr(run, name, kept[name])
        run.resumed_at = run.step
        if self.streamed:
            self.streamed.start = kept["stream"]
        for callback, state in zip(self.job.callbacks, kept["callbacks"], strict=True):
            if state:
                callback.restore(state)

    def is_done(self, kept: dict[str, Any]) -> bool:
        """Whether a checkpoint is that of a run which came to its end; of one that streams, the Trainer does not see it."""
        return bool(kept["stop"]) or bool(self.streamed and kept["step"] >= self.args.max_steps)

    def stand_where(self, checkpoint: Path) -> None:
        """Take over a run that had come to its end, as by early stopping; nothing is trained."""
        self._load_from_checkpoint(str(checkpoint))
        self.run.total_steps = read_json(checkpoint / TRAINER_STATE_NAME)["max_steps"]
        tell(self.watchers, "fit_start", self.run)

    def clock(self) -> float:
        """Seconds that the run has taken, those before a resume included."""
        return time.monotonic() - self.started

    started: float = 0.0


class _Bridge(TrainerCallback):
    """Translates the Trainer's events into ours, and decides when to evaluate and to save."""

    def __init__(self, trainer: _Trainer) -> None:
        self.trainer, self.job, self.run = trainer, trainer.job, trainer.run

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.run.total_steps = state.max_steps
        self.trainer.started = time.monotonic() - self.run.seconds
        tell(self.trainer.watchers, "fit_start", self.run)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not self.trainer.streamed:
            self.trainer.share.epoch = state.global_step // self.trainer.share.steps

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.job.before_step:
            self.job.before_step(state.global_step / state.max_steps)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        run = self.run
        run.loss, tokens = self.trainer.step_sums()
        run.tokens += tokens
        run.learning_rate = self.trainer._get_learning_rate()
        if not math.isfinite(run.loss) or not (math.isfinite(run.grad_norm) or args.fp16):  # with fp16 the scaler skips such a step
            raise Diverged(
                f"at step {state.global_step + 1} the loss is {run.loss} and the norm of the gradient {run.grad_norm}",
                "Training goes on only with finite numbers; this update was not made",
                f"Lower train.learning_rate (it was {run.learning_rate:.2g} here), raise train.warmup, or set train.precision: fp32",
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        run, settings = self.run, self.job.settings
        streamed = self.trainer.streamed
        run.step, run.epoch, run.seconds = state.global_step, streamed.epoch if streamed else float(state.epoch), self.trainer.clock()
        if self.job.before_step:
            self.job.before_step(1.0)
        tell(self.trainer.watchers, "step_end", run)
        run.stop = self.trainer.agreed(run.stop)
        last = run.step >= run.total_steps
        every = settings.evaluate_every or (run.total_steps if streamed else self.trainer.share.steps)
        control.should_evaluate = last or run.step % every == 0
        control.should_save = last or bool(run.stop) or run.step % (settings.save_every or every) == 0
        control.should_log = False
        control.should_training_stop = control.should_training_stop or bool(run.stop)


def _plain(state: Any) -> bool:
    """Whether a callback's state can stand in JSON."""
    return all(value is None or isinstance(value, (bool, int, float, str)) for value in state.values())


def _arguments(job: Job) -> TrainingArguments:
    """The recipe's ``train`` section in the Trainer's words."""
    settings: TrainSettings = job.settings
    own: dict[str, Any] = {
        "output_dir": str(job.folder),
        "seed": job.seed,
        "num_train_epochs": settings.epochs,
        "max_steps": settings.max_steps or -1,
        "gradient_accumulation_steps": settings.accumulate,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "constant_with_warmup" if settings.schedule == "constant" else settings.schedule,
        "warmup_steps": settings.warmup,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.clip,
        "use_cpu": not (torch.cuda.is_available() or torch.backends.mps.is_available()),
        "bf16": settings.precision == "bf16",
        "fp16": settings.precision == "fp16",
        "eval_strategy": "no",
        "save_strategy": "no",
        "logging_strategy": "no",
        "logging_nan_inf_filter": False,
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "ignore_data_skip": job.stream is not None,  # a stream goes on from a position: there is nothing to skip
    }
    try:
        arguments = TrainingArguments(**{**own, **settings.arguments})
    except (TypeError, ValueError, ImportError) as error:
        raise UserError(
            f"TrainingArguments refuses train.arguments: {error}", "", "Correct or remove the field in train.arguments"
        ) from error
    micro, rest = divmod(settings.batch_size, settings.accumulate * arguments.world_size)
    if rest or not micro:
        raise UserError(
            f"train.batch_size {settings.batch_size} cannot be shared out over {arguments.world_size} processes and "
            f"train.accumulate {settings.accumulate}",
            "It counts the rows of one step over all processes",
            "Choose a batch_size that accumulate x processes divides",
        )
    arguments.per_device_train_batch_size = micro
    return arguments
