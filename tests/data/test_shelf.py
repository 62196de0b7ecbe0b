"""Tables on the disk are the tables they were made from, whatever is done with them, and leave nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.core.errors import UserError
from tunewright.core.schema import Place
from tunewright.data.bad import BadRows
from tunewright.data.formats.rows import BadRow
from tunewright.data.listed import Listed
from tunewright.data.origins import Origins
from tunewright.data.shelf import Shelf, only, put_aside, remade, replaced, shelved, taken

TEXTS = st.lists(st.lists(st.none() | st.text(max_size=5), max_size=6), max_size=6)


def chunked(texts: list[list[str | None]]) -> pa.Table:
    column = pa.chunked_array(texts, pa.string())
    return pa.table({"text": column, "n": pa.array(range(len(column)), pa.int64())})


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.randoms())
def test_rows_on_the_disk_are_those_that_arrow_would_take(texts: list[list[str | None]], chance: Any) -> None:
    table = chunked(texts)
    assert shelved((table.slice(at, 1) for at in range(len(table))), table.schema).equals(table)
    rows = np.array([chance.random() < 0.5 for _ in range(len(table))], dtype=bool)
    assert only(table, rows).equals(table.filter(pa.array(rows)))
    chosen = np.flatnonzero(rows)
    pieces = [piece for piece, _ in taken(table, chosen)]
    assert pa.concat_tables([table.schema.empty_table(), *pieces]).equals(table.take(pa.array(chosen)))
    new = pa.array([f"new {row}" for row in chosen.tolist()], pa.string())
    wanted = [f"new {at}" if rows[at] else text for at, text in enumerate(table["text"].to_pylist())]
    assert replaced(table["text"], chosen, new).to_pylist() == wanted
    assert remade(table["n"], lambda chunk: chunk.cast(pa.string()), pa.string()).to_pylist() == [str(at) for at in range(len(table))]
    assert list(Listed(table)) == table.to_pylist()


def test_a_change_of_columns_begins_another_table() -> None:
    shelf = Shelf()
    for piece in ({"a": ["x"]}, {"a": ["y"]}, {"a": [1]}, {"a": [2], "b": ["z"]}, {"a": []}):
        shelf.add(pa.table(piece))
    assert [table.to_pydict() for table in shelf.tables()] == [{"a": ["x", "y"]}, {"a": [1]}, {"a": [2], "b": ["z"]}]


def test_long_texts_stand_in_small_chunks() -> None:
    table = pa.table({"text": ["x" * 100_000] * 300})
    assert max(chunk.nbytes for chunk in shelved([table], table.schema)["text"].chunks) < 8_000_000


def test_a_row_is_found_by_its_file_and_number_wherever_it_stands() -> None:
    table = pa.table({"_file": ["b", "b", "a", "a", "b"], "_row": pa.array([3, 5, 0, 9, 4], pa.int64())})
    origins = Origins.of(table)
    places = [Place(file=file, row=row) for file, row in (("a", 9), ("b", 4), ("a", 3), ("c", 0), ("b", 3))]
    assert origins.find(places) == [3, 4, None, None, 0]
    assert origins.only(np.array([4, 2])).places() == (Place(file="b", row=4), Place(file="a", row=0))
    assert len(set(origins.keys(["a", "b"]).tolist())) == 5 and Origins.of(table.slice(0, 0)).find(places[:1]) == [None]


def test_bad_rows_on_the_disk_are_a_tuple_of_bad_rows() -> None:
    rows = tuple(BadRow("a.csv", at, f"reason {at}", "raw", None if at % 2 else at, at * 10) for at in range(10))
    kept = BadRows.of(rows)
    assert kept == rows and kept[3] == rows[3] and kept[2:4] == rows[2:4] and kept[::-3] == rows[::-3] and not BadRows.of(())
    assert BadRows.joined([kept, BadRows.of(()), kept[:1]]) == (*rows, rows[0])


def test_nothing_is_left_on_the_disk_when_the_process_is_killed(tmp_path: Path) -> None:
    code = """
import os, signal
import pyarrow as pa
from tunewright.data.shelf import put_aside, shelved
table = shelved([pa.table({"text": ["x" * 1000] * 10_000})], pa.schema([("text", pa.string())]))
file = put_aside([b"x" * 100_000])
print(len(table), len(file.read()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == -9 and done.stdout.split() == ["10000", "100000"]
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_cannot_be_written_is_told_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    for put in (lambda: put_aside([b"x"]), lambda: shelved([pa.table({"a": ["x"]})], pa.schema([("a", pa.string())]))):
        with pytest.raises(UserError, match="TMPDIR="):
            put()
