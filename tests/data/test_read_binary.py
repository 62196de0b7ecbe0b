"""Parquet, Arrow and Excel."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from tunewright.core.errors import UserError
from tunewright.data.read import Table, batches, read

ROWS = [
    {
        "text": f"ticket {number}", "label": "ab"[number % 2], "n": number, "tags": ["x"], "marks": [number, 2],
        "chat": [{"role": "user", "content": "hi"}],
    }
    for number in range(50)
]  # fmt: skip
CHAT = pa.list_(pa.struct({"role": pa.string(), "content": pa.string()}))
NUMBERS = pa.list_(pa.int64())
SCHEMA = pa.schema(
    {"text": pa.string(), "label": pa.string(), "n": pa.int64(), "tags": pa.list_(pa.string()), "marks": NUMBERS, "chat": CHAT}
)


def own(table: Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table.rows.drop_columns(["_file", "_row"]).to_pylist()]


def written(tmp_path: Path, kind: str) -> Path:
    table = pa.Table.from_pylist(ROWS, SCHEMA)
    path = tmp_path / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=20)
    elif kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, ROWS)))
    else:
        new = pa.ipc.new_file if kind == "feather" else pa.ipc.new_stream
        with new(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=20)
    return path


def test_the_same_rows_are_the_same_table_in_every_format(tmp_path: Path) -> None:
    tables = {kind: read(written(tmp_path, kind)) for kind in ("parquet", "feather", "arrow", "jsonl")}
    assert len({table.fingerprint for table in tables.values()}) == 1
    first = tables["parquet"].rows
    assert [str(field.type) for field in first.schema] == [
        "string",
        "string",
        "int64",
        str(pa.list_(pa.string())),
        str(pa.list_(pa.int64())),
        "string",
        "string",
        "int64",
    ]
    assert json.loads(first.column("chat")[0].as_py()) == ROWS[0]["chat"]
    assert tables["arrow"].files[0].format == "arrow"


def test_batches_of_any_size_give_the_same_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "parquet")
    chunks = list(batches(path, 7))
    assert max(chunk.rows.num_rows for chunk in chunks) == 7
    assert pa.concat_tables(chunk.rows for chunk in chunks).combine_chunks() == read(path).rows.combine_chunks()


def test_a_damaged_row_group_costs_its_own_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"text": [f"some words for row {number * 7919}" for number in range(3000)]})
    pq.write_table(table, path, row_group_size=1000, compression="zstd", use_dictionary=False)
    data = bytearray(path.read_bytes())
    middle = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset + 200
    data[middle : middle + 500] = bytes(500)
    path.write_bytes(data)
    found = read(path)
    assert found.rows.num_rows == 2000 and len(found.bad) == 1
    assert found.rows.column("_row").to_pylist()[1000] == 2000
    assert "1,000 rows cannot be read" in found.bad[0].reason


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_a_file_without_its_end_is_refused(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged or unfinished"):
        read(path)


def test_a_text_called_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_text("text,label\na,b\n")
    with pytest.raises(UserError, match="does not begin as Parquet files do"):
        read(path)


def test_text_in_parquet_that_is_not_utf_8_is_mended_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    raw = pa.array([b"gr\xf6n", "grün".encode()], pa.binary())
    pq.write_table(pa.table({"text": pa.Array.from_buffers(pa.string(), 2, raw.buffers())}), path)
    table = read(path)
    assert table.rows.column("text").to_pylist() == ["gr\ufffdn", "grün"]
    assert [place.row for finding in table.findings if finding.rule == "encoding" for place in finding.places] == [0]


def test_pictures_in_parquet_stay_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [{"bytes": b"\x89PNG", "path": "a.png"}], "day": [datetime.date(2024, 1, 2)]}), path)
    table = read(path)
    assert table.rows.column("image").to_pylist() == [{"bytes": b"\x89PNG", "path": "a.png"}]
    assert table.rows.column("day").to_pylist() == [datetime.date(2024, 1, 2)]


def workbook(tmp_path: Path, rows: list[list[Any]], others: tuple[str, ...] = ()) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    for title in others:
        book.create_sheet(title)
    book.save(tmp_path / "a.xlsx")
    return tmp_path / "a.xlsx"


def test_a_sheet_reads_as_a_person_would_type_it(tmp_path: Path) -> None:
    day, moment = datetime.datetime(2024, 5, 1), datetime.datetime(2024, 5, 1, 9, 30)
    path = workbook(
        tmp_path,
        [
            ["text", "n", "when", None],
            ["späte\nLieferung", 3.0, day, None],
            [" x ", 2.5, moment, None],
            [None] * 3,
            [True, 10**6, None, None],
        ],
    )
    table = read(path)
    assert own(table) == [("späte\nLieferung", "3", "2024-05-01"), (" x ", "2.5", "2024-05-01T09:30:00"), ("TRUE", "1000000", None)]
    assert table.files[0].format == "xlsx"


def test_a_sheet_row_with_more_cells_than_the_header_is_a_bad_row(tmp_path: Path) -> None:
    table = read(workbook(tmp_path, [["text", "label"], ["a", "x"], ["b", "y", "more"], ["c", "z"]]))
    assert table.rows.column("_row").to_pylist() == [0, 2]
    assert table.bad[0].row == 1 and "3 cells where the header has 2" in table.bad[0].reason


def test_other_sheets_and_formulas_without_values_are_told(tmp_path: Path) -> None:
    table = read(workbook(tmp_path, [["text", "n"], ["a", "=1+1"], ["b", 2]], ("Sheet of May",)))
    assert own(table) == [("a", None), ("b", "2")]
    rules = {finding.rule: finding.message for finding in table.findings}
    assert "Sheet of May" in rules["sheets"] and "1 formula" in rules["formula-without-value"]


def test_workbooks_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["text"], ["a"]])
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UserError, match="is not a workbook that can be read"):
        read(path)
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with pytest.raises(UserError, match="locked with a password"):
        read(path)
    with pytest.raises(UserError, match="no rows"):
        read(workbook(tmp_path, [["text", "label"]]))
