"""Rules about numbers: the same text with numbers far apart, numbers far from all others, copies that differ in their number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tunewright.data.audit import RULES
from tunewright.data.audit.base import Hit, Looked
from tunewright.tasks.base import Role

ROLES = (Role("text", "text", "the text"), Role("number", "number", "the number"))


def looked(rows: list[tuple[str | None, float | None]]) -> Looked:
    table = pa.table({
        "text": pa.chunked_array([[text for text, _ in rows]], pa.string()),
        "number": pa.chunked_array([[number for _, number in rows]], pa.float64()),
        "_file": pa.chunked_array([["t.csv"] * len(rows)]),
        "_row": pa.chunked_array([np.arange(len(rows))]),
    })  # fmt: skip
    return Looked(table, ROLES, np.zeros(len(rows), dtype=np.int64), ("train",), np.arange(len(rows)))


def hits(rule: str, rows: list[tuple[str | None, float | None]], **settings: Any) -> list[Hit]:
    return list(RULES.get(rule).read(settings).look(looked(rows)))


PLAIN = [(f"review number {at}", float(at % 5)) for at in range(40)]


def test_the_same_text_with_numbers_far_apart_is_told_with_both() -> None:
    rows = [*PLAIN, ("Good  food!", 1.0), ("good food", 4.0), ("fine", 2.0), ("fine", 2.5), ("", 0.0), ("", 4.0), ("good food", None)]
    (hit,) = hits("conflicting-number", rows)
    assert hit.rows.tolist() == [40, 41]
    assert "1 texts; the widest from 1 to 4" in hit.message and hit.groups is not None and hit.groups.tolist() == [0, 0]
    assert not hits("conflicting-number", rows, apart=5)
    assert hits("conflicting-number", rows, apart=0.2)[0].rows.tolist() == [40, 41, 42, 43]
    assert not hits("conflicting-number", PLAIN)


def test_numbers_far_from_the_others_are_told_and_kept() -> None:
    (hit,) = hits("number-outlier", [*PLAIN, ("x", 999.0), ("y", -50.0), ("z", None)])
    assert hit.rows.tolist() == [40, 41] and "999, -50" in hit.message and hit.reasons[0] == "999 lies far from the other numbers"
    assert RULES.get("number-outlier").default == "keep"
    assert not hits("number-outlier", [*PLAIN, ("x", 8.0)]) and hits("number-outlier", [*PLAIN, ("x", 8.0)], fences=1.0)
    (hit,) = hits("number-outlier", [("same", 3.0)] * 99 + [("other", 60.0)])
    assert hit.rows.tolist() == [99], "where half of the rows have one number"
    assert not hits("number-outlier", [("a", None), ("b", 1.0)])
    tail = [(f"t{at}", 4.0 + at / 100) for at in range(20)]
    (hit,) = hits("number-outlier", [*((f"p{at}", at % 3 / 10) for at in range(80)), *tail, ("slip", 999.0)])
    assert hit.rows.tolist() == [100], "a fifth of the numbers is no accident; a slip lies farther away still"


def test_copies_with_another_number_are_no_copies() -> None:
    rows: list[tuple[str | None, float | None]] = [*PLAIN, ("twice", 1.0), ("twice", 1.0), ("twice", 2.0), ("Twice", 1.0)]
    (hit,) = hits("exact-duplicate", rows)
    assert hit.rows.tolist() == [40, 41]
    (hit,) = hits("normalised-duplicate", rows)
    assert hit.rows.tolist() == [40, 41, 43]


@pytest.mark.parametrize("rule", ["rare-label", "label-noise", "imbalance", "label-variant", "label-never-trained", "conflicting-label"])
def test_rules_of_classes_are_silent(rule: str) -> None:
    assert not {"number", "text"} & set(RULES.get(rule).looks_at) or not hits(rule, PLAIN)
