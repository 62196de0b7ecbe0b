"""The trainer engine: a job driven by ``transformers.Trainer``, whose loss, batches, scores and checkpoints come from us."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from tunewright.core.errors import Diverged, UserError
from tunewright.core.folder import read_json, whole, write_json
from tunewright.train.checkpoint import prune, seal
from tunewright.train.run import Job, Run, tell

if TYPE_CHECKING:
    from tunewright.train.settings import TrainSettings

WEIGHTS = "weights.safetensors"
PROGRESS = "run.json"


def fit(job: Job) -> Run:
    """Drive a job to its end with the Hugging Face Trainer.

    The model of the returned run carries the weights of the last step; the best ones stand in the checkpoint
    ``best_step`` (``load_weights``).

    Raises:
        Diverged: the loss or the gradient left the finite numbers; the update was not made.
        UserError: ``TrainingArguments`` refuses what ``train.arguments`` passes on.
    """
    run = Run(job.model)
    trainer = _Trainer(job, run)
    trainer.train(resume_from_checkpoint=str(job.resume) if job.resume else None)
    run.model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)  # answers are given without autocast
    tell(job.callbacks, "fit_end", run)
    return run


def load_weights(model: nn.Module, checkpoint: Path) -> None:
    """Put the trained weights of a checkpoint into a model of the same shape."""
    state = load_file(checkpoint / WEIGHTS, device="cpu")
    unknown = set(state) - {name for name, _ in _kept(model)}
    if unknown:
        raise UserError(f"{checkpoint} holds weights that this model does not have, as {sorted(unknown)[0]}",
                        "A checkpoint belongs to the recipe that wrote it", "Train again with --overwrite")
    model.load_state_dict(state, strict=False)


def _kept(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """What a checkpoint keeps of a model: the weights that are trained, and the buffers that are saved with a model."""
    saved = model.state_dict(keep_vars=True)
    seen: set[int] = set()
    for name, value in saved.items():
        trained = value.requires_grad or not isinstance(value, nn.Parameter)
        if trained and id(value) not in seen:
            seen.add(id(value))
            yield name, value


class _Order:
    """A batch sampler: the job's micro-batches of the epoch that the trainer is in."""

    drop_last = False

    def __init__(self, order: Callable[[int], Sequence[Sequence[int]]], batch_size: int) -> None:
        self._order, self.batch_size, self.epoch = order, batch_size, 0
        self._batches = len(order(0))

    def __iter__(self) -> Iterator[Sequence[int]]:
        return iter(self._order(self.epoch))

    def __len__(self) -> int:
        return self._batches


