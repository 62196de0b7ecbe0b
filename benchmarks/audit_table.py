"""A large table with known copies, near-duplicates, conflicts and leaks: made up with a seed, with a recorded truth.

Nothing of tunewright takes part in it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

SEED, THRESHOLD = 20261123, 0.8
SHARES = {"exact": 0.02, "spelling": 0.005, "near": 0.02, "conflict": 0.005, "leak": 0.005, "near_leak": 0.005, "apart": 0.02}
"""What is planted, as shares of the rows; ``apart`` are pairs that share many words, but too few."""
TEST = 0.1
WORDS, PHRASES, LABELS = 60_000, 3_000, 8
LOOSE, PHRASES_EACH, PHRASE = 14, 3, 4


class Words:
    """A made-up language: words of syllables with the frequencies of Zipf's law, phrases that come back, and order numbers."""

    def __init__(self, rng: np.random.Generator) -> None:
        syllables = [first + vowel for first in "bdfgklmnprstvwz" for vowel in ("a", "e", "i", "o", "u", "an", "er", "il")]
        names: dict[str, None] = {}
        while len(names) < WORDS:
            length = 1 + min(5, int(len(names) ** 0.25 / 4) + int(rng.integers(0, 3)))
            names["".join(rng.choice(syllables, length))] = None
        self.names = pa.array([*names, *(str(number) for number in range(10_000, 99_999))])
        self.chance = np.cumsum(1 / (np.arange(WORDS) + 2.7) ** 1.05)
        self.phrases = self.draw(rng, (PHRASES, PHRASE))
        self.rng = rng

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Word ids by their frequency."""
        return np.searchsorted(self.chance, rng.random(shape) * self.chance[-1]).astype(np.int32)

    def rows(self, count: int) -> np.ndarray:
        """(count, width) int32 word ids of texts, -1 where a text is shorter."""
        rng = self.rng
        phrases = self.phrases[np.minimum(rng.zipf(1.3, (count, PHRASES_EACH)), PHRASES) - 1].reshape(count, -1)
        loose = self.draw(rng, (count, LOOSE))
        loose[np.arange(LOOSE) >= rng.integers(5, LOOSE + 1, count)[:, None]] = -1
        number = np.where(rng.random(count) < 0.3, rng.integers(WORDS, len(self.names), count), -1).astype(np.int32)
        return np.hstack([phrases[:, :PHRASE], loose[:, :8], number[:, None], phrases[:, PHRASE:], loose[:, 8:]])

    def texts(self, ids: np.ndarray) -> pa.Array:
        """The texts, with a capital and a full stop."""
        there = ids >= 0
        borders = pa.array(np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32))
        joined = pc.binary_join(pa.ListArray.from_arrays(borders, self.names.take(pa.array(ids[there]))), " ")
        return pc.binary_join_element_wise(pc.utf8_capitalize(joined), ".", "")


NO_WORD = re.compile(r"[^\w$+<=>^`|~]|_")


def word_set(text: str) -> set[str]:
    """The words of a text, lower case; one that begins or ends with a digit counts twice."""
    words = set(NO_WORD.sub(" ", text.lower()).split())
    return words | {f"{word}/2" for word in words if word[0].isdigit() or word[-1].isdigit()}


def jaccard(one: set[str], other: set[str]) -> float:
    """What two sets share, of what they have."""
    return len(one & other) / (len(one | other) or 1)


def changed(words: Words, ids: np.ndarray, near: bool) -> tuple[np.ndarray, list[float]]:
    """Each text with some words exchanged, left out or put in; and how similar it still is to what it was.

    ``near`` keeps the similarity at or above the threshold, otherwise it ends between 0.5 and the threshold.
    """
    rng, names = words.rng, words.names.to_pylist()
    out, similar = np.empty_like(ids), []
    for at, row in enumerate(ids):
        before = {word for word in row.tolist() if word >= 0}
        edits = int(rng.integers(1, 4)) if near else 3
        while True:
            changed = _edited(rng, row, edits)
            likeness = jaccard(_weighed(names, before), _weighed(names, {word for word in changed.tolist() if word >= 0}))
            if (THRESHOLD <= likeness < 1) if near else (0.5 <= likeness < THRESHOLD):
                break
            edits = max(1, edits - 1) if near or likeness < 0.5 else edits + 1
        out[at] = changed
        similar.append(likeness)
    return out, similar


def _edited(rng: np.random.Generator, row: np.ndarray, edits: int) -> np.ndarray:
    changed = row.copy()
    for place in rng.choice(np.flatnonzero(row >= 0), edits, replace=False):
        changed[place] = -1 if rng.random() < 0.2 else rng.integers(0, WORDS)
    if rng.random() < 0.3 and (free := np.flatnonzero(row < 0)).size:
        changed[rng.choice(free)] = rng.integers(0, WORDS)
    return changed


def _weighed(names: list[str], ids: set[int]) -> set[str]:
    return {names[word] for word in ids} | {f"{word}/2" for word in ids if word >= WORDS}


def generate(folder: Path, rows: int) -> None:
    """Write train and test as CSV and Parquet, and the truth: which row was made from which other, how, and how similar the two are."""
    rng = np.random.default_rng([SEED, rows])
    words = Words(rng)
    counts = {kind: max(20, int(rows * share)) for kind, share in SHARES.items()}
    base = rows - sum(counts.values())
    tests = int(base * TEST)
    ids = words.rows(base)
    label = rng.integers(0, LABELS, base)
    sources = iter(np.split(tests + rng.choice(base - tests, sum(counts.values()), replace=False), np.cumsum([*counts.values()])[:-1]))
    planted = [_planted(words, kind, next(sources), ids, label) for kind in counts]
    texts = pa.chunked_array([words.texts(part) for part in np.array_split(ids, -(-base // 50_000))] + [one["text"] for one in planted])
    labels = np.concatenate([label, *(one["label"] for one in planted)])
    in_test = np.concatenate([np.arange(base) < tests, *(np.full(len(one["of"]), "leak" in one["kind"]) for one in planted)])
    kinds = np.concatenate([np.full(base, "", dtype="U9"), *(np.full(len(one["of"]), one["kind"]) for one in planted)])
    of = np.concatenate([np.full(base, -1), *(one["of"] for one in planted)])
    similar = np.concatenate([np.ones(base), *(one["jaccard"] for one in planted)])
    order = np.lexsort((rng.random(rows), in_test))
    place = np.empty(rows, dtype=np.int64)
    place[order] = np.arange(rows)
    table = pa.table(
        {
            "text": texts.take(pa.array(order)),
            "label": pa.array([f"label {name}" for name in "abcdefgh"]).take(pa.array(labels[order])),
            "customer": pa.array(rng.integers(0, rows // 5, rows)),
        }
    ).combine_chunks()
    truth = pa.table({"row": place, "kind": kinds, "of": np.where(of < 0, -1, place[of]), "jaccard": similar})
    cut = int((~in_test).sum())
    for name, part in (("train", table.slice(0, cut)), ("test", table.slice(cut))):
        pa.csv.write_csv(part, folder / f"{name}.csv")
        pq.write_table(part, folder / f"{name}.parquet", row_group_size=50_000)
    pq.write_table(truth.filter(pc.greater_equal(truth["of"], 0)), folder / "truth.parquet")


def _planted(words: Words, kind: str, source: np.ndarray, ids: np.ndarray, label: np.ndarray) -> dict[str, Any]:
    similar, text = [1.0] * len(source), words.texts(ids[source])
    if kind in {"near", "near_leak", "apart"}:
        made, similar = changed(words, ids[source], kind != "apart")
        text = words.texts(made)
    elif kind == "spelling":
        text = pc.utf8_upper(text)
    moved = (label[source] + 1) % LABELS if kind == "conflict" else label[source]
    return {"kind": kind, "of": source, "label": moved, "jaccard": similar, "text": text}
