from __future__ import annotations

import sys
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.core.errors import BadConfig
from tunewright.core.schema import Finding, Numbers, Place, Places

PLACES = st.lists(st.builds(Place, file=st.sampled_from(["a.csv", "b.csv", "c.csv"]), row=st.integers(0, 2**40)), max_size=30).map(tuple)


def finding(**keys: object) -> Finding:
    return Finding.read({"rule": "r", "severity": "info", "message": "m", "remedy": "x", **keys})


@settings(deadline=None)
@given(PLACES, st.slices(30))
def test_places_behave_as_the_tuple_of_them_does(places: tuple[Place, ...], which: slice) -> None:
    compact = Places.of(places)
    assert compact == places and places == compact and tuple(compact) == places and hash(compact) == hash(places)
    assert len(compact) == len(places) and compact[which] == places[which] and bool(compact) == bool(places)
    assert [compact[at - len(places)] for at in range(len(places))] == list(places)
    assert compact != (*places, Place(file="d.csv", row=1)) and all(place in compact for place in places)
    with pytest.raises(IndexError):
        compact[len(places)]


def test_the_order_in_which_files_were_met_does_not_count() -> None:
    one = Places(("a.csv", "b.csv"), array("i", [1, 0]), array("q", [5, 7]))
    assert one == Places.of([Place(file="b.csv", row=5), Place(file="a.csv", row=7)])
    assert one.in_files({"b.csv": "c.csv"}) == (Place(file="c.csv", row=5), Place(file="a.csv", row=7))
    assert Places.in_file("a.csv", range(3)) == tuple(Place(file="a.csv", row=row) for row in range(3))


def test_a_million_places_take_twelve_megabytes_and_not_hundreds() -> None:
    places = Places.in_file("a.csv", range(1_000_000))
    assert sys.getsizeof(places.codes) + sys.getsizeof(places.rows) < 13_000_000
    told = finding(places=places, groups=Numbers(array("q", range(1_000_000))))
    assert told.places is places and told.places[999_999].row == 999_999 and told.groups[-1] == 999_999


@settings(deadline=None)
@given(PLACES)
def test_a_finding_is_written_and_read_with_all_its_places(places: tuple[Place, ...]) -> None:
    told = finding(places=places, groups=range(len(places)))
    assert told.model_dump()["places"] == tuple(place.model_dump() for place in places)
    again = Finding.model_validate_json(told.model_dump_json())
    assert again == told and again.groups == tuple(range(len(places))) and isinstance(again.places, Places)


@pytest.mark.parametrize("wrong", [[{"file": "a.csv"}], 3, "rows"])
def test_what_are_no_places_is_refused_by_its_key(wrong: object) -> None:
    with pytest.raises(BadConfig, match="places"):
        finding(places=wrong)


def test_a_long_list_of_places_is_short_in_a_message() -> None:
    assert repr(Numbers.of(range(9))) == "(0, 1, 2, 3, 4, and 4 more)" and repr(Numbers.of([3])) == "(3)"
