from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from tunewright.core.errors import UserError, hint
from tunewright.core.schema import Row
from tunewright.tasks.base import Answer, Encoded, Role, Task, text_of
from tunewright.tasks.tags import OUTSIDE, entities, out_of_order
from tunewright.tasks.words import joined, trimmed, with_marks

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from torch import Tensor, nn

    from tunewright.metrics.spans import SpanOutcome

IGNORED = -100
"""The label of a token that is not trained on."""


class Found(dict[str, Any]):
    """An answer: ``{"spans": [...]}``; and beside it, for comparing answers, what the model made of each word.

    Args:
        spans: the entities, each with ``start, end, label, text, probability``.
        tags: (words,) the number of each word's most probable tag.
        odds: (words, 2) the probability of that tag and of the next one.
    """

    def __init__(self, spans: list[dict[str, Any]], tags: np.ndarray, odds: np.ndarray) -> None:
        super().__init__(spans=spans)
        self.tags, self.odds = tags, odds


class Token(NamedTuple):
    """A token of a text that stands for some of its characters."""

    at: int
    """Its place among the tokens between those that mark the ends."""
    word: int
    begins: bool
    """Whether it is the first of its word."""
    start: int
    end: int


class TokenClassification(Task):
    """Entities in a text: where each begins and ends, and its type out of a closed list."""

    head: ClassVar = "AutoModelForTokenClassification"
    criterion: ClassVar = "cross-entropy"
    labels_pad: ClassVar = IGNORED
    windows: ClassVar = True
    gold: ClassVar = "spans"
    baselines: ClassVar = ("nothing", "lookup")
    proof: ClassVar = "tokens"

    labels: tuple[str, ...] | None = None
    """The types of entities in the order of their ids. Left out, they are learned from the training rows, sorted by name."""
    subwords: Literal["first", "all"] = "first"
    """Which sub-words of a word are trained and asked: its first one, or all of them, whose probabilities are then averaged."""
    words: Literal["letters", "blanks"] | None = None
    """What a word is: letters and digits that stand together, every other character being one of its own (``letters``); or whatever
    stands between blanks, as the tokens of a CoNLL file do. An entity begins and ends with a word. Left out, it is learned from the
    training rows: ``blanks`` where every entity begins and ends at a blank."""
    stride: int = Field(32, ge=0)
    """Tokens that a window of a long text has in common with the one before it; half a window at most."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.labels is not None and (not self.labels or len(set(self.labels)) != len(self.labels)):
            raise ValueError("labels needs a name or more, each of them once")
        return self

    def roles(self) -> tuple[Role, ...]:
        text = Role("text", "text", "the text in which entities are found; or the list of its tokens", listed=True)
        return (text, Role("spans", "spans", "the entities: lists of start, end and type; or a tag for each token", beside="text"))

    def best_by(self) -> str:
        return "f1"

    def learn(self, rows: Sequence[Row]) -> Self:
        seen = dict.fromkeys(sorted({label for row in rows for _, _, label in spans_of(row)}))
        if not seen:
            raise UserError(f"none of the {len(rows)} training rows has an entity", "Rows with annotated entities are wanted",
                            "Check data.columns.spans: is it the right column?")  # fmt: skip
        words = self.words or ("blanks" if all(map(_stands_between_blanks, rows)) else "letters")
        if self.labels is None:
            return self.model_copy(update={"labels": tuple(seen), "words": words})
        if unknown := [name for name in seen if name not in self.labels]:
            raise UserError(
                f"the training rows have types that task.labels does not name: {', '.join(map(repr, unknown[:10]))}",
                hint(unknown[0], self.labels),
                "Add them to task.labels, correct the rows, or leave task.labels out",
            )
        return self.model_copy(update={"words": words})

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of tokens in the order of their ids: ``O``, then B and I of each type."""
        return (OUTSIDE, *(f"{place}-{name}" for name in self.labels or () for place in "BI"))

    def head_settings(self) -> dict[str, Any]:
        names = self.tags
        ids = {name: index for index, name in enumerate(names)}
        return {"num_labels": len(names), "id2label": dict(enumerate(names)), "label2id": ids}

    def encode(self, rows: Sequence[Row], tokenizer: Any, max_tokens: int) -> list[Encoded]:
        if not rows:
            return []
        texts = [text_of(row["text"]) for row in rows]
        read = tokenizer(texts, truncation=False, verbose=False, return_offsets_mapping=True, return_special_tokens_mask=True)
        inputs = [name for name in read if name in tokenizer.model_input_names]
        found = []
        for index, (row, text) in enumerate(zip(rows, texts, strict=True)):
            begin, end = _body(read["special_tokens_mask"][index])
            whole = {name: read[name][index] for name in inputs}
            tokens = list(self._tokens(text, read["offset_mapping"][index][begin:end]))
            labels = None if row.get("spans") is None else self._labels(row, tokens)
            found.append(self._windows(whole, begin, end, tokens, labels, max_tokens))
        return found

    def _tokens(self, text: str, offsets: Sequence[tuple[int, int]]) -> Iterator[Token]:
        """The tokens that stand for characters, each with the number of its word."""
        word, behind = -1, 0
        for at, (first, last) in enumerate(offsets):
            start, end = trimmed(text, first, last)
            if start == end:
                continue
            end = with_marks(text, end)
            begins = word < 0 or not self._goes_on(text, behind, start)
            word += begins
            yield Token(at, word, begins, start, end)
            behind = max(behind, end)

    def _goes_on(self, text: str, behind: int, start: int) -> bool:
        """Whether a token that starts here belongs to the word of the one that ends behind it."""
        if start < behind:
            return True
        if self.words == "blanks":
            return not any(char.isspace() for char in text[behind:start])
        return start == behind and joined(text, start)

    def _labels(self, row: Row, tokens: Sequence[Token]) -> list[int]:
        """The label of each word: where spans overlap, the longest counts; of an unknown type, the word is not trained on."""
        words = _words(tokens)
        labels = [0] * len(words)
        ids = {name: index for index, name in enumerate(self.tags)}
        taken = [False] * len(words)
        starts, ends = [start for start, _ in words], [end for _, end in words]
        for start, end, name in sorted(spans_of(row), key=lambda span: (span[0] - span[1], span[0])):
            inside = _between(starts, ends, start, end)
            if any(taken[word] for word in inside):
                continue
            for word in inside:
                taken[word] = True
                labels[word] = ids.get(f"{'B' if word == inside[0] else 'I'}-{name}", IGNORED)
        return labels

    def _windows(
        self, whole: Mapping[str, list[int]], begin: int, end: int, tokens: Sequence[Token], labels: Sequence[int] | None, max_tokens: int
    ) -> Encoded:
        """Pieces of at most ``max_tokens``; a token that stands in two of them is read in the one that shows more of what is around it."""
        length = len(whole["input_ids"])
        room = max(1, max_tokens - (length - (end - begin)))
        step = room - min(self.stride, room // 2)
        starts = [0] if end - begin <= room else list(range(0, end - begin - (room - step), step))
        behind = [(one + step + min(one + room, end - begin)) // 2 for one in starts[:-1]] + [end - begin]
        chosen = list(self._read(tokens))
        pieces, beside = [], []
        for start, first, last in zip(starts, [0, *behind[:-1]], behind, strict=True):
            cut = slice(begin + start, min(begin + start + room, end))
            piece: dict[str, Any] = {name: values[:begin] + values[cut] + values[end:] for name, values in whole.items()}
            mine = [(token, begin + token.at - start) for token in chosen if first <= token.at < last]
            if labels is not None:
                piece["labels"] = [IGNORED] * len(piece["input_ids"])
                for token, place in mine:
                    label = labels[token.word]
                    goes_on = label > 0 and label % 2 == 1 and not token.begins  # B stands on the first token of an entity alone
                    piece["labels"][place] = label + goes_on
            pieces.append(piece)
            beside.append({
                "at": [place for _, place in mine],
                "word": [token.word for token, _ in mine],
                "start": [token.start for token, _ in mine],
                "end": [token.end for token, _ in mine],
            })  # fmt: skip
        return Encoded(tuple(pieces), length, 0, tuple(beside))

    def _read(self, tokens: Sequence[Token]) -> Iterator[Token]:
        """The tokens that speak for their words; the first of a word knows where the word ends."""
        ends = dict[int, int]()
        for token in tokens:
            ends[token.word] = max(ends.get(token.word, 0), token.end)
        for token in tokens:
            if token.begins or self.subwords == "all":
                yield token._replace(end=ends[token.word])

    def infer(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Sequence[Any]:
        odds = self.forward(model, batch).float().softmax(-1).cpu().numpy()
        there = batch["attention_mask"].bool().cpu().numpy()
        return [one[mask] for one, mask in zip(odds, there, strict=True)]

    def decode(self, row: Row, inferred: Sequence[Any], encoded: Encoded, tokenizer: Any) -> Answer:
        import numpy as np

        text = text_of(row["text"])
        read = [(np.asarray(odds)[beside["at"]], beside) for odds, beside in zip(inferred, encoded.beside, strict=True)]
        odds = np.concatenate([one for one, _ in read]).astype(np.float64)
        word, start, end = (np.concatenate([beside[name] for _, beside in read]).astype(np.int64) for name in ("word", "start", "end"))
        if not len(word):
            return Found([], np.zeros(0, dtype=np.int16), np.zeros((0, 2), dtype=np.float32))
        first = np.flatnonzero(np.diff(word, prepend=-1))
        of_word = odds if len(first) == len(odds) else _averaged(odds, first)
        names, likeliest = self.tags, of_word.argmax(axis=1)
        tags = _whole_entities(of_word) if out_of_order([names[tag] for tag in likeliest]) else likeliest
        spans = []
        for begin, behind, label in entities([names[tag] for tag in tags]):
            from_, to = int(start[first[begin]]), int(end[first[behind - 1]])
            sure = float(of_word[np.arange(begin, behind), tags[begin:behind]].min())
            spans.append({"start": from_, "end": to, "label": label, "text": text[from_:to], "probability": sure})
        best = -np.sort(-of_word, axis=1)[:, :2]
        return Found(spans, likeliest.astype(np.int16), best.astype(np.float32))

    def outcome(self, rows: Sequence[Row], answers: Sequence[Answer]) -> SpanOutcome:
        return self.counted(rows, [[(one["start"], one["end"], one["label"]) for one in answer["spans"]] for answer in answers])

    def counted(self, rows: Sequence[Row], found: Sequence[Sequence[tuple[int, int, str]]]) -> SpanOutcome:
        """Entities found in rows, held against all that the rows want."""
        from tunewright.metrics.spans import outcome

        return outcome([spans_of(row) for row in rows], found, self.labels or ())

    def same_rows(self, one: SpanOutcome, other: SpanOutcome) -> bool:
        import numpy as np

        return np.array_equal(one.marks, other.marks)

    def measure(self, outcome: SpanOutcome) -> dict[str, float]:
        from tunewright.metrics.spans import measure

        return measure(outcome)

    def rows_behind(self, outcome: SpanOutcome) -> dict[str, int]:
        from tunewright.metrics.spans import rows_behind

        return rows_behind(outcome)

    def details(self, outcome: SpanOutcome) -> dict[str, Any]:
        tables = {"wanted": outcome.wanted, "found": outcome.found, "right": outcome.hits, "touched": outcome.touched}
        counts = {name: table.sum(axis=0).tolist() for name, table in tables.items()}
        types = {name: {kind: counts[kind][at] for kind in tables} for at, name in enumerate(outcome.names)}
        return {"support": {name: one["wanted"] for name, one in types.items()}, "entities": types}

    def names_in(self, row: Row) -> list[str]:
        return list(dict.fromkeys(label for _, _, label in spans_of(row)))

    def wanted_of(self, row: Row) -> Any:
        if row.get("spans") is None:
            return None
        return [{"start": start, "end": end, "label": label} for start, end, label in spans_of(row)]

    def columns_of(self, answers: Sequence[Answer]) -> dict[str, Any]:
        import pyarrow as pa

        return {"spans": pa.array([answer["spans"] for answer in answers], self.answer_schema().field("spans").type)}

    def answer_schema(self) -> pa.Schema:
        import pyarrow as pa

        places = [("start", pa.int32()), ("end", pa.int32()), ("label", pa.string()), ("text", pa.string()), ("probability", pa.float64())]
        return pa.schema([("spans", pa.list_(pa.struct(places)))])

    def cells(self, line: Mapping[str, Any]) -> dict[str, Any]:
        import json

        spans = line.get("spans")
        return {"spans": None if spans is None else json.dumps(spans, ensure_ascii=False)}

    def agrees(self, one: Answer, other: Answer) -> bool:
        first, second = ([(span["start"], span["end"], span["label"]) for span in answer["spans"]] for answer in (one, other))
        return first == second

    def difference(self, one: Answer, other: Answer) -> float:
        """Of the probability of a word's tag, at most; where the tags differ, half of what they were ahead of the next ones, together."""
        import numpy as np

        if not (isinstance(one, Found) and isinstance(other, Found)) or len(one.tags) != len(other.tags):
            return math.inf
        if not len(one.tags):
            return 0.0
        gaps = np.abs(one.odds[:, 0] - other.odds[:, 0])
        ahead = (one.odds[:, 0] - one.odds[:, 1] + other.odds[:, 0] - other.odds[:, 1]) / 2
        largest = float(np.where(one.tags == other.tags, gaps, np.maximum(gaps, ahead)).max())
        return largest if math.isfinite(largest) else math.inf

    def asked(self, rows: Sequence[Row], max_tokens: int) -> dict[str, Any]:
        return {"texts": [text_of(row["text"]) for row in rows], "max_tokens": max_tokens, "stride": self.stride}

    def heard(self, told: Any, row: Row, encoded: Encoded, tokenizer: Any) -> Answer:
        import numpy as np

        pieces = [np.asarray(odds, dtype=np.float32) for odds in told]
        if [len(odds) for odds in pieces] != [len(piece["input_ids"]) for piece in encoded.pieces]:
            return {"spans": []}
        return self.decode(row, pieces, encoded, tokenizer)


def spans_of(row: Row) -> list[tuple[int, int, str]]:
    """The entities that a row wants: start, end and type of each; none where it is not annotated."""
    return [(one["start"], one["end"], one["label"]) for one in row.get("spans") or ()]


def _averaged(odds: np.ndarray, first: np.ndarray) -> np.ndarray:
    """(words, tags) probabilities, from those of their tokens: the mean for each type, shared between B and I as the first token has it.

    Args:
        odds: (tokens, tags), the tokens of a word one after the other.
        first: (words,) the first token of each.
    """
    import numpy as np

    types = odds[:, 1:].reshape(len(odds), -1, 2)
    sizes = np.diff([*first, len(odds)])[:, None]
    mean = np.add.reduceat(np.column_stack([odds[:, 0], types.sum(axis=2)]), first, axis=0) / sizes
    share = types[first] / np.maximum(types[first].sum(axis=2, keepdims=True), np.finfo(np.float64).tiny)
    return np.column_stack([mean[:, 0], (mean[:, 1:, None] * share).reshape(len(first), -1)])


def _whole_entities(odds: np.ndarray) -> np.ndarray:
    """(words,) the most probable tags of which each I goes on with an entity of its type (Viterbi 1967).

    Args:
        odds: (words, tags) probabilities of ``O``, then of B and I of each type.
    """
    import numpy as np

    scores = np.log(np.maximum(odds, np.finfo(np.float64).tiny))
    begins, inside = np.arange(1, odds.shape[1], 2), np.arange(2, odds.shape[1], 2)
    came = np.zeros(odds.shape, dtype=np.int64)
    best = scores[0].copy()
    best[inside] = -np.inf
    for word in range(1, len(odds)):
        came[word] = best.argmax()
        came[word, inside] = np.where(best[inside] > best[begins], inside, begins)
        best = best[came[word]] + scores[word]
    path = [int(best.argmax())]
    for word in range(len(odds) - 1, 0, -1):
        path.append(int(came[word, path[-1]]))
    return np.array(path[::-1])


def _stands_between_blanks(row: Row) -> bool:
    """Whether every entity of a row begins and ends at a blank or at an end of the text, as those that were tags of tokens do."""
    text = text_of(row["text"])
    edges = [edge for start, end, _ in spans_of(row) for edge in (text[start - 1 : start] if start > 0 else "", text[end : end + 1])]
    return all(not edge or edge.isspace() for edge in edges)


def _body(special: Sequence[int]) -> tuple[int, int]:
    """Where the tokens of a text begin and end among those that mark its ends."""
    begin, end = 0, len(special)
    while begin < end and special[begin]:
        begin += 1
    while end > begin and special[end - 1]:
        end -= 1
    return begin, end


def _words(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Start and end of each word."""
    words: list[tuple[int, int]] = []
    for token in tokens:
        if token.word == len(words):
            words.append((token.start, token.end))
        else:
            words[-1] = words[-1][0], max(words[-1][1], token.end)
    return words


def _between(starts: Sequence[int], ends: Sequence[int], start: int, end: int) -> range:
    """The words that have a character between two places."""
    from bisect import bisect_left, bisect_right

    return range(bisect_right(ends, start), bisect_left(starts, end))
