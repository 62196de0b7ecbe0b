"""Texts that say nearly the same: within a split, across the splits of the source, and by meaning where an encoder is at hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from tunewright.core.schema import SPLITS
from tunewright.data.audit.base import TRAIN, Hit, Looked, Rule, rows_word
from tunewright.data.audit.duplicates import Why
from tunewright.data.splits.clusters import numbered, united

SHOWN = 60
"""Characters of a text that a message shows."""
BLOCK = 256
"""Texts that are compared with all others at once."""


class NearDuplicate(Rule):
    """Texts of one split that share most of their words, with the same label; and those whose labels differ."""

    threshold: float = Field(0.8, ge=0.3, le=1)
    """Jaccard similarity of their words from which two texts are near-duplicates: for this rule, for ``leak-near`` and for splits."""

    when: ClassVar = "split"
    streams: ClassVar = "block"
    severity: ClassVar = "info"
    cost: ClassVar = "one pass over the texts and a second one over suspects; about 10 s for a million rows"
    remedy: ClassVar = "Keep one row of each cluster in train where the rows add nothing; the earliest is kept"
    recipe: ClassVar = "data.policy.near-duplicate: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        what = f"share at least {100 * looked.near_threshold:.4g} % of their words"
        yield from _within(looked, looked.near_texts, looked.normal_texts, what)
        varied = _varied(looked.near_texts, looked.normal_texts) & _varied(looked.near_texts, looked.whole_labels)
        rows = np.flatnonzero(varied)
        if looked.label_role is not None and looked.label_role.kind != "spans" and len(rows):
            groups = numbered(looked.near_texts[rows])
            example = _example(looked, rows, groups, looked.whole_labels, with_labels=True)
            message = f"{rows_word(len(rows))} in {_clusters(groups)} of near-duplicates with different labels, such as {example}"
            yield Hit(message, rows, "nearly the same text has another label elsewhere", groups, told_only=True)


class LeakNear(Rule):
    """Splits of the source that share texts in nearly the same words. Splits made here never do."""

    severity: ClassVar = "error"
    cost: ClassVar = "one pass over the texts and a second one over suspects; about 10 s for a million rows"
    remedy: ClassVar = "Remove these rows from train (and those of test from validation); the test split stays as it is"
    recipe: ClassVar = "data.policy.leak-near: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        present = [at for at in range(len(SPLITS)) if (looked.split == at).any()]
        concerned, earlier, told = np.zeros(len(looked), dtype=bool), np.zeros(len(looked), dtype=bool), []
        for first, second in [(one, other) for one in present for other in present if one < other]:
            in_first, in_second = _near_only(looked, first, second)
            if in_second.any():
                total = int((looked.split == second).sum())
                told.append(
                    f"{rows_word(int(in_second.sum()))} of {SPLITS[second]} ({100 * in_second.sum() / total:.1f} %) in nearly the words of "
                    f"{rows_word(int(in_first.sum()))} of {SPLITS[first]}"
                )
            concerned |= in_first | in_second
            earlier |= in_first
        rows = np.flatnonzero(concerned)
        if len(rows):
            groups = numbered(looked.near_texts[rows])
            message = f"{'; '.join(told)}; such as {_example(looked, rows, groups, looked.split)}"
            yield Hit(message, rows, "nearly the same text stands in a later split of the source", groups, earlier[rows])


class SemanticDuplicate(Rule):
    """Texts of one split that an encoder finds to mean the same, with the same label. Off by default: it reads every text."""

    enabled: bool = False
    """Whether the rule looks at all; ``data.rules: {<rule>: true}`` is short for it."""
    threshold: float = Field(0.95, gt=0, le=1)
    """Cosine of the sentence vectors from which two texts mean the same."""
    most_rows: int = Field(50_000, ge=2)
    """Different texts beyond which the rule does not look: all pairs are compared, which takes time by the square of their number."""

    uses: ClassVar = ("embed",)
    when: ClassVar = "split"
    severity: ClassVar = "info"
    cost: ClassVar = "an encoder reads every text once; all pairs of vectors are compared, a minute for 50,000 texts"
    remedy: ClassVar = "Keep one row of each cluster in train where the rows add nothing; the earliest is kept"
    recipe: ClassVar = "data.policy.semantic-duplicate: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        filled = ~np.all(list(looked.empty_texts.values()), axis=0)
        _, first = np.unique(np.where(filled, looked.near_texts, -1), return_index=True)
        first = np.sort(first[filled[first]])
        if looked.services.embed is None:
            yield Hit("not looked for: no encoder is at hand that could tell what texts mean", told_only=True)
        elif len(first) > self.most_rows:
            told = f"not looked for: {len(first):,} different texts are more than most_rows allows ({self.most_rows:,})"
            yield Hit(told, told_only=True, numbers={"different_texts": len(first)})
        elif len(first):
            alike = np.full(len(looked), -1)
            alike[first] = _same_meaning(_vectors(looked, first), self.threshold)
            meaning = united(np.where(filled, looked.near_texts, len(looked) + np.arange(len(looked))), alike)
            what = f"mean the same to {looked.services.embed_name or 'the encoder'} (cosine {self.threshold:g})"
            yield from _within(looked, meaning, looked.near_texts, what)


def _within(looked: Looked, alike: np.ndarray, same: np.ndarray, what: str) -> Iterator[Hit]:
    """One hit for the clusters within a split and label that hold more than what is ``same``; removable are the later rows in train."""
    keys = _both(_both(alike, looked.whole_labels), looked.split)
    rows = np.flatnonzero(_varied(keys, same))
    if not len(rows):
        return
    groups = numbered(keys[rows])
    _, first = np.unique(groups, return_index=True)
    later, split = first[groups] != np.arange(len(rows)), looked.split[rows]
    counts = ", ".join(f"{int((later & (split == at)).sum()):,} in {SPLITS[at]}" for at in np.unique(split).tolist())
    message = (
        f"{rows_word(len(rows))} in {_clusters(groups)} of texts that {what}, within a split and a label; the largest has "
        f"{np.bincount(groups).max():,}; beyond the first of each: {counts}; such as {_example(looked, rows, groups, same)}"
    )
    yield Hit(
        message,
        rows,
        Why(looked.places(rows[first][groups]), "nearly the same"),
        groups,
        later & (split == TRAIN),
        numbers={"copies": int(later.sum())},
    )


def _near_only(looked: Looked, first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows,) bool twice: rows of the later split that are near a row of the first and the same as none; and those of the first."""
    near, texts, one, other = looked.near_texts, looked.normal_texts, looked.split == first, looked.split == second
    later = other & np.isin(near, near[one]) & ~np.isin(texts, texts[one])
    return one & np.isin(near, near[later]), later


