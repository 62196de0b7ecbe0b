"""Scores of found entities: what was wanted and what was found, counted by row and type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.core.errors import UserError
from tunewright.metrics.classes import divide

Array = NDArray[Any]

Span = tuple[int, int, str]
"""Start, end (the first place behind it) and type."""


@dataclass(frozen=True, eq=False)
class SpanOutcome:
    """How many entities each row wants, how many were found in it, and how many of these are right.

    Args:
        names: the types, those among them that were never trained.
        wanted: (rows, types) int64.
        found: (rows, types) int64.
        hits: (rows, types) int64, found ones whose start, end and type are those of a wanted one.
        touched: (rows, types) int64, pairs of a wanted and a found one of the same type that share a character; each is in one pair.
        marks: (rows,) int64, a number that stands for what the row wants, so that two outcomes can be told to be over the same rows.
    """

    names: tuple[str, ...]
    wanted: Array
    found: Array
    hits: Array
    touched: Array
    marks: Array

    def __len__(self) -> int:
        return len(self.wanted)

    @cached_property
    def right(self) -> Array:
        """(rows,) bool: all that the row wants was found, and nothing else."""
        return np.asarray(((self.wanted == self.hits) & (self.found == self.hits)).all(axis=1))

    def take(self, rows: Array) -> SpanOutcome:
        """The outcome over the rows with these numbers; a number may come several times."""
        arrays = {"right": self.right, **vars(self)}
        taken = copy(self)
        vars(taken).update({name: value.take(rows, axis=0) for name, value in arrays.items() if isinstance(value, np.ndarray)})
        return taken


def outcome(wanted: Sequence[Sequence[Span]], found: Sequence[Sequence[Span]], names: Iterable[str]) -> SpanOutcome:
    """Count two lists of entities for each row against each other.

    Args:
        wanted: of each row, in any order; the same one twice is wanted once.
        found: of each row.
        names: the types that are known; others that are wanted follow them.
    """
    known = dict.fromkeys(names)
    known.update(dict.fromkeys(sorted({label for spans in (*wanted, *found) for _, _, label in spans} - known.keys())))
    ids = {name: at for at, name in enumerate(known)}
    tables = {name: np.zeros((len(wanted), len(ids)), dtype=np.int64) for name in ("wanted", "found", "hits", "touched")}
    for row, (mine, theirs) in enumerate(zip(wanted, found, strict=True)):
        want, give = set(mine), set(theirs)
        counted = {"wanted": want, "found": give, "hits": want & give}
        for name, spans in counted.items():
            for label, count in Counter(label for _, _, label in spans).items():
                tables[name][row, ids[label]] = count
        for label in {label for _, _, label in want} & {label for _, _, label in give}:
            tables["touched"][row, ids[label]] = _touching(
                sorted(span for span in want if span[2] == label), sorted(span for span in give if span[2] == label)
            )
    marks = np.array([hash(tuple(sorted(set(spans)))) for spans in wanted], dtype=np.int64)
    return SpanOutcome(tuple(ids), tables["wanted"], tables["found"], tables["hits"], tables["touched"], marks)


def measure(outcome: SpanOutcome) -> dict[str, float]:
    """Every score of an outcome in one pass, all in [0, 1].

    ``f1``, ``precision`` and ``recall`` are over all entities together (micro), and count an entity as found only where start, end and
    type are right; ``f1_macro`` is the mean over the types that are wanted or found. ``f1_partial``, ``precision_partial`` and
    ``recall_partial`` count one of the right type that shares a character with a wanted one; each wanted one is found once at most.
    ``exact_rows`` is the share of rows that are wholly right. ``f1/<type>``, ``precision/<type>`` and ``recall/<type>`` are left out where
    they have no value.

    The strict scores equal those of seqeval on the same entities.

    Raises:
        UserError: there are no rows.
    """
    if not len(outcome):
        raise UserError("there is no row to measure", "a split with at least one annotated row was wanted",
                        "Look at what was removed and how the table was split in data.json of the run")  # fmt: skip
    wanted, found, hits, touched = (table.sum(axis=0) for table in (outcome.wanted, outcome.found, outcome.hits, outcome.touched))
    shown = wanted + found
    by_type = divide(2 * hits, shown)
    all_wanted, all_found, all_hits, all_touched = (int(one.sum()) for one in (wanted, found, hits, touched))
    scores = {
        "f1": _ratio(2 * all_hits, all_wanted + all_found),
        "precision": _ratio(all_hits, all_found),
        "recall": _ratio(all_hits, all_wanted),
        "f1_macro": float(by_type[shown > 0].mean()) if (shown > 0).any() else 0.0,
        "f1_partial": _ratio(2 * all_touched, all_wanted + all_found),
        "precision_partial": _ratio(all_touched, all_found),
        "recall_partial": _ratio(all_touched, all_wanted),
        "exact_rows": float(outcome.right.mean()),
    }
    return scores | _per_type(outcome.names, wanted, found, hits)


def _per_type(names: Sequence[str], wanted: Array, found: Array, hits: Array) -> dict[str, float]:
    kinds = {
        "precision": (divide(hits, found), wanted + found > 0),
        "recall": (divide(hits, wanted), wanted > 0),
        "f1": (divide(2 * hits, wanted + found), wanted > 0),
    }
    scores: dict[str, float] = {}
    for kind, (values, defined) in kinds.items():
        columns = zip(names, values.tolist(), defined.tolist(), strict=True)
        scores |= {f"{kind}/{name}": value for name, value, is_defined in columns if is_defined}
    return scores


def rows_behind(outcome: SpanOutcome) -> dict[str, int]:
    """How many rows stand behind the scores of a type: those that want it (recall), or want it or were given it."""
    wants, shown = (outcome.wanted > 0).sum(axis=0), ((outcome.wanted > 0) | (outcome.found > 0)).sum(axis=0)
    told: dict[str, int] = {}
    for name, wanting, with_it in zip(outcome.names, wants.tolist(), shown.tolist(), strict=True):
        told |= {f"recall/{name}": wanting, f"precision/{name}": with_it, f"f1/{name}": with_it}
    return told


def _ratio(above: int, below: int) -> float:
    return above / below if below else 0.0


def _touching(wanted: Sequence[Span], found: Sequence[Span]) -> int:
    """Pairs of spans that share a character, as many as there can be with each span in one pair; both are sorted."""
    pairs, at, to = 0, 0, 0
    while at < len(wanted) and to < len(found):
        if wanted[at][0] < found[to][1] and found[to][0] < wanted[at][1]:
            pairs, at, to = pairs + 1, at + 1, to + 1
        elif wanted[at][1] <= found[to][1]:
            at += 1
        else:
            to += 1
    return pairs
