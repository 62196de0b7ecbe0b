"""The demonstration's tickets: every planted fault is in the file where the list says, and nothing else is."""

import csv
import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tunewright.core.errors import BadConfig, UserError
from tunewright.demo.distinct import Distinct, normal
from tunewright.demo.personal import luhn_digit
from tunewright.demo.phrases import CONFUSED, QUEUES
from tunewright.demo.plant import COPIES, KINDS
from tunewright.demo.tickets import COLUMNS, Planted, Tickets

Cells = list[list[str]]
Faults = dict[str, list[dict[str, Any]]]
NATURAL = {"typo", "mail-footer"}
BODY, QUEUE = COLUMNS.index("body"), COLUMNS.index("queue")


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Tickets().generate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Tickets().write(tmp_path_factory.mktemp("demo")).parent


@pytest.fixture(scope="module")
def cells(folder: Path) -> Cells:
    """The lines of the file as a plain CSV reader sees them, without the header."""
    with (folder / "tickets.csv").open(encoding="utf-8-sig", newline="") as stream:
        header, *lines = csv.reader(stream)
    assert tuple(header) == COLUMNS
    return lines


@pytest.fixture(scope="module")
def faults(folder: Path) -> Faults:
    found: Faults = json.loads((folder / "planted.json").read_text(encoding="utf-8"))
    assert set(found) == set(KINDS), "the default settings plant something of every kind"
    return found


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    once, again, other = (Tickets(rows=500, seed=seed).write(tmp_path / name).parent for name, seed in (("a", 3), ("b", 3), ("c", 4)))
    for name in ("tickets.csv", "planted.json"):
        assert (again / name).read_bytes() == (once / name).read_bytes()
        assert (other / name).read_bytes() != (once / name).read_bytes()


def test_the_file_is_what_a_spreadsheet_exports(folder: Path, cells: Cells, planted: Planted) -> None:
    data = (folder / "tickets.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\r\n") == len(cells) + 1 == 3001
    assert any("\n" in line[BODY] for line in cells), "cells with line breaks are part of a real export"
    whole = [dict(zip(COLUMNS, line, strict=True)) if len(line) == len(COLUMNS) else None for line in cells]
    assert all(read in (None, row) for read, row in zip(whole, planted.rows, strict=True))


def test_ids_and_times_rise_through_the_file(planted: Planted) -> None:
    ids = [int(row["ticket_id"].removeprefix("T-")) for row in planted.rows]
    times = [datetime.strptime(row["created"], "%Y-%m-%d %H:%M") for row in planted.rows]
    assert ids == sorted(set(ids))
    assert times == sorted(times)


def test_there_are_eight_queues_and_the_largest_is_about_five_times_the_smallest(planted: Planted) -> None:
    changed = {fault.row for fault in planted.faults if fault.kind not in NATURAL}
    sizes = Counter(row["queue"] for number, row in enumerate(planted.rows) if number not in changed)
    assert set(sizes) == set(QUEUES)
    assert len(sizes) == 8
    assert 3.5 < max(sizes.values()) / min(sizes.values()) < 6.5


