"""Answers that must stand in their context: at another place, in another spelling, or not at all."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from tunewright.core.schema import Policy
from tunewright.data.audit.base import Hit, Looked, Rule, rows_word
from tunewright.data.values.answers import ANSWERS, UNPLACED
from tunewright.tasks.base import Role

SHOWN = 60
"""Characters of an answer that a reason quotes."""

Answer = dict[str, Any]


@dataclass
class Seen:
    """The rows in which a rule found something."""

    rows: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    mended: list[list[Answer]] = field(default_factory=list)
    removable: list[bool] = field(default_factory=list)

    def add(self, row: int, reasons: list[str], mended: list[Answer], removable: bool = True) -> None:
        self.rows.append(row)
        self.reasons.append("; ".join(reasons))
        self.mended.append(mended)
        self.removable.append(removable)

    def hit(self, role: Role, what: str) -> Iterator[Hit]:
        """What was found, with the mended answers; nothing where nothing was."""
        if self.rows:
            message = f"{rows_word(len(self.rows))} {what}, as: {self.reasons[0]}"
            fixed = {role.name: pa.array(self.mended, ANSWERS)}
            yield Hit(message, np.array(self.rows), self.reasons, removable=np.array(self.removable), fixed=fixed)


class AnswerSpelling(Rule):
    """Answers that stand in their context but for case, blanks or the form of letters (Unicode NFKC); the place is proposed."""

    looks_at: ClassVar = ("answers",)
    cost: ClassVar = "one pass over the contexts, slow only where answers do not fit"
    default: ClassVar[Policy] = "fix"
    policies: ClassVar = ("keep", "drop", "fix", "refuse")
    remedy: ClassVar = "fix takes the words of the context; with keep nothing can be learned from these answers"
    recipe: ClassVar = "data.policy.answer-spelling: fix"

    def look(self, looked: Looked) -> Iterator[Hit]:
        yield from _each(looked, _respelled).hit(_role(looked), "whose answer is spelled otherwise in its context")


class AnswerPlace(Rule):
    """Answers that stand in their context, but not where they are said to; or whose place is not told."""

    looks_at: ClassVar = ("answers",)
    cost: ClassVar = "one pass over the contexts"
    default: ClassVar[Policy] = "fix"
    policies: ClassVar = ("keep", "drop", "fix", "refuse")
    remedy: ClassVar = "fix takes the nearest place where the answer stands; look at those that stand at several"
    recipe: ClassVar = "data.policy.answer-place: fix"

    def look(self, looked: Looked) -> Iterator[Hit]:
        role = _role(looked)
        yield from _each(looked, _replaced).hit(role, "whose answer stands at another place of its context")
        found = _each(looked, _placed)
        if found.rows:
            message = f"{rows_word(len(found.rows))} whose answer came without a place, which was looked for"
            yield Hit(message, np.array(found.rows), found.reasons, fixed={role.name: pa.array(found.mended, ANSWERS)})
        doubtful = _each(looked, _several)
        if doubtful.rows:
            message = (f"{rows_word(len(doubtful.rows))} whose answer came without a place and stands at several: the first is taken, "
                       f"as: {doubtful.reasons[0]}")  # fmt: skip
            yield Hit(message, np.array(doubtful.rows), doubtful.reasons, told_only=True)


class AnswerNotInContext(Rule):
    """Answers that do not stand in their context. Nothing can be learned from a row none of whose answers does."""

    looks_at: ClassVar = ("answers",)
    severity: ClassVar = "error"
    cost: ClassVar = "one pass over the contexts"
    default: ClassVar[Policy] = "drop"
    remedy: ClassVar = "Correct the answer or the context; rows that have another answer which fits stay"
    recipe: ClassVar = "data.policy.answer-not-in-context: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        for hit in _each(looked, _missing).hit(_role(looked), "whose answer does not stand in its context"):
            yield Hit(hit.message, hit.rows, hit.reasons, removable=hit.removable)


Mend = Callable[[Answer, str], tuple[Answer, str]]
"""An answer and its context -> the answer as it should be, and what is wrong with it; empty where nothing is."""


def _each(looked: Looked, mend: Mend) -> Seen:
    role, found = _role(looked), Seen()
    at = 0
    contexts = (one for chunk in looked.rows["context"].chunks for one in chunk.to_pylist())
    for chunk in looked.rows[role.name].chunks:
        for answers in chunk.to_pylist():
            context = next(contexts)
            if answers and context:
                pairs = [mend(answer, context) for answer in answers]
                reasons = [reason for _, reason in pairs if reason]
                if reasons:
                    found.add(at, reasons, [answer for answer, _ in pairs], len(reasons) == len(answers))
            at += 1
    return found


def _role(looked: Looked) -> Role:
    return next(role for role in looked.roles if role.kind == "answers")


def _replaced(answer: Answer, context: str) -> tuple[Answer, str]:
    start, text = answer["start"], answer["text"]
    if start == UNPLACED or context.startswith(text, start) or text not in context:
        return answer, ""
    place = nearest(text, context, start)
    return {**answer, "start": place}, f"{_short(text)} stands at {place:,}, not at {start:,}"


def _placed(answer: Answer, context: str) -> tuple[Answer, str]:
    if answer["start"] != UNPLACED or (place := context.find(answer["text"])) < 0:
        return answer, ""
    return {**answer, "start": place}, f"{_short(answer['text'])} stands at {place:,}"


def _several(answer: Answer, context: str) -> tuple[Answer, str]:
    times = context.count(answer["text"]) if answer["start"] == UNPLACED else 0
    return answer, f"{_short(answer['text'])} stands at {times} places of its context" if times > 1 else ""


def _respelled(answer: Answer, context: str) -> tuple[Answer, str]:
    if answer["text"] in context or (place := respelled(answer["text"], context)) is None:
        return answer, ""
    start, end = place
    return {"start": start, "text": context[start:end]}, f"{_short(answer['text'])} is {_short(context[start:end])} at {start:,}"


def _missing(answer: Answer, context: str) -> tuple[Answer, str]:
    if answer["text"] in context:
        return answer, ""
    place = respelled(answer["text"], context)
    proposed = "" if place is None else f"; {_short(context[slice(*place)])} stands at {place[0]:,}"
    return answer, f"{_short(answer['text'])} does not stand in the context{proposed}"


def nearest(text: str, context: str, start: int) -> int:
    """The place of a text in its context that is nearest to ``start``; the text stands there.

    >>> nearest("ab", "ab cd ab", 5)
    6
    """
    places, at = [], context.find(text)
    while at >= 0:
        places.append(at)
        at = context.find(text, at + 1)
    return min(places, key=lambda place: abs(place - start))


def respelled(text: str, context: str) -> tuple[int, int] | None:
    """Where a text stands in its context but for case, blanks and the form of letters: start and end; None where it does not.

    >>> respelled("new  york", "In New York.")
    (3, 11)
    """
    wanted = "".join(_plain(text)[0])
    letters, places = _plain(context)
    at = "".join(letters).find(wanted) if wanted else -1
    if at < 0:
        return None
    return places[at], places[at + len(wanted) - 1] + 1


def _plain(text: str) -> tuple[list[str], list[int]]:
    """Letters without case, blanks and compatibility forms, and the place of each in the text."""
    letters, places = [], []
    for at, char in enumerate(text):
        for letter in unicodedata.normalize("NFKC", char).casefold():
            if not letter.isspace():
                letters.append(letter)
                places.append(at)
    return letters, places


def _short(text: str) -> str:
    text = " ".join(text.split()) if len(text) > SHOWN else text
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")
