from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from tunewright.core.errors import UserError
from tunewright.core.schema import Row
from tunewright.tasks.base import Answer, Encoded, Role, Task, text_of
from tunewright.tasks.words import trimmed

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from torch import Tensor, nn

    from tunewright.metrics.answers import AnswerOutcome

IGNORED = -100
"""The label of a window that is not trained on."""
FAR_BELOW = -1e4
"""The logit of padding: exp of it is 0 in float32, and it is a number in half precision too."""
BEST = 20
"""Starts and ends of a window that are put together, and spans that share the probability among them."""


class Found(dict[str, Any]):
    """An answer: ``answer, start, end, probability``; and beside it, for choosing a threshold and comparing, what it was chosen from.

    Args:
        told: the answer as it is given.
        spans: the best spans, (start, end) in characters -> probability, the best first.
        none: the probability that there is no answer.
        margin: by how much no answer outscores the best span, in the model's own unit (logits).
        best: the text of the best span.
    """

    def __init__(self, told: dict[str, Any], spans: dict[tuple[int, int], float], none: float, margin: float, best: str) -> None:
        super().__init__(told)
        self.spans, self.none, self.margin, self.best = spans, none, margin, best


class QuestionAnswering(Task):
    """The answer to a question as it stands in a text (extractive); or that the text has none."""

    head: ClassVar = "AutoModelForQuestionAnswering"
    criterion: ClassVar = "span-cross-entropy"
    windows: ClassVar = True
    gold: ClassVar = "answers"
    baselines: ClassVar = ("no-answer", "first-sentence", "overlap")
    proof: ClassVar = "spans"
    scores: ClassVar = "answers"

    no_answer: bool | None = None
    """Whether a question may have no answer; left out, whether a training row has none."""
    threshold: float | None = None
    """By how much "no answer" must outscore the best span to be given, in logits; left out, it is tuned on the validation rows."""
    stride: int = Field(64, ge=0)
    """Tokens that a window of a long context has in common with the one before it; half a window at most. An answer that is longer may
    stand in no window whole."""
    question_tokens: int = Field(64, ge=4)
    """Tokens of a question that are read; half of a window at most. What is cut of longer ones is told."""
    answer_tokens: int = Field(30, ge=1)
    """Tokens of an answer, at most."""

    def roles(self) -> tuple[Role, ...]:
        return (
            Role("question", "text", "the question"),
            Role("context", "text", "the text in which the answer stands"),
            Role("answers", "answers", "the answers: their texts, and where each begins in the context; [] where there is none"),
        )

    def best_by(self) -> str:
        return "f1"

    def learn(self, rows: Sequence[Row]) -> Self:
        known = [row["answers"] for row in rows if row.get("answers") is not None]
        if not any(known):
            raise UserError(f"none of the {len(rows)} training rows has an answer", "Questions with their answers are wanted",
                            "Check data.columns.answers: is it the right column?")  # fmt: skip
        none = sum(not answers for answers in known)
        if none and self.no_answer is False:
            raise UserError(f"{none} training rows have no answer, and task.no_answer is false", "", "Leave task.no_answer out")
        return self if self.no_answer is not None else self.model_copy(update={"no_answer": none > 0})

    def head_settings(self) -> dict[str, Any]:
        return {"num_labels": 2, "id2label": {0: "start", 1: "end"}, "label2id": {"start": 0, "end": 1}}

    def encode(self, rows: Sequence[Row], tokenizer: Any, max_tokens: int) -> list[Encoded]:
        if not rows:
            return []
        questions, cut = self._questions(rows, tokenizer, max_tokens)
        contexts = [text_of(row["context"]) for row in rows]
        whole = tokenizer(questions, contexts, truncation=False, verbose=False, return_offsets_mapping=True)
        found = []
        for index, row in enumerate(rows):
            length = len(whole["input_ids"][index])
            if length <= max_tokens:
                windows, at = whole, [index]
            else:
                windows = self._windows(questions[index], contexts[index], tokenizer, max_tokens)
                at = list(range(len(windows["input_ids"])))
            pieces = [{name: windows[name][one] for name in windows if name in tokenizer.model_input_names} for one in at]
            beside = [_beside(windows, one, tokenizer) for one in at]
            if row.get("answers") is not None:
                for piece, label in zip(pieces, _labels(row, contexts[index], beside), strict=True):
                    piece["labels"] = label
            found.append(Encoded(tuple(pieces), length + cut[index], cut[index], tuple(beside)))
        return found

    def _questions(self, rows: Sequence[Row], tokenizer: Any, max_tokens: int) -> tuple[list[str], list[int]]:
        """The questions as they are read, and how many tokens of each are cut."""
        most = max(1, min(self.question_tokens, (max_tokens - tokenizer.num_special_tokens_to_add(pair=True)) // 2))
        texts = [text_of(row["question"]) for row in rows]
        offsets = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
        kept = [text if len(one) <= most else text[: one[most - 1][1]] for text, one in zip(texts, offsets, strict=True)]
        return kept, [max(0, len(one) - most) for one in offsets]

    def _windows(self, question: str, context: str, tokenizer: Any, max_tokens: int) -> Any:
        """The context cut into windows, each behind the whole question."""
        asked = len(tokenizer(question, add_special_tokens=False, verbose=False)["input_ids"])
        room = max(1, max_tokens - asked - tokenizer.num_special_tokens_to_add(pair=True))
        return tokenizer(
            question,
            context,
            truncation="only_second",
            max_length=max_tokens,
            stride=min(self.stride, room // 2),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            verbose=False,
        )

    def forward(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Logits of start and end, (windows, 2, tokens); those of padding are ``FAR_BELOW``."""
        import torch

        told = model(**{name: values for name, values in batch.items() if name != "labels"})
        logits = torch.stack([told.start_logits, told.end_logits], dim=1)
        return logits.masked_fill(batch["attention_mask"][:, None, :] == 0, FAR_BELOW)

    def infer(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Sequence[Any]:
        logits = self.forward(model, batch).float().cpu().numpy()
        there = batch["attention_mask"].bool().cpu().numpy()
        return [one[:, mask] for one, mask in zip(logits, there, strict=True)]

    def decode(self, row: Row, inferred: Sequence[Any], encoded: Encoded, tokenizer: Any) -> Answer:
        import numpy as np

        context = text_of(row["context"])
        scores: dict[tuple[int, int], float] = {}
        none = math.inf
        for logits, beside in zip(inferred, encoded.beside, strict=True):
            logits = np.asarray(logits, dtype=np.float64)
            none = min(none, float(logits[:, beside["none"]].sum()))
            for span, score in _best_spans(logits, beside, self.answer_tokens):
                place = trimmed(context, *span)
                if place[0] < place[1]:
                    scores[place] = max(score, scores.get(place, -math.inf))
        best = sorted(scores, key=lambda place: (-scores[place], place))[:BEST]
        told = [scores[place] for place in best]
        odds = np.exp(np.array([*told, none]) - max([*told, none]))
        odds = odds / odds.sum()
        spans = dict(zip(best, odds.tolist(), strict=False))
        margin = none - told[0] if told else math.inf
        text = context[slice(*best[0])] if best else ""
        if not best or (self.no_answer and margin > (self.threshold or 0.0)):
            answer = {"answer": "", "start": None, "end": None, "probability": float(odds[-1])}
        else:
            answer = {"answer": text, "start": best[0][0], "end": best[0][1], "probability": float(odds[0])}
        return Found(answer, spans, float(odds[-1]), margin, text)

    def outcome(self, rows: Sequence[Row], answers: Sequence[Answer]) -> AnswerOutcome:
        import numpy as np

        from tunewright.metrics.answers import AnswerOutcome

        found = [answer for answer in answers if isinstance(answer, Found)]
        told = len(found) == len(answers)
        return AnswerOutcome(
            tuple(golds_of(row) for row in rows),
            tuple(answer["answer"] for answer in answers),
            tuple(answer.best for answer in found) if told else None,
            np.array([answer.margin for answer in found]) if told else None,
        )

    def same_rows(self, one: AnswerOutcome, other: AnswerOutcome) -> bool:
        return one.wanted == other.wanted

    def measure(self, outcome: AnswerOutcome) -> dict[str, float]:
        from tunewright.metrics.answers import measure

        return measure(outcome)

    def rows_behind(self, outcome: AnswerOutcome) -> dict[str, int]:
        from tunewright.metrics.answers import rows_behind

        return rows_behind(outcome)

    def tuned(self, outcome: AnswerOutcome) -> Self:
        if not self.no_answer or self.threshold is not None or outcome.margins is None or not len(outcome):
            return self
        from tunewright.metrics.answers import best_threshold

        return self.model_copy(update={"threshold": best_threshold(outcome)})

    def details(self, outcome: AnswerOutcome) -> dict[str, Any]:
        answered = int(outcome.answerable.sum())
        counts = {"with_answer": answered, "without_answer": len(outcome) - answered, "given": sum(map(bool, outcome.given))}
        return {"answers": {**counts, "no_answer": bool(self.no_answer), "threshold": self.threshold}}

    def wanted_of(self, row: Row) -> Any:
        return None if row.get("answers") is None else list(golds_of(row))

    def answer_schema(self) -> pa.Schema:
        import pyarrow as pa

        places = [("start", pa.int32()), ("end", pa.int32())]
        return pa.schema([("answer", pa.string()), *places, ("probability", pa.float64())])

    def columns_of(self, answers: Sequence[Answer]) -> dict[str, Any]:
        import pyarrow as pa

        return {one.name: pa.array([answer[one.name] for answer in answers], one.type) for one in self.answer_schema()}

    def agrees(self, one: Answer, other: Answer) -> bool:
        return isinstance(one, Found) and isinstance(other, Found) and next(iter(one.spans), None) == next(iter(other.spans), None)

    def difference(self, one: Answer, other: Answer) -> float:
        """Of the probability of no answer, or of a span that is the best of one of the two; inf where a model answered nothing."""
        if not (isinstance(one, Found) and isinstance(other, Found)):
            return math.inf
        best = {*list(one.spans)[:1], *list(other.spans)[:1]}
        gaps = [abs(one.none - other.none), *(abs(one.spans.get(span, 0.0) - other.spans.get(span, 0.0)) for span in best)]
        return max(gap if math.isfinite(gap) else math.inf for gap in gaps)

    def asked(self, rows: Sequence[Row], max_tokens: int) -> dict[str, Any]:
        texts = {name: [text_of(row[name]) for row in rows] for name in ("question", "context")}
        limits = {"max_tokens": max_tokens, "stride": self.stride, "question_tokens": self.question_tokens}
        return {"questions": texts["question"], "contexts": texts["context"], **limits}

    def heard(self, told: Any, row: Row, encoded: Encoded, tokenizer: Any) -> Answer:
        import numpy as np

        pieces = [np.asarray(logits, dtype=np.float32) for logits in told]
        if [one.shape[-1] for one in pieces] != [len(piece["input_ids"]) for piece in encoded.pieces]:
            return {"answer": ""}
        return self.decode(row, pieces, encoded, tokenizer)


def golds_of(row: Row) -> tuple[str, ...]:
    """The texts of the answers that a row wants, each once; none where there is no answer."""
    return tuple(dict.fromkeys(one["text"] for one in row.get("answers") or ()))


def _beside(windows: Any, at: int, tokenizer: Any) -> dict[str, Any]:
    """Where the tokens of the context begin and end in it; -1 for all others; and the token that stands for no answer."""
    context = [side == 1 for side in windows.sequence_ids(at)]
    offsets = windows["offset_mapping"][at]
    ids = windows["input_ids"][at]
    none = ids.index(tokenizer.cls_token_id) if tokenizer.cls_token_id in ids else 0
    start = [first if inside else -1 for inside, (first, _) in zip(context, offsets, strict=True)]
    end = [last if inside else -1 for inside, (_, last) in zip(context, offsets, strict=True)]
    return {"start": start, "end": end, "none": none}


def _labels(row: Row, context: str, beside: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """First and last token of the answer in each window; the token for none where another window has it, or no question has one.

    An answer that no window holds whole, or that does not stand in the context, is not trained on.
    """
    if not row["answers"]:
        return [[one["none"], one["none"]] for one in beside]
    found: list[list[int] | None] = [None] * len(beside)
    for answer in row["answers"]:
        start = answer["start"]
        if context.startswith(answer["text"], start) if start >= 0 else False:
            found = [_tokens(one, start, start + len(answer["text"])) for one in beside]
            if any(found):
                break
    none = [[one["none"]] * 2 if any(found) else [IGNORED] * 2 for one in beside]
    return [label or nothing for label, nothing in zip(found, none, strict=True)]


def _tokens(beside: Mapping[str, Any], start: int, end: int) -> list[int] | None:
    """The tokens of a window that hold a piece of the context; None where they do not hold it whole."""
    inside = [at for at, (first, last) in enumerate(zip(beside["start"], beside["end"], strict=True)) if first < end and last > start]
    if not inside or beside["start"][inside[0]] > start or beside["end"][inside[-1]] < end:
        return None
    return [inside[0], inside[-1]]


def _best_spans(logits: np.ndarray, beside: Mapping[str, Any], longest: int) -> Iterator[tuple[tuple[int, int], float]]:
    """The best spans of a window, in characters of the context, each with its score: the sum of two logits."""
    import numpy as np

    start, end = np.asarray(beside["start"]), np.asarray(beside["end"])
    context = np.flatnonzero(end > start)
    if not len(context):
        return
    starts = context[np.argsort(-logits[0, context], kind="stable")[:BEST]]
    ends = context[np.argsort(-logits[1, context], kind="stable")[:BEST]]
    for first in starts.tolist():
        for last in ends.tolist():
            if first <= last < first + longest:
                yield (int(start[first]), int(end[last])), float(logits[0, first] + logits[1, last])
