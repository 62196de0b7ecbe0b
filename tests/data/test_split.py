from collections import Counter
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.core.schema import SPLITS
from tunewright.data.splits import split
from tunewright.data.splits.clusters import Labels, united
from tunewright.data.splits.split import by_time, whole_sizes
from tunewright.data.splits.spread import quotas

TENTHS = {"validation": 0.1, "test": 0.1}


def single(labels):
    return Labels(np.arange(len(labels)), np.asarray(labels))


def several(lists):
    return Labels(np.repeat(np.arange(len(lists)), [len(one) for one in lists]), np.array([at for one in lists for at in one], dtype=int))


def stratified(clusters, labels, shares, seed):
    """The split of rows that all say something else."""
    return split.stratified(clusters, labels, shares, np.arange(len(clusters), dtype=np.uint64), seed)


def counts(chosen):
    return [int((chosen == at).sum()) for at in range(3)]


def alone(labels, seed=0, shares=TENTHS):
    """The split of rows that belong to nobody."""
    return stratified(np.arange(len(labels)), single(labels), shares, seed).split


def test_every_label_is_spread_exactly_where_whole_rows_allow_it():
    labels = np.repeat(np.arange(77), 130)
    chosen = alone(labels)
    for label in range(77):
        assert counts(chosen[labels == label]) == [104, 13, 13]


def test_sizes_are_honoured_although_every_label_is_rounded():
    assert counts(alone(np.repeat(np.arange(20), 3))) == [48, 6, 6]  # 2.4 rows of each label would go to train


def test_rows_of_labels_seen_once_all_go_to_train_and_the_large_label_fills_the_rest():
    chosen = alone(np.concatenate([np.zeros(50, dtype=int), np.arange(1, 51)]))
    assert counts(chosen) == [80, 10, 10]
    assert set(chosen[50:].tolist()) == {0}


def test_a_stratified_split_keeps_the_shares_that_a_random_one_loses():
    labels = np.array([1] * 20 + [0] * 180)
    assert counts(alone(labels, seed=3)[labels == 1]) == [16, 2, 2]
    by_chance = [tuple(counts(stratified(np.arange(200), None, TENTHS, seed).split[labels == 1])) for seed in range(10)]
    assert len(set(by_chance)) > 3


def test_the_seed_alone_decides():
    first, again, other = (alone([0, 1] * 100, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_only_the_splits_that_are_asked_for_are_made():
    assert counts(alone([0, 1] * 25, shares={"test": 0.2})) == [40, 0, 10]


def test_a_small_table_still_gets_a_row_to_validate_and_one_to_test():
    shares = {"validation": 0.01, "test": 0.01}
    assert whole_sizes(10, shares).tolist() == [8, 1, 1]
    assert counts(alone([0, 1] * 5, shares=shares)) == [8, 1, 1]


def test_a_row_that_names_a_label_twice_has_it_once():
    lists = [[0, 0, 1] if at % 2 else [1] for at in range(100)]
    once = stratified(np.arange(100), several([sorted(set(one)) for one in lists]), TENTHS, 0).split
    assert (stratified(np.arange(100), several(lists), TENTHS, 0).split == once).all()
    with_none = Labels(np.append(several(lists).owners, [3, 99]), np.append(several(lists).ids, [-1, -1]))
    assert (stratified(np.arange(100), with_none, TENTHS, 0).split == once).all()


# What may be asked of every table.

rows_of = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), min_size=12, max_size=80)


