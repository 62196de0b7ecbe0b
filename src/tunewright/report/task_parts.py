"""What a page and a card say that only one task has. Classification, the first of them, stands in the page itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from tunewright.report.facts import Facts


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Args:
        anchor: its id, which the list of parts links to.
        title: of the list of parts.
        heading: of the section.
        body: what stands below the heading, escaped already.
    """

    anchor: str
    title: str
    heading: str
    body: Markup


@dataclass(frozen=True)
class TaskPart:
    """What a task adds to page and card.

    Args:
        kind: what the model is, behind its name, as "entities of 6 types".
        sections: between the scores and the cost.
        hints: what to look at first, each with the anchor that shows it.
        pipeline_tag: the Hub's word for the task.
        task_name: the same for people.
        metrics: our scores and the Hub's word for them.
        what: the model in a sentence, as "A recogniser of 6 types of entities".
        answers: how it is used, in a sentence or two.
        limits: what it is weak at, each in a sentence.
        snippet: how to load it without tunewright, as Python.
    """

    kind: str
    sections: tuple[Section, ...]
    hints: tuple[tuple[str, str], ...]
    pipeline_tag: str
    task_name: str
    metrics: dict[str, str]
    what: str
    answers: str
    limits: tuple[str, ...]
    snippet: str


PARTS: dict[str, str] = {}
"""Task -> ``module:function``; the function takes the facts of a run."""


def part_of(facts: Facts) -> TaskPart | None:
    """What the task of a run adds; None for a classification, and where no file tells what the task was."""
    place = PARTS.get(facts.task)
    if place is None:
        return None
    module, _, name = place.partition(":")
    make: Callable[[Facts], TaskPart] = getattr(import_module(module), name)
    return make(facts)
