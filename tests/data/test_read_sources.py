"""Everything a source may be: files, patterns, folders, streams, things in memory, names that lead nowhere."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from tunewright.core.errors import UserError
from tunewright.data.read import batches, glance, read, require_columns, sample


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b.csv").write_text("text,label\nlate,x\n")
    (tmp_path / "a.jsonl").write_text('{"text": "broken", "label": "y", "n": 1}\n')
    (tmp_path / "notes.md").write_text("not a table")
    return tmp_path


def test_a_folder_is_read_in_the_order_of_its_names(folder: Path) -> None:
    table = read(folder)
    assert table.rows.to_pylist() == [
        {"text": "broken", "label": "y", "n": 1, "_file": str(folder / "a.jsonl"), "_row": 0},
        {"text": "late", "label": "x", "n": None, "_file": str(folder / "b.csv"), "_row": 0},
    ]
    assert "notes.md" in table.findings[0].message


def test_patterns_and_lists_name_several_files(folder: Path) -> None:
    assert [file.name for file in read(f"{folder}/*.[cj]s*").files] == [f"{folder}/a.jsonl", f"{folder}/b.csv"]
    assert [file.name for file in read([folder / "b.csv", folder / "a.jsonl"]).files] == [f"{folder}/b.csv", f"{folder}/a.jsonl"]
    with pytest.raises(UserError, match="no file matches"):
        read(f"{folder}/*.parquet")


def test_a_column_with_other_types_in_another_file_becomes_text_and_is_told(folder: Path) -> None:
    (folder / "c.csv").write_text("text,n\nlate,many\n")
    table = read([folder / "a.jsonl", folder / "c.csv"])
    assert table.rows.column("n").to_pylist() == ["1", "many"]
    assert any(finding.rule == "mixed-type" for finding in table.findings)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("b.cvs", "Did you mean .*b.csv"),
        ("absent.parquet", "Tables in .*: a.jsonl, b.csv"),
        ("no/where.csv", "nor does the folder"),
        ("x\0y", "does not exist"),
    ],
)
def test_a_file_that_is_missing_is_told_with_what_is_there(folder: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(f"{folder}/{name}")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.csv", b"", "is empty"),
        ("blank.csv", b" \n\n", "nothing but white space"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "a PNG picture, not a table"),
        ("random.csv", bytes(range(256)) * 4, "a binary file, not a table"),
        ("page.csv", b"<!DOCTYPE html><html>", "a web page"),
        ("pointer.parquet.csv", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("pickle.json", b"\x80\x04\x95abc", "a Python pickle"),
    ],
)
def test_what_is_no_table_is_refused_by_what_it_is(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=message):
        read(tmp_path / name)


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no table"):
        read(tmp_path)


NOBODY = 65534


def test_a_file_that_may_not_be_read_is_told() -> None:
    with tempfile.TemporaryDirectory() as open_to_all:  # pytest's own folders are closed to other users
        Path(open_to_all).chmod(0o755)
        path = Path(open_to_all, "b.csv")
        path.write_text("text,n\nlate,1\n")
        path.chmod(0)
        was_root = os.geteuid() == 0
        if was_root:  # root may read everything
            os.seteuid(NOBODY)
        try:
            with pytest.raises(UserError, match="may not be read"):
                read(path)
        finally:
            if was_root:
                os.seteuid(0)


@pytest.mark.parametrize(
    "source",
    [
        [{"text": "late", "n": 1}, {"text": None, "n": 2}],
        pd.DataFrame({"text": ["late", None], "n": [1, 2]}),
        pa.table({"text": ["late", None], "n": [1, 2]}),
        pa.RecordBatch.from_pydict({"text": ["late", None], "n": [1, 2]}),
    ],
    ids=["dicts", "pandas", "table", "batch"],
)
def test_tables_in_memory_are_read(source: Any) -> None:
    table = read(source)
    ours = [{"_file": "<memory>", "_row": 0}, {"_file": "<memory>", "_row": 1}]
    assert table.rows.to_pylist() == [{"text": "late", "n": 1, **ours[0]}, {"text": None, "n": 2, **ours[1]}]
    assert [chunk.rows.num_rows for chunk in batches(source, 1)] == [1, 1]
    assert sample(source, 1).rows.num_rows == 1


def test_a_data_frame_of_mixed_values_and_a_list_with_a_stranger_are_told() -> None:
    table = read(pd.DataFrame({"a": [1, "x", None, float("nan")], "when": pd.to_datetime(["2024-01-01"] * 4)}))
    assert table.rows.column("a").to_pylist() == ["1", "x", None, None]
    assert any(finding.rule == "mixed-type" for finding in table.findings)
    odd = read([{"a": 1}, "not a row", {"a": 2}])
    assert odd.rows.num_rows == 2 and odd.bad[0].row == 1
    with pytest.raises(UserError, match="same name"):
        read(pd.DataFrame([[1, 2]], columns=["a", "a"]))


@pytest.mark.parametrize("source", [None, [], 3, {"train": "a.csv"}])
def test_what_is_no_source_is_refused(source: Any) -> None:
    with pytest.raises(UserError):
        read(source)


def test_datasets_are_read_with_the_names_of_their_classes(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"]), "tags": List(ClassLabel(names=["O", "PER"]))})
    dataset = Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1], "tags": [[0, 1], [], [1]]}, features=features)
    wanted = [("a", "yes", ["O", "PER"]), ("b", "no", []), ("c", None, ["PER"])]
    dataset.save_to_disk(tmp_path / "saved")
    DatasetDict({"train": dataset, "test": dataset}).save_to_disk(tmp_path / "both")
    for source in (dataset, tmp_path / "saved", tmp_path / "both" / "train", DatasetDict({"train": dataset})):
        table = read(source)
        assert [tuple(row.values())[:3] for row in table.rows.to_pylist()] == wanted
    assert read(dataset.select([2, 0])).rows.column("text").to_pylist() == ["c", "a"]
    with pytest.raises(UserError, match=r"several splits: train, test.*both/train"):
        read(tmp_path / "both")


def test_a_hub_dataset_that_cannot_be_reached_is_told() -> None:
    code = "from tunewright.data.read import read\nread('nobody/such-dataset')"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, check=False
    )
    assert "UserError: nobody/such-dataset is no file here, and the Hub dataset" in done.stderr


def test_standard_input_is_read_in_batches_as_it_comes() -> None:
    told = "print(chunk.rows.num_rows, len(chunk.bad), chunk.rows.column('_file')[0])"
    code = f"from tunewright.data.read import batches\nfor chunk in batches('-', 2): {told}"
    done = subprocess.run([sys.executable, "-c", code], input="text,label\na,x\nb,y\nc\nd,z\n", capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["2 0 standard input", "1 1 standard input"]


class Endless(io.RawIOBase):
    """Rows without end, and a count of the bytes that were asked for."""

    def __init__(self, line: bytes, head: bytes = b"") -> None:
        self.given = 0
        self._pieces = self._all(line * 1000, head)

    def _all(self, block: bytes, head: bytes) -> Iterator[bytes]:
        yield head + block
        while True:
            yield block

    def read(self, size: int = -1) -> bytes:
        piece = next(self._pieces)
        self.given += len(piece)
        return piece


@pytest.mark.parametrize(("line", "head"), [(b"late,x\n", b"text,label\n"), (b'{"text": "late"}\n', b"")])
def test_an_endless_stream_is_read_in_constant_memory(line: bytes, head: bytes) -> None:
    stream = Endless(line, head)
    chunks = batches(stream, 100)
    for _ in range(50):
        assert next(chunks).rows.num_rows == 100
    assert stream.given < 2_000_000


def test_batches_hold_few_rows_in_memory_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("w") as file:
        file.write("text,label\n")
        for number in range(120_000):
            file.write(f"a ticket with some words in it, number {number};{number % 3}\n".replace(", ", " ").replace(";", ","))
    code = f"""
