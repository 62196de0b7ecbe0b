"""Which task a table is for, and which columns play its roles: a guess with its reasons, and what else it could be."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tunewright.core.errors import UserError
from tunewright.pipeline.guess_spans import Entities, entities_in
from tunewright.pipeline.looks import Look, look

TEXT_NAMES = (
    "text body message content review comment sentence question utterance tweet post query document description email "
    "mail abstract article complaint feedback input premise"
)
LABEL_NAMES = (
    "label labels target class category categories intent queue topic topics tag tags sentiment emotion department type "
    "gold output y reason genre"
)
FIRST_LABEL_NAMES = "label labels target class category categories intent"
QUESTION_NAMES, CONTEXT_NAMES, ANSWER_NAMES = "question query", "context passage paragraph document text", "answers answer"
NUMBER_NAMES = "score scores rating ratings stars grade similarity relatedness points price amount value number"
ASIDE_NAMES = "source split fold lang language locale dataset version year country annotators votes confidence"
PAIRS = (
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("sentence1", "sentence2"),
    ("text1", "text2"),
    ("text", "text_pair"),
    ("question", "passage"),
    ("question", "sentence"),
    ("question", "context"),
    ("query", "document"),
    ("query", "passage"),
)


@dataclass(frozen=True)
class Guess:
    """The roles, why, and what else it could be.

    Args:
        columns: role -> column.
        multi_label: whether a row has several labels.
        separator: what stands between them, where they are text.
        why: role -> the reason, in words.
        others: other choices, each role -> column, with the reason.
        left_out: column -> why it plays no part.
        task: what the rows are for, by its name.
        other_tasks: what else they could be for: the task, role -> column, and the reason.
    """

    columns: dict[str, str]
    multi_label: bool
    separator: str
    why: dict[str, str]
    others: tuple[tuple[dict[str, str], str], ...]
    left_out: dict[str, str]
    task: str = "text-classification"
    other_tasks: tuple[tuple[str, dict[str, str], str], ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """What the recipe says of the task beside its name."""
        return ({"multi_label": True} if self.multi_label else {}) | ({"separator": self.separator} if self.separator else {})


def guess(columns: Mapping[str, Sequence[Any]], where: str) -> Guess:
    """Guess the roles of a table's columns from its first rows.

    Args:
        columns: the table's own columns, equally long.
        where: what the table is called in a message.

    Raises:
        UserError: it has one column only, no column that could be a label, or none that could be a text.
    """
    looks = [look(name, values) for name, values in columns.items()]
    if len(looks) < 2:
        raise UserError(
            f"{where} has one column, {looks[0].name!r}, which is {looks[0].why}" if looks else f"{where} has no columns",
            "A text and its label are wanted, each in a column of its own",
            "Add the column with the labels; if there is one, check the delimiter and the header of the file",
        )
    if asked := _question_answering(columns, looks):
        return asked
    if entities := entities_in(columns):
        return _entities(looks, entities, where)
    labels = sorted((one for one in looks if one.kind in {"label", "labels"}), key=_label_score, reverse=True)
    texts = sorted((one for one in looks if one.kind in {"text", "words"}), key=_text_score, reverse=True)
    numbers = sorted((one for one in looks if one.kind == "number"), key=_number_score, reverse=True)
    if texts and numbers and (_rather_a_number(numbers[0], labels[0]) if labels else not _constant_label(looks)):
        return _regression(looks, texts, numbers, labels)
    if not labels:
        raise _no_label(looks, where)
    label = labels[0]
    if not texts:
        texts = [one for one in labels[1:] if not one.numeric][:1]  # short texts that repeat, as product names
    if not texts:
        raise _no_text(looks, where)
    roles = _text_roles(texts)
    pair = "text_pair" in roles
    chosen = [*roles.values(), label.name]
    why = {role: _why(one, "text") for role, name in roles.items() for one in looks if one.name == name} | {"label": _why(label, "label")}
    others = [({**roles, "label": one.name}, _why(one, "label")) for one in labels[1:] if one.name not in chosen]
    others += [({"text": one.name, "label": label.name}, _why(one, "text")) for one in texts if one.name not in chosen]
    if pair:
        others.insert(0, ({"text": roles["text"], "label": label.name}, "if the first text alone decides"))
    told = {*chosen, *(name for columns, _ in others for name in columns.values())}
    left_out = {one.name: one.why for one in looks if one.name not in told}
    rated = [("regression", {**roles, "number": label.name}, "if these are amounts and no names")] if _counts(label) else []
    rated += [("regression", {**roles, "number": one.name}, _why(one, "number")) for one in numbers if _called(one.name, NUMBER_NAMES)]
    several, between = label.kind == "labels", label.separator
    return Guess({**roles, "label": label.name}, several, between, why, tuple(others[:4]), left_out, other_tasks=tuple(rated[:2]))


def _question_answering(columns: Mapping[str, Sequence[Any]], looks: Sequence[Look]) -> Guess | None:
    """A question, a context and an answer that stands in it, told by their names and by the first rows; None where there are none."""
    roles = {}
    for role, names in (("question", QUESTION_NAMES), ("context", CONTEXT_NAMES), ("answers", ANSWER_NAMES)):
        ordered = sorted(columns, key=lambda name: _place(name, names.split()))
        if not ordered or not _called(ordered[0], names):
            return None
        roles[role] = ordered[0]
    counted = _answered(columns[roles["context"]], columns[roles["answers"]])
    if len(set(roles.values())) < 3 or counted is None:
        return None
    answered, none, rows = counted
    why = {role: one.why for role, name in roles.items() for one in looks if one.name == name}
    why["answers"] = f"it stands in the context in {answered:,} of {rows:,} rows" + (f"; {none:,} have no answer" if none else "")
    left_out = {one.name: one.why for one in looks if one.name not in roles.values()}
    return Guess(roles, False, "", why, (), left_out, "question-answering")


def _place(name: str, names: Sequence[str]) -> int:
    """The place of the first of ``names`` that a column's name has; behind them all, where it has none."""
    return next((at for at, one in enumerate(names) if _called(name, one)), len(names))


