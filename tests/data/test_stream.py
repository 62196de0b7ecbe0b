"""A stream: where its blocks are cut, what it forgets, and what its audit finds: the same rows as that of the whole table."""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.core.errors import DataRefused, UserError
from tunewright.data.audit import RULES
from tunewright.data.audit.apply import chosen
from tunewright.data.audit.base import Looked, Services, fault_column
from tunewright.data.audit.on_the_fly import HeldOut, Memory, marks, text_hashes
from tunewright.data.prepare import prepare
from tunewright.data.settings import DataSettings
from tunewright.data.streams.blocks import Audited, BlockAudit
from tunewright.data.streams.seen import Seen, both
from tunewright.data.streams.stream import Block, Mark, RowStream, open_stream
from tunewright.data.values.spans import ORDER, SPANS
from tunewright.tasks.base import Role
from tunewright.tasks.text_classification import TextClassification

NAMES = ("billing", "delivery", "account")
WORDS = ["please", "help", "today", "again", "order", "parcel", "late", "wrong", "invoice", "login", "refund", "früher", "later", "twice"]


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [{"text": f"{' '.join(rng.choices(WORDS, k=6))} {seed} {at}", "label": rng.choice(NAMES)} for at in range(count)]


def write(path: Path, some: list[Any]) -> Path:
    """Rows as JSON lines; what is no row is written as it is."""
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)) + "\n" for one in some))
    return path


def places(block: Block) -> list[tuple[str, int]]:
    return list(zip(block.rows["_file"].to_pylist(), block.rows["_row"].to_pylist(), strict=True))


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """57 rows in four files of four formats, two of them unreadable, and one file that is none."""
    some = rows(55)
    with (tmp_path / "a.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["text", "label"])
        writer.writeheader()
        writer.writerows(some[:20])
    write(tmp_path / "b.jsonl", [*some[20:25], "{broken", *some[25:30], "{broken too"])
    pq.write_table(pa.Table.from_pylist(some[30:48]), tmp_path / "c.parquet", row_group_size=5)
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in some[48:]).encode()))
    (tmp_path / "e.parquet").write_bytes(b"PAR1 and then nothing of the kind PAR1")
    return tmp_path


def test_blocks_go_over_the_borders_of_files_and_miss_no_row(several: Path) -> None:
    stream = open_stream(["a.csv", "b.jsonl", "c.parquet", "d.jsonl.gz", "e.parquet"], several)
    blocks = list(stream.blocks(Mark(), 9))
    assert [block.rows.num_rows for block in blocks] == [9, 9, 9, 9, 9, 9, 1]
    good = [place for block in blocks for place in places(block)]
    bad = [(one.file, one.row) for block in blocks for one in block.bad]
    assert bad == [("b.jsonl", 5), ("b.jsonl", 11), ("e.parquet", 0)], "a file that cannot be read is lost alone"
    assert len(good) == 55 and len(set(good) | set(bad)) == 58
    assert sorted(row["text"] for block in blocks for row in block.rows.to_pylist()) == sorted(row["text"] for row in rows(55))
    assert stream.length() == 55


@pytest.mark.parametrize("size", [1, 7, 20, 100])
def test_a_block_is_the_same_from_wherever_the_stream_is_read(several: Path, size: int) -> None:
    stream = open_stream(str(several / "*.*"), several)
    blocks = list(stream.blocks(Mark(), size))
    for number, block in enumerate(blocks):
        assert [one for one in blocks[:number] if one.end > block.begin] == []
        again = next(stream.blocks(block.begin, size))
        assert (places(again), again.bad, again.end) == (places(block), block.bad, block.end)
        assert again.rows.to_pylist() == block.rows.to_pylist()


