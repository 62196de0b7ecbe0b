from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright.data.batch import batches, batches_by_tokens


def lengths(count: int, seed: int = 0) -> list[int]:
    rng = random.Random(seed)
    return [min(256, int(rng.lognormvariate(3, 1)) + 3) for _ in range(count)]


@given(
    count=st.integers(0, 200),
    micro=st.integers(1, 7),
    per_step=st.integers(1, 5),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 4),
    bucket=st.booleans(),
)
def test_every_row_stands_in_an_epoch_once_and_steps_have_as_many_rows(
    count: int, micro: int, per_step: int, seed: int, epoch: int, bucket: bool
) -> None:
    step = micro * per_step
    found = batches(lengths(count, seed), step, micro, seed, bucket)(epoch)
    assert sorted(row for batch in found for row in batch) == list(range(count))
    assert all(1 <= len(batch) <= micro for batch in found)
    full = count // step * per_step
    assert [len(batch) for batch in found[:full]] == [micro] * full
    rest = [len(batch) for batch in found[full:]]
    assert sum(rest) == count % step and all(size == micro for size in rest[:-1])
    assert all(type(row) is int for batch in found for row in batch)


@given(count=st.integers(1, 200), tokens=st.integers(1, 600), parts=st.integers(1, 4), seed=st.integers(0, 5), epoch=st.integers(0, 4))
def test_steps_by_tokens_hold_no_more_than_they_may_and_are_always_as_many(
    count: int, tokens: int, parts: int, seed: int, epoch: int
) -> None:
    long = lengths(count, seed)
    order = batches_by_tokens(long, tokens, parts, seed)
    found = order(epoch)
    assert sorted(row for batch in found for row in batch) == list(range(count))
    assert all(len(batch) == 1 or len(batch) * max(long[row] for row in batch) <= tokens / parts for batch in found)
    assert len(found) == len(order(epoch + 1)) and found == order(epoch)
    if count > 100:
        assert found != order(epoch + 1)
    for start in range(0, len(found) - len(found) % parts, parts):
        step = found[start : start + parts]
        assert max(map(len, step)) <= tokens, "parts of a step are of like length"


@pytest.mark.parametrize("bucket", [True, False])
def test_epochs_and_seeds_differ_and_each_comes_again(bucket: bool) -> None:
    sizes = lengths(200)
    order, again, other = (batches(sizes, 16, 8, seed, bucket) for seed in (1, 1, 2))
    assert order(0) == again(0) == order(0)
    assert order(1) == again(1), "whatever was asked before"
    assert order(0) != order(1) and order(0) != other(0)
    assert len(order(0)) == len(order(7)), "as many micro-batches in every epoch"


def padding(found: list[list[int]], sizes: list[int]) -> int:
    return sum(max(sizes[row] for row in batch) * len(batch) - sum(sizes[row] for row in batch) for batch in found)


def test_rows_of_similar_length_share_a_batch_and_padding_shrinks() -> None:
    sizes = lengths(3000)
    with_bucket, without = (padding(batches(sizes, 32, 32, 0, bucket)(0), sizes) for bucket in (True, False))
    assert with_bucket < without / 5


def test_short_and_long_batches_come_in_random_order() -> None:
    sizes = lengths(1600)
    found = batches(sizes, 32, 32, 0)(0)
    means = [sum(sizes[row] for row in batch) / len(batch) for batch in found]
    rises = sum(one < other for one, other in itertools.pairwise(means))
    assert len(means) / 4 < rises < 3 * len(means) / 4


def test_rows_of_like_length_meet_others_in_the_next_epoch() -> None:
    order = batches(lengths(4000), 16, 16, 0)
    first, second = ({frozenset(batch) for batch in order(epoch)} for epoch in (0, 1))
    assert len(first & second) < len(first) / 20
