"""Rules about what stands beside the text: columns that say nothing, and what tells the label alone."""

import random
from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from tests.data.test_rules_private import looked
from tests.data.test_rules_rows import hits, sentences
from tunewright.tasks.base import Role

LABELS = ("billing", "delivery", "login")


def table(count=300, seed=1, **columns):
    rng = random.Random(seed)
    labels = [rng.choice(LABELS) for _ in range(count)]
    return {"text": sentences(count, seed), "label": labels, **columns}


def told(rows):
    return [hit.message for hit in hits("shortcut", looked(rows))]


def test_columns_with_one_value_are_named_together_and_nearly_constant_ones_by_the_rows_that_differ():
    odd = ["web"] * 300
    odd[7] = "mail"
    rows = table(channel=odd, tenant=["acme"] * 300, empty=pa.nulls(300), number=list(range(300)), nested=[[1]] * 300)
    found = hits("constant-column", looked(rows))
    assert [hit.message for hit in found] == [
        "2 columns hold the same in every row: 'tenant', 'empty'",
        "column 'channel' holds the same in 99.7 % of the rows; 1 row with another value",
    ]
    assert found[1].rows.tolist() == [7]


def test_a_column_of_two_values_and_a_small_table_are_not_constant():
    rows = table(flag=[bool(number % 50) for number in range(300)])
    assert hits("constant-column", looked(rows)) == []
    assert hits("constant-column", looked({"text": ["a"] * 5, "label": ["b"] * 5, "own": ["c"] * 5})) == []


def test_a_column_that_is_the_label_under_another_name_is_told():
    rows = table()
    rows["queue_id"] = [LABELS.index(label) + 10 for label in rows["label"]]
    assert told(rows) == [
        "column 'queue_id' tells the label of 100.0 % of the training rows by its value: it is the label under another name"
    ]


@pytest.mark.parametrize("wrong", [5, 30])
def test_a_column_that_is_wrong_here_and_there_still_gives_the_label_away(wrong):
    rows, rng = table(2000), random.Random(7)
    rows["team"] = [f"T{rng.choice(LABELS) if rng.random() < wrong / 1000 else label}" for label in rows["label"]]
    for at in rng.sample(range(2000), 60):
        rows["label"][at] = rng.choice(("Biling", "logn", "N/A", f"once {at}"))
    (message,) = told(rows)
    assert (
        message.startswith("column 'team' tells the label of 9")
        and "% of the training rows whose label is not rare by its value" in message
    )


def test_the_form_of_an_id_that_tells_the_label_is_told():
    rows = table()
    rows["ticket"] = [f"{label[:2].upper()}-{number:05}" for number, label in enumerate(rows["label"])]
    (message,) = told(rows)
    assert "column 'ticket' tells the label of 100.0 %" in message and "without its digits" in message


def test_a_number_or_a_time_whose_range_tells_the_label_is_told():
    rows = table(600)
    rows["label"] = sorted(rows["label"])
    rows["number"] = list(range(600))
    rows["written"] = [datetime(2024, 1, 1) + timedelta(hours=hour) for hour in range(600)]
    assert [message.split("'")[1] for message in told(rows)] == []  # the two rows at each border leave too little to be sure
    rows["label"] = ["billing" if number < 300 else "login" for number in range(600)]
    assert [message.split("'")[1] for message in told(rows)] == ["number", "written"]


def test_columns_that_know_something_or_nothing_of_the_label_are_no_shortcut():
    rows = table()
    rng = random.Random(5)
    rows["hint"] = [label if rng.random() < 0.8 else "other" for label in rows["label"]]
    rows["customer"] = [f"c{rng.randint(1, 40)}" for _ in rows["label"]]
    rows["uid"] = [f"{number:06}" for number in range(300)]
    rows["when"] = [rng.random() for _ in rows["label"]]
    rows["product"] = [label if rng.random() < 0.9 else rng.choice(LABELS) for label in rows["label"]]
    assert told(rows) == []


def test_a_column_is_no_shortcut_to_a_label_that_nearly_all_rows_have():
    rows = table(400)
    rows["label"] = ["ham"] * 398 + ["spam"] * 2
    rows["customer"] = [f"c{number % 7}" for number in range(400)]
    assert told(rows) == []


def test_a_token_that_stands_in_nearly_all_rows_of_a_label_and_nowhere_else_is_told_with_its_rows():
    rows = table()
    rows["text"] = [
        f"{text} Ref#{label}" if label == "billing" and at % 40 else text
        for at, (text, label) in enumerate(zip(rows["text"], rows["label"], strict=True))
    ]
    (hit,) = hits("shortcut", looked(rows))
    assert "the token 'ref#billing' stands in" in hit.message and "of the training rows of 'billing', 0.0 % of others" in hit.message
    assert hit.rows.tolist() == [at for at, text in enumerate(rows["text"]) if "Ref#" in text]


def test_a_token_that_is_no_word_is_told_from_a_lower_share_on():
    rows = table()
    billing = [at for at, label in enumerate(rows["label"]) if label == "billing"]
    for at in billing[: int(0.7 * len(billing))]:
        rows["text"][at] = "[q:7] " + rows["text"][at]
    assert "'[q:7]'" in told(rows)[0] or "'q:7'" in told(rows)[0]
    for at in billing:
        rows["text"][at] = rows["text"][at].removeprefix("[q:7] ")
    for at in billing[: int(0.7 * len(billing))]:
        rows["text"][at] += " subscription"
    assert told(rows) == []


def test_a_token_that_is_somebodys_address_is_masked():
    rows = table()
    rows["text"] = [
        f"{text} bills@acme.org" if label == "billing" else text for text, label in zip(rows["text"], rows["label"], strict=True)
    ]
    assert "acme" not in told(rows)[0] and "*****@****.***" in told(rows)[0]


def test_of_several_labels_each_may_have_its_token():
    roles = (Role("text", "text", ""), Role("label", "labels", ""))
    rows = table()
    both = [[label, "urgent"] if at % 2 else [label] for at, label in enumerate(rows["label"])]
    texts = [text + " prio=1" if "urgent" in labels else text for text, labels in zip(rows["text"], both, strict=True)]
    (hit,) = hits("shortcut", looked({"text": texts, "label": both}, roles=roles))
    assert "'prio=1' stands in 100.0 % of the training rows of 'urgent'" in hit.message


def test_the_test_split_is_not_asked():
    rows = table()
    rows["queue"] = list(rows["label"])
    assert hits("shortcut", looked(rows, split=[2] * 300, given=("test",))) == []