def _answered(contexts: Sequence[Any], cells: Sequence[Any]) -> tuple[int, int, int] | None:
    """Rows whose answer stands in their context, rows without an answer, and all rows; None where too few do for answers out of a text."""
    from tunewright.data.values.answers import Unreadable, answers_of

    answered = none = wrong = 0
    for context, cell in zip(contexts, cells, strict=True):
        try:
            answers = answers_of(cell)
        except Unreadable:
            answers = [{"text": "\0"}]
        if answers is not None:
            stands = any(one["text"] in str(context) for one in answers)
            answered, none, wrong = answered + stands, none + (not answers), wrong + (bool(answers) and not stands)
    return (answered, none, len(cells)) if answered > wrong else None


def _entities(looks: Sequence[Look], found: Entities, where: str) -> Guess:
    """Entities, in the text that is theirs or in the column that looks most like one."""
    taken = {found.spans, *found.others}
    texts = sorted((one for one in looks if one.kind in {"text", "words"} and one.name not in taken), key=_text_score, reverse=True)
    if found.text is None and not texts:
        raise _no_text(looks, where)
    text = found.text or texts[0].name
    why = {"text": _why(texts[0], "text")} if found.text is None else {}
    columns = {"text": text, "spans": found.spans}
    others = [({"text": text, "spans": name}, "it holds entities or tags too") for name in found.others]
    if found.text is None:
        others += [({"text": one.name, "spans": found.spans}, _why(one, "text")) for one in texts[1:]]
    told = {*columns.values(), *(name for other, _ in others for name in other.values())}
    left_out = {one.name: one.why for one in looks if one.name not in told}
    return Guess(columns, False, "", why | found.why, tuple(others[:4]), left_out, "token-classification")


def _regression(looks: Sequence[Look], texts: Sequence[Look], numbers: Sequence[Look], labels: Sequence[Look]) -> Guess:
    roles, number = _text_roles(texts), numbers[0]
    columns = {**roles, "number": number.name}
    why = {role: _why(one, "text") for role, name in roles.items() for one in looks if one.name == name}
    others = [({**roles, "number": one.name}, _why(one, "number")) for one in numbers[1:]]
    if "text_pair" in roles:
        others.insert(0, ({"text": roles["text"], "number": number.name}, "if the first text alone decides"))
    told = {*columns.values(), *(name for found, _ in others for name in found.values())}
    classes = tuple(("text-classification", {**roles, "label": one.name}, _why(one, "label")) for one in labels[:2])
    told |= {name for _, found, _ in classes for name in found.values()}
    left_out = {one.name: one.why for one in looks if one.name not in told}
    return Guess(columns, False, "", why | {"number": _why(number, "number")}, tuple(others[:4]), left_out, "regression", classes)


def _text_roles(texts: Sequence[Look]) -> dict[str, str]:
    """The text, or the pair of texts, out of columns with the best first."""
    pair = _pair([one.name for one in texts])
    return {"text": pair[0], "text_pair": pair[1]} if pair else {"text": texts[0].name}


