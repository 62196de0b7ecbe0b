"""JSON documents and JSON lines."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tunewright.core.errors import UserError
from tunewright.data.read import Table, batches, read, sample


def table_of(tmp_path: Path, text: str, name: str) -> Table:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    table = read(path)
    assert table.rows.num_rows + len(table.bad) == table.files[0].rows
    return table


def own(table: Table) -> list[dict[str, Any]]:
    return list(table.rows.drop_columns(["_file", "_row"]).to_pylist())


ROWS = [{"text": "late", "label": "a"}, {"text": "broken", "label": "b"}]


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("a.json", json.dumps(ROWS)),
        ("a.json", json.dumps(ROWS, indent=2)),
        ("a.json", json.dumps({"version": 2, "data": ROWS})),
        ("a.json", json.dumps({"text": ["late", "broken"], "label": ["a", "b"]})),
        ("a.json", json.dumps({"text": {"0": "late", "1": "broken"}, "label": {"0": "a", "1": "b"}})),
        ("a.json", "\n".join(map(json.dumps, ROWS))),
        ("a.jsonl", "\n\n".join(map(json.dumps, ROWS)) + "\n"),
        ("a.txt", "\ufeff" + "\r\n".join(map(json.dumps, ROWS))),
    ],
)
def test_every_shape_of_json_gives_the_same_rows(tmp_path: Path, name: str, document: str) -> None:
    assert own(table_of(tmp_path, document, name)) == ROWS


def test_lines_that_are_no_objects_are_bad_rows(tmp_path: Path) -> None:
    lines = ['{"a": 1}', "{broken", "[1]", '{"a": 2}', '{"a": 1, "a": 2}', "[" * 10_000]
    table = table_of(tmp_path, "\n".join(lines), "a.jsonl")
    assert table.rows.column("_row").to_pylist() == [0, 3]
    assert [(bad.row, bad.line) for bad in table.bad] == [(1, 2), (2, 3), (4, 5), (5, 6)]
    assert "not valid JSON" in table.bad[0].reason and "list" in table.bad[1].reason and "'a' stands in it twice" in table.bad[2].reason


def test_uniform_columns_keep_their_type_and_mixed_ones_become_text_and_are_told(tmp_path: Path) -> None:
    rows = [
        {"n": 1, "x": 0.5, "yes": True, "tags": ["a"], "mixed": 3, "nested": {"a": [1]}, "big": 2**70, "scores": [1, 2.5]},
        {"n": 2, "x": 2, "yes": None, "tags": [], "mixed": "three", "nested": None, "big": 1, "scores": [3]},
        {"mixed": [1, "é"], "x": float("nan")},
    ]
    table = table_of(tmp_path, "\n".join(map(json.dumps, rows)), "a.jsonl")
    types = {field.name: str(field.type) for field in table.rows.schema}
    assert types["n"] == "int64" and types["x"] == "double" and types["yes"] == "bool"
    assert types["tags"].startswith("list") and types["scores"].endswith("double>")
    assert table.rows.column("mixed").to_pylist() == ["3", "three", '[1, "é"]']
    assert table.rows.column("nested").to_pylist() == ['{"a": [1]}', None, None]
    assert table.rows.column("big").to_pylist() == [str(2**70), "1", None]
    assert table.rows.column("x").to_pylist() == [0.5, 2.0, None]
    told = [finding.message for finding in table.findings if finding.rule == "mixed-type"]
    assert len(told) == 2 and "'mixed'" in told[0] and "texts" in told[0]


def test_a_type_that_changes_late_is_known_from_the_first_batch_on(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join([*(json.dumps({"n": number}) for number in range(50)), '{"n": "many"}', '{"late": 1}']))
    chunks = list(batches(path, 10))
    assert {str(chunk.rows.schema.field("n").type) for chunk in chunks} == {"string"}
    assert all(chunk.rows.column_names == ["n", "late", "_file", "_row"] for chunk in chunks)


def test_a_stream_is_read_once_and_its_types_only_widen() -> None:
    lines = "\n".join([*(json.dumps({"n": number}) for number in range(20)), '{"n": "many"}'])
    chunks = list(batches(io.BytesIO(lines.encode()), 10))
    assert [str(chunk.rows.schema.field("n").type) for chunk in chunks] == ["int64", "int64", "string"]
    assert read(io.BytesIO(lines.encode())).rows.column("n").to_pylist()[0] == "0"


def test_a_single_object_is_a_row_in_lines_and_no_table_in_a_document(tmp_path: Path) -> None:
    assert read(io.BytesIO(b'{"text": "late"}')).rows.num_rows == 1
    assert table_of(tmp_path, '{"text": "late"}', "a.jsonl").rows.num_rows == 1
    with pytest.raises(UserError, match="one JSON object with the keys text"):
        table_of(tmp_path, '{"text": "late"}', "a.json")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("[1, 2]", "a JSON list of numbers, not a table"),
        ('{"a": [{"x": 1}], "b": [{"y": 2}]}', "several lists of objects: a, b"),
        ('{"a": [1, 2], "b": [1]}', "not equally long: a has 2, b has 1"),
        ("[]", "an empty list"),
        ('{"a": ', "not valid JSON"),
    ],
)
def test_json_that_is_no_table_is_refused(tmp_path: Path, document: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        table_of(tmp_path, document, "a.json")


def test_a_document_that_breaks_off_keeps_the_rows_before(tmp_path: Path) -> None:
    whole = json.dumps([{"text": f"Größe {number}"} for number in range(10)], ensure_ascii=False)
    cut = whole[: whole.index("Größe 7")]
    table = table_of(tmp_path, cut, "a.json")
    assert table.rows.num_rows == 7 and len(table.bad) == 1
    assert table.bad[0].offset == len(cut[: cut.rindex("{")].encode())


def test_lone_surrogates_are_replaced_and_told(tmp_path: Path) -> None:
    table = table_of(tmp_path, '{"text": "fine \\ud83d\\ude00"}\n{"text": "half \\ud83d"}\n', "a.jsonl")
    assert table.rows.column("text").to_pylist() == ["fine 😀", "half \ufffd"]
    assert [place.row for finding in table.findings for place in finding.places] == [1]


def test_columns_that_are_called_like_ours_give_way_and_are_told(tmp_path: Path) -> None:
    table = table_of(tmp_path, '{"text": "a", "_row": 9, "_rule": "x"}\n', "a.jsonl")
    assert table.rows.column_names == ["text", "_rule", "_file", "_row"] and table.rows.column("_row").to_pylist() == [0]
    assert any("_row" in finding.message for finding in table.findings)
    assert sample(tmp_path / "a.jsonl").rows.column("_row").to_pylist() == [0]
