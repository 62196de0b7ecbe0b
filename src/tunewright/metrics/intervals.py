"""How sure a score is: bootstrap intervals over rows, paired differences, and McNemar's test. Knows nothing of classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from tunewright.core.errors import UserError
from tunewright.core.schema import Score

Array = NDArray[Any]


class Outcome(Protocol):
    """Wanted and given answers, row by row, of any task."""

    def __len__(self) -> int: ...

    def take(self, rows: Array) -> Self:
        """The outcome over the rows with these numbers, (size,) int64; a number may come several times."""


O = TypeVar("O", bound=Outcome)  # noqa: E741 - the one letter that this type can have


class Intervals(dict[str, Score]):
    """Scores by name, and in how many resamples each of them had no value.

    ``undefined`` names only scores that had no value at least once; a score that has none on the rows themselves stands in
    ``undefined`` (with all resamples) and not among the scores.
    """

    def __init__(self, scores: Mapping[str, Score], undefined: Mapping[str, int], resamples: int) -> None:
        super().__init__(scores)
        self.undefined, self.resamples = dict(undefined), resamples


def bootstrap(
    outcome: O,
    measure: Callable[[O], Mapping[str, float]],
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    rows: Mapping[str, int] | None = None,
) -> Intervals:
    """Every score with its percentile interval over resampled rows; one pass serves all scores.

    A resample in which a score has no value (its name is missing, it is not finite, or ``measure`` raises ``UserError``) does not
    count for that score, and ``Intervals.undefined`` tells how many there were. A score of exactly 0 or 1 that no resample moves
    gets the exact binomial limit on its far side: five right of five proves no more than "over 0.47", and the bootstrap cannot see that.

    Args:
        outcome: the rows; its order does not matter.
        measure: scores by name; called once for the rows and once for each resample.
        rng: the only source of chance.
        resamples: how many; 1000 makes the ends of a 95 % interval steady to about a tenth of its width.
        level: share of resamples inside the interval, in (0, 1).
        rows: how many rows a score rests on, where these are not all (a recall rests on the rows of its class).

    Raises:
        UserError: ``measure`` refuses the rows themselves.

    Source: Efron 1979; percentile interval as in Efron & Tibshirani 1993, chapter 13. Limits: Clopper & Pearson 1934.
    """
    drawn = _draw(outcome, measure, rng, resamples)
    behind = {name: (rows or {}).get(name, len(outcome)) for name in drawn.values}
    low, high = drawn.ends(level)
    ends = {name: _honest(drawn.values[name], low[name], high[name], behind[name], level) for name in drawn.values}
    scores = {name: Score(value=drawn.values[name], low=ends[name][0], high=ends[name][1], rows=behind[name]) for name in ends}
    return Intervals(scores, drawn.undefined(), resamples)


def paired_differences(
    ours: O,
    theirs: O,
    measure: Callable[[O], Mapping[str, float]],
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> Intervals:
    """Ours minus theirs for every score that both have, each resample taking the same rows on both sides.

    Args:
        ours: one side.
        theirs: the other, over the same rows in the same order.
        measure: scores by name, of one side.
        rng: the only source of chance.
        resamples: how many.
        level: share of resamples inside the interval, in (0, 1).

    Raises:
        ValueError: the two sides differ in their number of rows.
        UserError: ``measure`` refuses the rows themselves.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"a paired difference needs the same rows on both sides, not {len(ours)} and {len(theirs)}")

    def difference(pair: _Pair[O]) -> dict[str, float]:
        mine, other = measure(pair.ours), measure(pair.theirs)
        return {name: value - other[name] for name, value in mine.items() if name in other}

    drawn = _draw(_Pair(ours, theirs), difference, rng, resamples)
    low, high = drawn.ends(level)
    scores = {name: Score(value=value, low=low[name], high=high[name], rows=len(ours)) for name, value in drawn.values.items()}
    return Intervals(scores, drawn.undefined(), resamples)