def _number_score(one: Look) -> float:
    """Higher for a better number to predict: called so, most rows filled."""
    return (1.0 if _called(one.name, NUMBER_NAMES) else 0.0) - (1.0 if _called(one.name, ASIDE_NAMES) else 0.0) + one.filled / one.rows


def _rather_a_number(number: Look, label: Look) -> bool:
    """Whether a column of numbers is what is wanted, although there are labels: it is called so, and no label is."""
    return _called(number.name, NUMBER_NAMES) and not _called(label.name, FIRST_LABEL_NAMES)


def _counts(label: Look) -> bool:
    """Whether labels are numbers of which one may be more than another: three or more, not called a class."""
    return label.kind == "label" and label.numeric and label.distinct > 2


def _label_score(one: Look) -> float:
    """Higher for a better label: its name, names rather than numbers, few values, most rows filled."""
    score = 1.2 if _called(one.name, LABEL_NAMES) else 0.0
    if _called(one.name, FIRST_LABEL_NAMES):
        score = 2.0 if one.name.lower() in FIRST_LABEL_NAMES.split() else 1.5
    score -= 1.0 if _called(one.name, ASIDE_NAMES) else 0.0
    return score + (0.0 if one.numeric else 0.5) - 0.2 * math.log10(max(one.distinct, 1)) + one.filled / one.rows


def _text_score(one: Look) -> float:
    """Higher for a better text: longer, with more different values, called so."""
    score = math.log10(1 + one.letters) + one.distinct / one.filled + one.filled / one.rows
    return (
        score
        + (0.8 if one.name.lower() == "text" else 0.5 if _called(one.name, TEXT_NAMES) else 0.0)
        - (1.0 if one.kind == "words" else 0.0)
    )


def _called(name: str, words: str) -> bool:
    """Whether a word of a column's name is among ``words``."""
    return bool({part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}.intersection(words.split()))


def _pair(names: Sequence[str]) -> tuple[str, str] | None:
    """Two text columns that belong together by their names, in their order."""
    by_lower = {name.lower(): name for name in names}
    for first, second in PAIRS:
        if first in by_lower and second in by_lower:
            return by_lower[first], by_lower[second]
    for first in sorted(by_lower):
        stem, end = first[:-1], first[-1:]
        second = stem + {"1": "2", "a": "b"}.get(end, "")
        if end in {"1", "a"} and len(stem) > 2 and second in by_lower:
            return by_lower[first], by_lower[second]
    return None


def _why(one: Look, role: str) -> str:
    missing = f", missing in {one.rows - one.filled:,} of {one.rows:,} rows" if one.filled < one.rows else ""
    if role in {"text", "number"}:
        return one.why + missing
    shown = ", ".join(f"{name} {count:,}" for name, count in one.top)
    names = f"{one.distinct} names" if one.kind == "labels" else f"{one.distinct} labels"
    rest = "..." if one.distinct > len(one.top) else ""
    kind = f"{one.why}: " if one.kind == "labels" else ""
    return f"{kind}{names} in the first {one.rows:,} rows ({shown}{rest}){missing}"


def _constant_label(looks: Sequence[Look]) -> Look | None:
    """A column that is called as a label is and has one value, as the first rows of a file sorted by label have."""
    return next((one for one in looks if one.kind == "constant" and _label_score(replace(one, kind="label")) > 1.5), None)


def _no_label(looks: Sequence[Look], where: str) -> UserError:
    shown = "; ".join(f"{one.name}: {one.why}" for one in looks[:8])
    wanted = "A label is a column whose values come back: a few names, each in several rows"
    if constant := _constant_label(looks):
        return UserError(
            f"all {constant.rows:,} rows of {where} that were looked at have the same {constant.name}, {constant.top[0][0]!r}",
            "A classifier needs rows of at least two labels",
            "Shuffle the file if the other labels come later, or add rows of the other labels",
        )
    return UserError(
        f"no column of {where} looks like a label ({shown})",
        wanted,
        "Add such a column, or write data.columns.label yourself if one of these is it after all",
    )


def _no_text(looks: Sequence[Look], where: str) -> UserError:
    shown = "; ".join(f"{one.name}: {one.why}" for one in looks[:8])
    lists = any(one.kind == "lists" for one in looks)
    return UserError(
        f"no column of {where} looks like a text ({shown})",
        "A text is a column of words, different in most rows" + ("; tokens with a tag for each are another task" if lists else ""),
        "Add the column with the texts, or write data.columns.text yourself if one of these is it after all",
    )
