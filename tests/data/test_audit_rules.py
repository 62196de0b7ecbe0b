from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest

from tunewright.core.schema import SPLITS, Place
from tunewright.data.audit import RULES
from tunewright.data.audit.apply import Chosen, apply, chosen, quote
from tunewright.data.audit.base import Hit, Looked, Rule, normalised
from tunewright.data.audit.variants import one_slip, spellings
from tunewright.data.read import BadRow
from tunewright.tasks import TASKS
from tunewright.tasks.base import Role
from tunewright.tasks.regression import Regression

TASK = TASKS.build("text-classification")
ROLES = (Role("text", "text", ""), Role("label", "label", ""))


def looked(rows, splits=None, given=(), roles=ROLES, bad=(), named=()):
    """Rows are (text, label); splits is one letter a row: t, v or e (test)."""
    kinds = {"text": pa.string(), "text_pair": pa.string(), "label": pa.list_(pa.string()) if roles[-1].kind == "labels" else pa.string()}
    columns = {role.name: pa.array([row[at] for row in rows], kinds[role.name]) for at, role in enumerate(roles)}
    table = pa.table({**columns, "_file": ["a.csv"] * len(rows), "_row": pa.array(range(len(rows)), pa.int64())})
    split = np.array(["tve".index(letter) for letter in splits or "t" * len(rows)])
    return Looked(table, roles, split, given, np.arange(len(rows)), bad, named)


def hits(rule, *args, **keys):
    return list(RULES.build(rule).look(looked(*args, **keys)))


def applied(rule, policy, *args, **keys):
    """What one rule does with its policy; every other rule only tells, or finds nothing in these rows."""
    on = [name for name in RULES.places() if RULES.get(name)().enabled]
    wanted = {name: "keep" if "keep" in RULES.get(name).policies else "drop" for name in on} | {rule: policy}
    return apply(RULES.get(rule).when, looked(*args, **keys), chosen({}, wanted, Path()), TASK)


def rows_of(applied, rule):
    return [finding for finding in applied.findings if finding.rule == rule]


@pytest.mark.parametrize("name", list(RULES.places()))
def test_every_rule_says_what_it_is_and_what_it_can(name):
    rule = RULES.get(name)
    assert rule.__doc__ and rule.remedy and rule.cost and rule.looks_at
    assert rule.default in rule.policies
    assert "refuse" in rule.policies
    for policy in ("keep", "drop", "fix"):
        if f"data.policy.{name}: {policy}" == rule.recipe:
            assert policy in rule.policies


def test_there_are_the_rules_that_the_design_names():
    assert set(RULES.places()) >= {
        "unreadable-row", "empty-text", "missing-label", "label-variant", "exact-duplicate", "normalised-duplicate", "conflicting-label",
        "rare-label", "imbalance", "mojibake", "leak-exact", "label-never-trained",
    }  # fmt: skip


@pytest.mark.parametrize("text", [None, "", "  \t\n", "\u00a0\u3000", "\u200b\ufeff", "\x00"])
def test_a_text_without_anything_visible_is_empty(text):
    (hit,) = hits("empty-text", [("fine", "a"), (text, "b")])
    assert hit.rows.tolist() == [1]


@pytest.mark.parametrize("text", ["?", "👍", ".", "0", "नमस्ते"])
def test_a_short_text_is_not_empty(text):
    assert hits("empty-text", [(text, "a")]) == []


def test_of_a_pair_one_empty_text_is_enough():
    roles = (Role("text", "text", ""), Role("text_pair", "text", ""), Role("label", "label", ""))
    (hit,) = hits("empty-text", [("a", "b", "x"), ("a", None, "x"), ("", "b", "x")], roles=roles)
    assert hit.rows.tolist() == [1, 2]
    assert "1 in text and 1 in text_pair" in hit.message


def test_null_blank_and_rare_null_like_labels_are_missing():
    rows = [("t", "a")] * 60 + [("t", "b")] * 60 + [("t", None), ("t", " "), ("t", "N/A"), ("t", "None"), ("t", "-")]
    (hit,) = hits("missing-label", rows)
    assert hit.rows.tolist() == [120, 121, 122, 123, 124]
    assert hit.reasons[0] == "the label is empty" and "'N/A' stands for no label" in hit.reasons[2]


