import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.data.splits import folds as made
from tunewright.data.splits.clusters import Labels
from tunewright.data.splits.folds import ALWAYS_TRAINED, folds_by_time, trained_on


def single(labels):
    return Labels(np.arange(len(labels)), np.asarray(labels))


def folds(clusters, labels, k, seed):
    """The folds of rows that all say something else."""
    return made.folds(clusters, labels, k, np.arange(len(clusters), dtype=np.uint64), seed)


def test_every_row_is_held_out_once_and_labels_are_even_in_every_fold():
    labels = np.repeat([0, 1, 2], [500, 83, 17])
    found = folds(np.arange(600), single(labels), 5, 0)
    assert np.bincount(found).tolist() == [120] * 5
    for label in range(3):
        held_out = np.bincount(found[labels == label], minlength=5)
        assert held_out.max() - held_out.min() <= 1
    assert all(trained_on(found, at).sum() == 480 for at in range(5))


def test_folds_differ_with_the_seed_and_not_with_anything_else():
    first, again, other = (folds(np.arange(100), single([0, 1] * 50), 4, seed) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), min_size=20, max_size=100), st.integers(2, 6), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_clusters_stay_whole_and_no_fold_is_left_empty_while_there_are_clusters(rows, k, seed):
    clusters, labels = (np.array(column) for column in zip(*rows, strict=True))
    found = folds(clusters, single(labels), k, seed)
    assert all(len(set(found[clusters == cluster].tolist())) == 1 for cluster in set(clusters.tolist()))
    assert len(set(found.tolist())) == min(k, len(set(clusters.tolist())))
    assert np.bincount(found, minlength=k).max() - len(rows) / k <= max(np.bincount(clusters))


def test_several_labels_are_even_in_every_fold():
    has = np.random.default_rng(0).random((1000, 12)) < np.linspace(0.02, 0.4, 12)
    found = folds(np.arange(1000), Labels(*np.nonzero(has)), 10, 0)
    assert np.bincount(found).tolist() == [100] * 10
    off = [np.abs(has[found == at].sum(axis=0) - has.sum(axis=0) / 10).max() for at in range(10)]
    assert max(off) <= 2


def test_a_changed_label_moves_few_rows_between_folds_and_the_order_of_the_rows_none():
    rng = np.random.default_rng(0)
    labels, said = rng.integers(4, size=400), rng.integers(2**62, size=400).astype(np.uint64)
    before = made.folds(np.arange(400), single(labels), 5, said, 0)
    found = []
    for row in range(0, 400, 4):
        other = np.where(np.arange(400) == row, (labels + 1) % 4, labels)
        found.append(int(((made.folds(np.arange(400), single(other), 5, said, 0) != before) & (np.arange(400) != row)).sum()))
    assert np.median(found) <= 5 and max(found) <= 16, "each of two labels has four borders"
    order = rng.permutation(400)
    assert (made.folds(order, single(labels[order]), 5, said[order], 0) == before[order]).all()


@pytest.mark.parametrize("k", [2, 5])
def test_with_times_each_fold_is_held_out_against_its_past_alone(k):
    times = np.random.default_rng(0).permutation(240).astype(float)
    times[0] = np.nan
    found = folds_by_time(np.arange(240), times, k)
    assert np.bincount(found + 1).tolist() == [240 // (k + 1)] * (k + 1) and found[0] == ALWAYS_TRAINED
    for at in range(k):
        past = trained_on(found, at, by_time=True)
        assert past.any() and np.nanmax(times[past]) < times[found == at].min()


def test_with_times_clusters_stay_whole():
    clusters = np.arange(60) % 20
    found = folds_by_time(clusters, np.arange(60.0), 3)
    assert all(len(set(found[clusters == cluster].tolist())) == 1 for cluster in range(20))