def test_row_groups_before_the_place_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    pq.write_table(pa.Table.from_pylist(rows(20)), path, row_group_size=5, compression="none", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[4:80] = bytes(76)
    path.write_bytes(bytes(data))
    stream = open_stream(["c.parquet"], tmp_path)
    assert [one.reason for block in stream.blocks(Mark(), 5) for one in block.bad], "the first group cannot be read"
    later = list(stream.blocks(Mark(0, 7), 100))
    assert [place for block in later for place in places(block)] == [("c.parquet", at) for at in range(7, 20)]
    assert not any(block.bad for block in later) and list(stream.blocks(Mark(0, 20), 5)) == []


def test_a_hub_dataset_is_streamed_and_found_again(several: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    true = datasets.load_dataset

    def local(name: str, streaming: bool) -> Any:
        assert name == "owner/letters" and streaming
        return true("parquet", data_files={"train": [str(several / "c.parquet")]}, streaming=True, cache_dir=str(several / "cache"))

    monkeypatch.setattr(datasets, "load_dataset", local)
    for name in ("owner/letters", "owner/letters:train"):
        blocks = list(open_stream(name, several).blocks(Mark(), 5))
        assert [block.rows.num_rows for block in blocks] == [5, 5, 5, 3]
        assert [place for block in blocks for place in places(block)] == [(name, at) for at in range(18)]
        assert [row["text"] for row in next(open_stream(name, several).blocks(Mark(0, 10), 5)).rows.to_pylist()] == [
            row["text"] for row in blocks[2].rows.to_pylist()
        ]
    with pytest.raises(UserError, match=r"no split called 'tset'"):
        next(open_stream("owner/letters:tset", several).blocks(Mark(), 5))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (pa.table({"text": ["a"]}), r"a Table cannot be streamed: it is in memory already.*Leave data.streaming out"),
        ("-", r"standard input cannot be streamed.*Write it to a file first"),
        ("book.xlsx", r"book.xlsx is a workbook, which cannot be read in part.*Save it as CSV"),
        ("whole.json", r"whole.json is a JSON document, which cannot be read in part"),
        (["b.jsonl", "b.jsonl"], r"names .*b.jsonl twice"),
        ("gone.jsonl", r"gone.jsonl does not exist"),
    ],
)
def test_what_cannot_be_streamed_says_what_to_do(several: Path, source: Any, message: str) -> None:
    (several / "book.xlsx").write_bytes(b"PK")
    (several / "whole.json").write_text(json.dumps(rows(3), indent=1))
    with pytest.raises(UserError, match=f"(?s){message}"):
        open_stream(source, several)