@given(rows_of, st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_clusters_stay_whole_labels_come_to_train_first_and_sizes_are_near(rows, seed):
    clusters, labels = (np.array(column) for column in zip(*rows, strict=True))
    found = stratified(clusters, single(labels), TENTHS, seed)
    for cluster in set(clusters.tolist()):
        assert len(set(found.split[clusters == cluster].tolist())) == 1
    assert set(labels.tolist()) == set(labels[found.split == 0].tolist())
    assert list(found.reached.values()) == counts(found.split) and sum(found.wanted.values()) == len(rows)
    assert bool(found.notes) == (found.wanted != found.reached)
    largest = max(Counter(clusters.tolist()).values())
    assert abs(found.reached["train"] - found.wanted["train"]) <= largest * len(set(labels.tolist())) + 1


@given(st.lists(st.integers(1, 30), min_size=3, max_size=40), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_no_cluster_could_move_to_bring_the_sizes_nearer(clusters, seed):
    of_row = np.repeat(np.arange(len(clusters)), clusters)
    found = stratified(of_row, None, TENTHS, seed)
    over = {name: found.reached[name] - found.wanted[name] for name in SPLITS}
    where = found.split[np.unique(of_row, return_index=True)[1]]
    assert all(found.reached.values()), "three clusters fill three splits"
    for source, to in product(SPLITS, SPLITS):
        there = [size for size, at in zip(clusters, where, strict=True) if at == SPLITS.index(source)]
        if over[source] > 0 > over[to] and len(there) > 1:
            assert min(there) >= over[source] - over[to]


@given(st.lists(st.integers(1, 9), min_size=3, max_size=7), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_the_error_of_few_clusters_is_seldom_far_from_the_smallest_there_is(clusters, seed):
    of_row = np.repeat(np.arange(len(clusters)), clusters)
    found = stratified(of_row, None, TENTHS, seed)
    wanted = np.array([found.wanted[name] for name in SPLITS])

    def error(places):
        return int(np.abs(np.bincount(places, clusters, 3) - wanted).sum())

    best = min(error(places) for places in product(range(3), repeat=len(clusters)) if len(set(places)) == 3)
    reached = sum(abs(found.reached[name] - found.wanted[name]) for name in SPLITS)
    assert best <= reached <= best + 2 * min(clusters)


@given(rows_of, st.permutations(range(5)), st.integers(0, 3))
@settings(max_examples=80, deadline=None)
def test_what_labels_and_clusters_are_called_does_not_matter(rows, names, seed):
    clusters, labels = (np.array(column) for column in zip(*rows, strict=True))
    renamed = stratified(100 - 7 * clusters, single(np.array(names)[labels]), TENTHS, seed)
    assert (stratified(clusters, single(labels), TENTHS, seed).split == renamed.split).all()


@given(st.lists(st.lists(st.integers(0, 6), max_size=4), min_size=20, max_size=120), st.integers(0, 3), st.sampled_from([0.1, 0.3, 0.45]))
@settings(max_examples=100, deadline=None)
def test_several_labels_or_none_keep_the_same_promises(lists, seed, share):
    found = stratified(np.arange(len(lists)), several(lists), {"validation": share, "test": share}, seed)
    assert found.reached == found.wanted or len({at for one in lists for at in one}) > found.wanted["train"] - 1
    trained = {label for one, at in zip(lists, found.split, strict=True) if at == 0 for label in one}
    assert trained == {label for one in lists for label in one}


def test_of_large_labels_every_split_gets_its_share_to_a_row_however_many_a_row_has():
    rng = np.random.default_rng(0)
    has = rng.random((3000, 50)) < np.linspace(0.005, 0.2, 50)
    found = stratified(np.arange(3000), Labels(*np.nonzero(has)), TENTHS, 0)
    assert found.reached == {"train": 2400, "validation": 300, "test": 300}
    for at, share in enumerate((0.8, 0.1, 0.1)):
        off = np.abs(has[found.split == at].sum(axis=0) - share * has.sum(axis=0))
        assert off.max() <= 2, "the plain algorithm, which takes rows one by one, is 16 rows off here"


def iterative(has, shares, seed):
    """The published algorithm, row by row (Sechidis et al. 2011, algorithm 1)."""
    rng = np.random.default_rng(seed)
    need, room = has.sum(axis=0)[:, None] * shares, len(has) * shares
    given = np.full(len(has), -1)
    while (given < 0).any():
        left = has[given < 0].sum(axis=0)
        label = int(np.where(left > 0, left, left.max() + 1).argmin()) if left.any() else None
        for row in np.flatnonzero((given < 0) & (True if label is None else has[:, label])):
            key = room if label is None else need[label]
            at = max(range(3), key=lambda one: (key[one], room[one], rng.random()))
            given[row] = at
            room[at] -= 1
            need[has[row], at] -= 1
    return given


@pytest.mark.parametrize(("rows", "labels", "most"), [(600, 8, 0.5), (800, 30, 0.2), (500, 60, 0.1)])
def test_labels_are_no_less_even_than_by_the_published_algorithm(rows, labels, most):
    shares = np.array([0.8, 0.1, 0.1])

    def uneven(has, split):
        """The measure of the paper: how far the odds of each label in each split are from those in the whole table."""
        odds = [some.sum(axis=0) / (~some).sum(axis=0) for some in (has, *(has[split == at] for at in range(3)))]
        return np.mean([np.abs(one - odds[0]) for one in odds[1:]])

    ours, theirs = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        has = rng.random((rows, labels)) < np.linspace(0.02, most, labels) * 2 * rng.random((rows, 1))
        has = has[:, has.any(axis=0)]
        ours.append(uneven(has, stratified(np.arange(rows), Labels(*np.nonzero(has)), TENTHS, seed).split))
        theirs.append(uneven(has, iterative(has, shares, seed)))
    assert np.mean(ours) <= np.mean(theirs)


@given(st.lists(st.integers(1, 60), min_size=2, max_size=12))
@settings(max_examples=150, deadline=None)
def test_quotas_add_up_to_every_label_and_every_split(labels):
    counted = np.array(labels)
    room = whole_sizes(int(counted.sum()), TENTHS)
    quota = quotas(counted[:, None] * np.array([0.8, 0.1, 0.1]), room, np.ones(len(labels), dtype=bool), train_first=True)
    assert (quota >= 0).all() and (quota[:, 0] >= 1).all()
    assert quota.sum(axis=1).tolist() == labels
    if room[0] >= len(labels):
        assert quota.sum(axis=0).tolist() == room.tolist()


# Clusters and groups.


def test_a_customer_who_would_fill_the_test_alone_is_trained_on():
    clusters = np.repeat(np.arange(34), [120, 90] + [12] * 32)
    found = stratified(clusters, None, TENTHS, 0)
    assert set(found.split[:210].tolist()) == {0}
    assert len(set(clusters[found.split == 2].tolist())) >= 4


def test_groups_keep_the_shares_of_their_labels():
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 30, 400)
    clusters = np.repeat(np.arange(400), sizes)
    labels = (np.repeat(rng.random(400), sizes) * 0.6 + 0.4 * rng.random(len(clusters)) > 0.7).astype(int)
    found = stratified(clusters, single(labels), TENTHS, 0)
    assert found.reached == found.wanted
    shares = [labels[found.split == at].mean() for at in range(3)]
    assert max(shares) - min(shares) < 0.01


def test_sizes_that_cannot_be_honoured_are_told_with_the_reason():
    found = stratified(np.repeat(np.arange(4), 25), None, TENTHS, 0)
    assert sorted(found.reached.values()) == [25, 25, 50] and found.reached["train"] == 50
    (note,) = found.notes
    assert "test has 25 rows where 10 were wanted" in note and "the largest cluster has 25" in note


def test_one_row_is_one_row():
    found = stratified(np.repeat(np.arange(3), [97, 1, 2]), None, TENTHS, 0)
    assert any("has 1 row where 10 were wanted" in note for note in found.notes)
    assert "has 3 rows where 1 was wanted" in stratified(np.repeat(np.arange(3), 3), None, TENTHS, 0).notes[0]


def test_groupings_unite_over_several_steps_and_minus_one_holds_nobody():
    near = np.array([0, 0, 1, 1, -1, -1, 2])
    group = np.array([-1, 7, 7, -1, -1, -1, -1])
    assert united(near, group).tolist() == [0, 0, 0, 0, 1, 2, 3]
    assert united(group).tolist() == [0, 1, 1, 2, 3, 4, 5]
    assert united(np.array([], dtype=int)).tolist() == []


@given(st.lists(st.tuples(st.integers(-1, 6), st.integers(-1, 6), st.integers(-1, 6)), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_united_groups_are_those_that_can_be_reached(rows):
    codes = [np.array(column) for column in zip(*rows, strict=True)]
    found = united(*codes)
    reached = np.eye(len(rows), dtype=bool)
    for one in codes:
        reached |= (one[:, None] == one) & (one[:, None] >= 0)
    for _ in range(5):
        reached = (reached.astype(int) @ reached) > 0
    assert ((found[:, None] == found) == reached).all()


# What a change of the table changes in the split.


def moved_by_one_label(labels, said, clusters, change, seed=0):
    """Rows other than the one whose label is changed that stand elsewhere afterwards, for each of some changes."""
    before = split.stratified(clusters, single(labels), TENTHS, said, seed).split
    found = []
    for row, label in change:
        after = split.stratified(clusters, single(np.where(np.arange(len(labels)) == row, label, labels)), TENTHS, said, seed).split
        found.append(int(((after != before) & (np.arange(len(labels)) != row)).sum()))
    return found


def test_of_many_tables_and_changed_labels_more_than_half_move_no_other_row_and_none_moves_many():
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        labels = rng.choice(6, 400, p=rng.dirichlet(np.ones(6) * 5))
        clusters = united(np.where(np.arange(400) < 40, np.arange(400) // 2, -1))
        change = zip(rng.integers(400, size=10).tolist(), rng.integers(6, size=10).tolist(), strict=True)
        found += moved_by_one_label(labels, rng.integers(2**62, size=400).astype(np.uint64), clusters, change)
    assert len(found) == 200 and np.median(found) == 0
    assert np.mean(found) < 1.5 and max(found) <= 8


def test_a_row_that_comes_or_goes_moves_few_and_the_order_of_the_rows_none():
    rng = np.random.default_rng(0)
    labels, said = rng.integers(4, size=400), rng.integers(2**62, size=400).astype(np.uint64)
    whole = split.stratified(np.arange(400), single(labels), TENTHS, said, 0).split
    found = []
    for row in range(0, 400, 8):
        rest = np.delete(np.arange(400), row)
        found.append(int((split.stratified(rest, single(labels[rest]), TENTHS, said[rest], 0).split != whole[rest]).sum()))
    assert np.median(found) <= 1 and max(found) <= 6
    order = rng.permutation(400)
    assert (split.stratified(order, single(labels[order]), TENTHS, said[order], 0).split == whole[order]).all()


def test_the_others_of_a_group_and_rows_of_several_labels_stay_where_they_were_for_the_most_part():
    rng = np.random.default_rng(0)
    labels, clusters, said = rng.integers(4, size=400), rng.integers(80, size=400), rng.integers(2**62, size=400).astype(np.uint64)
    change = [(row, (labels[row] + 1) % 4) for row in range(0, 400, 10)]
    assert np.median(moved_by_one_label(labels, said, clusters, change)) <= 6, "one group has five rows"
    has = rng.random((1000, 12)) < np.linspace(0.02, 0.4, 12)
    said = rng.integers(2**62, size=1000).astype(np.uint64)
    before = split.stratified(np.arange(1000), Labels(*np.nonzero(has)), TENTHS, said, 0).split
    found = []
    for row in range(0, 1000, 50):
        other = has.copy()
        other[row, row % 12] ^= True
        found.append(int((split.stratified(np.arange(1000), Labels(*np.nonzero(other)), TENTHS, said, 0).split != before).sum()))
    assert np.median(found) <= 40, "it was 66 when chance went by the place of a row"


# Time.


def test_train_is_the_oldest_and_test_the_newest():
    times = np.random.default_rng(0).permutation(100).astype(float)
    found = by_time(np.arange(100), times, TENTHS)
    assert found.reached == {"train": 80, "validation": 10, "test": 10} and not found.notes
    assert times[found.split == 0].max() < times[found.split == 1].min() < times[found.split == 1].max() < times[found.split == 2].min()


def test_rows_of_one_time_stay_together_and_the_nearest_border_is_taken():
    times = np.repeat([1.0, 2.0, 3.0, 4.0], [50, 29, 8, 13])
    found = by_time(np.arange(100), times, TENTHS)
    assert found.reached == {"train": 79, "validation": 8, "test": 13}
    assert "test has 13 rows where 10 were wanted" in found.notes[0] and "Rows of one time" in found.notes[0]
    assert by_time(np.arange(100), np.ones(100), TENTHS).reached == {"train": 100, "validation": 0, "test": 0}
    assert by_time(np.arange(100), times // 3, TENTHS).reached == {"train": 79, "validation": 0, "test": 21}


def test_a_cluster_goes_by_its_oldest_row_and_its_newer_rows_are_told():
    clusters = np.arange(100)
    clusters[99] = 3
    found = by_time(clusters, np.arange(100, dtype=float), TENTHS)
    assert found.split[3] == found.split[99] == 0
    assert any(note.startswith("1 row newer than the oldest row of a later split") for note in found.notes)


def test_rows_without_a_time_go_to_train_and_are_told():
    times = np.arange(100, dtype=float)
    times[90:] = np.nan
    clusters = np.arange(100)
    clusters[99] = 89
    found = by_time(clusters, times, TENTHS)
    assert set(found.split[90:99].tolist()) == {0} and found.split[99] == found.split[89] == 2
    assert any("10 rows without a time" in note for note in found.notes)


@given(st.lists(st.tuples(st.integers(0, 15), st.one_of(st.none(), st.integers(0, 20))), min_size=5, max_size=60))
@settings(max_examples=150, deadline=None)
def test_whatever_the_times_are_clusters_stay_whole_and_later_splits_begin_later(rows):
    clusters = np.array([cluster for cluster, _ in rows])
    times = np.array([np.nan if time is None else time for _, time in rows], dtype=float)
    found = by_time(clusters, times, TENTHS)
    begins = {}
    for cluster in set(clusters.tolist()):
        (place,) = set(found.split[clusters == cluster].tolist())
        mine = times[clusters == cluster]
        begins.setdefault(place, []).append(np.nanmin(mine) if (~np.isnan(mine)).any() else -np.inf)
    places = sorted(begins)
    assert all(max(begins[one]) < min(begins[other]) for one, other in pairwise(places))
    assert places == list(range(3)) or len({first for some in begins.values() for first in some}) < 3
