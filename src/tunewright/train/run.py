"""What a training run is, seen from outside: the job it is given, its state, its events, its watchers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

from tunewright.core.config import Config

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tunewright.train.guards.base import Guard
    from tunewright.train.settings import TrainSettings

Batch = Mapping[str, "Tensor"]
Piece = Mapping[str, Any]
Event = Literal["fit_start", "sighted", "split", "step_end", "evaluated", "saved", "unsaved", "fit_end"]


class Loss(NamedTuple):
    """The loss of one batch, not yet averaged, so that uneven batches can be added up."""

    total: Tensor
    """Scalar, in nats, summed over the labelled items."""
    items: int
    """Labelled items: rows for a classifier, tokens for a language model."""
    outputs: Tensor


LossFn = Callable[["nn.Module", Batch], Loss]


class Step(Protocol):
    """One optimizer step of a stream."""

    @property
    def batches(self) -> Sequence[Sequence[Piece]]:
        """Its micro-batches, those of all processes."""

    @property
    def epoch(self) -> float:
        """Passes over the source when it is done, as far as they can be known."""

    @property
    def position(self) -> Callable[[], Mapping[str, Any]]:
        """From where the next step goes on, as plain values of JSON; made when it is asked for."""


Stream = Callable[[Mapping[str, Any] | None], Iterator[Step]]
"""Position -> the steps from there on, without end; None is the beginning. The same steps for the same position."""


class Criterion(Config):
    """Turns outputs and labels into a sum and a count. A run has exactly one."""

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The loss in nats, summed over the labelled items; a scalar."""
        raise NotImplementedError

    def count(self, labels: Tensor) -> int:
        """How many labelled items there are; needs the labels alone."""
        raise NotImplementedError


class Watched(NamedTuple):
    """What a step made of one training row, before its update."""

    piece: int
    """Its number among the encoded training rows."""
    loss: float
    """In nats."""
    margin: float
    """How far the logit of its label is above the best other one; below 0 where the answer is wrong."""


class Sighted(NamedTuple):
    """What a guard saw, and what was done about it."""

    guard: str
    step: int
    """The step that was looked at, or after which the validation rows were."""
    message: str
    remedy: str
    verdict: str
    """``go``, ``skip``, ``lower``, ``restore``, ``end`` or ``fail``."""
    factor: float
    """What every learning rate is multiplied by from now on; 1 where nothing is lowered."""
    rows: tuple[str, ...]
    """The rows that it is about, where it is about some."""


@dataclass
class Run:
    """Everything a callback may read, and what it may ask for: ``stop``, ``evaluate``, ``save``."""

    model: nn.Module
    total_steps: int = 0
    step: int = 0
    epoch: float = 0.0
    loss: float = float("nan")
    """Mean over the labelled items of the last step, in nats."""
    learning_rate: float = 0.0
    """Of the encoder's weights, in the last step."""
    grad_norm: float = 0.0
    """Before clipping, in the last step."""
    tokens: int = 0
    """Seen since the run began, padding left out."""
    seconds: float = 0.0
    """Since the run began, evaluations and saving included; those of earlier parts of a resumed run too."""
    scores: dict[str, float] = field(default_factory=dict)
    """Of the last evaluation on the validation rows."""
    best_step: int | None = None
    best_score: float | None = None
    rate_factor: float = 1.0
    """What guards have multiplied every learning rate by."""
    watched: tuple[Watched, ...] = ()
    """The rows of the last step, of all processes; empty where they are not watched."""
    sighted: tuple[Sighted, ...] = ()
    """What guards saw last."""
    pass_cells: int | None = None
    """Rows x tokens, padding included, that one pass of a step may hold since memory failed; None: a whole micro-batch."""
    resumed_at: int = 0
    """The step of the checkpoint from which the run went on; 0 for a fresh one."""
    stop: str = ""
    """Why the run shall end after this step; empty to go on."""
    evaluate: bool = False
    """Whether the validation rows shall be looked at after this step."""
    save: bool = False
    """Whether a checkpoint shall be written after this step, and after its evaluation."""
    unsaved: str = ""
    """Why the last checkpoint that was due could not be written; empty where it was."""
    failed: bool = False
    """Whether an error ended the run."""