import resource
from tunewright.data.read import batches
stream = batches({str(path)!r}, 1000)
next(stream)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(chunk.rows.num_rows for chunk in stream)
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    rows, megabytes = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert int(rows) == 119_000 and int(megabytes) < 10


def test_a_glance_is_quick_and_loads_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("text,label\n" + "a ticket with some words,x\n" * 200_000)
    code = f"""
import sys, time
from tunewright.data.read import glance
start = time.process_time()
seen = glance({str(path)!r}, 2000)
heavy = [name for name in ("torch", "pandas", "datasets", "pyarrow", "numpy") if name in sys.modules]
print(len(seen.columns["text"]), time.process_time() - start, *heavy)
"""
    rows, seconds, *heavy = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert int(rows) == 2000 and not heavy
    assert float(seconds) < 0.2


def test_a_sample_is_the_beginning_of_what_is_read(folder: Path) -> None:
    long = folder / "long.jsonl"
    long.write_text("\n".join(json.dumps({"text": str(number), "n": number}) for number in range(5000)))
    seen = sample(long, 100)
    assert seen.rows == read(long).rows.slice(0, 100).combine_chunks()
    assert seen.files[0].sha256 == "" and seen.files[0].rows == 100
    assert glance(long, 100).types == {"text": "string", "n": "int64"}


def test_the_fingerprint_is_of_the_content_alone(folder: Path) -> None:
    first = read(folder / "b.csv")
    (folder / "copy.tsv").write_text("text\tlabel\nlate\tx\n")
    assert read(folder / "copy.tsv").fingerprint == first.fingerprint
    (folder / "copy.tsv").write_text("text\tlabel\nlate\ty\n")
    assert read(folder / "copy.tsv").fingerprint != first.fingerprint
    assert read([{"a": "1", "b": "23"}]).fingerprint != read([{"a": "12", "b": "3"}]).fingerprint


def test_a_column_that_is_missing_is_named_with_the_nearest() -> None:
    require_columns(["text", "label", "_row"], {"text": "text"}, "tickets.csv")
    with pytest.raises(UserError) as caught:
        require_columns(["body", "queue", "_file"], {"text": "bodi", "label": "categorie"}, "tickets.csv")
    message = str(caught.value)
    assert "'bodi' (for text); did you mean 'body'?" in message and "'categorie' (for label)" in message
    assert "Its columns are: body, queue." in message
