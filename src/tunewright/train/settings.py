"""The ``train`` section of a recipe. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tunewright.core.config import Config
from tunewright.core.errors import BadConfig, Problem, UserError, hint, nearest
from tunewright.train import ENGINES
from tunewright.train.argument_names import OURS, TODAY, UNFIT, YESTERDAY
from tunewright.train.callbacks.guests import GUESTS, Guest
from tunewright.train.imported import OpenMember
from tunewright.train.optimizers import OPTIMIZERS
from tunewright.train.optimizers.base import Optimizer
from tunewright.train.schedules import SCHEDULES
from tunewright.train.schedules.base import Schedule


class TrainSettings(Config):
    """How long, how fast and how carefully to train. ``auto`` is decided for the model and the machine, and told."""

    engine: str = "trainer"
    """Who drives the steps: ``trainer`` is the Hugging Face Trainer, ``loop`` our own on Accelerate. Both give the same weights."""
    epochs: float = Field(3.0, gt=0)
    """Passes over the training rows; may be a fraction."""
    max_steps: int | None = Field(None, ge=1)
    """Optimizer steps after which to end, whatever ``epochs`` says."""
    batch_size: int = Field(32, ge=1)
    """Rows per optimizer step, over all processes; where long rows are cut into windows (token-classification), windows."""
    batch_tokens: int | None = Field(None, ge=1)
    """Tokens of an optimizer step at most, padding included, over all processes, in the place of ``batch_size``: few rows where they are
    long, many where they are short."""
    accumulate: int = Field(1, ge=1)
    """Micro-batches per optimizer step: the same result with less memory."""
    learning_rate: float | Literal["auto"] = Field("auto")
    """Of the encoder's weights; ``auto`` goes by the width of the model and the method."""
    head_learning_rate: float | Literal["auto"] = Field("auto")
    """Of the head: all weights above the encoder's layers, a pooler among them; ``auto`` is ten times that of the encoder for ``full``."""
    warmup: float = Field(0.06, ge=0, lt=1)
    """Share of the steps in which the learning rate rises from 0."""
    schedule: Annotated[Schedule, OpenMember(SCHEDULES)] = Field(default_factory=lambda: SCHEDULES.build("linear"))
    """How the learning rate falls after the warm-up; any other by import path, as ``torch.optim.lr_scheduler:CosineAnnealingLR``."""
    optimizer: Annotated[Optimizer, OpenMember(OPTIMIZERS)] = Field(default_factory=lambda: OPTIMIZERS.build("adamw"))
    """What turns gradients into updates; any other by import path, as ``torch.optim:Adagrad``."""
    weight_decay: float = Field(0.01, ge=0)
    """Of the optimizer, for weight matrices; biases and the weights of norms have none."""
    no_decay: tuple[str, ...] = ()
    """Patterns of names of more weights without decay, as ``*embeddings*``."""
    clip: float = Field(1.0, ge=0)
    """Largest norm of the gradient; 0 does not clip."""
    bucket: bool = True
    """Batches of rows of similar length: the same rows per step, far less padding."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Of the training arithmetic; weights stay in float32. ``auto`` is bf16 where the hardware computes in it, else fp32."""
    compile: bool = False
    """Whether ``torch.compile`` makes kernels for the model: the first steps take minutes, the later ones less time."""
    frozen_cache: Literal["auto", "float16", "float32", "never"] = "auto"
    """Where a method leaves the lower layers as they are (``head``, ``top-layers``, ``lora`` with ``layers``): compute what they make of
    each row once, keep it on the disk in this precision, and run the layers above only. ``auto`` is ``float16`` where it can be done."""
    evaluate_every: int | None = Field(None, ge=1)
    """Steps between two looks at the validation rows; left out, at the end of each epoch."""
    save_every: int | None = Field(None, ge=1)
    """Steps between two checkpoints; left out, with each evaluation. Each evaluation that gives the best score so far is saved too."""
    save_minutes: float | None = Field(None, gt=0)
    """Minutes after which a checkpoint is written, whatever ``save_every`` says."""
    stop_after_minutes: float | None = Field(None, gt=0)
    """Minutes of training, those before a resume included, after which the run ends as one that early stopping ends."""
    save_total_limit: int = Field(2, ge=1)
    """Checkpoints that stay on the disk; the best and the last always do."""
    early_stopping: int | None = Field(3, ge=1)
    """Evaluations in a row without a better score after which training ends; null never ends early."""
    best_by: str | None = None
    """The validation score that chooses the checkpoint to serve, as ``f1_macro`` or ``recall/spam``; left out, the task's own."""
    watch_rows: bool = True
    """Where a row has labels: keep what each step made of each of its rows (``rows.jsonl``), for ``tunewright review labels --run``."""
    callbacks: tuple[Annotated[Guest, OpenMember(GUESTS)], ...] = ()
    """Callbacks of Transformers by import path, as ``my.py:Watch`` or ``{name: my.py:Watch, setting: ...}``."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Any other field of ``transformers.TrainingArguments``, passed on to the trainer engine as it is."""

    @field_validator("engine")
    @classmethod
    def _known(cls, engine: str) -> str:
        if engine not in ENGINES:
            raise ValueError(f"no engine is called {engine!r}. {hint(engine, ENGINES)}")
        return engine

    @field_validator("learning_rate", "head_learning_rate", mode="after")
    @classmethod
    def _positive(cls, rate: float | str) -> float | str:
        if not isinstance(rate, str) and not 0 < rate < 1:
            raise ValueError("a learning rate lies between 0 and 1, as 2e-4")
        return rate

    @field_validator("arguments", mode="after")
    @classmethod
    def _arguments_of_today(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        wrong = [Problem(name, why) for name in arguments if (why := _no_argument(name))]
        if wrong:
            raise BadConfig(wrong)
        return arguments

    @model_validator(mode="after")
    def _what_the_engine_can(self) -> Self:
        if self.engine == "loop" and self.arguments:
            raise ValueError(
                f"arguments goes to the engine trainer only, and engine is loop: take {', '.join(sorted(self.arguments))} out, "
                "or set engine: trainer"
            )
        how = [name for name in self.arguments if name.startswith("torch_compile_")]
        if how and not self.compile:
            raise ValueError(f"arguments: {how[0]} says how to compile, and compile is false: set compile: true")
        return self

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> Self:
        if self.batch_tokens is not None and not self.bucket:
            raise ValueError("batch_tokens fills steps with rows of like length, and bucket is false: leave one of them out")
        if self.batch_tokens is None and self.batch_size % self.accumulate:
            raise ValueError(
                f"batch_size {self.batch_size} cannot be shared out over accumulate {self.accumulate} micro-batches: "
                "choose numbers that divide"
            )
        return self

    def warmup_steps(self, total_steps: int) -> int:
        """Steps in which the learning rate rises."""
        return math.ceil(total_steps * self.warmup)

    def check(self) -> None:
        """Tell what is wrong with the parts that are named by import path, before a model is loaded.

        Raises:
            UserError: one does not exist, refuses its settings, or wants what the engine does not have.
        """
        if self.arguments:
            _of_this_release(self.arguments)
        self.optimizer.check()
        self.schedule.check(self.warmup)
        for callback in self.callbacks:
            callback.check(self.engine)


def _no_argument(name: str) -> str:
    """Why a name cannot stand in ``train.arguments``, with the one of today; empty for one that can."""
    if name in OURS:
        return f"it is set by our key {OURS[name]}: write it there"
    if name in UNFIT:
        return f"it does not go here: {UNFIT[name]}"
    if name in YESTERDAY:
        return f"a name of older releases: {YESTERDAY[name]}"
    if name in TODAY:
        return ""
    ours = nearest(name, [*OURS, *TODAY])
    meant = f"Did you mean our key {OURS[ours]}?" if ours in OURS else hint(name, TODAY - set(OURS) - set(UNFIT))
    return f"no field of TrainingArguments. {meant}"


def _of_this_release(arguments: Iterable[str]) -> None:
    """Refuse arguments of a release of transformers that is newer than the installed one."""
    import dataclasses

    import transformers

    known = {field.name for field in dataclasses.fields(transformers.TrainingArguments)}
    if newer := sorted(set(arguments) - known):
        raise UserError(
            f"train.arguments: {', '.join(newer)}: transformers {transformers.__version__}, which is installed, does not have it",
            "TrainingArguments of a newer release has it",
            "Take it out, or install that release: pip install --upgrade transformers",
        )


def default_learning_rate(width: int) -> float:
    """The encoder's learning rate for full tuning, from the width (hidden size) of the model.

    2e-4 at width 384, falling with the square of the width (5e-5 at 768, 2.8e-5 at 1024), in [1e-5, 5e-4].
    Source: docs/lab-log.md for width 384; the rates usual for base and large encoders for the fall.
    """
    return float(f"{min(max(2e-4 * (384 / width) ** 2, 1e-5), 5e-4):.2g}")
