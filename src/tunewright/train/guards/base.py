"""The contract of a guard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, Self

from pydantic import Field, PrivateAttr, model_validator

from tunewright.core.config import Config

Action = Literal["tell", "adjust", "stop"]
HEAD = "the head"
"""What the weights above the encoder's layers are called together in ``Seen.gradients``."""


class Verdict(NamedTuple):
    """What shall become of a step."""

    kind: Literal["go", "skip", "lower", "restore", "end", "fail"] = "go"
    """``go`` on as if nothing were; ``skip`` the update (the step counts, and the schedule moves on); ``lower`` every learning rate by
    ``factor``, from this step to the end of the run; ``restore`` weights and optimizer of the last sound checkpoint, lower the rates
    by ``factor`` and go on with the data (where there is none yet: leave the update out, and lower the rates); ``end`` the run after this
    step, as early stopping does; ``fail``, with exit status 4."""
    factor: float = 1.0
    """In (0, 1]; what the rates are multiplied by."""


GO = Verdict()


class Sighting(NamedTuple):
    """What a guard saw."""

    message: str
    """What is wrong, with its numbers."""
    verdict: Verdict = GO
    """What the guard would do, if it is allowed to."""
    rows: Sequence[str] = ()
    """The rows that it is about, where it is about some."""


@dataclass(frozen=True)
class Seen:
    """A step after its gradients and before its update."""

    step: int
    """Its number, from 1."""
    total_steps: int
    epoch_steps: int
    loss: float
    """Mean over the labelled items, in nats for a cross-entropy; of all processes."""
    items: float
    """Labelled items of the step, of all processes."""
    grad_norm: float
    """Before clipping."""
    learning_rate: float
    seconds: float
    """Since the step before, looks and saving left out."""
    tokens: int
    """Of this step, padding left out."""
    scaled: bool = False
    """Whether a scaler (fp16) skips updates whose gradients are not finite, and tries a smaller scale."""
    rows: Callable[[], Sequence[str]] = tuple
    """The rows of the step, as a person calls them; none for a stream. Looked up only when asked."""
    gradients: Callable[[], Mapping[str, float]] = dict
    """Norm of the gradient of each layer: trained weights taken together by the block that they belong to, those of the head under
    ``HEAD``. Computed only when asked."""
    folder: Path = Path()
    """Where checkpoints go."""


@dataclass(frozen=True)
class Evaluated:
    """A look at the validation rows."""

    step: int
    total_steps: int
    epoch: float
    scores: Mapping[str, float]
    best_by: str
    higher_is_better: bool
    best_score: float | None
    best_step: int | None
    same_loss: str = ""
    """The score that is the training loss on the validation rows, in the same unit; empty where there is none."""


class Guard(Config):
    """Looks for one kind of trouble. Its private attributes are its memory, kept in checkpoints: plain values alone."""

    enabled: bool = True
    """Whether the guard looks at all; ``guards: {<guard>: false}`` is short for it."""
    action: Action = "tell"
    """What it may do: ``tell`` what it saw; ``adjust`` the run as this page says; ``stop`` the run, which ends as by early stopping."""
    quiet: int = Field(100, ge=0)
    """Steps after which the same is told again on the screen, at the earliest; ``events.jsonl`` has every sighting."""

    _told_at: int | None = PrivateAttr(None)

    symptom: ClassVar[str]
    """What is seen, in a few words."""
    means: ClassVar[str]
    """What it usually means."""
    remedy: ClassVar[str]
    """What to do, as a sentence that begins with a verb."""
    adjusts: ClassVar[str] = ""
    """What ``adjust`` does; empty where there is nothing to adjust, and ``adjust`` is refused."""
    alone: ClassVar[bool] = False
    """Whether it looks at a clock or a machine, so that the first process alone is asked, and all obey."""

    @model_validator(mode="after")
    def _can_adjust(self) -> Self:
        if self.action == "adjust" and not self.adjusts:
            raise ValueError("action: adjust would do nothing: this guard knows no cure. Use tell or stop")
        return self

    def loud(self, step: int) -> bool:
        """Whether what is seen in this step is told on the screen too."""
        if self._told_at is not None and step - self._told_at < self.quiet:
            return False
        self._told_at = step
        return True

    def step(self, seen: Seen) -> Sighting | None:
        """Look at a step; None where nothing is wrong."""
        return None

    def evaluated(self, seen: Evaluated) -> Sighting | None:
        """Look at an evaluation; None where nothing is wrong. Of the verdicts it may give ``go``, ``lower``, ``end`` and ``fail``."""
        return None

    def decide(self, sighting: Sighting) -> Verdict:
        """What is done about a sighting, by ``action``."""
        if self.action == "tell":
            return GO
        return Verdict("end") if self.action == "stop" else sighting.verdict
