"""Scores of entities equal those of seqeval, are counted on all that is wanted, and can be resampled by row."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report

from tests.tagged import LABELS, spans, written
from tunewright.core.errors import UserError
from tunewright.metrics.intervals import bootstrap, paired_difference
from tunewright.metrics.spans import measure, outcome, rows_behind
from tunewright.tasks.tags import entities


@pytest.mark.parametrize("scheme", ["bio", "iobes", "iob1"])
@given(rows=st.lists(st.tuples(spans(8), spans(8)), min_size=1, max_size=6))
@settings(deadline=None, max_examples=120)
def test_scores_equal_those_of_seqeval(rows: list[Any], scheme: str) -> None:
    wanted, given_ = ([written(8, one, scheme) for one in side] for side in zip(*rows, strict=True))
    ours = measure(outcome([entities(tags) for tags in wanted], [entities(tags) for tags in given_], LABELS))
    if not any(tag != "O" for tags in (*wanted, *given_) for tag in tags):
        assert ours["f1"] == ours["f1_macro"] == 0.0
        return
    told = classification_report(wanted, given_, output_dict=True, zero_division=0)
    micro, macro = told.pop("micro avg"), told.pop("macro avg")
    told.pop("weighted avg")
    assert ours["f1"] == pytest.approx(micro["f1-score"])
    assert ours["precision"] == pytest.approx(micro["precision"]) and ours["recall"] == pytest.approx(micro["recall"])
    assert ours["f1_macro"] == pytest.approx(macro["f1-score"])
    for label, one in told.items():
        assert ours[f"precision/{label}"] == pytest.approx(one["precision"])
        if one["support"]:
            assert ours[f"f1/{label}"] == pytest.approx(one["f1-score"]) and ours[f"recall/{label}"] == pytest.approx(one["recall"])


DISORDER = st.lists(st.sampled_from(["O", "B-x", "I-x", "I-y", "B-y", "S-y", "E-x"]), min_size=6, max_size=6)


@given(tags=st.lists(st.tuples(DISORDER, DISORDER), min_size=1, max_size=4))
@settings(deadline=None, max_examples=120)
def test_of_tags_in_any_disorder_too(tags: list[Any]) -> None:
    from seqeval.metrics import f1_score

    wanted, given_ = ([list(one) for one in side] for side in zip(*tags, strict=True))
    ours = measure(outcome([entities(one) for one in wanted], [entities(one) for one in given_], ["x", "y"]))
    assert ours["f1"] == pytest.approx(f1_score(wanted, given_, zero_division=0))


def test_an_overlap_is_half_the_truth_and_each_entity_is_found_once_at_most() -> None:
    wanted = [[(0, 10, "PER"), (20, 25, "LOC")], [(0, 4, "PER")], []]
    found = [[(0, 4, "PER"), (5, 10, "PER"), (20, 25, "PER")], [(0, 4, "PER")], []]
    scores = measure(outcome(wanted, found, ["LOC", "PER"]))
    assert scores["precision"] == 1 / 4 and scores["recall"] == 1 / 3
    assert scores["precision_partial"] == 2 / 4 and scores["recall_partial"] == 2 / 3
    assert scores["f1_partial"] == pytest.approx(4 / 7)
    assert scores["exact_rows"] == pytest.approx(2 / 3)
    assert scores["recall/LOC"] == 0.0 and "precision/LOC" in scores
    behind = rows_behind(outcome(wanted, found, ["LOC", "PER"]))
    assert behind["recall/PER"] == 2 and behind["f1/LOC"] == 1


def test_a_type_that_was_never_trained_is_missed_and_not_forgotten() -> None:
    one = outcome([[(0, 2, "NEW"), (3, 4, "PER")]], [[(3, 4, "PER")]], ["PER"])
    assert one.names == ("PER", "NEW")
    assert measure(one)["recall"] == 0.5 and measure(one)["recall/NEW"] == 0.0


@given(pairs=st.lists(st.tuples(spans(12), spans(12)), min_size=1, max_size=4))
@settings(deadline=None, max_examples=100)
def test_overlapping_pairs_are_as_many_as_can_be(pairs: list[Any]) -> None:
    import networkx as nx

    for wanted, found in pairs:
        graph = nx.Graph()
        for i, (a, b, label) in enumerate(wanted):
            graph.add_edges_from((("w", i), ("f", j)) for j, (c, d, other) in enumerate(found) if label == other and a < d and c < b)
        best = len(nx.max_weight_matching(graph, maxcardinality=True))
        assert outcome([wanted], [found], LABELS).touched.sum() == best


def test_a_thousand_resamples_of_thousands_of_rows_take_seconds() -> None:
    rng = np.random.default_rng(0)
    places, kinds = rng.integers(0, 99, (3000, 3)).tolist(), rng.integers(0, 3, (3000, 3)).tolist()
    rows = [[(at, at + 3, LABELS[kind]) for at, kind in zip(*one, strict=True)] for one in zip(places, kinds, strict=True)]
    given_ = [[span for span in spans if rng.random() < 0.7] for spans in rows]
    ours, theirs = outcome(rows, given_, LABELS), outcome(rows, [spans[:1] for spans in given_], LABELS)
    began = time.process_time()
    scores = bootstrap(ours, measure, np.random.default_rng(1), rows=rows_behind(ours))
    assert time.process_time() - began < 10
    assert scores["f1"].low < scores["f1"].value < scores["f1"].high and scores["f1"].rows == 3000
    assert paired_difference(ours, theirs, measure, "f1", np.random.default_rng(2), resamples=200).low > 0


def test_no_rows_are_no_score() -> None:
    with pytest.raises(UserError, match="there is no row to measure"):
        measure(outcome([], [], LABELS))