class _Trainer(Trainer):  # type: ignore[misc, unused-ignore]
    """A Trainer that divides the summed loss by the count of the whole step, before the backward pass."""

    def __init__(self, job: Job, run: Run) -> None:
        self.job, self.run = job, run
        self._sums: list[Tensor] = []
        arguments = _arguments(job)
        # each process takes micro-batches of the same size: batch_size counts rows per step over all of them
        self._order = _Order(job.order, arguments.per_device_train_batch_size)
        super().__init__(model=job.model, args=arguments, train_dataset=job.pieces, data_collator=job.collate,  # type: ignore[arg-type]
                         callbacks=[_Bridge(self)])
        self.remove_callback(PrinterCallback)
        self.model_accepts_loss_kwargs = True  # be told num_items_in_batch, and do not divide by the micro-batches again

    def get_train_dataloader(self) -> DataLoader[Any]:
        loader: DataLoader[Any] = DataLoader(self.job.pieces, batch_sampler=self._order, collate_fn=self.job.collate,  # type: ignore[arg-type]
                                             num_workers=self.args.dataloader_num_workers, pin_memory=self.args.dataloader_pin_memory)
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            settings, owner = self.job.settings, model or self.model
            decayed = set(self.get_decay_parameter_names(owner))
            groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
            for name, weight in owner.named_parameters():
                if weight.requires_grad:
                    groups.setdefault((name in self.job.new_weights, name in decayed), []).append(weight)
            rates = {False: settings.learning_rate, True: settings.head_learning_rate}
            parameters = [{"params": weights, "lr": rates[new], "weight_decay": settings.weight_decay if decay else 0.0}
                          for (new, decay), weights in sorted(groups.items(), key=lambda item: item[0])]
            kind, options = self.get_optimizer_cls_and_kwargs(self.args, owner)
            self.optimizer = kind(parameters, **options)
        return self.optimizer

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Tensor | None:
        if not batch_samples:
            return None
        count = torch.tensor(sum(self.job.count(batch["labels"]) for batch in batch_samples), device=device)
        total: Tensor = self.accelerator.gather(count).sum()
        return total

    def compute_loss(self, model: nn.Module, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        loss = self.job.loss_fn(model, inputs)
        tokens = inputs["attention_mask"].sum() if "attention_mask" in inputs else torch.tensor(0, device=loss.total.device)
        self._sums.append(torch.stack([loss.total.detach().double(), tokens.double()]))
        # gradients are averaged over the processes, but the count is already that of all of them
        mean = loss.total * self.accelerator.num_processes / num_items_in_batch
        self._items = num_items_in_batch
        return (mean, loss.outputs) if return_outputs else mean

    def step_sums(self) -> tuple[float, int]:
        """Mean loss and tokens of the micro-batches since the last call, over all processes. One wait for the device."""
        own = torch.stack(self._sums).sum(0)
        self._sums.clear()
        total, tokens = self.accelerator.gather(own[None]).sum(0).tolist()
        return total / float(self._items), int(tokens)

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        found = super()._get_grad_norm(model, grad_norm=grad_norm)
        self.run.grad_norm = float(found)
        return found

    def _evaluate(self, trial: Any, ignore_keys_for_eval: Any, skip_scheduler: bool = False) -> dict[str, float]:
        run, job = self.run, self.job
        self.control.should_evaluate = False  # or the end of the epoch would look again
        run.scores = job.evaluate(self.model)
        score = run.scores[job.best_by]
        if run.best_score is None or (score > run.best_score if job.higher_is_better else score < run.best_score):
            run.best_score, run.best_step = score, run.step
            self.control.should_save = True
        run.seconds = self.clock()
        tell(job.callbacks, "evaluated", run)
        self.control.should_training_stop = self.control.should_training_stop or bool(run.stop)
        if run.stop:
            self.control.should_save = True
        return run.scores

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        return self.run.best_step == self.run.step

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        run = self.run
        if self.args.should_save:
            with whole(self.job.folder / f"checkpoint-{run.step}") as half:
                half.mkdir()
                save_file({name: value.detach().contiguous().cpu() for name, value in _kept(self.model)}, half / WEIGHTS)
                self._save_optimizer_and_scheduler(str(half))
                self._save_scaler(str(half))
                self._save_rng_state(str(half))
                self.state.save_to_json(str(half / "trainer_state.json"))
                write_json(half / PROGRESS, {
                    "step": run.step, "tokens": run.tokens, "seconds": run.seconds, "best_step": run.best_step, "best_score": run.best_score,
                    "callbacks": [callback.state() if _plain(callback.state()) else {} for callback in self.job.callbacks]})
                seal(half)
            prune(self.job.folder, self.job.settings.save_total_limit, run.best_step)
            tell(self.job.callbacks, "saved", run)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        folder = Path(resume_from_checkpoint)
        load_weights(model or self.model, folder)
        kept, run = read_json(folder / PROGRESS), self.run
        run.step = run.resumed_at = kept["step"]
        run.tokens, run.seconds = kept["tokens"], kept["seconds"]
        run.best_step, run.best_score = kept["best_step"], kept["best_score"]
        for callback, state in zip(self.job.callbacks, kept["callbacks"], strict=True):
            if state:
                callback.restore(state)

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
        tell(self.job.callbacks, "fit_start", self.run)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.trainer._order.epoch = round(state.epoch) if state.global_step % len(self.trainer._order) == 0 else int(state.epoch)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        run = self.run
        run.loss, tokens = self.trainer.step_sums()
        run.tokens += tokens
        run.learning_rate = self.trainer._get_learning_rate()
        if not math.isfinite(run.loss) or not math.isfinite(run.grad_norm) and args.max_grad_norm and not args.fp16:
            raise Diverged(f"at step {state.global_step + 1} the loss is {run.loss} and the norm of the gradient {run.grad_norm}",
                           "Training goes on only with finite numbers; this update was not made",
                           f"Lower train.learning_rate (it was {run.learning_rate:.2g} here), raise train.warmup, or set train.precision: fp32")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        run, settings = self.run, self.job.settings
        run.step, run.epoch, run.seconds = state.global_step, float(state.epoch), self.trainer.clock()
        tell(self.job.callbacks, "step_end", run)
        last = run.step >= run.total_steps
        per_epoch = math.ceil(len(self.trainer._order) / args.gradient_accumulation_steps)
        every = settings.evaluate_every or per_epoch
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
        "output_dir": str(job.folder), "seed": job.seed, "num_train_epochs": settings.epochs, "max_steps": settings.max_steps or -1,
        "gradient_accumulation_steps": settings.accumulate, "learning_rate": settings.learning_rate, "lr_scheduler_type": settings.schedule,
        "warmup_steps": settings.warmup, "weight_decay": settings.weight_decay, "max_grad_norm": settings.clip,
        "use_cpu": not (torch.cuda.is_available() or torch.backends.mps.is_available()),
        "bf16": settings.precision == "bf16", "fp16": settings.precision == "fp16", "eval_strategy": "no", "save_strategy": "no",
        "logging_strategy": "no", "logging_nan_inf_filter": False, "report_to": [], "disable_tqdm": True, "dataloader_pin_memory": torch.cuda.is_available(),
    }
    try:
        arguments = TrainingArguments(**{**own, **settings.arguments})
    except (TypeError, ValueError, ImportError) as error:
        raise UserError(f"TrainingArguments refuses train.arguments: {error}", "", "Correct or remove the field in train.arguments") from error
    micro, rest = divmod(settings.batch_size, settings.accumulate * arguments.world_size)
    if rest or not micro:
        raise UserError(f"train.batch_size {settings.batch_size} cannot be shared out over {arguments.world_size} processes and "
                        f"train.accumulate {settings.accumulate}", "It counts the rows of one step over all processes",
                        "Choose a batch_size that accumulate x processes divides")
    arguments.per_device_train_batch_size = micro
    return arguments
