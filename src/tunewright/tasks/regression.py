from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from tunewright.core.errors import UserError
from tunewright.core.schema import Row
from tunewright.tasks.base import Answer, Encoded, Role, Task
from tunewright.tasks.texts import read, text_roles, texts_and_pairs

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from tunewright.metrics.numbers import NumberOutcome

SAME = 1e-3
"""Numbers that are no further apart than this, in standard deviations of the training numbers, say the same to a reader."""


class Regression(Task):
    """A number for one text, or for a pair of texts: stars, minutes, how alike two sentences are."""

    head: ClassVar = "AutoModelForSequenceClassification"
    criterion: ClassVar = "mean-squared-error"
    gold: ClassVar = "number"
    baselines: ClassVar = ("mean", "tfidf")
    proof: ClassVar = "numbers"
    scores: ClassVar = "numbers"

    low: float | None = None
    """The least number that is answered; what the model gives below it is raised to it."""
    high: float | None = None
    """The largest number that is answered; what the model gives above it is lowered to it."""
    standardise: bool = True
    """Whether the model learns the numbers in standard deviations from their mean, whatever their unit. The saved model answers in the
    unit of the table either way, where its head can (a last layer with a bias, in float32)."""
    mean: float | None = None
    """Of the training numbers; left out, it is learned."""
    deviation: float | None = Field(None, gt=0)
    """Standard deviation of the training numbers; left out, it is learned."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be less than high")
        return self

    def roles(self) -> tuple[Role, ...]:
        return *text_roles("the text to rate", "a second text, when a pair is rated"), Role("number", "number", "the number")

    def criteria(self) -> tuple[str, ...]:
        return self.criterion, "huber"

    def best_by(self) -> str:
        return "root_mean_squared_error"

    def learn(self, rows: Sequence[Row]) -> Self:
        numbers = [float(row["number"]) for row in rows if row.get("number") is not None]
        if len(set(numbers)) < 2:
            only = f"all {len(numbers)} training rows have the number {numbers[0]:g}" if numbers else "no training row has a number"
            raise UserError(only, "Rows with different numbers are needed", "Check data.columns.number: is it the right column?")
        low, high = -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
        if outside := [number for number in numbers if not low <= number <= high]:
            raise UserError(
                f"{len(outside)} training rows have a number outside task.low and task.high, as {outside[0]:g}",
                f"No answer could ever reach them: answers are kept from {low:g} to {high:g}",
                "Widen the bounds, or correct the rows",
            )
        mean = math.fsum(numbers) / len(numbers)
        deviation = math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / len(numbers))
        return self.model_copy(
            update={"mean": mean if self.mean is None else self.mean, "deviation": self.deviation or max(deviation, 1e-300)}
        )

    def head_settings(self) -> dict[str, Any]:
        return {"num_labels": 1, "id2label": {0: "number"}, "label2id": {"number": 0}, "problem_type": "regression"}

    def encode(self, rows: Sequence[Row], tokenizer: Any, max_tokens: int) -> list[Encoded]:
        encoded = []
        for row, one in zip(rows, read(rows, tokenizer, max_tokens), strict=True):
            number = row.get("number")
            piece = one.piece if number is None else {**one.piece, "labels": (float(number) - self._zero) / self._unit}
            encoded.append(Encoded((piece,), one.tokens, one.cut))
        return encoded

    def forward(self, model: nn.Module, batch: Any) -> Tensor:
        return super().forward(model, batch).squeeze(-1)

    def decode(self, row: Row, inferred: Sequence[Any], encoded: Encoded, tokenizer: Any) -> Answer:
        return {"number": self._within_bounds(float(inferred[0]) * self._unit + self._zero)}

    def outcome(self, rows: Sequence[Row], answers: Sequence[Answer]) -> NumberOutcome:
        import numpy as np

        from tunewright.metrics.numbers import NumberOutcome

        wanted = np.array([row["number"] for row in rows], dtype=np.float64)
        return NumberOutcome(wanted, np.array([answer["number"] for answer in answers], dtype=np.float64))

    def same_rows(self, one: NumberOutcome, other: NumberOutcome) -> bool:
        import numpy as np

        return np.array_equal(one.wanted, other.wanted)

    def measure(self, outcome: NumberOutcome) -> dict[str, float]:
        from tunewright.metrics.numbers import measure

        return measure(outcome)

    def settled(self, model: nn.Module) -> Self:
        """Mean and deviation go into the last layer, so that the saved model answers in the unit of the table by itself."""
        import torch

        last = [one for one in model.modules() if isinstance(one, torch.nn.Linear) and one.out_features == 1 and one.weight.requires_grad]
        if not self.standardise or not last or last[-1].bias is None or last[-1].weight.dtype not in {torch.float32, torch.float64}:
            return self
        with torch.no_grad():
            last[-1].weight.mul_(self._unit)
            last[-1].bias.mul_(self._unit).add_(self._zero)
        return self.model_copy(update={"standardise": False})

    def details(self, outcome: NumberOutcome) -> dict[str, Any]:
        """How the saved model's own number becomes one in the unit of the table, and the bounds that answers are kept to."""
        scale = {"zero": self._zero, "unit": self._unit, "mean": self.mean, "deviation": self.deviation}
        return {"numbers": {**scale, "low": self.low, "high": self.high}}

    def answer_schema(self) -> pa.Schema:
        import pyarrow as pa

        return pa.schema([("number", pa.float64())])

    def agrees(self, one: Answer, other: Answer) -> bool:
        return self.difference(one, other) <= SAME

    def difference(self, one: Answer, other: Answer) -> float:
        """In standard deviations of the training numbers."""
        gap = abs(one["number"] - other["number"]) / (self.deviation or 1.0)
        return gap if math.isfinite(gap) else math.inf

    def asked(self, rows: Sequence[Row], max_tokens: int) -> dict[str, Any]:
        texts, pairs = texts_and_pairs(rows)
        return {"texts": texts, "pairs": pairs}

    def heard(self, told: Any, row: Row, encoded: Encoded, tokenizer: Any) -> Answer:
        return self.decode(row, [told], encoded, tokenizer)

    @property
    def _zero(self) -> float:
        """The number that the model calls 0."""
        return (self.mean or 0.0) if self.standardise else 0.0

    @property
    def _unit(self) -> float:
        """What the model calls 1, counted from there."""
        return (self.deviation or 1.0) if self.standardise else 1.0

    def _within_bounds(self, number: float) -> float:
        if math.isnan(number):
            return number
        return min(max(number, -math.inf if self.low is None else self.low), math.inf if self.high is None else self.high)