def test_json_lines_in_a_json_file_are_streamed(tmp_path: Path) -> None:
    write(tmp_path / "lines.json", rows(12))
    assert sum(block.rows.num_rows for block in open_stream("lines.json", tmp_path).blocks(Mark(), 5)) == 12


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 60), max_size=12), max_size=25), st.sampled_from([0, 5, 40, 10**6]))
def test_the_latest_hashes_are_known_and_old_ones_forgotten(parts: list[list[int]], most: int) -> None:
    seen, all_of_them = Seen(most), np.zeros(0, dtype=np.uint64)
    for part in parts:
        own = np.array(part, dtype=np.uint64)
        seen.add(own)
        all_of_them = np.concatenate([all_of_them, own])
    asked = np.arange(100, dtype=np.uint64)
    known = seen.knows(asked)
    latest, ever = set(all_of_them[len(all_of_them) - min(most, len(all_of_them)) :].tolist()), set(all_of_them.tolist())
    assert latest <= set(asked[known].tolist()) <= ever
    assert len(seen) <= most + max(most // 8, 12)


def test_the_order_of_two_hashes_counts() -> None:
    one, other = np.array([1, 2], dtype=np.uint64), np.array([2, 1], dtype=np.uint64)
    assert not (both(one, other) == both(other, one)).any()


def dirty(count: int, seed: int) -> list[Any]:
    """Rows with every fault that a stream is audited for, the test's own rows among them."""
    rng, some, test = random.Random(seed), rows(count, seed), rows(20, 99)
    found: list[Any] = []
    for row in some:
        found.append(row)
        match rng.randrange(14):
            case 0:
                found.append({"text": rng.choice(["", "  ", None]), "label": "billing"})
            case 1:
                found.append({"text": row["text"] + " x", "label": rng.choice(["", None, "N/A", "none"])} if rng.random() < 0.3 else row)
            case 2:
                found.append(dict(rng.choice(some[:60])))
            case 3:
                found.append({**row, "text": row["text"].upper() + "!!"})
            case 4:
                found.append({"text": f"caf\u00c3\u00a9 fr\u00c3\u00bcher {rng.random()}", "label": row["label"]})
            case 5:
                found.append(dict(rng.choice(test)))
            case 6:
                found.append({**row, "text": row["text"] + " y", "label": rng.choice(["Billing ", "delivrey"])})
            case 7:
                found.append('{"text": "cut off')
            case 8:
                found.append({**row, "text": row["text"].title(), "label": NAMES[NAMES.index(row["label"]) - 1]})
    return found


POLICY = {"normalised-duplicate": "drop", "leak-exact": "drop", "mojibake": "fix", "label-variant": "fix"}


def lab(folder: Path, source: Any, **more: Any) -> tuple[DataSettings, RowStream]:
    return DataSettings.read({"source": source, "policy": POLICY, **more}), open_stream(source, folder)


def streamed(
    folder: Path, source: Any, first_rows: int, block_rows: int, most: int = 10**6, policy: dict[str, str] | None = None
) -> tuple[Any, list[tuple[Block, Audited]]]:
    """The prepared first rows, and every block behind them as it was audited."""
    wanted, stream = lab(folder, source, policy={**POLICY, **(policy or {})})
    first = stream.first(first_rows)
    prepared_as = {**source, "train": stream.as_table(first)} if isinstance(source, dict) else stream.as_table(first)
    dataset = prepare(
        wanted.model_copy(update={"source": prepared_as, "name": "first"}), TextClassification(), 0, folder, folder / f"out-{first_rows}"
    )
    counts = dataset.summary()["splits"]["train"]["labels"]
    memory = Memory(counts, HeldOut(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.uint64)), most)
    rules = chosen(wanted.rules, wanted.policy, folder)
    audit = BlockAudit(rules, dataset.task, {"text": "text", "label": "label"}, memory, made=not isinstance(source, dict))
    held = [audit.looked(stream_block) for name in ("validation", "test") for stream_block in whole_split(folder, source, name)]
    memory.held_out = HeldOut(np.unique(np.concatenate([np.zeros(0, dtype=np.uint64), *map(text_hashes, held)])), memory.held_out.groups)
    train = audit.looked(Block(Mark(), Mark(), dataset.rows("train"), ()))
    memory.remember(marks(train), set())
    return dataset, [(block, audit.first_time(block)) for block in stream.blocks(first.end, block_rows)]


def whole_split(folder: Path, source: Any, name: str) -> list[Block]:
    return list(open_stream(source[name], folder).blocks(Mark(), 10**6)) if isinstance(source, dict) and name in source else []


def removed(tables: list[pa.Table]) -> set[tuple[str, int, str]]:
    return {(row["_file"], row["_row"], row["_rule"]) for table in tables for row in table.to_pylist()}


def content(tables: list[pa.Table]) -> list[tuple[Any, ...]]:
    return sorted((row["_file"], row["_row"], row["text"], row["label"]) for table in tables for row in table.to_pylist())


