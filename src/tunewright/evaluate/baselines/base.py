"""What a baseline is, and whether a model is worth more than it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunewright.core.errors import UserError
from tunewright.core.schema import Row, Score
from tunewright.metrics.classes import higher_is_better
from tunewright.metrics.intervals import Outcome, mcnemar, paired_difference
from tunewright.tasks.base import Task


@dataclass(frozen=True)
class Asked:
    """What a baseline is given.

    Args:
        task: as the model has it, with what it learned and tuned.
        train: the rows to learn from.
        validation: the rows on which something may be chosen.
        test: the rows to answer.
        ours: the outcome of the model on the test rows.
        seed: of the run.
    """

    task: Task
    train: Sequence[Row]
    validation: Sequence[Row]
    test: Sequence[Row]
    ours: Any
    seed: int


@dataclass(frozen=True)
class Baseline:
    """The answers of a baseline over the test rows, and what they cost."""

    outcome: Outcome
    seconds: float
    """Wall-clock time of training and answering together."""
    trained_rows: int


def worth_it(
    task: Task, ours: Any, baseline: Any, name: str, rng: np.random.Generator, baseline_name: str, resamples: int = 1000
) -> dict[str, Any]:
    """Is fine-tuning worth it here? A paired difference in one score, and a sentence that may be quoted.

    Args:
        task: measures both.
        ours: the outcome of the fine-tuned model.
        baseline: over the same rows in the same order.
        name: the score to compare, as ``f1_macro``.
        rng: the only source of chance.
        baseline_name: as the sentence shall call it.
        resamples: of the bootstrap.

    Returns:
        ``score``; ``verdict`` (``better``, ``no proven difference`` or ``worse``, at 95 %); ``ours`` and ``baseline``; ``difference``,
        ours minus baseline, with ``value, low, high, rows``; ``mcnemar_p``, where a row is right or wrong; ``sentence``. Ready for JSON.

    Raises:
        UserError: the two are not over the same rows, or the score has no value on them.
    """
    if not task.same_rows(ours, baseline):
        raise UserError("the model and the baseline were not measured on the same rows", "the same test rows in the same order were wanted",
                        "Measure both again on one dataset version: tunewright evaluate RUN")  # fmt: skip
    difference = paired_difference(ours, baseline, task.measure, name, rng, resamples=resamples)
    mine, other = task.measure(ours)[name], task.measure(baseline)[name]
    verdict = _verdict(difference, higher_is_better(name))
    told = {"mcnemar_p": mcnemar(ours.right, baseline.right)} if hasattr(ours, "right") else {}
    return {
        "score": name,
        "verdict": verdict,
        "ours": mine,
        "baseline": other,
        "difference": difference.model_dump(),
        **told,
        "sentence": _sentence(verdict, name, mine, other, difference, baseline_name),
    }


def _verdict(difference: Score, higher: bool) -> str:
    low, high = (difference.low, difference.high) if higher else (-difference.high, -difference.low)
    return "better" if low > 0 else "worse" if high < 0 else "no proven difference"


def _sentence(verdict: str, name: str, mine: float, other: float, difference: Score, baseline_name: str) -> str:
    numbers = (f"{name} is {mine:.3f} against {other:.3f} for {baseline_name}, a difference of {difference.value:+.3f} "
               f"(95 % interval {difference.low:+.3f} to {difference.high:+.3f}, {difference.rows} rows)")  # fmt: skip
    if verdict == "better":
        return f"Fine-tuning is worth it here: {numbers}."
    if verdict == "worse":
        return f"Fine-tuning is not worth it here: {numbers}. Use the baseline, or look for what went wrong in training."
    return f"It is not proven that fine-tuning is worth it here: {numbers}. The baseline is the cheaper choice until more test rows tell."
