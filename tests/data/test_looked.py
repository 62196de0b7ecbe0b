"""What a rule looks at stays right when rows go, labels are mended or texts are mended: nothing stale is handed on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.core.schema import Place
from tunewright.data.audit.base import Looked
from tunewright.tasks.base import Role

ONE = (Role("text", "text", ""), Role("label", "label", ""))
SEVERAL = (Role("text", "text", ""), Role("label", "labels", ""))
KNOWN = ("exact_texts", "normal_texts", "whole_labels", "label_ids", "origins", "empty_texts")


def looked(texts: list[str | None], labels: list[object], roles: tuple[Role, ...] = ONE) -> Looked:
    kind = pa.list_(pa.string()) if roles[-1].kind == "labels" else pa.string()
    rows = pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels, kind), "_file": ["a.csv"] * len(texts),
                     "_row": pa.array(range(len(texts)), pa.int64())})  # fmt: skip
    return Looked(rows, roles, np.zeros(len(texts), dtype=np.int64), (), np.arange(len(texts)))


def same(one: np.ndarray) -> list[list[bool]]:
    """Which rows have the same number."""
    found: list[list[bool]] = (one[:, None] == one[None, :]).tolist()
    return found


def agree(one: Looked, other: Looked) -> None:
    """Both say the same of their rows, one from what was handed on, the other from the rows themselves."""
    for name in ("exact_texts", "normal_texts", "whole_labels"):
        assert same(getattr(one, name)) == same(getattr(other, name)), name
    every = np.ones(len(one), dtype=bool)
    assert one.label_counts(every) == other.label_counts(every)
    assert [names.to_pylist() for names in one.label_names[:1]] == [names.to_pylist() for names in other.label_names[:1]]
    assert one.label_names[1].tolist() == other.label_names[1].tolist()
    assert one.places(np.arange(len(one))) == other.places(np.arange(len(one)))
    assert {name: flags.tolist() for name, flags in one.empty_texts.items()} == {
        name: flags.tolist() for name, flags in other.empty_texts.items()
    }
    for label in "abc":
        assert one.rows_with([label]).tolist() == other.rows_with([label]).tolist()


ROWS = st.lists(
    st.tuples(
        st.sampled_from([None, "", "late", "Late!", "early", "—"]),
        st.sampled_from([None, "a", "b", "c"]),
        st.none() | st.lists(st.sampled_from([None, "a", "b"]), max_size=2),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.booleans())
def test_what_is_handed_on_is_what_would_be_found(
    rows: list[tuple[str | None, str | None, list[str | None] | None, bool]], many: bool
) -> None:
    texts, labels = [row[0] for row in rows], [row[2] if many else row[1] for row in rows]
    whole = looked(texts, labels, SEVERAL if many else ONE)
    assert all(getattr(whole, name) is not None for name in KNOWN)
    stays = np.array([row[3] for row in rows])
    fewer = whole.only(stays)
    afresh = Looked(fewer.rows, fewer.roles, fewer.split, (), fewer.number)
    assert "normal_texts" in fewer.__dict__ and "label_ids" in fewer.__dict__
    agree(fewer, afresh)
    mended = fewer.mended({"text": pa.chunked_array([["new"] * len(fewer)], pa.string())})
    assert "label_ids" in mended.__dict__ and "normal_texts" not in mended.__dict__
    agree(mended, Looked(mended.rows, mended.roles, mended.split, (), mended.number))
    relabelled = fewer.mended({"label": fewer.rows["label"]})
    assert "label_ids" not in relabelled.__dict__ and "normal_texts" in relabelled.__dict__


def test_the_labels_of_rows_are_numbered_by_name_and_an_empty_place_has_none() -> None:
    ids = looked(["x"] * 4, [["b", None], None, ["a", "b"], []], SEVERAL).label_ids
    assert (ids.names, ids.ids.tolist(), ids.owners.tolist()) == (("b", "a"), [0, -1, 1, 0], [0, 0, 2, 2])
    assert looked(["x", "y"], ["a", None]).places(np.array([1])) == (Place(file="a.csv", row=1),)