@pytest.mark.parametrize(("first_rows", "block_rows"), [(200, 50), (300, 333), (150, 7)])
def test_a_stream_and_the_whole_table_lose_the_same_rows_by_the_same_rules(tmp_path: Path, first_rows: int, block_rows: int) -> None:
    """Rules that look at each row, and those that remember what came before. Rules that need the whole table keep every row here."""
    parts = dirty(500, 5)
    write(tmp_path / "part-1.jsonl", parts[:310])
    write(tmp_path / "part-2.jsonl", parts[310:])
    write(tmp_path / "dev.jsonl", rows(25, 98))
    write(tmp_path / "held.jsonl", rows(20, 99))
    source = {"train": "part-*.jsonl", "validation": "dev.jsonl", "test": "held.jsonl"}
    whole = prepare(lab(tmp_path, source)[0], TextClassification(), 0, tmp_path, tmp_path / "whole")
    dataset, blocks = streamed(tmp_path, source, first_rows, block_rows)
    away = removed([dataset.quarantine, *(one.quarantine for _, one in blocks)])
    assert away == removed([whole.quarantine])
    assert {rule for _, _, rule in away} == {
        "unreadable-row", "empty-text", "missing-label", "leak-exact", "exact-duplicate", "normalised-duplicate",
    }  # fmt: skip
    assert len(away) > 100 and all(one.told["kept"] == one.rows.num_rows for _, one in blocks)
    kept = content([dataset.rows("train"), *(one.rows for _, one in blocks)])
    assert kept == content([whole.rows("train")]), "with the same repairs"
    assert any("café" in str(row[2]) for row in kept) and {row[3] for row in kept} == set(NAMES)
    conflicts = [one for _, audited in blocks for one in audited.told["findings"] if one["rule"] == "conflicting-label"]
    assert conflicts and all(one["action"] == "keep" for one in conflicts)


def by_itself() -> list[str]:
    return [name for name in RULES.places() if RULES.get(name).streams == "row" and name != "unreadable-row"]


def test_some_rules_judge_each_row_by_itself() -> None:
    assert {"empty-text", "mojibake", "personal-data", "over-long"} <= set(by_itself())


def marked(text: str, at: int) -> list[dict[str, Any]]:
    """Entities of a text with another fault in each of four rows: out of the text, twice, cutting a word, with a blank at the edge."""
    word = len(text.split(" ")[0])
    places = [[(-1, 2)], [(0, word), (0, word)], [(0, word - 1)], [(0, word + 1)]][at % 4]
    return [{"start": start, "end": end, "label": "X"} for start, end in places]