def test_as_many_faults_are_planted_as_the_settings_say(planted: Planted, faults: Faults) -> None:
    counts = Counter(fault.kind for fault in planted.faults)
    assert counts == Tickets().counts() == {kind: len(entries) for kind, entries in faults.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_each_share_sets_the_number_of_its_own_fault(kind: str) -> None:
    none = dict.fromkeys((one.replace("-", "_") for one in KINDS), 0.0)
    clean = Tickets.read({**none, "rows": 300}).generate()
    planted = Tickets.read({**none, "rows": 300, kind.replace("-", "_"): 0.02}).generate()
    assert not clean.faults
    assert Counter(fault.kind for fault in planted.faults) == {kind: 6}
    assert len(clean.rows) == len(planted.rows) == 300


def test_only_the_planted_copies_are_alike(planted: Planted) -> None:
    aside = {fault.row for fault in planted.faults if fault.kind in COPIES or fault.kind == "empty-text"}
    texts = [normal(row["body"]) for number, row in enumerate(planted.rows) if number not in aside]
    assert len(texts) > 2800
    assert len(set(texts)) == len(texts)
    distinct = Distinct(0.8)
    assert all(distinct.admit(text) for text in texts)


def test_faults_fall_on_rows_with_and_without_typos(planted: Planted) -> None:
    typed = {fault.row for fault in planted.faults if fault.kind == "typo"}
    noisy = [fault.row in typed for fault in planted.faults if fault.kind == "label-noise"]
    assert 0.1 < sum(noisy) / len(noisy) < 0.5


def test_a_row_has_one_fault_at_most_and_what_was_copied_has_none(planted: Planted) -> None:
    faulty = Counter(fault.row for fault in planted.faults if fault.kind not in NATURAL)
    marked = {fault.row for fault in planted.faults}
    copied = [fault.other_row for fault in planted.faults if fault.kind in COPIES]
    assert set(faulty.values()) == {1}
    assert len(set(copied)) == len(copied)
    assert not marked & set(copied)


def test_typos_and_footers_are_in_the_text(cells: Cells, faults: Faults) -> None:
    changed_again = _rows(faults, "mojibake", "over-long", "personal-data", "mail-footer")
    typed = [entry for entry in faults["typo"] if entry["row"] not in changed_again]
    assert len(typed) > 500
    for entry in typed:
        before, after = entry["before"].split(), cells[entry["row"]][BODY].split()
        assert 1 <= sum(one != other for one, other in zip(before, after, strict=False)) <= max(3, len(before) // 2)
    footers = [cells[entry["row"]][BODY] for entry in faults["mail-footer"]]
    assert all(re.search(r"^(> |--|__)|wrote:$|Original Message", text, re.MULTILINE) for text in footers)


def test_exact_duplicates_have_the_same_text_and_queue(cells: Cells, faults: Faults) -> None:
    for entry in faults["exact-duplicate"]:
        copy, original = cells[entry["row"]], cells[entry["other_row"]]
        assert (copy[BODY], copy[QUEUE]) == (original[BODY], original[QUEUE])
        assert entry["row"] > entry["other_row"]


def test_normalised_duplicates_differ_in_case_blanks_or_punctuation_only(cells: Cells, faults: Faults) -> None:
    assert len({entry["detail"] for entry in faults["normalised-duplicate"]}) >= 4
    for entry in faults["normalised-duplicate"]:
        copy, original = cells[entry["row"]], cells[entry["other_row"]]
        assert copy[BODY] != original[BODY]
        assert normal(copy[BODY]) == normal(original[BODY])
        assert copy[QUEUE] == original[QUEUE]


def test_near_duplicates_differ_in_a_few_words(cells: Cells, faults: Faults) -> None:
    for entry in faults["near-duplicate"]:
        copy, original = (normal(cells[row][BODY]) for row in (entry["row"], entry["other_row"]))
        assert copy != original
        distinct = Distinct(0.75)
        assert distinct.admit(original)
        assert not distinct.admit(copy)


def test_conflicting_rows_have_the_same_text_under_two_queues(cells: Cells, faults: Faults) -> None:
    for entry in faults["conflicting-label"]:
        copy, original = cells[entry["row"]], cells[entry["other_row"]]
        assert copy[BODY] == original[BODY]
        assert copy[QUEUE] in CONFUSED[original[QUEUE]]


def test_wrong_varied_and_missing_labels_are_in_the_file(cells: Cells, faults: Faults) -> None:
    for entry in faults["label-noise"]:
        assert cells[entry["row"]][QUEUE] in CONFUSED[entry["before"]]
    for entry in faults["label-variant"]:
        assert cells[entry["row"]][QUEUE] not in QUEUES
        assert entry["before"] in QUEUES
    missing = Counter(cells[entry["row"]][QUEUE] for entry in faults["missing-label"])
    assert missing[""] > missing["N/A"] + missing["none"]
    assert set(missing) <= {"", "N/A", "none"}
    told = _rows(faults, "label-variant", "missing-label", "ragged-row")
    assert all(line[QUEUE] in QUEUES for row, line in enumerate(cells) if row not in told)


def test_empty_texts_are_empty_and_no_other_text_is(cells: Cells, faults: Faults) -> None:
    empty = {row for row, line in enumerate(cells) if not line[BODY].strip()}
    assert empty == _rows(faults, "empty-text")
    assert len({cells[row][BODY] for row in empty}) >= 3


def test_broken_encoding_can_be_mended_to_what_it_was_and_is_nowhere_else(cells: Cells, faults: Faults) -> None:
    for entry in faults["mojibake"]:
        text = cells[entry["row"]][BODY]
        assert text != entry["before"]
        assert text.encode("cp1252").decode().replace("’", "'") == entry["before"].replace("’", "'")
    broken = {row for row, line in enumerate(cells) if re.search("[ÃÂ][\u0080-\u00bf]|â€", line[BODY])}
    assert broken <= _rows(faults, "mojibake")


def test_over_long_rows_have_more_than_five_hundred_words_and_others_fewer(cells: Cells, faults: Faults) -> None:
    assert {row for row, line in enumerate(cells) if len(line[BODY].split()) > 500} == _rows(faults, "over-long")


def test_personal_data_are_valid_invented_and_nowhere_else(cells: Cells, faults: Faults) -> None:
    seen: Counter[str] = Counter()
    for entry in faults["personal-data"]:
        kind, value = entry["detail"].split(": ")
        assert value in cells[entry["row"]][BODY]
        assert _is_sound(kind, value)
        seen[kind] += 1
    assert set(seen) == {"e-mail address", "phone number", "card number", "IBAN"}
    known = _rows(faults, "personal-data", "ragged-row")
    assert not [line for row, line in enumerate(cells) if row not in known and re.search(r"@|\d[\d -]{8,}\d", line[BODY])]


def _is_sound(kind: str, value: str) -> bool:
    if kind == "card number":
        digits = re.sub(r"\D", "", value)
        return len(digits) == 16 and luhn_digit(digits[:-1]) == digits[-1] and digits.startswith("400000")
    if kind == "IBAN":
        turned = re.sub(r"^(.{4})(.*)$", r"\2\1", value.replace(" ", ""))
        return "WEST" in turned and int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1
    if kind == "phone number":
        return re.fullmatch(r"(0|\+44 )(7700 900\d{3}|20 7946 0\d{3})", value) is not None
    return re.fullmatch(r"[a-z0-9.]+@example\.(com|org|net)", value) is not None


@pytest.mark.parametrize(("digits", "check"), [("7992739871", "3"), ("411111111111111", "1"), ("37828224631000", "5"), ("", "0")])
def test_the_check_digit_is_luhns(digits: str, check: str) -> None:
    assert luhn_digit(digits) == check


def test_ragged_lines_have_too_many_fields_and_only_they(cells: Cells, faults: Faults, planted: Planted) -> None:
    assert {row for row, line in enumerate(cells) if len(line) != len(COLUMNS)} == _rows(faults, "ragged-row")
    for row in _rows(faults, "ragged-row"):
        assert ",".join(cells[row]) == ",".join(planted.rows[row].values())
        assert len(cells[row]) > len(COLUMNS)


def test_no_slot_or_choice_of_a_template_is_left_in_a_text(planted: Planted) -> None:
    left = re.compile(r"<\w+>|[\[\]|]|  (?! )")
    spaced = {fault.row for fault in planted.faults if fault.kind in {"normalised-duplicate", "empty-text"}}
    assert not [row["body"] for number, row in enumerate(planted.rows) if number not in spaced and left.search(row["body"])]


def test_a_baseline_on_the_words_is_neither_blind_nor_perfect(planted: Planted) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    faulty = {fault.row for fault in planted.faults if fault.kind not in NATURAL}
    clean = [row for number, row in enumerate(planted.rows) if number not in faulty]
    train, test = [row for number, row in enumerate(clean) if number % 5], clean[::5]
    model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=200))
    model.fit([row["body"] for row in train], [row["queue"] for row in train])
    accuracy = model.score([row["body"] for row in test], [row["queue"] for row in test])
    assert 0.77 < accuracy < 0.92


def test_faults_that_leave_no_clean_rows_are_refused_before_anything_is_made() -> None:
    with pytest.raises(BadConfig, match="leave at least 30 %"):
        Tickets.read({"exact_duplicate": 0.3, "label_noise": 0.2})


def test_a_fault_that_too_few_rows_can_carry_is_named() -> None:
    with pytest.raises(UserError, match=r"can carry the fault mail-footer, 100 were wanted.*Ask for more rows or fewer faults"):
        Tickets(rows=200, mail_footer=0.5).generate()


def _rows(faults: Faults, *kinds: str) -> set[int]:
    return {entry["row"] for kind in kinds for entry in faults[kind]}