def test_a_null_like_word_from_two_percent_on_is_a_class_and_told():
    rows = [("t", "a")] * 98 + [("t", "none"), ("t", "None")]
    (hit,) = hits("missing-label", rows)
    assert hit.told_only and "'none' is taken for a class" in hit.message and "2.0 % of the rows" in hit.message
    assert hit.rows.tolist() == [98, 99]


def test_what_is_probably_a_class_is_told_for_information_with_a_remedy_of_its_own():
    rows = [(f"text {at} says this and that", "None" if at % 5 == 0 else "ab"[at % 2]) for at in range(60)]
    found = rows_of(applied("missing-label", "drop", rows), "missing-label")
    assert [(one.severity, one.recipe) for one in found] == [("info", "")] and "Nothing, if it is a class" in found[0].remedy


def test_nan_is_never_a_class_however_frequent():
    (hit,) = hits("missing-label", [("t", "a"), ("t", "nan"), ("t", "NaN"), ("t", "b")])
    assert hit.rows.tolist() == [1, 2] and not hit.told_only


def test_a_null_like_word_that_the_recipe_names_is_a_label():
    rows = [("t", "a")] * 99 + [("t", "None")]
    assert len(hits("missing-label", rows)) == 1
    assert hits("missing-label", rows, named=("a", "None")) == []


def test_of_several_labels_none_at_all_is_fine_and_an_empty_place_is_not():
    roles = (ROLES[0], Role("label", "labels", ""))
    (hit,) = hits("missing-label", [("t", []), ("t", ["a"]), ("t", None), ("t", ["a", None]), ("t", ["a", " "])], roles=roles)
    assert hit.rows.tolist() == [2, 3, 4] and "one that has none of several labels is written []" in hit.message


def test_spellings_find_case_blanks_and_slips_but_never_digits_or_opposites():
    counts = {
        "refund": 90,
        "Refund ": 4,
        "refnud": 2,
        "level 1": 50,
        "level 2": 3,
        "Late Delivery": 40,
        "late_delivery": 9,
        "late-delivery": 1,
        "typical": 80,
        "atypical": 5,
        "spam": 70,
        "scam": 3,
        "v1.2": 9,
        "v12": 1,
        "-1": 30,
        "1": 30,
        "v2.10": 50,
        "v2.11": 1,
    }
    assert spellings(counts) == {
        "Refund ": "refund",
        "refnud": "refund",
        "late_delivery": "Late Delivery",
        "late-delivery": "Late Delivery",
    }


def test_a_slip_that_leaves_a_letter_out_of_a_short_name_is_found():
    assert spellings({"World": 90, "Worl": 2, "Wrld": 1, "Sports": 80, "Sport": 70}) == {"Worl": "World", "Wrld": "World"}


def test_two_frequent_names_that_are_one_letter_apart_are_two_names():
    assert spellings({"complaint": 50, "complaints": 40}) == {}
    assert one_slip("complaint", "complaints")


def test_the_right_spelling_has_no_blanks_around_it_although_the_most_frequent_one_has():
    assert spellings({" BILLING": 9, "billing": 4, "late ": 3}) == {"billing": "BILLING", " BILLING": "BILLING"}
    rows = [("t", " BILLING")] * 3 + [("t", "billing")] * 2 + [("t", "late ")]
    done = applied("label-variant", "fix", rows)
    assert done.looked.rows["label"].to_pylist() == ["BILLING"] * 5 + ["late "]
    (finding,) = rows_of(done, "label-variant")
    assert "' BILLING' for 'BILLING', 'billing' for 'BILLING'" in finding.message and len(finding.places) == 5


def test_fixing_variants_takes_the_most_frequent_spelling_and_leaves_a_given_test_alone():
    rows = [("a", "spam")] * 9 + [("b", "Spam"), ("c", "ham"), ("d", "SPAM ")]
    done = applied("label-variant", "fix", rows, "t" * 11 + "e", given=("train", "test"))
    assert done.looked.rows["label"].to_pylist() == ["spam"] * 10 + ["ham", "SPAM "]
    (finding,) = rows_of(done, "label-variant")
    assert finding.action == "fix" and "Repaired: 1. Left alone in the test split of the source: 1" in finding.message
    assert finding.places == (Place(file="a.csv", row=9), Place(file="a.csv", row=11))