@pytest.mark.parametrize("name", by_itself())
def test_a_rule_that_judges_each_row_by_itself_says_the_same_of_a_block(name: str) -> None:
    faults = ["", "caf\u00c3\u00a9 au lait", "call +49 30 901820 or mail jo@example.org", "a\u0000b\u200b c", "long " * 90,
              "password: hunter2xyz9 and AKIAIOSFODNN7EXAMPLE"]  # fmt: skip
    some = [{**row, "text": faults[at // 3 % len(faults)] if at % 3 == 0 else row["text"]} for at, row in enumerate(rows(120))]
    words = [
        {"number": float(at) if at % 5 else None, fault_column("number"): None if at % 5 else f"{at}x is no number"} for at in range(120)
    ]
    table = pa.Table.from_pylist([{**row, **words[at], "_file": "t", "_row": at} for at, row in enumerate(some)])
    table = table.append_column("spans", pa.array([marked(row["text"], at) for at, row in enumerate(some)], SPANS))
    told = pa.array([None if at % 7 else "I-LOC behind O" for at in range(120)], pa.string())
    table = table.append_column(fault_column("spans", ORDER), told)
    text, _, label = TextClassification().roles()
    kinds = set(RULES.get(name).looks_at)
    spans = Role("spans", "spans", "the entities", beside="text")
    number = Role("number", "number", "the number")
    gold = label if {"text", "label"} & kinds else number if "number" in kinds else spans
    services = Services(count_tokens=lambda texts: np.array([len(text.split()) for text in texts]), max_tokens=60)
    whole = Looked(table, (text, gold), np.zeros(120, dtype=np.int64), ("train",), np.arange(120), services=services)
    rule = RULES.build(name).with_memory(None)
    wanted = [row for hit in rule.look(whole) for row in hit.rows.tolist()]
    for size in (1, 7, 50):
        blocks = [whole.only((whole.number >= start) & (whole.number < start + size)) for start in range(0, 120, size)]
        found = [int(block.number[row]) for block in blocks for hit in rule.look(block) for row in hit.rows.tolist()]
        assert sorted(found) == sorted(wanted) and wanted


def test_a_conflict_is_told_from_the_row_on_that_makes_it_one(tmp_path: Path) -> None:
    some = rows(40)
    later = [*rows(4, 1), {**some[0], "label": "quarrel"}, {"text": "Twice, at once", "label": "billing"}, rows(1, 2)[0],
             {"text": "twice at once", "label": "account"}, some[0], {"text": "TWICE at once", "label": "billing"}]  # fmt: skip
    known = [{"text": f"a quarrel {at}", "label": "quarrel"} for at in range(12)]
    write(tmp_path / "t.jsonl", [*some, *known, *later])
    for name, seed in (("v", 8), ("w", 9)):
        write(tmp_path / f"{name}.jsonl", rows(20, seed))
    source = {"train": "t.jsonl", "validation": "v.jsonl", "test": "w.jsonl"}
    _, blocks = streamed(tmp_path, source, 52, 6, policy={"conflicting-label": "drop", "normalised-duplicate": "keep"})
    gone = removed([one.quarantine for _, one in blocks])
    assert {(row, rule) for _, row, rule in gone if rule == "conflicting-label"} == {(56, "conflicting-label"), (59, "conflicting-label"),
        (60, "conflicting-label"), (61, "conflicting-label")}  # fmt: skip
    assert 57 not in {row for _, row, _ in gone}, "what was trained on before cannot be called back"


def test_a_label_that_was_not_learned_is_set_aside_or_refused(tmp_path: Path) -> None:
    later = [*rows(3, 1), {"text": "something else", "label": "shipping"}, {"text": "no label", "label": "n/a"}]
    write(tmp_path / "t.jsonl", [*rows(60), *later])
    _, blocks = streamed(tmp_path, "t.jsonl", 60, 10)
    assert removed([one.quarantine for _, one in blocks]) == {("t.jsonl", 63, "label-not-learned"), ("t.jsonl", 64, "missing-label")}
    assert blocks[0][1].told["by_rule"] == {"label-not-learned": 1, "missing-label": 1} and blocks[0][1].told["kept"] == 3
    with pytest.raises(DataRefused, match=r"(?s)label that was not learned: 'shipping' \(row 63 of t.jsonl\)") as refused:
        streamed(tmp_path, "t.jsonl", 60, 10, policy={"label-not-learned": "refuse"})
    assert refused.value.exit_code == 3


def test_copies_are_recognised_as_far_back_as_is_remembered(tmp_path: Path) -> None:
    some = rows(400)
    write(tmp_path / "t.jsonl", [*some[:50], *some[50:400], some[60], some[398]])
    for most, wanted in ((10**6, {400, 401}), (40, {401}), (0, set())):
        _, blocks = streamed(tmp_path, "t.jsonl", 50, 25, most)
        assert {row for _, row, _ in removed([one.quarantine for _, one in blocks])} == wanted


def test_a_block_that_is_read_again_is_what_it_was_or_is_refused(tmp_path: Path) -> None:
    parts = dirty(120, 3)
    write(tmp_path / "t.jsonl", parts)
    dataset, blocks = streamed(tmp_path, "t.jsonl", 60, 30)
    rules = chosen({}, POLICY, tmp_path)
    memory = Memory(dict.fromkeys(NAMES, 9), HeldOut(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.uint64)), 0)
    audit = BlockAudit(rules, dataset.task, {"text": "text", "label": "label"}, memory, made=False)
    for block, audited in blocks:
        assert content([audit.again(block, audited.away, audited.content)]) == content([audited.rows])
    block, audited = blocks[0]
    other = Block(block.begin, block.end, block.rows.slice(1), block.bad)
    with pytest.raises(UserError, match=r"t.jsonl from row \d+ on does not hold the rows that were read there before"):
        audit.again(other, (), audited.content)
