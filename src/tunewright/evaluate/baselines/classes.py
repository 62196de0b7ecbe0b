"""What costs nothing: the most frequent class, and TF-IDF with logistic regression, over the same test rows as the model."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.core.chance import array_generator
from tunewright.core.errors import UserError
from tunewright.core.schema import Row
from tunewright.evaluate.baselines.base import Asked, Baseline
from tunewright.metrics.classes import ClassOutcome, best_thresholds

Array = NDArray[Any]
Clock = Callable[[], float]

FEATURES = 200_000
"""At most so many words and word pairs, the most frequent ones."""
TRAINED_ROWS, TRAINED_CHARACTERS = 200_000, 200_000_000
"""A larger training split is drawn from, so that the matrix stays below a gigabyte; ``Baseline.trained_rows`` tells."""
VOCABULARY_CHARACTERS = 30_000_000
"""Words and word pairs are collected from so much text at most: before the rare ones are dropped, they are what needs the memory."""

FIRST, SECOND = "\ue001", "\ue002"  # private-use characters: no text has them, and no word pattern takes them for a letter
UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"  # Thai, kana, Han: no spaces, so each character is a word
WORD = rf"[{UNSPACED}]|[^\W{UNSPACED}]+"
MARKED_WORD = rf"[{FIRST}{SECOND}]?(?:{WORD})"


@dataclass(frozen=True)
class Labelled:
    """Texts and their labels: (rows,) class ids, -1 for a label not in the names; multi-label: (rows, classes) bool."""

    texts: Sequence[str]
    wanted: Array


def majority_of(asked: Asked) -> Baseline:
    """``majority`` over the splits of a run."""
    names = asked.ours.names
    return majority(names, _labelled(asked, asked.train, names).wanted, _labelled(asked, asked.test, names).wanted)


def tfidf_of(asked: Asked) -> Baseline:
    """``tfidf`` over the splits of a run."""
    names, task = asked.ours.names, asked.task
    train, test = (_labelled(asked, rows, names) for rows in (asked.train, asked.test))
    validation = _labelled(asked, asked.validation, names) if getattr(task, "multi_label", False) else None
    return tfidf(names, train, test, validation, asked.seed)


def _labelled(asked: Asked, rows: Sequence[Row], names: tuple[str, ...]) -> Labelled:
    task: Any = asked.task
    return Labelled(texts_of(rows), task.wanted(rows, names))


def texts_of(rows: Sequence[Row]) -> list[str]:
    """The text of each row; of a pair both, each word marked by its side."""
    texts = [str(row["text"]) for row in rows]
    return paired_texts(texts, [str(row["text_pair"]) for row in rows]) if rows and "text_pair" in rows[0] else texts


def majority(names: tuple[str, ...], train_wanted: Array, test_wanted: Array, clock: Clock = time.perf_counter) -> Baseline:
    """Always the most frequent class of the training rows; its probabilities are the shares of the classes.

    Multi-label: each label that at least half of the training rows have.

    Args:
        names: class names in id order.
        train_wanted: as in ``Labelled``; rows with -1 do not count.
        test_wanted: as in ``Labelled``.
        clock: seconds, from any start.

    Raises:
        UserError: no training row has a label.
    """
    begun = clock()
    train_wanted = train_wanted[_usable(train_wanted)]
    shares = np.tile(_shares(names, train_wanted), (len(test_wanted), 1))
    thresholds = np.full(len(names), 0.5)
    return Baseline(_outcome(names, test_wanted, shares, thresholds), clock() - begun, len(train_wanted))


def tfidf(
    names: tuple[str, ...],
    train: Labelled,
    test: Labelled,
    validation: Labelled | None = None,
    seed: int = 0,
    clock: Clock = time.perf_counter,
) -> Baseline:
    """TF-IDF of words and word pairs with one logistic regression per class; a strong baseline that needs seconds.

    Word pairs count from their second row on (with fewer than 1000 training rows, from the first). Where the training rows have one
    class only, or no words at all, it answers as ``majority`` does. Text pairs: join them with ``paired_texts`` first.

    Args:
        names: class names in id order.
        train: rows with -1 do not count.
        test: the rows to answer.
        validation: multi-label only: chooses each label's threshold, as fair to the baseline as to the model. Without it: 0.5.
        seed: decides which rows are drawn from a training split that is too large.
        clock: seconds, from any start.

    Raises:
        UserError: no training row has a label.
    """
    begun = clock()
    texts = train.texts
    rows = _draw(texts, _usable(train.wanted), TRAINED_ROWS, TRAINED_CHARACTERS, seed)
    wanted = train.wanted[rows]
    chosen = validation if validation and wanted.ndim == 2 else Labelled([], wanted[:0])
    probabilities = _answer(names, [texts[row] for row in rows], wanted, [*chosen.texts, *test.texts], seed)
    ours, theirs = np.split(probabilities, [len(chosen.texts)])
    thresholds = best_thresholds(chosen.wanted, ours) if len(chosen.texts) else np.full(len(names), 0.5)
    return Baseline(_outcome(names, test.wanted, theirs, thresholds), clock() - begun, len(rows))


def paired_texts(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """One text for each pair, in which every word remembers the side it came from."""
    return [" ".join([*_marked(FIRST, one), *_marked(SECOND, other)]) for one, other in zip(first, second, strict=True)]


def _answer(names: tuple[str, ...], texts: Sequence[str], wanted: Array, asked: Sequence[str], seed: int) -> Array:
    """Probabilities (asked, classes) of one logistic regression per class."""
    shares = np.tile(_shares(names, wanted), (len(asked), 1))
    present = np.arange(len(names)) if wanted.ndim == 2 else np.unique(wanted)
    vectorizer = _vectorizer(texts, seed)
    if vectorizer is None or len(present) == 1:
        return shares
    train, test = vectorizer.transform(texts), vectorizer.transform(asked)
    if wanted.ndim == 2:
        return np.stack([_one_against_the_rest(train, flags, test, seed) for flags in wanted.T], axis=1)
    answers = np.zeros((len(asked), len(names)))
    for place in present if len(present) > 2 else present[1:]:
        answers[:, place] = _one_against_the_rest(train, wanted == place, test, seed)
    if len(present) == 2:
        answers[:, present[0]] = 1 - answers[:, present[1]]
    total = answers.sum(axis=1, keepdims=True)
    return np.where(total > 0, answers / np.where(total > 0, total, 1), shares)


def _one_against_the_rest(train: Any, flags: Array, test: Any, seed: int) -> Array:
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    if flags.all() or not flags.any():
        return np.full(test.shape[0], float(flags[0]))
    # C=10: on banking77 accuracy 0.896 in place of 0.863 with C=1, on sms_spam 0.983 in place of 0.978; a baseline shall be a strong one.
    model = LogisticRegression(solver="liblinear", C=10.0, max_iter=1000, random_state=seed)
    # On one thread: liblinear asks BLAS for many tiny sums, whose order then is always the same, and whose threads
    # would wait for each other far longer than they work (ten times as long on a machine that is busy).
    with threadpool_limits(1):
        return np.asarray(model.fit(train, flags).predict_proba(test)[:, 1])


def _vectorizer(texts: Sequence[str], seed: int) -> Any | None:
    """A TF-IDF that has seen ``texts``; None where they hold no words to learn from."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    rows = _draw(texts, np.arange(len(texts)), len(texts), VOCABULARY_CHARACTERS, seed)
    seen = [texts[row] for row in rows]
    rarest = 2 if len(seen) >= 1000 else 1
    pattern = MARKED_WORD
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=rarest, max_features=FEATURES, token_pattern=pattern)
    analyze = vectorizer.build_analyzer()
    if not any(analyze(text) for text in seen):
        return None
    return vectorizer.fit(seen) if rarest == 1 or _repeats(seen, analyze) else vectorizer.set_params(min_df=1).fit(seen)


