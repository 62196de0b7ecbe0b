from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tunewright.data import encode as module
from tunewright.data.encode import encode

ROWS = [*tiny.rows(20), {"text": "", "label": "billing"}, {"text": "Grüße \ud83d \u2028", "label": "account"}]
MULTI = [*tiny.rows(20, multi_label=True), {"text": "no label at all", "label": None}, {"text": "none given", "label": []}]
TASK, MULTI_TASK = tiny.learned(ROWS), tiny.learned(MULTI, multi_label=True)
PAIRS = [{**row, "text_pair": row["label"]} for row in ROWS[:5]]
MISSING = [*ROWS[:3], {"text": "a label that was never trained", "label": "other"}, {"text": "none", "label": None}]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tiny.tokenizer()


def types(value: Any) -> Any:
    """The types inside a piece, all the way down."""
    if isinstance(value, dict):
        return {name: types(one) for name, one in value.items()}
    return [type(value), {type(one) for one in value}] if isinstance(value, list) else type(value)


@pytest.mark.parametrize(
    ("rows", "task"), [(ROWS, TASK), (MULTI, MULTI_TASK), (PAIRS, TASK), (MISSING, TASK)], ids=["single", "multi", "pairs", "missing"]
)
def test_what_comes_from_the_cache_is_what_was_encoded_types_and_all(rows: Any, task: Any, tokenizer: Any, tmp_path: Path) -> None:
    plain = encode(rows, task, tokenizer, 32, None)
    fresh, kept = encode(rows, task, tokenizer, 32, tmp_path), encode(rows, task, tokenizer, 32, tmp_path)
    assert (plain.from_cache, fresh.from_cache, kept.from_cache) == (False, False, True)
    assert plain.encoded == fresh.encoded == kept.encoded
    assert [types(dict(piece)) for piece in fresh.pieces] == [types(dict(piece)) for piece in kept.pieces]
    assert kept.lengths == [len(piece["input_ids"]) for piece in plain.pieces]
    assert any(one.cut for one in kept.encoded) or rows is PAIRS


def changed(what: str) -> tuple[Any, Any, Any, int]:
    rows, task, tokenizer, longest = [dict(row) for row in ROWS], TASK, tiny.tokenizer(), 32
    if what == "a text":
        rows[7]["text"] += "."
    elif what == "a label":
        rows[7]["label"] = "account" if rows[7]["label"] != "account" else "billing"
    elif what == "the order":
        rows.reverse()
    elif what == "a row less":
        rows.pop()
    elif what == "a pair":
        rows = [{**row, "text_pair": "x"} for row in rows]
    elif what == "the labels":
        task = TASK.model_copy(update={"labels": (*TASK.labels, "other")})
    elif what == "the vocabulary":
        tokenizer.add_tokens(["parcel"])
    elif what == "the side that is cut":
        tokenizer.truncation_side = "left"
    elif what == "max_tokens":
        longest = 31
    return rows, task, tokenizer, longest


CHANGES = ["a text", "a label", "the order", "a row less", "a pair", "the labels", "the vocabulary", "the side that is cut", "max_tokens"]


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_anything_that_counts_misses_the_cache(what: str, tokenizer: Any, tmp_path: Path) -> None:
    encode(ROWS, TASK, tokenizer, 32, tmp_path)
    rows, task, other, longest = changed(what)
    found = encode(rows, task, other, longest, tmp_path)
    assert not found.from_cache
    assert found.encoded == encode(rows, task, other, longest, None).encoded
    assert encode(ROWS, TASK, tiny.tokenizer(), 32, tmp_path).from_cache, "the first one is still there, whatever the tokenizer did since"


def test_a_column_that_plays_no_part_hits_the_cache(tokenizer: Any, tmp_path: Path) -> None:
    encode(ROWS, TASK, tokenizer, 32, tmp_path)
    assert encode([{**row, "_row": 3, "price": 1.5} for row in ROWS], TASK, tokenizer, 32, tmp_path).from_cache


def test_a_change_of_the_code_that_encodes_misses_the_cache(tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode(ROWS, TASK, tokenizer, 32, tmp_path)
    real = module.file_hash
    for name in ("text_classification.py", "collate.py"):
        monkeypatch.setattr(module, "file_hash", lambda path, name=name: "changed" if path.name == name else real(path))
        assert not encode(ROWS, TASK, tokenizer, 32, tmp_path / name).from_cache
        key = next((tmp_path / name).iterdir()).name
        assert not (tmp_path / key).exists()


def test_a_damaged_cache_is_made_again(tokenizer: Any, tmp_path: Path) -> None:
    wanted = encode(ROWS, TASK, tokenizer, 32, tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0xFF
    damages = [b"", b"PAR1", whole[: len(whole) // 2], b"not parquet at all", whole[:100] + b"\0" * (len(whole) - 100), bytes(flipped)]
    for number, data in enumerate(damages):
        path.write_bytes(data)
        found = encode(ROWS, TASK, tokenizer, 32, tmp_path)
        assert found.encoded == wanted.encoded, number
        assert not found.from_cache, number
        assert encode(ROWS, TASK, tokenizer, 32, tmp_path).from_cache, number


def test_any_flipped_bit_is_noticed(tokenizer: Any, tmp_path: Path) -> None:
    wanted = encode(ROWS, TASK, tokenizer, 32, tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for at in range(0, len(whole), len(whole) // 60):
        data = bytearray(whole)
        data[at] ^= 1 << (at % 8)
        path.write_bytes(data)
        found = encode(ROWS, TASK, tokenizer, 32, tmp_path)
        assert found.encoded == wanted.encoded and not found.from_cache, at
        assert path.read_bytes() == whole, at


def test_many_rows_are_encoded_in_batches_and_keep_their_order(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encode(ROWS, TASK, tokenizer, 32, None)
    monkeypatch.setattr(module, "BATCH", 3)
    assert encode(ROWS, TASK, tokenizer, 32, None).encoded == whole.encoded


def test_no_rows_are_no_problem(tokenizer: Any, tmp_path: Path) -> None:
    for _ in range(2):
        found = encode([], TASK, tokenizer, 32, tmp_path)
        assert found.encoded == () and found.pieces == [] and found.lengths == []


def test_what_no_model_reads_is_kept_beside_the_pieces(tokenizer: Any, tmp_path: Path) -> None:
    from tunewright.tasks.token_classification import TokenClassification

    task = TokenClassification(labels=("WORD",), stride=2)
    rows = [{"text": "grüße an alle " * 4, "spans": [{"start": 0, "end": 5, "label": "WORD"}]}, {"text": "", "spans": []}, {"text": "x"}]
    fresh, kept = encode(rows, task, tokenizer, 12, tmp_path), encode(rows, task, tokenizer, 12, tmp_path)
    assert kept.from_cache and fresh.encoded == kept.encoded
    assert len(kept.encoded[0].pieces) > 3 and all(len(one.beside) == len(one.pieces) for one in kept.encoded)
    assert {name for piece in kept.pieces for name in piece} == {*tokenizer.model_input_names, "labels"}
