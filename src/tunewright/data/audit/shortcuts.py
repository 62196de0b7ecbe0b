"""What tells the label without the text: a column beside it, the form of an id, or a token that somebody has put into the text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from tunewright.data.audit.base import TRAIN, Hit, Looked, Rule
from tunewright.data.audit.normal import hashes
from tunewright.data.audit.personal import shown
from tunewright.data.audit.pieces import evenly, flags_of, picked, some
from tunewright.data.audit.redaction import is_number

FEWEST = 20
"""Rows of a label, or of a value, under which chance alone could tell it."""
RARE = 0.01
"""Share of the rows under which a label of fewer than ``FEWEST`` rows, as a misspelt one, is not held against a column."""
ROWS_A_VALUE = 5
"""Rows that a value of a column must have on average before it can tell anything of others."""
BINS = 50
"""Parts into which numbers are cut, each with as many rows."""
SAMPLE_OF_LABEL, SAMPLE = 200, 40_000
"""Rows of each label, and of all, whose tokens are looked at first."""
MADE_COVERAGE = 0.6
"""Share of the rows of a label in which a token is enough that is no word, as ``ref:spam``. On eight public sets words that belong to what
a label means reach 0.82; no such token reaches 0.4."""
LIKELY, ELSEWHERE = 0.55, 0.05
"""Shares of the looked-at rows of a label that must have a token, and of the others that may, before all rows are asked."""
MOST_CHARACTERS = 4_000
"""Of a text, whose tokens are looked at first."""
ASKED = 60
"""Tokens that all rows are asked for, at most."""
LEFT = 0.2
"""What a column may leave of the mistakes that always saying the most frequent label would make."""
BY_RANGE = "by the range that it falls into"
_EDGE = "[.,;:!?\"'()]*"


class Shortcut(Rule):
    """A column, the form of an id, or a token of the text that tells the label almost alone: a model learns that and nothing else.

    A word that belongs to what a label means is no shortcut: it stands in some of its rows, and here and there in others.
    """

    looks_at: ClassVar = ("label", "labels")
    cost: ClassVar = (
        "one pass over the columns beside the text, the words of 40,000 rows, and a pass over the texts for each suspicious token"
    )
    policies: ClassVar = ("keep", "refuse")
    remedy: ClassVar = "Ask how it came into the table; take the token out of the texts, and never let the column become part of them"

    precision: float = Field(0.99, gt=0.5, le=1)
    """Share of the rows with a token, or with the ranges or many values of a column, that have the label which it tells."""
    few_values: float = Field(0.96, gt=0.5, le=1)
    """The same for a column with few values: even a code that is wrong in 30 of 1,000 rows gives the label away."""
    coverage: float = Field(0.95, gt=0.5, le=1)
    """Share of the rows of a label in which a token must stand; of one that is no word, as ``ref#spam``, less is enough."""

    def look(self, looked: Looked) -> Iterator[Hit]:
        if looked.label_role is None or len(looked.label_counts(looked.split == TRAIN)) < 2:
            return
        yield from self._columns(looked)
        for role in looked.text_roles:
            yield from self._tokens(looked, role)

    def _columns(self, looked: Looked) -> Iterator[Hit]:
        """Columns whose value, or whose form, tells the label of nearly every row of train."""
        here, rare = _of_usual_labels(looked)
        labels = looked.whole_labels[here]
        if len(here) < FEWEST or len(np.unique(labels)) < 2:
            return
        which = "training rows whose label is not rare" if rare else "training rows"
        for name in looked.own_columns:
            for how, codes in _readings(looked.rows[name], here):
                right = _told_rightly(codes, labels)
                few = how != BY_RANGE and len(np.unique(codes)) <= len(codes) / FEWEST
                enough = min(self.few_values, self.precision) if few else self.precision
                if right >= enough and 1 - right <= LEFT * (1 - _share_of_most(labels)):
                    told = f"column {name!r} tells the label of {100 * right:.1f} % of the {which} {how}{_twin(codes, labels)}"
                    yield Hit(told, numbers={"told_rightly": right, "rows_compared": len(here)})
                    break

    def _tokens(self, looked: Looked, role: str) -> Iterator[Hit]:
        """Tokens that stand in nearly every row of a label and in hardly any other."""
        train = looked.split == TRAIN
        members = {label: rows for label, rows in _members(looked, train).items() if len(rows) >= FEWEST}
        column, told, concerned = looked.rows[role], [], [np.zeros(0, dtype=np.int64)]
        best: dict[str, tuple[float, str, float, np.ndarray]] = {}
        for label, token in _suspicious(column, members):
            has = flags_of(column, _holding(token), bool) & train
            inside, rows = int(has[members[label]].sum()), members[label]
            outside = int(has.sum()) - inside
            covered, elsewhere = inside / len(rows), outside / max(int(train.sum()) - len(rows), 1)
            enough = min(self.coverage, MADE_COVERAGE) if _is_made(token) else self.coverage
            if covered >= enough and inside >= self.precision * (inside + outside) and elsewhere <= 1 - self.precision:
                best[label] = max(
                    best.get(label, (0.0, "", 0.0, rows)), (covered, token, elsewhere, rows[has[rows]]), key=lambda one: one[:2]
                )
        for label, (covered, token, elsewhere, rows) in best.items():
            safe = shown([token])[0]
            told.append(
                f"the token {safe!r} stands in {100 * covered:.1f} % of the training rows of {label!r}, {100 * elsewhere:.1f} % of others"
            )
            concerned.append(rows)
        if told:
            more = f"; and so for {len(told) - 3:,} more labels" if len(told) > 3 else ""
            covered, _, elsewhere, _ = max(best.values(), key=lambda one: one[0])
            figures = {"labels": len(best), "covered": covered, "elsewhere": elsewhere}
            yield Hit("; ".join(told[:3]) + more, np.unique(np.concatenate(concerned)), numbers=figures)


