"""Personal data and secrets: found where they are, not where they only seem to be, and gone from everywhere once they are redacted."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.data.private_rows import MAKERS, rows
from tunewright.data.audit import RULES, checksums
from tunewright.data.audit.apply import apply, chosen
from tunewright.data.audit.base import Looked
from tunewright.data.audit.personal import redactions, shown, without_private
from tunewright.data.audit.private import OF_A_FORM, private_values
from tunewright.data.audit.redaction import Redaction, found_in, redact
from tunewright.data.audit.suspects import suspects
from tunewright.tasks import TASKS
from tunewright.tasks.base import Role

TASK = TASKS.build("text-classification")
ROLES = (Role("text", "text", ""), Role("label", "label", ""))
KINDS = OF_A_FORM


def looked(columns, split=None, given=(), roles=ROLES):
    count = len(next(iter(columns.values())))
    table = pa.table({**columns, "_file": ["a.csv"] * count, "_row": pa.array(range(count), pa.int64())})
    return Looked(table, roles, np.array(split or [0] * count), given, np.arange(count))


def tickets(texts, **columns):
    return looked({"text": texts, "label": ["a"] * len(texts), **columns})


def applied(rules, policy, rows):
    """The named rules alone, as a recipe would have them."""
    off = {name: False for name in RULES.places() if name not in policy}
    found = chosen({**off, **rules}, policy, Path())
    return apply("clean", rows, found, TASK), found


def kinds_in(text, before=""):
    return {(value.kind, text[value.start : value.end]) for value in private_values(text, KINDS, before)}


@pytest.fixture(scope="module")
def generated():
    return list(rows(each=600, seed=11))


def test_of_generated_rows_nearly_all_values_are_found_and_hardly_any_look_alike_is_taken_for_one(generated):
    texts = pa.array([row.text for row in generated])
    found = found_in(texts, KINDS)
    right, wrong, missed = Counter(), Counter(), Counter()
    for row, counts in zip(generated, found.tolist(), strict=True):
        there = {kind for kind, count in zip(KINDS, counts, strict=True) if count}
        right[row.kind] += row.kind in there
        missed[row.kind] += bool(row.kind) and row.kind not in there
        wrong.update(there - {row.kind})
    assert len(generated) >= 7000
    for kind in (*MAKERS, "phone"):
        assert right[kind] / (right[kind] + missed[kind]) >= 0.98, (kind, missed[kind])
        assert right[kind] / (right[kind] + wrong[kind]) >= 0.98, (kind, wrong[kind])


@pytest.mark.parametrize("style", ["typed", "mask"])
def test_nothing_of_a_value_is_left_once_it_is_redacted(generated, style):
    texts = pa.array([row.text for row in generated])
    left = redact(texts, Redaction(KINDS, style))
    assert not found_in(left, KINDS).any()
    for row, after in zip(generated, left.to_pylist(), strict=True):
        whole = row.value.removeprefix("BSN ") if row.made_by != "key" else ""
        if whole and after != row.text:
            assert whole not in after, row
        if style == "mask":
            assert len(after) == len(row.text)


@pytest.mark.parametrize(
    "text",
    [
        "Order 4111111111111112 and tracking 00340434161094042557",
        "git clone git@github.com:org/repo.git, then open logo@2x.png",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b on 2024-01-15 12:30:45",
        "v10.0.19045.3693 at 40.712776, -74.005974 costs 1,234,567.89",
        "Johnstad, ME 06087-4995",
        "ISBN 978-3-16-148410-0, EAN 4006381333931",
        "ping 192.168.100.200, uuid 550e8400-e29b-41d4-a716-446655440000",
        "api_key = YOUR_API_KEY and password: ********",
        "my password is not accepted, the primary key: customer_id_2024",
        "DE89 3704 0044 0532 0130 01",
        "123-45-67890 or 000-12-3456",
        "01010010T 00001000B",
    ],
)
def test_what_only_looks_private_is_left_alone(text):
    assert kinds_in(text) == set()


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("write to jürgen.o'neil+x@uni-köln.de.", "email", "jürgen.o'neil+x@uni-köln.de"),
        ("GEmery (at) cox.net. Any opinion", "email", "GEmery (at) cox.net"),
        ("jane [at] example [dot] com", "email", "jane [at] example [dot] com"),
        ("call +44 7700 900123 15 times", "phone", "+44 7700 900123"),
        ("tel. (202) 555-0143 ext. 12", "phone", "(202) 555-0143 ext. 12"),
        ("0711/527579", "phone", "0711/527579"),
        ("the number is DE89 3704 0044 0532 0130 00 and it works", "iban", "DE89 3704 0044 0532 0130 00"),
        ("4111 1111 1111 1111", "card", "4111 1111 1111 1111"),
        ("SSN 219099999", "id", "219099999"),
        ("Steuer-ID 86095742719", "id", "86095742719"),
        ("postgres://app:s3cr3tPassw0rd@db/main", "secret", "s3cr3tPassw0rd"),
        ('"client_secret": "k3J9xQ2vB7mZ4pL8"', "secret", "k3J9xQ2vB7mZ4pL8"),
    ],
)
def test_a_value_is_found_whole_and_with_nothing_around_it(text, kind, value):
    assert kinds_in(text) == {(kind, value)}


def test_a_bare_run_of_digits_is_a_phone_number_where_the_text_or_the_column_says_so():
    assert kinds_in("4155552671") == set()
    assert kinds_in("order number 4155552671") == set()
    assert kinds_in("please ring me on 4155552671") == {("phone", "4155552671")}
    assert kinds_in("4155552671", before="customer phone") == {("phone", "4155552671")}
    assert kinds_in("4155552671", before="order id") == set()


def test_a_number_without_words_is_found_beside_the_same_number_with_words():
    assert [value.start for value in private_values("4155552671! my phone is 4155552671", ("phone",))] == [0, 24]


def test_check_digits_tell_numbers_apart():
    assert checksums.is_card("4000001234567899") and not checksums.is_card("4000001234567890")
    assert checksums.is_iban("GB82WEST12345698765432") and not checksums.is_iban("GB83WEST12345698765432")
    assert checksums.is_dni("12345678Z") and checksums.is_dni("X1234567L") and not checksums.is_dni("12345678A")
    assert checksums.is_nir("255081416802538") and not checksums.is_nir("255081416802539")
    assert checksums.is_bsn("111222333") and not checksums.is_bsn("111222334")
    assert checksums.is_german_tax_id("86095742719") and not checksums.is_german_tax_id("86095742718")


def test_the_cheap_look_passes_over_nothing_that_the_close_look_finds(generated):
    texts = pa.array([row.text for row in generated])
    for kind in KINDS:
        maybe = suspects(texts, kind).tolist()
        assert 0 < sum(maybe) < 0.7 * len(maybe)
        assert not [row.text for row, flag in zip(generated, maybe, strict=True) if not flag and private_values(row.text, (kind,))]


def test_the_same_value_gets_the_same_number_however_and_wherever_it_is_written():
    texts = ["a@b.org and 07700 900123", "A@B.ORG", None, "c@d.org, +44 7700 900123"]
    rows = tickets(texts, sender=["c@d.org", None, "a@b.org", "x"])
    done, _ = applied({}, {"personal-data": "fix"}, rows)
    assert done.looked.rows["text"].to_pylist() == ["[EMAIL_1] and [PHONE_1]", "[EMAIL_1]", None, "[EMAIL_2], [PHONE_1]"]
    assert done.looked.rows["sender"].to_pylist() == ["[EMAIL_2]", None, "[EMAIL_1]", "x"]
    assert "Repaired: 4." in done.findings[0].message


def test_a_mask_keeps_the_length_and_what_is_neither_letter_nor_digit():
    done, _ = applied({"personal-data": {"placeholder": "mask"}}, {"personal-data": "fix"}, tickets(["to a.b@c.org now"]))
    assert done.looked.rows["text"].to_pylist() == ["to *.*@*.*** now"]


def test_kinds_that_are_left_out_stay():
    text = "a@b.org or 07700 900123"
    done, _ = applied({"personal-data": {"kinds": ["phone"]}}, {"personal-data": "fix"}, tickets([text]))
    assert done.looked.rows["text"].to_pylist() == ["a@b.org or [PHONE_1]"]


def test_lists_records_maps_and_numbers_beside_the_text_are_redacted_in_their_own_type():
    columns = {
        "turns": pa.array([[{"role": "user", "content": "I am a@b.org"}], None]),
        "tags": pa.array([["x", "a@b.org"], []]),
        "extra": pa.array([[("mail", "a@b.org")], None], pa.map_(pa.string(), pa.string())),
        "category": pa.array(["a@b.org", "x"]).dictionary_encode(),
        "phone": pa.array([4155552671, 3], pa.int64()),
        "amount": pa.array([4155552671, 3], pa.int64()),
        "scan": pa.array([b"a@b.org", b""]),
    }
    rows = tickets(["nothing", "here"], **columns)
    done, _ = applied({}, {"personal-data": "fix"}, rows)
    after = done.looked.rows
    assert after.schema.types == rows.rows.schema.types
    assert after["turns"].to_pylist() == [[{"role": "user", "content": "I am [EMAIL_1]"}], None]
    assert after["tags"].to_pylist() == [["x", "[EMAIL_1]"], []]
    assert after["extra"].to_pylist() == [[("mail", "[EMAIL_1]")], None]
    assert after["category"].to_pylist() == ["[EMAIL_1]", "x"]
    assert after["phone"].to_pylist() == [None, 3]
    assert after["amount"].to_pylist() == [4155552671, 3]
    assert "beside the text in" in done.findings[0].message and "'tags' (1 row)" in done.findings[0].message


def test_the_label_stays_what_it_is():
    rows = looked({"text": ["hello there"], "label": ["anna@b.org"]})
    done, _ = applied({}, {"personal-data": "fix"}, rows)
    assert done.looked.rows["label"].to_pylist() == ["anna@b.org"] and done.findings == ()


def test_a_given_test_split_is_redacted_too_and_none_of_its_rows_is_dropped():
    rows = looked({"text": ["I am a@b.org", "I am c@d.org"], "label": ["a", "b"]}, split=[0, 2], given=("train", "test"))
    fixed, _ = applied({}, {"personal-data": "fix"}, rows)
    assert fixed.looked.rows["text"].to_pylist() == ["I am [EMAIL_1]", "I am [EMAIL_2]"]
    dropped, _ = applied({}, {"personal-data": "drop"}, rows)
    assert dropped.looked.rows["text"].to_pylist() == ["I am c@d.org"]
    assert "1 of them in the test split of the source" in dropped.findings[0].message


def test_messages_and_reasons_count_and_never_repeat_a_value():
    text = "I am anna@b.org, 07700 900123, card 4111 1111 1111 1111, key ghp_" + "a1B2" * 9
    for rule in ("personal-data", "secret"):
        done, _ = applied({}, {rule: "drop"}, tickets([text, "fine"]))
        told = [done.findings[0].message, *done.removed[0].reasons]
        assert done.findings[0].places[0].row == 0 and len(done.looked) == 1
        for value in ("anna", "b.org", "900123", "1111", "ghp_"):
            assert not any(value in one for one in told)
    assert applied({}, {"secret": "keep"}, tickets([text]))[0].findings[0].severity == "error"


def test_rows_as_read_are_redacted_with_the_numbers_of_the_dataset():
    rows = tickets(["b@x.org", "a@x.org"], sender=["a@x.org", "key=ghp_" + "a1B2" * 9])
    done, rules = applied({}, {"personal-data": "fix", "secret": "fix"}, rows)
    read = pa.table(
        {"sender": rows.rows["sender"], "body": rows.rows["text"], "queue": ["b@x.org", "y"], "_file": ["a", "a"], "_row": [0, 1]}
    )
    after = without_private(read, redactions(rules.rules, rules.policy), spare=("queue",))
    assert after["body"].to_pylist() == done.looked.rows["text"].to_pylist() == ["[EMAIL_1]", "[EMAIL_2]"]
    assert after["sender"].to_pylist() == done.looked.rows["sender"].to_pylist() == ["[EMAIL_2]", "key=[SECRET_1]"]
    assert after["queue"].to_pylist() == ["b@x.org", "y"]
    assert redactions(rules.rules, {**rules.policy, "personal-data": "keep", "secret": "drop"}) == ()


def test_a_text_is_shown_without_its_values_whatever_the_policy():
    assert shown(["I am a@b.org", "fine", None]) == ["I am *@*.***", "fine", ""]


def test_in_a_stream_every_text_begins_with_one_so_that_blocks_may_come_again():
    rule = RULES.build("personal-data").with_memory(None)
    texts = ["a@b.org and c@d.org", "c@d.org"]
    (hit,) = rule.look(tickets(texts))
    assert hit.fixed["text"].to_pylist() == ["[EMAIL_1] and [EMAIL_2]", "[EMAIL_1]"]


def test_phone_numbers_of_all_countries_are_found():
    import phonenumbers

    found = total = 0
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        forms = (phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.NATIONAL) if number else ()
        for form in forms:
            written = phonenumbers.format_number(number, form)
            total += 1
            found += any(
                kind == "phone" and value.endswith(written[-5:]) for kind, value in kinds_in(f"my phone number is {written}, thanks")
            )
    assert total >= 450 and found >= 0.95 * total
