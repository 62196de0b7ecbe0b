"""What costs nothing where a question is answered from a text: no answer, the first sentence, and words like those of the question."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence

from tunewright.core.schema import Row
from tunewright.evaluate.baselines.base import Asked, Baseline
from tunewright.evaluate.baselines.classes import WORD
from tunewright.metrics.answers import AnswerOutcome
from tunewright.tasks.question_answering import golds_of

SENTENCE = re.compile(r".+?(?:[.!?。！？]+(?=\s|$)|\n|$)", re.DOTALL)
LONGEST = 6
"""Words of an answer that ``overlap`` gives, at most."""


def no_answer_of(asked: Asked) -> Baseline:
    """Always that there is no answer."""
    return _answered(asked, 0, lambda row: "")


def first_sentence_of(asked: Asked) -> Baseline:
    """The first sentence of the context."""
    return _answered(asked, 0, lambda row: sentences(str(row["context"]))[0])


def overlap_of(asked: Asked) -> Baseline:
    """Of the sentence that shares the rarest words with the question, the longest run of words that the question does not have.

    How rare a word is, is learned from the contexts of the training rows.
    """
    begun = time.perf_counter()
    contexts = {str(row["context"]) for row in asked.train}
    in_contexts = Counter(word for context in contexts for word in set(words(context)))
    weights = {word: math.log((1 + len(contexts)) / (1 + count)) + 1 for word, count in in_contexts.items()}
    rarest = math.log(1 + len(contexts)) + 1
    return _answered(asked, len(asked.train), lambda row: _overlap(row, weights, rarest), begun)


def sentences(text: str) -> list[str]:
    """The sentences of a text, without the blanks around them; the text itself where it has none."""
    return [found for one in SENTENCE.findall(text) if (found := one.strip())] or [text]


def words(text: str) -> list[str]:
    """Words in lower case."""
    return re.findall(WORD, text.lower())


def _overlap(row: Row, weights: dict[str, float], rarest: float) -> str:
    asked = set(words(str(row["question"])))

    def alike(sentence: str) -> float:
        own = set(words(sentence))
        return sum(weights.get(word, rarest) for word in own & asked) / math.sqrt(1 + len(own))

    best = max(sentences(str(row["context"])), key=alike)
    runs: list[list[re.Match[str]]] = [[]]
    for found in re.finditer(WORD, best):
        if found.group().lower() in asked:
            runs.append([])
        else:
            runs[-1].append(found)
    run = max(runs, key=len)[:LONGEST]
    return best[run[0].start() : run[-1].end()] if run else best


def _answered(asked: Asked, trained: int, answer: Callable[[Row], str], begun: float | None = None) -> Baseline:
    begun = time.perf_counter() if begun is None else begun
    rows: Sequence[Row] = asked.test
    outcome = AnswerOutcome(tuple(golds_of(row) for row in rows), tuple(answer(row) for row in rows))
    return Baseline(outcome, time.perf_counter() - begun, trained)
