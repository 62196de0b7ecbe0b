"""Thousands of damaged and dirty files: each gives a table in which every row is accounted for, or an error for the user."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from tunewright.core.errors import UserError
from tunewright.data.formats.sniff import ENDINGS
from tunewright.data.read import Table, batches, glance, read

FILES_WANTED = 2000
MADE = itertools.count()
KEPT = tempfile.TemporaryDirectory(prefix="tunewright-fuzz-")
FOLDER = Path(KEPT.name)
SEARCH = os.environ.get("TUNEWRIGHT_FUZZ_SEARCH") == "1"
"""Set it to look for new files at every run instead of the same ones."""


def fuzz(files: int, **strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[[], None]]:
    def decorate(check: Callable[..., None]) -> Callable[[], None]:
        quiet = settings(
            max_examples=files,
            deadline=None,
            database=None,
            derandomize=not SEARCH,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        return quiet(given(**strategies)(check))

    return decorate


def outcome(data: bytes, ending: str) -> Table | None:
    """Write the bytes to a file and read it in both ways; None when both refuse it."""
    path = FOLDER / f"rows{ending}"
    path.write_bytes(data)
    next(MADE)
    try:
        table = read(str(path))
    except UserError as error:
        assert "Traceback" not in str(error) and len(str(error)) > 20
        with pytest.raises(UserError):
            list(batches(str(path), 3))
        return None
    bad = list(table.bad)
    assert table.rows.num_rows + len(bad) == sum(file.rows for file in table.files)
    numbers = table.rows.column("_row").to_pylist()
    assert numbers == sorted(set(numbers)) and not set(numbers) & {row.row for row in bad}
    assert all(row.reason and len(row.raw) <= 1000 for row in bad)
    chunks = list(batches(str(path), 3))
    assert [full(row) for chunk in chunks for row in chunk.rows.to_pylist()] == [full(row) for row in table.rows.to_pylist()]
    assert [row for chunk in chunks for row in chunk.bad] == bad
    assert all(chunk.rows.num_rows <= 3 for chunk in chunks)
    table.rows.validate(full=True)
    first = glance(str(path), 5)
    assert len(first.columns["_row"]) == min(5, table.rows.num_rows)
    return table


def full(row: dict[str, Any]) -> str:
    """A row without its missing values, as text: NaN is not equal to itself."""
    return repr({name: value for name, value in row.items() if value is not None})


def own(table: Table) -> list[tuple[Any, ...]]:
    rows = table.rows.drop_columns(["_file", "_row"]).to_pylist()
    return [tuple(row.values()) for row in rows]


WORDS = st.sampled_from(
    ["refund", "späte Lieferung", "it's", "5,50", "a;b", "x|y", "tab\there", 'he said "no"', "two\nlines", "a\r\nb", "#", "-", "nan", "«é»"]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
PLAIN_TEXTS = st.lists(st.sampled_from(["refund", "late", "kaputt", "a, b", "it's", "5;0", "prêt"]), min_size=1, max_size=5).map(" ".join)
LABELS = st.sampled_from(["billing", "shipping", "other"])
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])


def packed(data: bytes, ending: str) -> bytes:
    if ending.endswith(".gz"):
        return gzip.compress(data)
    if ending.endswith(".zst"):
        return pa.compress(data, codec="zstd", asbytes=True)  # type: ignore[no-any-return]
    return data


@fuzz(
    320,
    texts=st.lists(TEXTS, min_size=6, max_size=25),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=ENCODINGS,
    ending=st.sampled_from([".csv", ".tsv", ".txt", ".csv.gz", ".csv.zst", ".dat"]),
)
def whole_delimited_files_are_read_cell_by_cell(
    texts: list[str], delimiter: str, quoting: Any, end: str, encoding: str, ending: str
) -> None:
    rows = [(str(number), text, ("billing", "other")[number % 2]) for number, text in enumerate(texts)]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerow(["id", "text", "label"])
    writer.writerows(rows)
    table = outcome(packed(out.getvalue().encode(encoding), ending), ending)
    assert table is not None and not table.bad
    assert own(table) == rows


@st.composite
def faulty_lines(draw: st.DrawFn) -> tuple[list[tuple[str, bool]], str]:
    """Lines of a CSV, each with whether it is a good row; the delimiter."""
    delimiter = draw(st.sampled_from(",;\t"))
    lines = []
    for number in range(draw(st.integers(10, 25))):
        text = draw(PLAIN_TEXTS).replace(delimiter, " ")
        fault = draw(st.sampled_from(["", "", "", "", "", "short", "long", "open", "inside"])) if number >= 8 else ""
        label = draw(LABELS)
        cells = {
            "": [str(number), text if draw(st.booleans()) else f'"{text}{delimiter} ""quoted"""', label],
            "short": [str(number), text],
            "long": [str(number), text, label, "more"],
            "open": [str(number), f'"{text}', label],
            "inside": [str(number), f'"{text} "and" so on"', label],
        }[fault]
        lines.append((delimiter.join(cells), not fault))
    return lines, delimiter