class Callback(Config):
    """Watches a run, and may ask it to stop, to look or to save. It never touches gradients, batches or the loss.

    What it must remember for a run that goes on are its private attributes (``state()``): plain values, which a checkpoint keeps as JSON.
    One that holds something else, as an open file, overrides ``state()`` and leaves it out.
    """

    everywhere: ClassVar[bool] = False
    """Whether every process of a run has one; the first process alone otherwise."""

    def fit_start(self, run: Run) -> None:
        """Before the first step; after a checkpoint was loaded, when there is one."""

    def sighted(self, run: Run) -> None:
        """After guards saw something (``run.sighted``): before the update of a step, or after a look at the validation rows."""

    def split(self, run: Run) -> None:
        """After memory failed and passes hold less (``run.pass_cells``): in a step, which begins anew."""

    def step_end(self, run: Run) -> None:
        """After each optimizer step."""

    def evaluated(self, run: Run) -> None:
        """After each look at the validation rows."""

    def saved(self, run: Run) -> None:
        """After a checkpoint stands on the disk."""

    def unsaved(self, run: Run) -> None:
        """After a checkpoint could not be written (``run.unsaved``); training goes on."""

    def fit_end(self, run: Run) -> None:
        """After the last step, also when the run was stopped."""


@dataclass(frozen=True)
class Job:
    """All that an engine needs to drive a run; every part is made by someone else."""

    model: nn.Module
    pieces: Sequence[Piece]
    """The encoded training rows, each with its ``labels``."""
    order: Callable[[int], Sequence[Sequence[int]]]
    """Epoch -> the indices of its micro-batches, in order; the same for the same epoch, always as many."""
    collate: Callable[[Sequence[Piece]], dict[str, Tensor]]
    loss_fn: LossFn
    count: Callable[[Batch], float]
    """Labelled items of a batch, known without a forward pass."""
    evaluate: Callable[[nn.Module], dict[str, float]]
    """Scores on the validation rows; ``train.best_by`` is among them."""
    best_by: str
    higher_is_better: bool
    settings: TrainSettings
    callbacks: Sequence[Callback]
    folder: Path
    """Where checkpoints go."""
    seed: int
    head_weights: frozenset[str] = frozenset()
    """Names of the weights above the encoder's layers: they get the head's learning rate."""
    rate_factors: Mapping[str, float] = field(default_factory=dict)
    """By name, the weights whose learning rate is multiplied, and by how much."""
    before_step: Callable[[float], None] | None = None
    """Called before the first forward pass of each step with the share of the run that is done, in [0, 1): decides which weights need a
    gradient in it. After the update it is called with 1, which gives one to all that are ever trained, so that a checkpoint keeps them."""
    resume: Path | None = None
    """The checkpoint to go on from."""
    watch: Callable[[Tensor, Tensor], Tensor] | None = None
    """Outputs and labels of a batch -> loss and margin of each of its rows, (rows, 2), where the rows of a step are to be watched; those of
    a stream never are, because nobody could find them again."""
    stream: Stream | None = None
    """In the place of ``pieces`` and ``order``: rows that come as they are read. Needs ``settings.max_steps``."""
    guards: Mapping[str, Guard] = field(default_factory=dict)
    """Who looks at each step, by name, in their order."""
    place: Callable[[int], str] = str
    """The number of a piece -> what a person calls its row."""
    same_loss: str = ""
    """The score on the validation rows that is the training loss, in the same unit; empty where there is none."""
    identity: Mapping[str, Any] = field(default_factory=dict)
    """Settings and fingerprints by name, plain values, that must be the same when a run goes on from a checkpoint."""


def in_json(value: Any) -> Any:
    """Numbers, alone or by name, with None for those that JSON does not have."""
    if isinstance(value, Mapping):
        return {name: in_json(one) for name, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def tell(callbacks: Iterable[Callback], event: Event, run: Run) -> None:
    """Call one event of every callback, in order."""
    for callback in callbacks:
        getattr(callback, event)(run)


def compose(forward: Callable[[nn.Module, Batch], Tensor], criterion: Criterion) -> LossFn:
    """The loss of a step, from a task's forward pass and a criterion."""

    def loss_fn(model: nn.Module, batch: Batch) -> Loss:
        outputs = forward(model, batch)
        return Loss(criterion(outputs, batch["labels"]), criterion.count(batch["labels"]), outputs)

    return loss_fn