def _example(looked: Looked, rows: np.ndarray, groups: np.ndarray, differ: np.ndarray, with_labels: bool = False) -> str:
    """Two rows of the first cluster that differ, by the beginnings of their texts.

    Args:
        groups: (hits,) int, the cluster of each of ``rows``.
        differ: (rows,) int, another number for what makes the two worth showing.
    """
    group = rows[groups == groups[0]]
    chosen = [int(group[0]), int(group[differ[group] != differ[group[0]]][0])]
    shown = [repr(_beginning(looked, row)) for row in chosen]
    if with_labels:
        role = looked.label_role
        assert role is not None
        shown = [f"{text} ({looked.rows[role.name][row].as_py()!r})" for text, row in zip(shown, chosen, strict=True)]
    return " and ".join(shown)


def _beginning(looked: Looked, row: int) -> str:
    text = " | ".join(" ".join((looked.rows[name][row].as_py() or "").split()) for name in looked.text_roles)
    return text if len(text) <= SHOWN else text[: SHOWN - 1].rstrip() + "…"


def _clusters(groups: np.ndarray) -> str:
    count = int(groups.max()) + 1
    return "1 cluster" if count == 1 else f"{count:,} clusters"


def _both(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(rows,) int: the same number where both are the same."""
    ordered = np.unique(other, return_inverse=True)[1]
    found: np.ndarray = np.unique(np.unique(one, return_inverse=True)[1] * (ordered.max(initial=0) + 1) + ordered, return_inverse=True)[1]
    return found


def _varied(codes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(rows,) bool: rows with the same number have different values."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    other = np.zeros(len(first), dtype=bool)
    other[inverse[values != values[first[inverse]]]] = True
    found: np.ndarray = other[inverse]
    return found


def _vectors(looked: Looked, rows: np.ndarray) -> list[np.ndarray]:
    """(texts, width) float32 of length 1 for each text role."""
    assert looked.services.embed is not None
    found = []
    for name in looked.text_roles:
        parts = [looked.services.embed(part) for part in _texts(looked, name, rows)]
        vectors = np.concatenate(parts).astype(np.float32)
        found.append(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))
    return found


def _texts(looked: Looked, name: str, rows: np.ndarray) -> Iterator[Sequence[str]]:
    at = 0
    for chunk in looked.rows[name].chunks:
        here = rows[(rows >= at) & (rows < at + len(chunk))] - at
        at += len(chunk)
        for low in range(0, len(here), BLOCK):
            yield chunk.take(here[low : low + BLOCK]).fill_null("").to_pylist()


def _same_meaning(vectors: list[np.ndarray], threshold: float) -> np.ndarray:
    """(texts,) int: the same number for texts that mean the same, directly or over others; of several roles, each must."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(vectors[0])
    whole = np.arange(count)
    for low in range(0, count, BLOCK):
        near = np.all([one[low : low + BLOCK] @ one[low:].T >= threshold for one in vectors], axis=0)
        left, right = np.nonzero(near)
        graph = coo_array((np.ones(len(left), dtype=bool), (whole[low + left], whole[low + right])), shape=(count, count))
        whole = connected_components(graph, directed=False)[1][whole]
    return whole