def test_variants_inside_lists_of_labels_are_fixed_without_naming_a_label_twice():
    roles = (ROLES[0], Role("label", "labels", ""))
    done = applied("label-variant", "fix", [("a", ["late"])] * 5 + [("b", ["Late", "late", "lost"])], roles=roles)
    assert done.looked.rows["label"].to_pylist()[-1] == ["late", "lost"]


def test_exact_duplicates_go_from_train_alone_and_the_first_stays():
    rows = [("hi", "a"), ("hi", "a"), ("hi", "b"), ("Hi", "a"), ("yo", "a"), ("yo", "a"), ("hi", "a")]
    done = applied("exact-duplicate", "drop", rows, "tttteet")
    assert done.looked.number.tolist() == [0, 2, 3, 4, 5]
    (finding,) = rows_of(done, "exact-duplicate")
    assert "3 rows" in finding.message and "2 in train, 1 in test" in finding.message and "Removed: 2" in finding.message
    assert [place.row for place in finding.places] == [0, 1, 4, 5, 6]
    assert finding.groups == (0, 0, 1, 1, 0)


def test_a_pair_is_a_duplicate_only_with_both_texts():
    roles = (Role("text", "text", ""), Role("text_pair", "text", ""), Role("label", "label", ""))
    (hit,) = hits("exact-duplicate", [("a", "b", "x"), ("a", "c", "x"), ("a", "b", "x"), ("b", "a", "x")], roles=roles)
    assert hit.rows.tolist() == [0, 2]


def test_normalised_duplicates_are_those_that_are_not_exact():
    rows = [("Where is it?", "a"), ("where is it", "a"), ("where  IS it!!", "a"), ("where is it", "b"), ("same", "a"), ("same", "a")]
    (hit,) = hits("normalised-duplicate", rows)
    assert hit.rows.tolist() == [0, 1, 2]
    assert hit.removable.tolist() == [False, True, True]


def test_normalising_keeps_what_carries_meaning():
    texts = ["Ｈello,  World!", "hello world", "?", "!", "I love it 👍", "I love it 👎", "C++", "C", "3.5", "35", "ﬁne", "fine"]
    found = normalised(pa.chunked_array([texts])).to_pylist()
    assert found[0] == found[1] and found[10] == found[11]
    for one, other in ((2, 3), (4, 5), (6, 7), (8, 9)):
        assert found[one] != found[other]


def test_empty_texts_are_no_duplicates_conflicts_or_leaks():
    rows = [("", "a"), (None, "a"), (" ", "b"), ("", "a")]
    for rule in ("exact-duplicate", "normalised-duplicate", "conflicting-label"):
        assert hits(rule, rows) == []
    assert hits("leak-exact", rows, "ttee", given=("train", "test")) == []


def test_conflicting_labels_are_grouped_and_all_go():
    rows = [("Hi!", "a"), ("hi", "b"), ("yo", "a"), ("yo", "a"), ("x", "a"), ("X", "b")]
    done = applied("conflicting-label", "drop", rows)
    assert done.looked.number.tolist() == [2, 3]
    (finding,) = rows_of(done, "conflicting-label")
    assert finding.groups == (0, 0, 1, 1) and "2 texts" in finding.message


def test_the_same_set_of_labels_in_another_order_is_no_conflict():
    roles = (ROLES[0], Role("label", "labels", ""))
    assert hits("conflicting-label", [("a", ["x", "y"]), ("a", ["y", "x"])], roles=roles) == []
    assert len(hits("conflicting-label", [("a", ["x", "y"]), ("a", ["x"])], roles=roles)) == 1


def test_leaks_are_counted_and_dropped_from_the_earlier_split_never_from_test():
    rows = [
        ("one", "a"),
        ("two", "a"),
        ("three", "b"),
        ("TWO!", "a"),
        ("three", "b"),
        ("four", "b"),
        ("one", "a"),
        ("three", "a"),
        ("five", "b"),
    ]
    done = applied("leak-exact", "drop", rows, "tttvvveee", given=("train", "validation", "test"))
    assert done.looked.number.tolist() == [3, 5, 6, 7, 8]
    (finding,) = rows_of(done, "leak-exact")
    assert finding.severity == "error"
    assert "test shares 2 of its 3 rows (66.7 %) with train (2 rows there)" in finding.message
    assert "test shares 1 of its 3 rows (33.3 %) with validation" in finding.message