def _repeats(texts: Sequence[str], analyze: Callable[[str], list[str]]) -> bool:
    """Whether any word is in two rows: without one, dropping what is in a single row would leave nothing."""
    met: set[str] = set()
    for text in texts:
        words = set(analyze(text))
        if not met.isdisjoint(words):
            return True
        met |= words
    return False


def _draw(texts: Sequence[str], rows: Array, most_rows: int, most_characters: int, seed: int) -> Array:
    """The rows themselves, or, where they are too many, as many of them as fit, drawn by chance, in order."""
    lengths = np.array([len(texts[row]) for row in rows])
    if len(rows) <= most_rows and lengths.sum() <= most_characters:
        return rows
    order = array_generator(seed, "baseline").permutation(len(rows))[:most_rows]
    fitting = max(1, int(np.searchsorted(np.cumsum(lengths[order]), most_characters, side="right")))
    return np.sort(rows[order[:fitting]])


def _usable(wanted: Array) -> Array:
    rows = np.arange(len(wanted)) if wanted.ndim == 2 else np.flatnonzero(wanted >= 0)
    if not len(rows):
        raise UserError("no training row has a label", "a baseline learns from labelled rows", "Look at data.columns in the recipe")
    return rows


def _shares(names: tuple[str, ...], wanted: Array) -> Array:
    return wanted.mean(axis=0) if wanted.ndim == 2 else np.bincount(wanted, minlength=len(names)) / len(wanted)


def _outcome(names: tuple[str, ...], wanted: Array, probabilities: Array, thresholds: Array) -> ClassOutcome:
    predicted = probabilities >= thresholds if wanted.ndim == 2 else probabilities.argmax(axis=1)
    return ClassOutcome(names, wanted, predicted, probabilities)


def _marked(mark: str, text: str) -> list[str]:
    return [mark + word for word in re.findall(WORD, text)]
