from __future__ import annotations

from typing import ClassVar

from tunewright.train.guards.base import Action, Guard, Seen, Sighting, Verdict


class NothingToLearn(Guard):
    """A step has no labelled item at all: every label is masked, or cut off."""

    action: Action = "adjust"
    """``tell`` and ``adjust`` leave the update out, because there is nothing to make it of; ``stop`` ends the run too."""

    symptom: ClassVar = "no labelled item in a step"
    means: ClassVar = "rows whose labels are all masked, or lie beyond model.max_tokens"
    remedy: ClassVar = "Look at such rows with tunewright show, and raise model.max_tokens"
    adjusts: ClassVar = "skips the update"

    def step(self, seen: Seen) -> Sighting | None:
        if seen.items:
            return None
        return Sighting("no row of this step has anything to learn", Verdict("skip"))

    def decide(self, sighting: Sighting) -> Verdict:
        """There is no gradient to use: to ``tell`` alone is to skip the update."""
        return Verdict("end") if self.action == "stop" else Verdict("skip")
