"""What can be read of a broken source is read; the rest is in quarantine with its file and place, and the policy decides."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tunewright.core.errors import DataRefused, UserError
from tunewright.data.dataset import Dataset
from tunewright.data.prepare import prepare
from tunewright.data.read import batches, glance, read
from tunewright.data.settings import DataSettings
from tunewright.tasks import TASKS

TASK = TASKS.build("text-classification")


def prepared(folder: Path, source: Any, **settings: Any) -> Dataset:
    return prepare(DataSettings(source=source, **settings), TASK, 0, folder, folder / "datasets")


def tickets(first: int, count: int) -> list[str]:
    return [f"the parcel of order {at} is late,{'ab'[at % 2]}" for at in range(first, first + count)]


def test_a_broken_row_group_costs_its_own_rows(tmp_path: Path) -> None:
    rows = [line.split(",") for line in tickets(0, 4000)]
    path = tmp_path / "tickets.parquet"
    table = pa.table({"text": [text for text, _ in rows], "label": [label for _, label in rows]})
    pq.write_table(table, path, row_group_size=500, compression="zstd", use_dictionary=False)
    group = pq.ParquetFile(path).metadata.row_group(3).column(0)
    data = bytearray(path.read_bytes())
    begin = group.data_page_offset
    data[begin + 40 : begin + group.total_compressed_size] = bytes(group.total_compressed_size - 40)
    path.write_bytes(data)

    dataset = prepared(tmp_path, "tickets.parquet")
    read_rows = dataset.summary()["rows"]
    assert read_rows["kept"] == 3500 and read_rows["by_rule"] == {"unreadable-row": 1} and read_rows["read"] == 3501
    (gone,) = dataset.quarantine.to_pylist()
    assert (gone["_file"], gone["_row"], gone["_rule"]) == ("tickets.parquet", 1500, "unreadable-row")
    assert "row group 3" in gone["_reason"] and "500 rows" in gone["_reason"]
    kept = {row["_row"] for split in ("train", "validation", "test") for row in dataset.rows(split).to_pylist()}
    assert kept == {*range(1500), *range(2000, 4000)}
    with pytest.raises(DataRefused, match=r"unreadable-row.*row 1500 of tickets.parquet"):
        prepared(tmp_path, "tickets.parquet", policy={"unreadable-row": "refuse"})


def test_a_quote_that_breaks_in_row_seven_hundred_thousand_costs_that_row(tmp_path: Path) -> None:
    path = tmp_path / "tickets.csv"
    with path.open("w") as file:
        file.write("text,label\n")
        file.writelines(f"parcel {at},a\n" for at in range(700_000))
        file.write('"the customer says "no" and, well,a\n')
        file.writelines(f"parcel {at},b\n" for at in range(700_001, 705_000))
    table = read(path)
    (bad,) = table.bad
    assert (bad.row, bad.line, bad.file) == (700_000, 700_002, str(path)) and "quotation mark" in bad.reason and "well" in bad.raw
    assert table.rows.num_rows == 704_999 and table.files[0].rows == 705_000
    last = table.rows.slice(699_999, 2).to_pylist()
    assert [(row["text"], row["_row"]) for row in last] == [("parcel 699999", 699_999), ("parcel 700001", 700_001)]


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a hundred files with ten rows each: one is a picture, one was cut off, one is empty, one has no rows."""
    folder = tmp_path_factory.mktemp("hundred")
    for at in range(100):
        (folder / f"part-{at:03}.csv").write_text("text,label\n" + "\n".join(tickets(at * 10, 10)) + "\n")
    (folder / "part-000.csv").write_bytes(b"\x89PNG\r\n" + bytes(range(256)))
    packed = gzip.compress(("text,label\n" + "\n".join(tickets(9000, 4000)) + "\n").encode())
    (folder / "part-040.csv").unlink()
    (folder / "part-040.csv.gz").write_bytes(packed[: len(packed) // 2])
    (folder / "part-050.csv").write_bytes(b"")
    (folder / "part-060.csv").write_text("text,label\n")
    return folder


@pytest.mark.parametrize("pattern", ["", "*.csv*"])
def test_of_a_hundred_files_the_broken_ones_alone_are_lost(hundred: Path, pattern: str) -> None:
    table = read(str(hundred / pattern))
    assert len(table.files) == 100 and sum(file.rows for file in table.files) == table.rows.num_rows + len(table.bad)
    lost = {Path(bad.file).name: bad for bad in table.bad}
    assert sorted(lost) == ["part-000.csv", "part-040.csv.gz", "part-050.csv"]
    assert (lost["part-000.csv"].row, lost["part-000.csv"].offset) == (0, 0) and "PNG picture" in lost["part-000.csv"].reason
    assert (lost["part-050.csv"].row, lost["part-050.csv"].offset) == (0, 0) and "is empty" in lost["part-050.csv"].reason
    cut = lost["part-040.csv.gz"]
    assert cut.row > 100 and cut.offset and "cut off" in cut.reason
    assert table.rows.num_rows == 96 * 10 + cut.row
    assert [finding.message for finding in table.findings if finding.rule == "no-rows"] == [
        f"{hundred / 'part-060.csv'} has column names and no rows"
    ]
    assert all(len(file.sha256) == 64 for file in table.files)
    chunks = list(batches(str(hundred / pattern)))
    assert [bad for chunk in chunks for bad in chunk.bad] == list(table.bad)
    assert sum(chunk.rows.num_rows for chunk in chunks) == table.rows.num_rows
    assert len(glance(str(hundred / pattern), 50).columns["text"]) == 50


def test_the_policy_decides_about_files_that_are_lost(hundred: Path, tmp_path: Path) -> None:
    dataset = prepare(DataSettings(source=str(hundred)), TASK, 0, tmp_path, tmp_path / "datasets")
    gone = {row["_file"]: row for row in dataset.quarantine.to_pylist() if row["_rule"] == "unreadable-row"}
    assert sorted(gone) == ["part-000.csv", "part-040.csv.gz", "part-050.csv"]
    assert gone["part-000.csv"]["_offset"] == 0 and gone["part-040.csv.gz"]["_offset"] > 1000 and gone["part-000.csv"]["text"] is None
    (told,) = [finding for finding in dataset.findings if finding.rule == "unreadable-row"]
    assert {place.file for place in told.places} == set(gone)
    refusing = DataSettings(source=str(hundred), policy={"unreadable-row": "refuse"})
    with pytest.raises(DataRefused, match=r"part-000.csv"):
        prepare(refusing, TASK, 0, tmp_path, tmp_path / "datasets")


@pytest.mark.parametrize("source", ["part-000.csv", "part-000*", ["part-001.csv", "part-000.csv"], {"train": "part-000.csv"}])
def test_a_file_that_is_named_and_cannot_be_read_stays_an_error(hundred: Path, tmp_path: Path, source: Any) -> None:
    with pytest.raises(UserError, match="PNG picture"):
        prepare(DataSettings(source=source), TASK, 0, hundred, tmp_path / "datasets")


def test_a_folder_in_which_no_file_can_be_read_is_an_error(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n" + bytes(range(256)))
    with pytest.raises(UserError, match=r"a\.csv is a PNG picture"):
        read(tmp_path)
    with pytest.raises(UserError, match=r"a\.csv is a PNG picture"):
        list(batches(str(tmp_path)))