def test_one_table_cannot_leak():
    assert hits("leak-exact", [("a", "x"), ("a", "x")]) == []


def test_rare_labels_are_counted_among_the_rows_to_train_on():
    rows = [("t", "a")] * 12 + [("t", "b")] * 9 + [("t", "b")] * 5
    (hit,) = hits("rare-label", rows, "t" * 21 + "e" * 5, given=("train", "test"))
    assert "'b' (9)" in hit.message and hit.rows.tolist() == list(range(12, 21))


def test_labels_that_were_never_trained_are_told_by_split():
    (hit,) = hits("label-never-trained", [("t", "a"), ("t", "b"), ("t", "new"), ("t", "odd")], "tvee")
    assert hit.rows.tolist() == [1, 2, 3]
    assert "1 row of validation" in hit.message and "2 rows of test" in hit.message and "'new', 'odd'" in hit.message


def test_imbalance_tells_what_always_giving_the_frequent_label_would_reach():
    (hit,) = hits("imbalance", [("t", "ham")] * 90 + [("t", "spam")] * 10)
    assert "'ham' has 90 rows (90.0 %)" in hit.message
    assert hits("imbalance", [("t", "ham")] * 60 + [("t", "spam")] * 40) == []


def test_mojibake_is_repaired_and_quotes_and_entities_are_not_touched():
    rows = [("CafÃ© “nice” &amp; warm", "a"), ("plain café “quoted” &lt;b&gt;", "a"), ("itâ€™s", "b")]
    done = applied("mojibake", "fix", rows, "tte", given=("train", "test"))
    assert done.looked.rows["text"].to_pylist() == ["Café “nice” &amp; warm", rows[1][0], "itâ€™s"]
    (finding,) = rows_of(done, "mojibake")
    assert "'CafÃ©' for 'Café'" in finding.message and [place.row for place in finding.places] == [0, 2]


def test_unreadable_rows_are_told_with_their_reasons():
    bad = (BadRow("a.csv", 7, "3 cells, 2 wanted", "x,y,z"), BadRow("a.csv", 9, "3 cells, 2 wanted", "1,2,3"))
    done = applied("unreadable-row", "drop", [("t", "a")], bad=bad)
    (finding,) = rows_of(done, "unreadable-row")
    assert finding.places == (Place(file="a.csv", row=7), Place(file="a.csv", row=9))
    assert "3 cells, 2 wanted (2)" in finding.message and "Removed: 2" in finding.message


def test_defaults_are_those_of_the_design():
    dropped = {name for name, policy in chosen({}, {}, Path()).policy.items() if policy == "drop"}
    of_streams = {"label-not-learned"}  # rows that no prepared label fits; a table has none
    not_in_their_text = {"span-mismatch", "answer-not-in-context"}  # nothing can be learned from them
    kept_out = {"unreadable-row", "empty-text", "missing-label", "unreadable-label", "exact-duplicate"}
    assert dropped - of_streams == kept_out | not_in_their_text


class ForNumbers(Rule):
    """Looks at tables of one task."""

    tasks: ClassVar = ("regression",)
    remedy: ClassVar = "None"

    def look(self, looked: Looked) -> Iterator[Hit]:
        yield Hit("here")


def test_a_rule_for_another_task_does_not_look():
    only = Chosen({"mine": ForNumbers()}, {"mine": "keep"})
    assert [one.message for one in apply("clean", looked([("t", "a")]), only, Regression()).findings] == ["here."]
    assert apply("clean", looked([("t", "a")]), only, TASK).findings == ()


def test_a_rule_for_labels_does_not_look_at_a_table_without_labels():
    done = apply("clean", looked([("t",), ("t",)], roles=(ROLES[0],)), chosen({}, {}, Path()), TASK)
    assert done.findings == ()


def test_a_few_rows_are_quoted_by_number():
    places = [Place(file="a.csv", row=row) for row in range(1, 13)]
    assert quote(places) == "rows 1, 2, 3, 4, 5 of a.csv and 7 more"
    assert quote(places[:1]) == "row 1 of a.csv"
    assert quote([places[0], Place(file="b.csv", row=0)]) == "a.csv row 1 and b.csv row 0"
    assert len(SPLITS) == 3
