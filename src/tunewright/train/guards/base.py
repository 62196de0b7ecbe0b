"""The contract of a guard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple

from tunewright.core.config import Config

Action = Literal["tell", "adjust", "stop"]


class Verdict(NamedTuple):
    """What shall become of a step."""

    kind: Literal["go", "skip", "lower", "restore", "end", "fail"] = "go"
    """``go`` on as if nothing were; ``skip`` the update (the step counts, and the schedule moves on); ``lower`` every learning rate by
    ``factor``, from this step to the end of the run; ``restore`` weights and optimizer of the last checkpoint, lower the rates by
    ``factor`` and go on with the data; ``end`` the run after this step, as early stopping does; ``fail``, with exit status 4."""
    factor: float = 1.0
    """In (0, 1]; what the rates are multiplied by."""


GO = Verdict()


class Sighting(NamedTuple):
    """What a guard saw."""

    message: str
    """What is wrong, with its numbers."""
    verdict: Verdict = GO
    """What the guard would do, if it is allowed to."""


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
    """Labelled items of the step."""
    grad_norm: float
    """Before clipping."""
    learning_rate: float
    seconds: float
    """Since the last step, looks and saving left out."""
    tokens: int
    """Of this step, padding left out."""
    scaled: bool = False
    """Whether a scaler (fp16) skips updates whose gradients are not finite, and tries a smaller scale."""
    rows: Callable[[], Sequence[int]] = tuple
    """Numbers of the rows of the step, among the training rows, where they have numbers."""
    gradients: Callable[[], Mapping[str, float]] = dict
    """Norm of the gradient of each layer: trained weights taken together by the block that they belong to. Looked at only when asked."""
    head: frozenset[str] = field(default_factory=frozenset)
    """The names in ``gradients`` that belong to the head."""


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


class Guard(Config):
    """Looks for one kind of trouble. Its private attributes are its memory, kept in checkpoints: plain values alone."""

    action: Action = "tell"
    """What it may do: ``tell`` what it saw; ``adjust`` the run as its page says; ``stop`` the run."""
    quiet: int = 100
    """Steps after which the same is told again, at the earliest."""

    symptom: ClassVar[str]
    """What is seen, in a few words."""
    means: ClassVar[str]
    """What it usually means."""
    remedy: ClassVar[str]
    """What to do, as a sentence that begins with a verb."""
    adjusts: ClassVar[str] = "nothing: it tells"
    """What ``adjust`` does."""
    alone: ClassVar[bool] = False
    """Whether it looks at a clock or a machine, so that the first process alone is asked, and all obey."""

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
