"""CSV and its relatives: nothing moves to another column, nothing disappears."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.core.errors import UserError
from tunewright.data.formats.decoding import Decoded
from tunewright.data.formats.delimited import Delimited
from tunewright.data.formats.records import Records
from tunewright.data.formats.rows import Notes
from tunewright.data.read import Table, batches, read


def table_of(tmp_path: Path, text: str | bytes, name: str = "tickets.csv") -> Table:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    table = read(path)
    assert table.rows.num_rows + len(table.bad) == table.files[0].rows
    return table


def own(table: Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table.rows.drop_columns(["_file", "_row"]).to_pylist()]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_and_line_ends_are_found_out(tmp_path: Path, delimiter: str, end: str) -> None:
    lines = [["text", "label"], ["late, and broken; no", "shipping"], ["twice\tcharged | sorry", "billing"]]
    quoted = end.join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    table = table_of(tmp_path, quoted)
    assert own(table) == [tuple(line) for line in lines[1:]]
    assert table.files[0].delimiter == delimiter


def test_an_excel_export_with_semicolons_in_windows_1252_reads_as_it_looks(tmp_path: Path) -> None:
    lines = [
        "sep=;",
        "Text;Preis;Kategorie",
        '"Lieferung zu spät; Paket ""kaputt"".";5,50;Versand',
        "Größe falsch – zurück;12,00;Retoure",
        "Summe;17,50;",
    ]
    text = "".join(f"{line}\r\n" for line in lines)
    table = table_of(tmp_path, text.encode("cp1252"))
    assert own(table)[0] == ('Lieferung zu spät; Paket "kaputt".', "5,50", "Versand")
    assert own(table)[2] == ("Summe", "17,50", None)
    assert table.files[0].encoding == "cp1252" and table.files[0].delimiter == ";"
    assert any(finding.rule == "encoding" and finding.severity == "info" for finding in table.findings)


def test_cells_stay_strings_and_only_an_empty_one_is_missing(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'text,label\nnan,007\nNA,None\nnull,1e5\n"",\n')
    assert own(table) == [("nan", "007"), ("NA", "None"), ("null", "1e5"), (None, None)]
    assert {str(field.type) for field in table.rows.schema if field.name != "_row"} == {"string"}


def test_rows_that_are_too_wide_or_too_narrow_are_bad_rows_with_their_line(tmp_path: Path) -> None:
    table = table_of(tmp_path, "text,label\ngood,a\nshifted, by a comma,b\nalone\ngood too,c\n")
    assert own(table) == [("good", "a"), ("good too", "c")]
    assert table.rows.column("_row").to_pylist() == [0, 3]
    assert [(bad.row, bad.line, bad.raw) for bad in table.bad] == [(1, 3, "shifted, by a comma,b"), (2, 4, "alone")]
    assert "3 cells where the header has 2" in table.bad[0].reason


def test_line_numbers_count_the_lines_inside_cells(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'text,label\n"one\ntwo\nthree",a\nalone\n\n"x, y",b\n')
    assert own(table) == [("one\ntwo\nthree", "a"), ("x, y", "b")]
    assert table.bad[0].line == 5 and table.bad[0].row == 1


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path: Path) -> None:
    lines = [f"{number},text {number},{'ab'[number % 2]}" for number in range(3000)]
    lines[1500] = '1500,"left open,a'
    table = table_of(tmp_path, "\n".join(["id,text,label", *lines]))
    assert table.rows.num_rows == 2999
    assert [(bad.row, bad.line) for bad in table.bad] == [(1500, 1502)]
    assert "quotation mark" in table.bad[0].reason


def test_two_stray_quotes_do_not_swallow_the_rows_between_them(tmp_path: Path) -> None:
    lines = [f"{number},text {number},{'ab'[number % 2]}" for number in range(100)]
    lines[20] = '20,"left open,a'
    lines[60] = '60,closed here",a'
    table = table_of(tmp_path, "\n".join(["id,text,label", *lines]))
    assert [bad.row for bad in table.bad] == [20]
    assert own(table)[59] == ("60", 'closed here"', "a")


def test_a_quoted_cell_whose_lines_could_be_rows_is_kept_and_told(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'question,answer,remark\na,b,c\n"x,y,z\n1,2,3\nw",yes,no\n')
    assert own(table)[1] == ("x,y,z\n1,2,3\nw", "yes", "no")
    assert [(finding.rule, [place.row for place in finding.places]) for finding in table.findings] == [("open-quote", [1])]
    table = table_of(tmp_path, 'question,answer,remark\na,b,c\n"Prose,\nand more of it",yes,no\n')
    assert table.rows.num_rows == 2 and not table.findings


def test_a_quote_inside_a_quoted_cell_that_is_not_doubled_is_a_bad_row(tmp_path: Path) -> None:
    text = (
        "id,text,label\n"
        + "".join(f"{number},fine,a\n" for number in range(9))
        + '9,"he said "hi" to me",a\n10,"and "so\non, he said",b\n11,fine,a\n'
    )
    table = table_of(tmp_path, text)
    assert [bad.row for bad in table.bad] == [9, 10]
    assert own(table)[-1] == ("11", "fine", "a")


def test_backslash_quotes_and_literal_quotes_are_understood(tmp_path: Path) -> None:
    escaped = 'text,label\n"he said \\"hi\\", twice",a\n"plain",b\n'
    assert own(table_of(tmp_path, escaped))[0] == ('he said "hi", twice', "a")
    literal = 'text\tlabel\n"Hello" he said\ta\n"open only\tb\n5" pipe\ta\n'
    table = table_of(tmp_path, literal, "tweets.tsv")
    assert own(table) == [('"Hello" he said', "a"), ('"open only', "b"), ('5" pipe', "a")]
    spaced = 'text, label\n"one, two", "a"\n"three", "b"\n'
    assert own(table_of(tmp_path, spaced)) == [("one, two", "a"), ("three", "b")]


def test_a_cell_of_twelve_million_characters_is_read(tmp_path: Path) -> None:
    long = "many words\n" * 1_200_000
    table = table_of(tmp_path, f'text,label\n"{long}",a\nshort,b\n')
    assert own(table) == [(long, "a"), ("short", "b")]


def test_the_header_again_in_the_middle_is_a_bad_row(tmp_path: Path) -> None:
    table = table_of(tmp_path, "text,label\na,x\ntext,label\nb,y\n")
    assert own(table) == [("a", "x"), ("b", "y")]
    assert "column names" in table.bad[0].reason


def test_a_column_without_a_name_is_called_after_its_place(tmp_path: Path) -> None:
    table = table_of(tmp_path, ",text,label\n0,late,a\n1,broken,b\n")
    assert table.rows.column_names == ["column_1", "text", "label", "_file", "_row"]
    assert any(finding.rule == "header" for finding in table.findings)


def test_columns_of_the_same_name_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'text' is column 1 and 3"):
        table_of(tmp_path, "text,label,text\na,b,c\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("good service,positive\nbad,negative\nfine,positive\nok,positive\n", "stands in 2 of the 3 rows"),
        ("5,late\n6,broken\n7,lost\n", "is a number"),
        ("0,1\nlate,a\nlost,b\n", "every name is a number"),
        (f"{'very long ' * 30},a\nshort,b\n", "299 characters"),
    ],
)
def test_a_first_line_that_is_a_row_is_refused_with_the_way_to_name_columns(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UserError, match=why) as caught:
        table_of(tmp_path, text)
    assert "Add one on top of the file, for example: text,label" in str(caught.value)


def test_a_title_above_the_header_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"late,{number},a\n" for number in range(6))
    with pytest.raises(UserError, match="Delete what stands above"):
        table_of(tmp_path, "Report of May\ntext,number,label\n" + rows)


def test_a_blank_line_of_a_single_column_is_a_row_without_a_value_and_of_several_columns_none(tmp_path: Path) -> None:
    table = table_of(tmp_path, "\n\r\ntext\none\n\ntwo\n\r\nthree\n")
    assert own(table) == [("one",), (None,), ("two",), (None,), ("three",)] and table.files[0].rows == 5
    assert own(table_of(tmp_path, "text,label\none,a\n\ntwo,b\n", "wide.csv")) == [("one", "a"), ("two", "b")]


def test_one_column_reads_with_a_hint(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'text\nHello, you\n"quoted, twice"\n"Stop," she said\n', "lines.txt")
    assert table.rows.column("text").to_pylist()[0] == "Hello, you"
    assert table.rows.num_rows == 3 and table.files[0].delimiter == ""
    assert [finding.rule for finding in table.findings] == ["one-column"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("text,label\n", "column names and no rows"), ("text,label\nonly\n", "no row of .* could be read; the first .line 2.")],
)
def test_a_table_without_a_readable_row_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        table_of(tmp_path, text)
    with pytest.raises(UserError, match=message):
        list(batches(tmp_path / "tickets.csv"))


def test_a_row_with_nul_characters_is_a_bad_row(tmp_path: Path) -> None:
    text = "text,label\n" + "fine,a\n" * 100 + "bro\0ken,b\n"
    assert "NUL" in table_of(tmp_path, text).bad[0].reason


def test_what_a_csv_writer_writes_is_read_back(tmp_path: Path) -> None:
    rows = [(f'line {number}\nsays "no", ' + "x;y\t" * (number % 3), "a\r\nb" if number % 5 else "", str(number)) for number in range(500)]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("text", "more", "id"), *rows])
    table = table_of(tmp_path, out.getvalue())
    assert own(table) == [(text, more or None, number) for text, more, number in rows]
    assert not table.bad and not table.findings


CELLS = st.sampled_from(
    ["late", "7", "", '"late, again"', '"so ""called"""', '"two\nlines"', 'a"b', '"open', "\ufffd", "a\rb", "\\", '"x\\"y"', "\0"]
)
LINES = st.lists(st.tuples(CELLS, CELLS, CELLS).map(",".join) | st.sampled_from(["", "one", "text,label,n", "a,b,c,d"]), max_size=40)


def _read_both_ways(text: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    found = []
    for glance in (True, False):
        with monkeypatch.context() as patch:
            if not glance:
                patch.setattr(Records, "plain", lambda *_: ([], 0))
            notes = Notes("a.csv")
            blocks = [text.encode()[at : at + 64] for at in range(0, len(text.encode()), 64)]
            reader = Delimited(Decoded(iter(blocks), "utf-8"), notes, lambda: None)
            parts = list(reader.parts(7))
            rows = [row for part in parts for row in zip(part.numbers, *(column.values for column in part.columns.values()), strict=True)]
            bad = [(one.row, one.reason, one.line, one.raw) for part in parts for one in part.bad]
            found.append((rows, bad, notes.broken, notes.findings))
    return found[0], found[1]


@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=400, deadline=None)
def test_rows_told_at_a_glance_are_those_read_one_by_one(lines: list[str], end: str) -> None:
    head = ["text,label,n", "where is it,late,1", '"where, oh where",late,2', '"again",late,3']
    with pytest.MonkeyPatch.context() as patch:
        at_a_glance, one_by_one = _read_both_ways(end.join([*head, *lines, ""]), patch)
    assert at_a_glance == one_by_one