@fuzz(330, built=faulty_lines(), end=st.sampled_from(["\n", "\r\n", "\r"]), last=st.booleans())
def faulty_lines_become_bad_rows_one_by_one(built: tuple[list[tuple[str, bool]], str], end: str, last: bool) -> None:
    lines, delimiter = built
    text = end.join([delimiter.join(["id", "text", "label"]), *(line for line, _ in lines)]) + (end if last else "")
    table = outcome(text.encode(), ".csv")
    assert table is not None
    assert table.rows.num_rows + len(table.bad) == len(lines)
    assert table.rows.column("_row").to_pylist() == [number for number, (_, good) in enumerate(lines) if good]
    assert [row.line for row in table.bad] == [number + 2 for number, (_, good) in enumerate(lines) if not good]


@fuzz(
    300,
    text=st.text(st.sampled_from("abc12 ,;\t|\"'\n\r\\é\0\ufeff{}[]:\u2028"), max_size=300),
    noise=st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=3)), max_size=4),
    encoding=ENCODINGS,
    ending=st.sampled_from([".csv", ".tsv", ".json", ".jsonl", ".txt", ".xlsx", ".parquet", ""]),
    good=st.booleans(),
)
def garbage_text_is_read_or_refused(good: bool, text: str, noise: list[tuple[int, bytes]], encoding: str, ending: str) -> None:
    data = bytearray((good * "id,text\n1,late\n2,refund\n" + text).encode(encoding, "replace"))
    for place, some in noise:
        data[place:place] = some
    outcome(bytes(data), ending)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=6
)
ROWS = st.dictionaries(st.sampled_from(["text", "label", "n", "_row", "\ud800"]), VALUES, max_size=4)
GARBAGE = st.sampled_from(
    ["{", "not json", '{"a": 1,}', "[1, 2]", "3", '"text"', '{"a": 1, "a": 2}', "[" * 5000, '{"a":' * 3000, "null", "}{"]
)


@fuzz(200, lines=st.lists(ROWS | GARBAGE, min_size=1, max_size=12), ascii_only=st.booleans())
def json_lines_are_rows_or_bad_rows(lines: list[dict[str, Any] | str], ascii_only: bool) -> None:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=ascii_only) for line in lines)
    table = outcome(text.encode("utf-8", "surrogatepass"), ".jsonl")
    good = [number for number, line in enumerate(lines) if isinstance(line, dict)]
    if table is None:
        assert not good
        return
    assert table.rows.column("_row").to_pylist() == good
    assert table.rows.num_rows + len(table.bad) == len(lines)


@fuzz(
    130,
    value=st.lists(ROWS, max_size=5)
    | st.lists(VALUES, max_size=4)
    | st.dictionaries(st.text(max_size=3), st.lists(ROWS, max_size=3))
    | VALUES,
    cut=st.integers(0, 60),
)
def json_documents_are_read_or_refused(value: Any, cut: int) -> None:
    text = json.dumps(value)
    outcome(text[: len(text) - cut if cut < 30 else len(text)].encode(), ".json")


def lines_for(kind: str, rows: int) -> tuple[bytes, list[tuple[str, str]]]:
    built = [(f"row {number} " + "wordy " * (number % 7), "ab"[number % 2]) for number in range(rows)]
    if kind == ".csv":
        return "\n".join(["text,label", *(",".join(row) for row in built), ""]).encode(), built
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in built).encode(), built


