"""The ``TrainingArguments`` that say what a job says: the trainer engine runs by them, and callbacks of Transformers read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from tunewright.core.errors import UserError
from tunewright.train.share import micro_rows

if TYPE_CHECKING:
    from tunewright.train.run import Job


def training_arguments(job: Job) -> TrainingArguments:
    """What ``train`` says, in the words of Transformers, with ``train.arguments`` over it.

    Raises:
        UserError: ``TrainingArguments`` refuses what ``train.arguments`` passes on, or rows cannot be shared out.
    """
    settings = job.settings
    own: dict[str, Any] = {
        "output_dir": str(job.folder),
        "seed": job.seed,
        "num_train_epochs": settings.epochs,
        "max_steps": settings.max_steps or -1,
        "gradient_accumulation_steps": settings.accumulate,
        "learning_rate": settings.learning_rate,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.clip,
        "use_cpu": not (torch.cuda.is_available() or torch.backends.mps.is_available()),
        "bf16": settings.precision == "bf16",
        "fp16": settings.precision == "fp16",
        "torch_compile": settings.compile,
        "metric_for_best_model": job.best_by,
        "greater_is_better": job.higher_is_better,
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
    arguments.per_device_train_batch_size = micro_rows(settings, arguments.world_size)
    return arguments


def shown_arguments(job: Job) -> TrainingArguments:
    """What callbacks of Transformers are shown: that there are looks at the validation rows, whoever asks for them."""
    arguments = training_arguments(job)
    arguments.eval_strategy = IntervalStrategy.STEPS
    return arguments
