"""``tunewright data diff``: one changed label is one changed row, and an inserted row does not make all others new."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tunewright.cli import app
from tunewright.core.errors import UserError
from tunewright.data.dataset import Dataset
from tunewright.pipeline.diff import diff, told
from tunewright.pipeline.prepare import prepare
from tunewright.pipeline.recipe import build


def tickets(count: int = 80) -> list[dict[str, str]]:
    return [{"text": f"ticket number {at} about {'ab'[at % 2]}", "label": "ab"[at % 2]} for at in range(count)]


def version(folder: Path, rows: list[dict[str, str]], **data: Any) -> Dataset:
    """The dataset that these rows of t.jsonl become."""
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return of_source(folder, "t.jsonl", **data)


def of_source(folder: Path, source: Any, **data: Any) -> Dataset:
    values = {"task": "text-classification", "data": {"source": source, "name": "t", **data}, "model": {"base": "embedded"}}
    return prepare(build({**values, "output_dir": str(folder)}), folder)


def given_splits(folder: Path, rows: list[dict[str, str]]) -> Dataset:
    """The same with splits that are given by position, so that a change of one row moves no other."""
    parts = {"train": rows[:-20], "validation": rows[-20:-10], "test": rows[-10:]}
    for split, some in parts.items():
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    return of_source(folder, {split: str(folder / f"{split}.jsonl") for split in parts})


def counts(facts: dict[str, Any]) -> dict[str, int]:
    return {kind: one if isinstance(one, int) else one["rows"] for kind, one in facts["rows"].items()}


def compared(one: Dataset, other: Dataset) -> dict[str, Any]:
    return diff(str(one.folder), str(other.folder), Path("nowhere"))


def test_after_one_label_was_changed_in_the_source_exactly_that_row_differs(tmp_path):
    rows = tickets()
    before = given_splits(tmp_path, rows)
    rows[7] = {**rows[7], "label": "a"}
    facts = compared(before, given_splits(tmp_path, rows))
    assert counts(facts) == {"unchanged": 79, "added": 0, "removed": 0, "relabelled": 1, "moved": 0, "changed": 0}
    (shown,) = facts["rows"]["relabelled"]["shown"]
    assert (shown["file"], shown["row"], shown["label_before"], shown["label"]) == ("train.jsonl", 7, "b", "a")
    assert facts["rows"]["relabelled"]["pairs"] == [{"from": "b", "to": "a", "rows": 1}] and not facts["settings"]
    assert "relabelled: 1 (b -> a 1)\n    train.jsonl row 7 (train, 'b' -> 'a'): ticket number 7 about b" in told(facts)


def test_a_row_at_the_top_is_one_added_row_although_every_number_shifts(tmp_path):
    rows = tickets()
    before = given_splits(tmp_path, rows)
    facts = compared(before, given_splits(tmp_path, [{"text": "a new one", "label": "a"}, *rows]))
    assert counts(facts) == {"unchanged": 80, "added": 1, "removed": 0, "relabelled": 0, "moved": 0, "changed": 0}
    assert facts["rows"]["added"]["shown"][0]["text"] == "a new one" and facts["rows"]["added"]["splits"]["train"] == 1


def test_a_text_that_was_edited_below_an_inserted_row_is_one_row_with_another_text(tmp_path):
    rows = tickets()
    before = given_splits(tmp_path, rows)
    edited = [*rows[:30], {**rows[30], "text": "said otherwise"}, *rows[31:]]
    facts = compared(before, given_splits(tmp_path, [{"text": "a new one", "label": "a"}, *edited]))
    assert counts(facts) == {"unchanged": 79, "added": 1, "removed": 0, "relabelled": 0, "moved": 0, "changed": 1}
    (shown,) = facts["rows"]["changed"]["shown"]
    assert (shown["text_before"], shown["text"], shown["row"]) == ("ticket number 30 about a", "said otherwise", 31)


def test_copies_of_a_text_are_matched_one_to_one(tmp_path):
    same = [{"text": "the very same", "label": label} for label in "abab"]
    rows = [*tickets(), *same]
    keep = {"policy": {"exact-duplicate": "keep"}}
    before = version(tmp_path, rows, **keep)
    after = version(tmp_path, [*same[:1], *tickets(), *same], **keep)
    facts = compared(before, after)
    assert counts(facts)["added"] == 1 and counts(facts)["removed"] == counts(facts)["relabelled"] == counts(facts)["changed"] == 0
    back = compared(after, before)
    assert counts(back)["removed"] == 1 and counts(back)["added"] == 0
    third = version(tmp_path, [*tickets(), *same[:3], {"text": "the very same", "label": "a"}], **keep)
    facts = compared(before, third)
    assert counts(facts)["relabelled"] == 1 and facts["rows"]["relabelled"]["pairs"] == [{"from": "b", "to": "a", "rows": 1}]


def test_rows_that_another_seed_moves_are_told_with_both_splits(tmp_path):
    before = version(tmp_path, tickets())
    values = {"task": "text-classification", "data": {"source": "t.jsonl", "name": "t"}, "model": {"base": "embedded"}}
    after = prepare(build({**values, "seed": 5, "output_dir": str(tmp_path)}), tmp_path)
    facts = compared(before, after)
    place = {split: set(dataset.rows(split)["_row"].to_pylist()) for dataset, split in [(before, "train"), (after, "test")]}
    moved = {(one["from"], one["to"]): one["rows"] for one in facts["rows"]["moved"]["pairs"]}
    assert moved["train", "test"] == len(place["train"] & place["test"]) > 0
    assert counts(facts)["unchanged"] + counts(facts)["moved"] == 80
    assert facts["settings"] == {"seed": (0, 5)} and "settings: seed: 0 -> 5" in told(facts)


def test_a_row_that_a_policy_took_away_is_removed_by_that_rule(tmp_path):
    rows = [*tickets(), {"text": "both ways", "label": "a"}, {"text": "both ways", "label": "b"}]
    before, after = version(tmp_path, rows), version(tmp_path, rows, policy={"conflicting-label": "drop"})
    facts = compared(before, after)
    assert facts["rows"]["removed"]["now_in_quarantine"] == {"conflicting-label": 2} and counts(facts)["removed"] == 2
    assert facts["settings"]["audit.conflicting-label.policy"] == ("keep", "drop")
    assert compared(after, before)["rows"]["added"]["left_quarantine"] == {"conflicting-label": 2}
    assert "2 now in quarantine by conflicting-label" in told(facts)


def test_findings_that_differ_are_told_with_their_rows(tmp_path):
    before = version(tmp_path, tickets())
    after = version(tmp_path, [*tickets(), {"text": "", "label": "a"}])
    facts = compared(before, after)
    assert facts["findings"]["empty-text"] == (None, 1) and "findings: empty-text: none -> 1 rows" in told(facts)


def test_of_a_row_of_test_no_text_is_shown(tmp_path):
    rows = tickets()
    before = given_splits(tmp_path, rows)
    rows[75] = {**rows[75], "label": "a"}
    facts = compared(before, given_splits(tmp_path, rows))
    (shown,) = facts["rows"]["relabelled"]["shown"]
    assert shown["split"] == "test" and shown["text"] is None and "ticket number 75" not in told(facts)


def test_two_other_tables_share_nothing_though_their_numbers_agree(tmp_path):
    before = version(tmp_path, tickets())
    after = version(tmp_path, [{"text": f"something else {at}", "label": "ab"[at % 2]} for at in range(80)])
    assert counts(compared(before, after)) == {"unchanged": 0, "added": 80, "removed": 80, "relabelled": 0, "moved": 0, "changed": 0}


def test_the_same_version_does_not_differ_and_a_wrong_name_is_told(tmp_path):
    before = version(tmp_path, tickets())
    facts = compared(before, before)
    assert counts(facts)["unchanged"] == 80 and told(facts).endswith("nothing differs")
    with pytest.raises(UserError, match="there is no dataset"):
        diff("t", "u", tmp_path / "datasets")


def test_several_labels_and_pairs_of_texts_are_compared_too(tmp_path):
    rows = [{"text": f"one {at}", "text_pair": f"two {at}", "label": ["a", "b"] if at % 3 else ["b"]} for at in range(60)]

    def made(name: str) -> Dataset:
        (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        values = {"task": {"name": "text-classification", "multi_label": True}, "data": {"source": "t.jsonl", "name": "t"}}
        return prepare(build({**values, "model": {"base": "embedded"}, "output_dir": str(tmp_path)}), tmp_path)

    before = made("before")
    rows[5] = {**rows[5], "label": ["a"]}
    rows[8] = {**rows[8], "text_pair": "another"}
    facts = compared(before, made("after"))
    assert facts["rows"]["relabelled"]["pairs"] == [{"from": "a, b", "to": "a", "rows": 1}] and counts(facts)["changed"] == 1


def test_the_command_says_it_in_words_and_in_json(tmp_path):
    rows = tickets()
    before = given_splits(tmp_path, rows)
    rows[7] = {**rows[7], "label": "a"}
    after = given_splits(tmp_path, rows)
    words = CliRunner().invoke(app, ["data", "diff", f"t/{before.version}", f"t/{after.version}", "--output-dir", str(tmp_path)])
    assert words.exit_code == 0 and "79 unchanged, 0 added, 0 removed, 1 relabelled" in words.stdout
    assert f"Next: tunewright data show t/{after.version}" in words.stdout
    plain = CliRunner().invoke(app, ["data", "diff", str(before.folder), str(after.folder), "--json"])
    assert json.loads(plain.stdout)["rows"]["relabelled"]["rows"] == 1


def test_a_damaged_file_is_named(tmp_path):
    before = version(tmp_path, tickets())
    (before.folder / "train.parquet").write_bytes(b"PAR1 no more PAR1")
    with pytest.raises(UserError, match=r"train\.parquet in .* cannot be read.*tunewright data verify"):
        compared(before, before)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_done_to_a_table_every_row_is_accounted_for(tmp_path, seed):
    rng = random.Random(seed)
    rows = [{"text": rng.choice(["x", "y", f"row {at}"]), "label": rng.choice("ab")} for at in range(40)] + tickets(20)
    later = [{**row, "label": rng.choice("ab")} if rng.random() < 0.1 else row for row in rows if rng.random() > 0.1]
    later.insert(rng.randrange(len(later)), {"text": "new", "label": "a"})
    if seed == 0:
        later = rng.sample(rows, len(rows))
    keep = {"policy": {"exact-duplicate": "keep"}}
    before, after = version(tmp_path, rows, **keep), version(tmp_path, later, **keep)
    facts = compared(before, after)
    found = facts["rows"]
    sizes = [sum(facts[side]["rows"].values()) for side in ("before", "after")]
    partners = sizes[0] - found["removed"]["rows"]
    assert partners == sizes[1] - found["added"]["rows"]
    touched = found["relabelled"]["rows"] + found["moved"]["rows"] + found["changed"]["rows"]
    assert partners - touched <= found["unchanged"] <= partners
    if seed == 0:
        assert found["removed"]["rows"] == found["added"]["rows"] == found["relabelled"]["rows"] == found["changed"]["rows"] == 0


def written(folder: Path, rows: list[tuple[str, str]], **data: Any) -> Dataset:
    """The dataset of a table with the splits that are made by default."""
    (folder / "t.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    return of_source(folder, "t.csv", **data)


def generated(count: int, seed: int) -> list[tuple[str, str]]:
    rng = random.Random(seed)
    words = ["card", "refund", "login", "late", "parcel", "wrong", "price", "twice", "asks", "again", "slow", "thanks", "broken", "lost"]
    return [(f"{' '.join(rng.sample(words, 9))} {at}", rng.choice(["billing", "access", "order", "other"])) for at in range(count)]


def test_with_the_default_split_most_changed_labels_differ_by_exactly_that_row(tmp_path):
    rows = generated(400, seed=2)
    before = written(tmp_path, rows)
    rows[7] = (rows[7][0], "billing" if rows[7][1] != "billing" else "other")
    facts = compared(before, written(tmp_path, rows))
    assert counts(facts) == {"unchanged": 399, "added": 0, "removed": 0, "relabelled": 1, "moved": 0, "changed": 0}
    assert facts["rows"]["relabelled"]["shown"][0]["row"] == 7 and "why" not in facts["rows"]["moved"]


def test_rows_that_gave_way_are_told_with_the_reason(tmp_path):
    rows = generated(400, seed=1)
    before = written(tmp_path, rows)
    facts = compared(before, written(tmp_path, rows[12:]))
    assert counts(facts)["removed"] == 12 and 0 < counts(facts)["moved"] < 20
    why = facts["rows"]["moved"]["why"]
    assert why == "each split keeps its size, and each label its share of it: rows at their borders gave way to those 12 removed"
    assert why in told(facts)
    other = compared(before, written(tmp_path, rows, split={"test": 0.2}))
    assert other["rows"]["moved"]["why"] == "they moved because split.test changed"


def test_rows_that_the_source_itself_moved_are_told_so(tmp_path):
    rows = tickets()
    before = given_splits(tmp_path, rows)
    facts = compared(before, given_splits(tmp_path, [rows[79], *rows[1:79], rows[0]]))
    assert counts(facts)["moved"] == 2 and facts["rows"]["moved"]["why"] == "the source itself has them in another split now"