@fuzz(160, kind=st.sampled_from([".csv", ".jsonl"]), rows=st.integers(1, 400), keep=st.floats(0, 1), pack=st.sampled_from([".gz", ".zst"]))
def a_packed_file_that_was_cut_keeps_what_came_before(kind: str, rows: int, keep: float, pack: str) -> None:
    data, built = lines_for(kind, rows)
    whole = packed(data, pack)
    cut = whole[: int(len(whole) * keep)]
    table = outcome(cut, kind + pack)
    if table is None:
        return
    kept = own(table)
    assert kept == [tuple(row) for row in built[: len(kept)]]
    assert len(table.bad) == (cut != whole) and all(row.offset is not None for row in table.bad)


@fuzz(
    130,
    kind=st.sampled_from([".csv", ".jsonl"]),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=5),
    pack=st.sampled_from([".gz", ".zst"]),
)
def a_packed_file_with_flipped_bytes_is_read_or_refused(kind: str, flips: list[tuple[float, int]], pack: str) -> None:
    outcome(flipped(packed(lines_for(kind, 200)[0], pack), flips), kind + pack)


def flipped(data: bytes, flips: list[tuple[float, int]]) -> bytes:
    changed = bytearray(data)
    for place, mask in flips:
        changed[min(len(changed) - 1, int(place * len(changed)))] ^= mask
    return bytes(changed)


def binary_tables() -> Iterator[tuple[str, bytes]]:
    rows = [
        {"text": f"row {number} é", "label": "ab"[number % 2], "n": number, "tags": ["x"] * (number % 3), "spans": [{"a": number}]}
        for number in range(60)
    ]
    table = pa.Table.from_pylist(rows)
    for compression in ("none", "snappy", "zstd"):
        out = io.BytesIO()
        pq.write_table(table, out, row_group_size=20, compression=compression)
        yield ".parquet", out.getvalue()
    for new in (pa.ipc.new_file, pa.ipc.new_stream):
        out = io.BytesIO()
        with new(out, table.schema) as writer:
            writer.write_table(table, max_chunksize=20)
        yield ".arrow", out.getvalue()
    for _ in range(2):
        book = Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.append(["text", "label"])
        for number in range(30):
            sheet.append([f"row {number}", number % 2])
        out = io.BytesIO()
        book.save(out)
        yield ".xlsx", out.getvalue()


BINARY = list(binary_tables())


@fuzz(
    320,
    which=st.integers(0, len(BINARY) - 1),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=3),
    keep=st.just(1.0) | st.floats(0.5, 1),
)
def a_damaged_binary_table_is_read_or_refused(which: int, flips: list[tuple[float, int]], keep: float) -> None:
    ending, data = BINARY[which]
    outcome(flipped(data, flips)[: int(len(data) * keep)], ending)


@fuzz(
    210,
    data=st.binary(max_size=200),
    magic=st.sampled_from(
        [b"", b"", b"PAR1", b"ARROW1\0\0", b"PK\x03\x04", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"\xff\xff\xff\xff"]
    ),
    ending=st.sampled_from([*ENDINGS, "", ".gz", ".csv.zst"]),
)
def random_bytes_are_read_or_refused(data: bytes, magic: bytes, ending: str) -> None:
    outcome(magic + data, ending)


PROPERTIES = [
    whole_delimited_files_are_read_cell_by_cell,
    faulty_lines_become_bad_rows_one_by_one,
    garbage_text_is_read_or_refused,
    json_lines_are_rows_or_bad_rows,
    json_documents_are_read_or_refused,
    a_packed_file_that_was_cut_keeps_what_came_before,
    a_packed_file_with_flipped_bytes_is_read_or_refused,
    a_damaged_binary_table_is_read_or_refused,
    random_bytes_are_read_or_refused,
]


def test_thousands_of_files_are_read_with_every_row_accounted_for_or_refused() -> None:
    before = next(MADE)
    for check in PROPERTIES:
        check()
    assert next(MADE) - before - 1 >= FILES_WANTED
