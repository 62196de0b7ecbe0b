"""Criteria: outputs and labels in, a sum and a count out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunewright.core.registry import Registry

if TYPE_CHECKING:
    from tunewright.train.run import Criterion

CRITERIA: Registry[Criterion] = Registry(
    "criterion",
    {
        "binary-cross-entropy": "tunewright.train.criteria.binary_cross_entropy:BinaryCrossEntropy",
        "cross-entropy": "tunewright.train.criteria.cross_entropy:CrossEntropy",
        "huber": "tunewright.train.criteria.squared_error:Huber",
        "mean-squared-error": "tunewright.train.criteria.squared_error:MeanSquaredError",
        "span-cross-entropy": "tunewright.train.criteria.span_cross_entropy:SpanCrossEntropy",
    },
)
