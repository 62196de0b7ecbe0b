"""What costs nothing for entities: finding none, and the most frequent tag of each word."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tunewright.core.schema import Row
from tunewright.evaluate.baselines.base import Asked, Baseline
from tunewright.tasks.tags import OUTSIDE, entities
from tunewright.tasks.token_classification import spans_of
from tunewright.tasks.words import joined

PIECE = re.compile(r"\S+")


def nothing_of(asked: Asked) -> Baseline:
    """No entity in any row."""
    task: Any = asked.task
    return Baseline(task.counted(asked.test, [[] for _ in asked.test]), 0.0, 0)


def lookup_of(asked: Asked) -> Baseline:
    """Each word gets the tag that it has most often in the training rows, and none where it is not among them."""
    began = time.perf_counter()
    task: Any = asked.task
    blanks = task.words == "blanks"
    known = lookup(asked.train, blanks)
    found = [answered(str(row["text"]), known, blanks) for row in asked.test]
    return Baseline(task.counted(asked.test, found), time.perf_counter() - began, len(asked.train))


def lookup(rows: Sequence[Row], blanks: bool = False) -> dict[str, str]:
    """Word -> its most frequent tag, the first by name among equals; words that are mostly outside of entities are left out.

    Args:
        rows: to learn from.
        blanks: words are what stands between blanks.
    """
    seen: dict[str, Counter[str]] = {}
    for row in rows:
        if row.get("spans") is None:
            continue
        text = str(row["text"])
        for (start, end), tag in zip(words_of(text, blanks), _tags(text, row, blanks), strict=True):
            seen.setdefault(text[start:end], Counter())[tag] += 1
    best = {word: min(counts, key=lambda tag: (-counts[tag], tag)) for word, counts in seen.items()}
    return {word: tag for word, tag in best.items() if tag != OUTSIDE}


def answered(text: str, known: dict[str, str], blanks: bool = False) -> list[tuple[int, int, str]]:
    """The entities that known words make up in a text."""
    words = list(words_of(text, blanks))
    tags = [known.get(text[start:end], OUTSIDE) for start, end in words]
    return [(words[start][0], words[behind - 1][1], label) for start, behind, label in entities(tags)]


def words_of(text: str, blanks: bool = False) -> Iterator[tuple[int, int]]:
    """Start and end of each word: letters and digits that stand together, and each other character; or what stands between blanks."""
    for piece in PIECE.finditer(text):
        start = piece.start()
        for at in range(start + 1, piece.end() + 1):
            if at == piece.end() or not (blanks or joined(text, at)):
                yield start, at
                start = at


def _tags(text: str, row: Row, blanks: bool) -> Iterator[str]:
    """The tag of each word."""
    spans = sorted(spans_of(row))
    for start, end in words_of(text, blanks):
        inside = next((span for span in spans if span[0] < end and start < span[1]), None)
        yield OUTSIDE if inside is None else f"{'B' if inside[0] >= start else 'I'}-{inside[2]}"
