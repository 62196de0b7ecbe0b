from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.core.schema import SPLITS
from tunewright.data.split import quotas, sizes, split

TENTHS = {"validation": 0.1, "test": 0.1}


def single(labels):
    return [[label] for label in labels]


def counts(chosen):
    return [int((chosen == at).sum()) for at in range(3)]


def test_every_label_is_spread_exactly_where_whole_rows_allow_it():
    labels = np.repeat(np.arange(77), 130)
    chosen = split(np.arange(len(labels)), single(labels), TENTHS, seed=0)
    for label in range(77):
        assert counts(chosen[labels == label]) == [104, 13, 13]


def test_sizes_are_honoured_although_every_label_is_rounded():
    labels = np.repeat(np.arange(20), 3)  # 2.4 rows of each label would go to train
    chosen = split(np.arange(60), single(labels), TENTHS, seed=0)
    assert counts(chosen) == [48, 6, 6]


def test_rows_of_labels_seen_once_all_go_to_train_and_the_large_label_fills_the_rest():
    labels = np.concatenate([np.zeros(50, dtype=int), np.arange(1, 51)])
    chosen = split(np.arange(100), single(labels), TENTHS, seed=0)
    assert counts(chosen) == [80, 10, 10]
    assert set(chosen[50:].tolist()) == {0}


def test_a_stratified_split_keeps_the_shares_that_a_random_one_loses():
    labels = np.array([1] * 20 + [0] * 180)
    even = split(np.arange(200), single(labels), TENTHS, seed=3)
    assert counts(even[labels == 1]) == [16, 2, 2]
    by_chance = [tuple(counts(split(np.arange(200), [[0]] * 200, TENTHS, seed)[labels == 1])) for seed in range(10)]
    assert len(set(by_chance)) > 3


def test_the_seed_alone_decides():
    labels = single([0, 1] * 100)
    first, again, other = (split(np.arange(200), labels, TENTHS, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_only_the_splits_that_are_asked_for_are_made():
    chosen = split(np.arange(50), single([0, 1] * 25), {"test": 0.2}, seed=0)
    assert counts(chosen) == [40, 0, 10]


def test_several_labels_per_row_are_spread_by_the_rarest():
    rng = np.random.default_rng(0)
    labels = [[label for label, share in enumerate((0.5, 0.3, 0.05)) if rng.random() < share] for _ in range(1000)]
    chosen = split(np.arange(1000), labels, TENTHS, seed=0)
    assert counts(chosen) == [800, 100, 100]
    for label in range(3):
        has = np.array([label in one for one in labels])
        share = has[chosen == 2].sum() / has.sum()
        assert share == pytest.approx(0.1, abs=0.02)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), min_size=12, max_size=80), st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_clusters_stay_whole_labels_come_to_train_first_and_sizes_are_near(rows, seed):
    clusters = np.array([cluster for cluster, _ in rows])
    labels = single(label for _, label in rows)
    chosen = split(clusters, labels, TENTHS, seed)
    for cluster in set(clusters.tolist()):
        assert len(set(chosen[clusters == cluster].tolist())) == 1
    assert {label for one in labels for label in one} == {one[0] for one, at in zip(labels, chosen, strict=True) if at == 0}
    largest = max(Counter(clusters.tolist()).values())
    forced = largest * len({label for one in labels for label in one})
    assert abs(counts(chosen)[0] - 0.8 * len(rows)) <= forced + 1


@given(st.lists(st.integers(1, 60), min_size=2, max_size=12))
@settings(max_examples=150, deadline=None)
def test_quotas_add_up_to_every_label_and_every_split(labels):
    counted, parts = np.array(labels), np.array([0.8, 0.1, 0.1])
    room = sizes(int(counted.sum()), parts)
    quota = quotas(counted, parts, room)
    assert (quota >= 0).all() and (quota[:, 0] >= 1).all()
    assert quota.sum(axis=1).tolist() == labels
    if room[0] >= len(labels):
        assert quota.sum(axis=0).tolist() == room.tolist()


def test_a_small_table_still_gets_a_row_to_validate_and_one_to_test():
    assert sizes(10, np.array([0.98, 0.01, 0.01])).tolist() == [8, 1, 1]
    assert [
        SPLITS[at] for at in sorted(set(split(np.arange(10), single([0, 1] * 5), {"validation": 0.01, "test": 0.01}, 0).tolist()))
    ] == list(SPLITS)