def _of_usual_labels(looked: Looked) -> tuple[np.ndarray, bool]:
    """The training rows with a label that is not rare; and whether there are others with one."""
    here = np.flatnonzero((looked.split == TRAIN) & (looked.whole_labels >= 0))
    labels = looked.whole_labels[here]
    usual = np.bincount(labels)[labels] >= min(FEWEST, RARE * len(here))
    return here[usual], not usual.all()


def _members(looked: Looked, among: np.ndarray) -> dict[str, np.ndarray]:
    """Label name -> the indices of its rows among these, ascending."""
    labels = looked.label_ids
    order = np.argsort(labels.ids, kind="stable")
    starts = np.searchsorted(labels.ids[order], np.arange(len(labels.names) + 1))
    parts = {name: labels.owners[order[starts[at] : starts[at + 1]]] for at, name in enumerate(labels.names)}
    return {name: np.unique(rows[among[rows]]) for name, rows in parts.items()}


def _suspicious(column: pa.ChunkedArray, members: Mapping[str, np.ndarray]) -> list[tuple[str, str]]:
    """(label, token) that some rows of each label make suspicious, the most frequent first."""
    most = max(FEWEST, min(SAMPLE_OF_LABEL, SAMPLE // max(len(members), 1)))
    chosen = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(evenly(rows, most) for rows in members.values())]))
    tokens = [_tokens_of(text) for piece in picked(column, chosen) for text in piece.to_pylist()]
    total = Counter(token for one in tokens for token in one)
    found = []
    for label, rows in members.items():
        mine = np.flatnonzero(np.isin(chosen, rows, assume_unique=True)).tolist()
        own = Counter(token for at in mine for token in tokens[at])
        others = len(chosen) - len(mine)
        found += [
            (count / len(mine), label, token)
            for token, count in own.items()
            if count >= LIKELY * len(mine) and total[token] - count <= ELSEWHERE * others
        ]
    return [(label, token) for _, label, token in sorted(found, reverse=True)[:ASKED]]


def _tokens_of(text: str | None) -> set[str]:
    """The pieces between blanks, in lower case, without the punctuation around them."""
    return {bare for piece in (text or "")[:MOST_CHARACTERS].lower().split() if (bare := piece.strip(".,;:!?\"'()"))}


def _is_made(token: str) -> bool:
    """Whether a token is no word: signs or digits among its letters. Tags and names of users are words here."""
    return not token.startswith(("#", "@")) and bool(re.search(r"[^\W\d_]", token) and re.search(r"[\d_]|[^\w.,'’-]", token))


def _holding(token: str) -> Callable[[pa.Array], np.ndarray]:
    """(texts) -> (texts,) bool: the token stands between blanks or punctuation."""
    pattern = rf"(?i)(?:^|\s){_EDGE}{re.escape(token)}{_EDGE}(?:\s|$)"
    return lambda piece: np.asarray(pc.match_substring_regex(piece, pattern).fill_null(False))


def _readings(column: pa.ChunkedArray, rows: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """What a column may tell the label by: how, in words, and (rows,) int codes that many of the rows share."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind) or pa.types.is_null(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return
    if (codes := _shared(flags_of(column, lambda piece: hashes(_text(piece)), np.uint64)[rows])) is not None:
        yield "by its value", codes
    if is_number(kind) or pa.types.is_temporal(kind):
        ranks = np.argsort(np.argsort(flags_of(column, _numbers, np.float64)[rows], kind="stable"), kind="stable")
        yield BY_RANGE, ranks * BINS // max(len(ranks), 1)
    elif (codes := _shared(flags_of(column, lambda piece: hashes(_form(piece)), np.uint64)[rows])) is not None:
        example = str(_form(some(column, rows[:1]))[0].as_py())
        yield f"by what it looks like without its digits, as {shown([example])[0]!r}", codes


def _text(piece: pa.Array) -> pa.Array:
    return piece.cast(pa.string())


def _form(piece: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(pc.utf8_slice_codeunits(_text(piece), 0, 200), r"\d+", "#")


def _numbers(piece: pa.Array) -> np.ndarray:
    numbers = piece if is_number(piece.type) else piece.cast(pa.int64() if piece.type.bit_width == 64 else pa.int32())
    return np.asarray(numbers.cast(pa.float64()).fill_null(np.nan))


def _shared(hashed: np.ndarray) -> np.ndarray | None:
    """(rows,) int: the same number for the same value; None when hardly any row shares its value with others."""
    values, codes = np.unique(hashed, return_inverse=True)
    return codes.astype(np.int64) if 2 <= len(values) <= len(hashed) / ROWS_A_VALUE else None


def _told_rightly(codes: np.ndarray, labels: np.ndarray) -> float:
    """Share of the rows whose label is the most frequent one of the other rows with the same code; a tie is wrong."""
    cells, counts = np.unique(np.stack([codes, labels]), axis=1, return_counts=True)
    order = np.lexsort((-counts, cells[0]))
    groups, sizes = cells[0][order], counts[order]
    first = np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))
    second = np.where(np.append(first[1:], len(groups)) - first > 1, sizes[np.minimum(first + 1, len(sizes) - 1)], 0)
    top = sizes[first]
    return float(top[top - 1 > second].sum() / len(codes))


def _share_of_most(labels: np.ndarray) -> float:
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def _twin(codes: np.ndarray, labels: np.ndarray) -> str:
    """Words for a column in which every label has a value of its own and every value its label."""
    pairs = len(np.unique(np.stack([codes, labels]), axis=1).T)
    return ": it is the label under another name" if pairs == len(np.unique(codes)) == len(np.unique(labels)) else ""
