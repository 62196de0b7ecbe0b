"""Tags of tokens are read as seqeval reads them."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB1, IOB2, IOBES

from tests.tagged import LABELS, spans, written
from tunewright.tasks.tags import are_bare, entities, is_iob1, out_of_order

warnings.filterwarnings("ignore", message=".*seems not to be NE tag.*")
ANY = st.lists(st.sampled_from(["O", *(f"{place}-{label}" for place in "BIES" for label in LABELS)]), max_size=12)


@given(tags=ANY)
@settings(deadline=None, max_examples=400)
def test_any_tags_are_read_as_seqeval_reads_them(tags: list[str]) -> None:
    assert entities(tags) == [(start, last + 1, label) for label, start, last in get_entities(tags)]


@pytest.mark.parametrize(("scheme", "strict"), [("bio", IOB2), ("iob1", IOB1), ("iobes", IOBES), ("bilou", None)])
@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_every_scheme_gives_back_the_entities_that_were_written_in_it(data: Any, scheme: str, strict: Any) -> None:
    some = data.draw(spans(10))
    tags = written(10, some, scheme)
    assert entities(tags) == some
    if strict is not None:
        from seqeval.scheme import Entities

        told = [(one.start, one.end, one.tag) for one in Entities([tags], strict).entities[0]]
        assert entities(tags) == told


def test_bare_types_are_one_entity_where_they_touch() -> None:
    tags = ["PER", "PER", "O", "LOC", "PER"]
    assert are_bare(tags) and not are_bare(["O", "B-PER"])
    assert entities(tags, bare=True) == [(0, 2, "PER"), (3, 4, "LOC"), (4, 5, "PER")]


def test_tags_that_go_on_with_nothing_are_told_and_iob1_is_known_by_all_tags_of_a_table() -> None:
    assert out_of_order(["B-PER", "I-PER", "O", "I-LOC"]) == [(3, "I-LOC behind O")]
    assert out_of_order(["I-LOC", "S-PER", "E-PER"]) == [(0, "I-LOC behind nothing"), (2, "E-PER behind S-PER")]
    assert out_of_order(["B-PER", "I-PER", "E-PER", "O", "S-LOC"]) == []
    first = [["I-PER", "I-PER", "B-PER", "O"], ["O", "I-LOC"]]
    assert is_iob1(first) and not is_iob1([*first, ["O", "B-LOC"]])
    assert not is_iob1([["B-PER", "I-PER"]]) and not is_iob1([["O"]])
