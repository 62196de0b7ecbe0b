"""Kinds of problem: one file each, from the columns of a table to the numbers of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunewright.core.registry import Registry

if TYPE_CHECKING:
    from tunewright.tasks.base import Task

TASKS: Registry[Task] = Registry(
    "task",
    {
        "question-answering": "tunewright.tasks.question_answering:QuestionAnswering",
        "regression": "tunewright.tasks.regression:Regression",
        "text-classification": "tunewright.tasks.text_classification:TextClassification",
        "token-classification": "tunewright.tasks.token_classification:TokenClassification",
    },
)