def paired_difference(
    ours: O,
    theirs: O,
    measure: Callable[[O], Mapping[str, float]],
    name: str,
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> Score:
    """``paired_differences`` for one score. Where the interval leaves out 0, the difference is proven at this level.

    Raises:
        UserError: the score has no value on one of the sides.
        ValueError: the two sides differ in their number of rows.
    """

    def one(side: O) -> dict[str, float]:
        scores = measure(side)
        return {name: scores[name]} if name in scores else {}

    found = paired_differences(ours, theirs, one, rng, resamples=resamples, level=level)
    if name not in found:
        raise UserError(f"{name!r} has no value on these rows for both sides", "a score that both sides have was wanted",
                        f"Choose one of: {', '.join(score for score in measure(ours) if '/' not in score)}")  # fmt: skip
    return found[name]


def mcnemar(ours_right: Array, theirs_right: Array) -> float:
    """How likely so uneven a split of the rows that only one side has right would be, if both were equally good.

    Args:
        ours_right: (rows,) bool.
        theirs_right: (rows,) bool, the same rows.

    Returns:
        The two-sided p-value, in [0, 1]; 1 where the sides never disagree.

    Source: McNemar 1947, in its exact binomial form.
    """
    ours_only = int(np.count_nonzero(ours_right & ~theirs_right))
    theirs_only = int(np.count_nonzero(theirs_right & ~ours_right))
    disagreements, fewer = ours_only + theirs_only, min(ours_only, theirs_only)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, disagreements + 1)))])
    split = np.arange(fewer + 1)
    log_ways = log_factorial[-1] - log_factorial[split] - log_factorial[disagreements - split]
    return min(1.0, 2 * float(np.exp(log_ways - disagreements * math.log(2)).sum()))  # both tails; at an even split they overlap


@dataclass(frozen=True)
class _Pair(Generic[O]):
    ours: O
    theirs: O

    def __len__(self) -> int:
        return len(self.ours)

    def take(self, rows: Array) -> _Pair[O]:
        return _Pair(self.ours.take(rows), self.theirs.take(rows))


@dataclass(frozen=True)
class _Drawn:
    """``values`` by name on the rows themselves; ``table`` is (resamples, names of ``table_names``), NaN where undefined."""

    values: dict[str, float]
    table_names: tuple[str, ...]
    table: Array

    def ends(self, level: float) -> tuple[dict[str, float], dict[str, float]]:
        """Both ends of every interval."""
        tail = (1 - level) / 2
        low, high = {}, {}
        for name, column in zip(self.table_names, self.table.T, strict=True):
            if name in self.values:
                defined, value = column[~np.isnan(column)], self.values[name]
                ends = np.quantile(defined, [tail, 1 - tail]) if len(defined) else (value, value)
                # The percentile interval of a skewed score (a maximum, the F1 of a rare class) can miss the score itself;
                # an interval beside its own number helps nobody, so it is widened, never moved.
                low[name], high[name] = min(float(ends[0]), value), max(float(ends[1]), value)
        return low, high

    def undefined(self) -> dict[str, int]:
        missing = np.isnan(self.table).sum(axis=0).tolist()
        return {name: count if name in self.values else len(self.table)
                for name, count in zip(self.table_names, missing, strict=True) if count or name not in self.values}  # fmt: skip


def _draw(outcome: O, measure: Callable[[O], Mapping[str, float]], rng: np.random.Generator, resamples: int) -> _Drawn:
    size, whole = len(outcome), measure(outcome)
    places = {name: place for place, name in enumerate(whole)}
    table = np.full((resamples, len(places)), np.nan)
    for line in table:
        rows = rng.integers(0, size, size)
        try:
            scores = measure(outcome.take(rows))
        except UserError:  # it could measure the whole, so it is these rows that have no such score
            continue
        if len(scores) == len(places) and list(scores) == list(places):
            line[:] = list(scores.values())
        else:
            for name, value in scores.items():
                if name in places:
                    line[places[name]] = value
    table[~np.isfinite(table)] = np.nan
    values = {name: float(value) for name, value in whole.items() if math.isfinite(value)}
    return _Drawn(values, tuple(places), table)


def _honest(value: float, low: float, high: float, rows: int, level: float) -> tuple[float, float]:
    """The ends, with the exact binomial limit where the bootstrap is blind: at 0 and 1, when every resample says the same."""
    if low == high and value in (0.0, 1.0) and rows:
        limit = ((1 - level) / 2) ** (1 / rows)
        return (limit, 1.0) if value == 1.0 else (0.0, 1 - limit)
    return low, high
