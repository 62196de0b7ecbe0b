"""Sheets as people hand them back: from Excel and LibreOffice, in other encodings, with other separators, sorted, and with slips."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tunewright.core.errors import UserError
from tunewright.review.labels import COLUMNS, Line, places, reviewed, write

KNOWN = ["billing", "delivery", "Überweisung", "1", "02"]
LINES = [
    Line("a.csv", 0, "train", "Where is my parcel, it should have come on Monday?", ("billing",), 0.97, ("delivery",)),
    Line("a.csv", 7, "train", '=HYPERLINK("http://x","refund please")', ("delivery",), 0.91, ("billing",)),
    Line("b.csv", 7, "validation", "Straße, 日本語\nand a second line; with, separators\t\x07", ("Überweisung",), 0.9, ("1",)),
    Line("b.csv", 8, "train", "00123", ("1",), 0.8, ("02",)),
    Line("b.csv", 9, "test", "-5 stars " + "very long " * 2000, ("02",), 0.7, ("1",)),
]


def there(lines: list[Line] = LINES) -> dict[tuple[str, int], Line]:
    return {(line.file, line.row): line for line in lines}


def cells(**changed: Any) -> list[dict[str, Any]]:
    """The lines of a sheet as they come back; ``corrected`` as given by rank: ``_1="billing"``."""
    rows = [
        dict(zip(COLUMNS, (at, line.score, line.file, line.row, line.split, line.text, line.label[0], "", "", line.key), strict=True))
        for at, line in enumerate(LINES, 1)
    ]
    for name, label in changed.items():
        rows[int(name[1:]) - 1]["corrected"] = label
    return rows


def read_csv(path: Path, encoding: str = "utf-8-sig", delimiter: str = ",") -> list[dict[str, Any]]:
    with path.open(encoding=encoding, newline="") as stream:
        return [dict(row) for row in csv.DictReader(stream, delimiter=delimiter)]


def read_xlsx(path: Path) -> list[dict[str, Any]]:
    head, *rows = openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)
    return [dict(zip(map(str, head), row, strict=True)) for row in rows]


@pytest.mark.parametrize(("name", "read"), [("labels.csv", read_csv), ("labels.xlsx", read_xlsx)])
def test_a_sheet_comes_back_as_it_was_written(tmp_path: Path, name: str, read: Callable[[Path], list[dict[str, Any]]]) -> None:
    write(tmp_path / name, LINES, KNOWN, several=False)
    rows = read(tmp_path / name)
    assert tuple(rows[0]) == COLUMNS and [str(row["rank"]) for row in rows] == ["1", "2", "3", "4", "5"]
    assert [row["suggested"] for row in rows] == ["delivery", "billing", "1", "02", "1"]
    rows[0]["corrected"], rows[2]["corrected"], rows[4]["corrected"] = "delivery", "Überweisung", "1"
    found = reviewed(rows, there(), KNOWN, False, name)
    assert [(one.line.row, one.new) for one in found.corrections] == [(0, ("delivery",)), (9, ("1",))]
    assert (found.confirmed, found.empty) == (1, 2)


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    write(tmp_path / "labels.csv", LINES, KNOWN, several=False)
    assert all(not str(cell).startswith(("=", "+", "-", "@")) for row in read_csv(tmp_path / "labels.csv") for cell in row.values())
    write(tmp_path / "labels.xlsx", LINES, KNOWN, several=False)
    sheet = openpyxl.load_workbook(tmp_path / "labels.xlsx").worksheets[0]
    assert "f" not in {cell.data_type for row in sheet.iter_rows() for cell in row}
    assert sheet["F3"].value == LINES[1].text


@pytest.mark.parametrize(("encoding", "delimiter"), [("cp1252", ";"), ("utf-16", "\t"), ("mac-roman", ",")])
def test_what_a_spreadsheet_program_does_to_csv_is_survived(tmp_path: Path, encoding: str, delimiter: str) -> None:
    path = tmp_path / "labels.csv"
    write(path, LINES, KNOWN, several=False)
    rows = read_csv(path)
    rows[0]["corrected"], rows[2]["corrected"] = " Delivery ", "überweisung"
    rows[3] |= {"text": "123", "corrected": "2", "label": "1,0", "row": "8,0"}
    rows.reverse()
    with path.open("w", encoding=encoding, errors="replace", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    found = reviewed(read_csv(path, encoding, delimiter), there(), KNOWN, False, path.name)
    assert {(one.line.row, one.new) for one in found.corrections} == {(0, ("delivery",)), (8, ("02",))}
    assert found.confirmed == 1


def test_numbers_dates_and_truths_of_a_workbook_are_survived() -> None:
    rows = cells(_1=2.0, _4=2)
    rows[0] |= {"row": 0.0, "score": "0.97", "rank": None}
    rows[1] |= {"text": datetime.datetime(2026, 2, 1), "label": datetime.date(2026, 1, 1), "row": 7.0}
    rows[3] |= {"text": 123, "label": 1}
    found = reviewed(rows, there(), KNOWN, False, "x")
    assert [(one.line.row, one.new) for one in found.corrections] == [(0, ("02",)), (8, ("02",))]
    truths = reviewed([cells()[0] | {"corrected": True}], there(), ["billing", "true", "false"], False, "x")
    assert truths.corrections[0].new == ("true",)


def test_an_unknown_label_is_refused_with_the_nearest_and_its_line() -> None:
    with pytest.raises(
        UserError, match=r"1 line\(s\) of s.csv cannot be applied:\n  line 3: no label is called 'biling'. Did you mean 'billing'"
    ):
        reviewed(cells(_2="biling"), there(), KNOWN, False, "s.csv")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"row": 3}, "line 2: the dataset has no row 3 of a.csv"),
        ({"file": "c.csv"}, "line 2: the dataset has no row 0 of c.csv"),
        ({"row": "x"}, "line 2: 'x' is no row number"),
        ({"row": None}, "line 2: None is no row number"),
        ({"text": "Another text altogether, from a neighbour"}, "line 2: its text is not that of row 0 of a.csv"),
        ({"key": LINES[1].key}, "line 2: row 0 of a.csv has another text or label than when the sheet was written"),
        ({"corrected": "", "label": "delivery"}, r"line 2: its label was changed from 'billing' to 'delivery' in place; write it under"),
    ],
)
def test_a_line_that_fits_no_row_is_refused_by_its_number(change: dict[str, Any], problem: str) -> None:
    rows = cells(_1="delivery", _3="1")
    rows[0] |= change
    with pytest.raises(UserError, match=problem):
        reviewed(rows, there(), KNOWN, False, "s.csv")


def test_every_problem_is_told_at_once_and_nothing_is_applied() -> None:
    rows = [row for _ in range(3) for row in cells(_1="x", _2="y", _3="z", _4="w", _5="v")]
    with pytest.raises(UserError, match=r"(?s)15 line\(s\).*line 2: .*line 3: .*and 5 more.*Nothing was changed") as told:
        reviewed(rows, there(), KNOWN, False, "s.csv")
    assert str(told.value).count("no label is called") == 10


def test_the_same_row_twice_is_refused_only_where_the_corrections_differ() -> None:
    rows = [*cells(_1="delivery"), *cells(_1="1")]
    with pytest.raises(UserError, match=r"line 7: row 0 of a.csv stands in the sheet twice, with different corrections"):
        reviewed(rows, there(), KNOWN, False, "s.csv")
    rows[5]["corrected"] = "delivery"
    assert len(reviewed(rows, there(), KNOWN, False, "s.csv").corrections) == 1


def test_columns_that_are_not_needed_may_go_and_others_may_not() -> None:
    few = [{name: row[name] for name in ("file", "row", "corrected")} for row in cells(_1="delivery")]
    assert reviewed(few, there(), KNOWN, False, "s.csv").corrections[0].new == ("delivery",)
    with pytest.raises(UserError, match=r"s.csv has no column 'corrected'.*its columns are rank, score"):
        places([{"file": "a", "row": 1}], "s.csv")


def test_several_labels_are_written_and_read_back() -> None:
    known = ["late", "damaged; wet", "lost"]
    line = Line("a.csv", 0, "train", "it came late and wet", ("late", "damaged; wet"), 0.9, ("late",))
    rows = [{"file": "a.csv", "row": 0, "corrected": cell} for cell in ("late| Lost", '["lost"]', "[]", "damaged; wet | late")]
    new = [reviewed([row], there([line]), known, True, "s").corrections for row in rows]
    assert [one[0].new if one else None for one in new] == [("late", "lost"), ("lost",), (), None]
    with pytest.raises(UserError, match="no label is called 'wet'"):
        reviewed([rows[0] | {"corrected": "late|wet"}], there([line]), known, True, "s")


@pytest.mark.parametrize(("cell", "names"), [("[ERROR]", ("[ERROR]",)), ("['[ERROR]', 'lost']", ("[ERROR]", "lost"))])
def test_a_label_between_brackets_is_no_list_of_labels(cell: str, names: tuple[str, ...]) -> None:
    line = Line("a.csv", 0, "train", "it came late", ("late",), 0.9, ())
    found = reviewed([{"file": "a.csv", "row": 0, "corrected": cell}], there([line]), ["late", "lost", "[ERROR]"], True, "s")
    assert found.corrections[0].new == names


def test_several_labels_stand_in_one_cell(tmp_path: Path) -> None:
    line = replace(LINES[0], label=("billing", "delivery"), suggested=())
    write(tmp_path / "s.csv", [line], KNOWN, several=True)
    (row,) = read_csv(tmp_path / "s.csv")
    assert row["label"] == "billing; delivery" and row["suggested"] == "[]"


def test_a_workbook_offers_the_labels(tmp_path: Path) -> None:
    write(tmp_path / "s.xlsx", LINES, KNOWN, several=False)
    (choice,) = openpyxl.load_workbook(tmp_path / "s.xlsx").worksheets[0].data_validations.dataValidation
    assert choice.formula1 == '"billing,delivery,Überweisung,1,02"' and str(choice.sqref) == "I2:I6"
