import csv
import json
import re
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.core.errors import DataRefused, UserError
from tunewright.core.schema import SPLITS
from tunewright.data.prepare import Audit, audit, prepare
from tunewright.data.settings import DataSettings
from tunewright.tasks import TASKS

TASK = TASKS.build("text-classification")
SEVERAL = TASKS.build({"name": "text-classification", "multi_label": True})


def tickets(count=60, labels=("billing", "delivery", "login")):
    return [
        {"body": f"ticket number {at} about {labels[at % len(labels)]}", "queue": labels[at % len(labels)], "id": str(at)}
        for at in range(count)
    ]


def as_csv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_jsonl(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def prepared(folder, source, task=TASK, seed=0, **settings):
    return prepare(DataSettings.read({"source": source, **settings}), task, seed, folder, folder / "datasets")


COLUMNS = {"text": "body", "label": "queue"}


def test_a_table_becomes_three_splits_and_nothing_is_lost(tmp_path):
    rows = tickets()
    rows += [{"body": "", "queue": "login", "id": "60"}, {"body": "no label here", "queue": "", "id": "61"}, {**rows[0], "id": "62"}]
    as_csv(tmp_path / "tickets.csv", rows)
    dataset = prepared(tmp_path, "tickets.csv", columns=COLUMNS)
    summary = dataset.summary()
    assert dataset.folder == tmp_path / "datasets" / "tickets" / dataset.version
    read = summary["rows"]
    assert read["read"] == 63 == read["kept"] + read["quarantined"]
    assert read["by_rule"]["empty-text"] == 1 and read["by_rule"]["missing-label"] == 1
    places = [(row["_file"], row["_row"]) for split in SPLITS for row in dataset.rows(split).to_pylist()]
    places += [(row["_file"], row["_row"]) for row in dataset.quarantine.to_pylist()]
    assert sorted(places) == [("tickets.csv", at) for at in range(63)]
    assert dataset.task.labels == ("billing", "delivery", "login")
    assert {split: summary["splits"][split]["rows"] for split in ("validation", "test")} == {"validation": 6, "test": 6}
    plan = {"by": "stratified", "made": ["validation", "test"], "given": [], "seed": 0, "group": None, "time": None}
    reached = {split: one["rows"] for split, one in summary["splits"].items()}
    assert reached["train"] in {48, 49}, "the copy goes when it stands in train"
    assert summary["split"] == {**plan, "wanted": {"train": 49, "validation": 6, "test": 6}, "notes": []}
    assert summary["columns"] == COLUMNS and summary["test_without_label"] == 0


def test_columns_stand_under_their_roles_and_the_others_are_kept(tmp_path):
    as_csv(tmp_path / "t.csv", [{**row, "text": "own"} for row in tickets()])
    dataset = prepared(tmp_path, "t.csv", columns=COLUMNS)
    row = dataset.rows("train").to_pylist()[0]
    assert list(row) == ["text", "label", "id", "own_text", "_file", "_row"]
    assert row["text"].startswith("ticket number") and row["own_text"] == "own"
    (told,) = [finding for finding in dataset.findings if finding.rule == "column-renamed"]
    assert "'own_text'" in told.message


def test_quarantined_rows_keep_their_own_columns_and_say_why(tmp_path):
    rows = tickets()
    rows[7]["body"] = "  "
    as_csv(tmp_path / "t.csv", rows)
    (gone,) = prepared(tmp_path, "t.csv", columns=COLUMNS).quarantine.to_pylist()
    assert gone == {
        "body": "  ",
        "queue": "delivery",
        "id": "7",
        "_file": "t.csv",
        "_row": 7,
        "_rule": "empty-text",
        "_reason": "the text is empty",
    }


def test_unreadable_rows_are_quarantined_with_what_was_read_of_them(tmp_path):
    lines = ["body,queue", *(f"ticket {at},{'ab'[at % 2]}" for at in range(40))]
    lines.insert(11, 'too,many,cells,"here"')
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    dataset = prepared(tmp_path, "t.csv", columns=COLUMNS)
    (gone,) = dataset.quarantine.to_pylist()
    assert gone["_rule"] == "unreadable-row" and gone["_row"] == 10 and "too,many,cells" in gone["_raw"] and gone["_reason"]
    assert dataset.summary()["rows"] == {"read": 41, "kept": 40, "quarantined": 1, "by_rule": {"unreadable-row": 1}}
    (finding,) = [finding for finding in dataset.summary()["findings"] if finding["rule"] == "unreadable-row"]
    assert "too,many,cells" in finding["shown"][0]["text"]


def test_rows_of_a_given_test_split_are_never_dropped_but_without_a_label(tmp_path):
    as_csv(tmp_path / "train.csv", tickets())
    test = [
        {"body": "", "queue": "login", "id": "0"},
        {"body": "twice", "queue": "login", "id": "1"},
        {"body": "twice", "queue": "login", "id": "2"},
        {"body": "who knows", "queue": "", "id": "3"},
        {"body": "new queue", "queue": "returns", "id": "4"},
        {"body": tickets()[0]["body"], "queue": "billing", "id": "5"},
    ]
    as_csv(tmp_path / "test.csv", test)
    dataset = prepared(tmp_path, {"train": "train.csv", "test": "test.csv"}, columns=COLUMNS, policy={"leak-exact": "drop"})
    assert [row["id"] for row in dataset.rows("test").to_pylist()] == ["0", "1", "2", "4", "5"]
    assert dataset.rows("test").to_pylist()[0]["text"] == ""
    summary = dataset.summary()
    assert summary["test_without_label"] == 1 and summary["never_trained"] == {"returns": 1}
    assert "returns" not in dataset.task.labels
    assert summary["rows"]["by_rule"] == {"missing-label": 1, "leak-exact": 1}
    assert summary["split"]["made"] == ["validation"] and summary["split"]["given"] == ["train", "test"]
    assert "0" not in [row["id"] for split in ("train", "validation") for row in dataset.rows(split).to_pylist()]


def test_a_missing_text_that_is_kept_is_empty_and_never_the_word_none(tmp_path):
    as_jsonl(tmp_path / "t.jsonl", [{"text": None, "label": "a"}] + [{"text": f"text {at}", "label": "ab"[at % 2]} for at in range(40)])
    dataset = prepared(tmp_path, "t.jsonl", policy={"empty-text": "keep"})
    texts = [row["text"] for split in SPLITS for row in dataset.rows(split).to_pylist()]
    assert len(texts) == 41 and "" in texts and None not in texts


def test_all_splits_given_are_taken_as_they_are(tmp_path):
    for split, first in (("train", 0), ("validation", 30), ("test", 40)):
        as_csv(tmp_path / f"{split}.csv", tickets()[first : first + 10 * (1 + 2 * (split == "train"))])
    dataset = prepared(tmp_path, {split: f"{split}.csv" for split in SPLITS}, columns=COLUMNS)
    assert dataset.summary()["split"]["by"] == "given"
    assert [dataset.rows(split).num_rows for split in SPLITS] == [30, 10, 10]


def test_copies_of_a_text_never_stand_in_two_made_splits(tmp_path):
    rows = [
        {"text": form.format(at), "label": "ab"[at % 2]}
        for at in range(40)
        for form in ("Order {} is late", "order {} is LATE!", "order  {} is late")
    ]
    as_jsonl(tmp_path / "t.jsonl", rows)
    dataset = prepared(tmp_path, "t.jsonl", split={"validation": 0.2, "test": 0.2})
    numbers = {split: {row["text"].split()[1] for row in dataset.rows(split).to_pylist()} for split in SPLITS}
    assert [len(numbers[split]) for split in SPLITS] == [24, 8, 8]
    assert (
        not numbers["train"] & numbers["test"]
        and not numbers["train"] & numbers["validation"]
        and not numbers["test"] & numbers["validation"]
    )


@pytest.mark.parametrize(("values", "wanted"), [
    ([1, 2] * 20, ("1", "2")),
    ([1, None] + [1, 2] * 20, ("1", "2")),
    ([True, False] * 20, ("false", "true")),
])  # fmt: skip
def test_labels_that_are_no_strings_become_strings(tmp_path, values, wanted):
    table = pa.table({"text": [f"text {at}" for at in range(len(values))], "label": pa.array(values)})
    pq.write_table(table, tmp_path / "t.parquet")
    assert prepared(tmp_path, "t.parquet").task.labels == wanted


def test_whole_floats_of_a_column_with_nulls_are_integers(tmp_path):
    table = pa.table({"text": [f"text {at}" for at in range(41)], "label": pa.array([1.0, 3.0] * 20 + [float("nan")])})
    pq.write_table(table, tmp_path / "t.parquet")
    dataset = prepared(tmp_path, "t.parquet")
    assert dataset.task.labels == ("1", "3") and dataset.summary()["rows"]["by_rule"] == {"missing-label": 1}


def test_categories_are_their_names(tmp_path):
    labels = pa.array(["red", "blue"] * 20).dictionary_encode()
    pq.write_table(pa.table({"text": [f"text {at}" for at in range(40)], "label": labels}), tmp_path / "t.parquet")
    assert prepared(tmp_path, "t.parquet").task.labels == ("blue", "red")


def test_fractions_are_no_labels(tmp_path):
    pq.write_table(pa.table({"text": ["a"] * 20, "label": pa.array([0.5, 2.0] * 10)}), tmp_path / "t.parquet")
    with pytest.raises(
        UserError, match=r"'label' holds fractions \(0.5...\): it is a label column of floats. For numbers a regression is wanted"
    ):
        prepared(tmp_path, "t.parquet")


@pytest.mark.parametrize("label", [["a", "b"], "['a', 'b']", '["a"]'])
def test_a_list_where_one_label_is_wanted_names_the_way_out(label):
    rows = [{"text": f"text {at}", "label": label} for at in range(20)]
    with pytest.raises(UserError, match=r"holds lists.*multi_label: true"):
        audit(DataSettings(source=rows), TASK, 0, None)


def test_a_text_column_of_numbers_is_read_as_text_and_one_of_lists_is_refused():
    rows = [{"text": at, "label": "ab"[at % 2]} for at in range(20)]
    assert audit(DataSettings(source=rows), TASK, 0, None).rows("train").to_pylist()[0]["text"] in {str(at) for at in range(20)}
    with pytest.raises(UserError, match=r"'text' for the role 'text' holds lists. A text was wanted"):
        audit(DataSettings(source=[{"text": ["a"], "label": "b"}] * 20), TASK, 0, None)


def test_several_labels_are_lists_whether_they_came_as_lists_or_as_text(tmp_path):
    lists = [["late", "lost"], ["late"], [], ["lost", "lost"]] * 10
    as_jsonl(tmp_path / "t.jsonl", [{"text": f"text {at}", "label": one} for at, one in enumerate(lists)])
    as_csv(tmp_path / "t.csv", [{"text": f"text {at}", "label": ";".join(one) or "[]"} for at, one in enumerate(lists)])
    from_lists, from_text = (prepared(tmp_path, name, SEVERAL, name=name[2:]) for name in ("t.jsonl", "t.csv"))
    assert from_lists.task.labels == ("late", "lost")
    assert from_lists.rows("train")["label"].type == pa.list_(pa.string())
    assert from_lists.rows("train")["label"].to_pylist() == from_text.rows("train")["label"].to_pylist()
    counts = [Counter(from_lists.summary()["splits"][split]["labels"]) for split in SPLITS]
    assert sum(counts, Counter()) == {"late": 20, "lost": 20}
    assert from_lists.summary()["rows"]["kept"] == 40


def test_pairs_have_both_texts(tmp_path):
    as_jsonl(tmp_path / "t.jsonl", [{"premise": f"one {at}", "hypothesis": f"two {at}", "label": "ab"[at % 2]} for at in range(40)])
    dataset = prepared(tmp_path, "t.jsonl", columns={"text": "premise", "text_pair": "hypothesis"})
    assert dataset.rows("train").column_names == ["text", "text_pair", "label", "_file", "_row"]


def test_a_column_that_is_missing_is_named_with_the_nearest(tmp_path):
    as_csv(tmp_path / "t.csv", tickets())
    with pytest.raises(UserError, match=r"did you mean 'queue'"):
        prepared(tmp_path, "t.csv", columns={"text": "body", "label": "queu"})
    with pytest.raises(
        UserError, match=r"'queu' \(for group\); did you mean 'queue'.*Set data.split, for example data.split.group=<column>"
    ):
        prepared(tmp_path, "t.csv", columns=COLUMNS, split={"group": "queu"})
    with pytest.raises(UserError, match=r"names a role 'lable' that the task does not have. Did you mean 'label'"):
        prepared(tmp_path, "t.csv", columns={"text": "body", "lable": "queue"})


def test_a_split_without_the_column_is_named(tmp_path):
    as_csv(tmp_path / "train.csv", tickets())
    as_csv(tmp_path / "test.csv", [{"body": "hello"}])
    with pytest.raises(UserError, match="the test split has no column 'queue'"):
        prepared(tmp_path, {"train": "train.csv", "test": "test.csv"}, columns=COLUMNS)


@pytest.mark.parametrize(("rows", "told"), [
    ([("a", "x")], "only 1 row can be used"),
    ([("a", "x"), ("b", "y")], "only 2 rows can be used. At least 10"),
    ([(f"t{at}", "xy"[at % 2]) for at in range(9)], "only 9 rows can be used"),
    ([(f"t{at}", "x") for at in range(30)], "all 30 training rows have the label 'x'"),
    ([(f"t{at}", f"id-{at}") for at in range(30)], "each of the 30 training rows has a label of its own"),
    ([("same text", "xy"[at % 2]) for at in range(30)], "no row is left for validation and test: 30 rows with 1 different texts"),
    ([("", "x")] * 30, "no row of the source can be used"),
    ([("text", None)] * 30, "no row of the source can be used"),
])  # fmt: skip
def test_a_table_that_cannot_be_learned_from_says_what_is_wanted(rows, told):
    source = [{"text": text, "label": label} for text, label in rows]
    with pytest.raises(UserError) as caught:
        audit(DataSettings(source=source), TASK, 0, None)
    assert told in str(caught.value)
    assert caught.value.exit_code == 2 and caught.value.next_step


def test_ten_rows_are_enough_for_three_splits():
    found = audit(DataSettings(source=[{"text": f"t{at}", "label": "xy"[at % 2]} for at in range(10)]), TASK, 0, None)
    assert [found.rows(split).num_rows for split in SPLITS] == [8, 1, 1]


def test_a_given_test_without_a_usable_row_is_told(tmp_path):
    as_csv(tmp_path / "train.csv", tickets())
    as_csv(tmp_path / "test.csv", [{"body": "hello", "queue": ""}])
    with pytest.raises(UserError, match="no row of the test split of the source can be used"):
        prepared(tmp_path, {"train": "train.csv", "test": "test.csv"}, columns=COLUMNS)


def test_refuse_tells_every_refusing_rule_at_once_and_how_to_see_the_rows(tmp_path):
    rows = tickets()
    rows[3]["body"], rows[5]["queue"] = "", ""
    as_csv(tmp_path / "t.csv", [*rows, rows[0]])
    with pytest.raises(DataRefused) as caught:
        prepared(tmp_path, "t.csv", columns=COLUMNS, policy={"empty-text": "refuse", "missing-label": "refuse", "exact-duplicate": "keep"})
    told = str(caught.value)
    assert caught.value.exit_code == 3
    assert "2 finding(s)" in told and "empty-text: 1 row" in told and "row 3 of t.csv" in told and "row 5 of t.csv" in told
    assert "--set data.policy.empty-text=keep --set data.policy.missing-label=drop" in told
    assert re.search(r"remedy: [^\n]*[^.\n]\. To see every row, prepare", told)
    assert not (tmp_path / "datasets").exists()


def test_a_refusal_goes_before_what_is_wrong_with_the_rest():
    rows = [{"text": "", "label": "a"}] + [{"text": f"t{at}", "label": "a"} for at in range(3)]
    with pytest.raises(DataRefused):
        audit(DataSettings.read({"source": rows, "policy": {"empty-text": "refuse"}}), TASK, 0, None)


def test_an_audit_writes_nothing_and_refuses_nothing_by_itself(tmp_path):
    as_csv(tmp_path / "t.csv", [*tickets(), {"body": "", "queue": "login", "id": "x"}])
    found = audit(DataSettings.read({"source": "t.csv", "columns": COLUMNS, "policy": {"empty-text": "refuse"}}), TASK, 0, tmp_path)
    assert isinstance(found, Audit)
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    assert found.task.labels and found.rows("test").num_rows == 6
    assert found.summary()["folder"] is None
    with pytest.raises(DataRefused, match="empty-text"):
        found.refuse()


def test_each_policy_decides_what_happens(tmp_path):
    as_jsonl(tmp_path / "t.jsonl", [{"text": f"cafÃ© {at}", "label": "ab"[at % 2]} for at in range(40)])
    kept = prepared(tmp_path, "t.jsonl").rows("train")["text"].to_pylist()
    fixed = prepared(tmp_path, "t.jsonl", policy={"mojibake": "fix"}).rows("train")["text"].to_pylist()
    assert all("Ã©" in text for text in kept) and all("café" in text for text in fixed)


def test_each_split_setting_changes_the_split(tmp_path):
    as_csv(tmp_path / "t.csv", tickets(200, ("a", "a", "a", "b")))
    plain = prepared(tmp_path, "t.csv", columns=COLUMNS)
    by_chance = prepared(tmp_path, "t.csv", columns=COLUMNS, seed=2, split={"by": "random"})
    larger = prepared(tmp_path, "t.csv", columns=COLUMNS, split={"test": 0.3, "validation": 0.2})
    other = prepared(tmp_path, "t.csv", columns=COLUMNS, seed=2)
    assert plain.summary()["splits"]["test"] == {"rows": 20, "labels": {"a": 15, "b": 5}}
    assert by_chance.rows("test").to_pylist() != other.rows("test").to_pylist()
    assert by_chance.summary()["split"]["by"] == "random"
    assert [larger.rows(split).num_rows for split in SPLITS] == [100, 40, 60]
    assert other.rows("test").to_pylist() != plain.rows("test").to_pylist()


def test_sources_are_looked_for_beside_the_recipe_then_here(tmp_path, monkeypatch):
    as_csv(tmp_path / "recipes" / "t.csv", tickets(60))
    as_csv(tmp_path / "here" / "t.csv", tickets(30))
    as_csv(tmp_path / "here" / "only.csv", tickets(30))
    monkeypatch.chdir(tmp_path / "here")
    base = tmp_path / "recipes"
    assert audit(DataSettings(source="t.csv", columns=COLUMNS), TASK, 0, base).summary()["rows"]["read"] == 60
    assert audit(DataSettings(source="only.csv", columns=COLUMNS), TASK, 0, base).summary()["rows"]["read"] == 30
    assert audit(DataSettings(source="*.csv", columns=COLUMNS), TASK, 0, base).summary()["rows"]["read"] == 60


def test_files_of_one_name_are_told_apart_and_one_file_is_not_read_twice(tmp_path):
    as_csv(tmp_path / "old" / "data.csv", tickets(40))
    as_csv(tmp_path / "new" / "data.csv", [{**row, "body": row["body"] + "!?"} for row in tickets(20)])
    dataset = prepared(tmp_path, {"train": "old/data.csv", "test": "new/data.csv"}, columns=COLUMNS, name="both")
    assert set(dataset.rows("test")["_file"].to_pylist()) == {"new/data.csv"}
    with pytest.raises(UserError, match=r"data.source names .*old/data.csv twice"):
        prepared(tmp_path, ["old/data.csv", "old/data.csv"], columns=COLUMNS)


def test_the_same_file_as_train_and_test_is_told_as_one_great_leak(tmp_path):
    as_csv(tmp_path / "t.csv", tickets())
    dataset = prepared(tmp_path, {"train": "t.csv", "test": "t.csv"}, columns=COLUMNS)
    (leak,) = [finding for finding in dataset.findings if finding.rule == "leak-exact"]
    assert "test shares 60 of its 60 rows (100.0 %) with train" in leak.message
    assert dataset.rows("test")["_file"].to_pylist()[0] == "test/t.csv"


@pytest.mark.parametrize(("file", "name"), [("Support Tickets (2024).csv", "support-tickets-2024"), ("mails/train.csv", "mails")])
def test_a_dataset_is_named_after_its_file(tmp_path, file, name):
    as_csv(tmp_path / file, tickets())
    assert prepared(tmp_path, file, columns=COLUMNS).name == name


def test_a_column_of_two_types_in_two_splits_is_kept_as_text_and_told(tmp_path):
    as_jsonl(tmp_path / "train.jsonl", [{"text": f"t{at}", "label": at % 2, "id": at} for at in range(40)])
    as_jsonl(tmp_path / "test.jsonl", [{"text": f"e{at}", "label": str(at % 2), "id": f"x{at}"} for at in range(4)])
    dataset = prepared(tmp_path, {"train": "train.jsonl", "test": "test.jsonl"})
    assert dataset.task.labels == ("0", "1") and dataset.summary()["never_trained"] == {}
    assert {finding.message.split("'")[1] for finding in dataset.findings if finding.rule == "column-type"} == {"label", "id"}


TEXTS = st.sampled_from([None, "", " ", "hi", "Hi!", "HI", "bye", "cafÃ©", "?", "\u200b", *(f"text {at}" for at in range(30))])
LABELS = st.sampled_from([None, "", "a", "b", "A", "nan", "none", "level 1", "level 2"])
POLICIES = st.dictionaries(
    st.sampled_from(["mojibake", "label-variant", "conflicting-label", "leak-exact", "normalised-duplicate", "exact-duplicate"]),
    st.sampled_from(["keep", "drop"]),
)


@given(
    st.lists(st.tuples(TEXTS, LABELS), min_size=10, max_size=60),
    st.lists(st.tuples(TEXTS, LABELS), max_size=12),
    POLICIES,
    st.integers(0, 3),
)
@settings(max_examples=100, deadline=None)
def test_whatever_the_rows_are_none_is_lost_and_the_given_test_is_whole(train, test, policy, seed):
    source = {name: [{"text": text, "label": label} for text, label in rows] for name, rows in (("train", train), ("test", test)) if rows}
    try:
        found = audit(DataSettings.read({"source": source if test else source["train"], "policy": policy}), TASK, seed, None)
    except UserError as error:
        assert error.next_step or error.wanted
        return
    read = found.summary()["rows"]
    assert read["read"] == len(train) + len(test) == read["kept"] + read["quarantined"]
    assert read["kept"] == sum(found.rows(split).num_rows for split in SPLITS)
    if test:
        kept = [(row["text"], row["label"]) for row in found.rows("test").to_pylist()]
        whole = [(text or "", label) for text, label in test]
        assert kept == [pair for pair in whole if pair in kept]
        assert len(kept) + found.summary()["test_without_label"] == len(test)
    assert None not in found.rows("train")["label"].to_pylist()
    assert set(found.rows("train")["label"].to_pylist()) == set(found.task.labels)


def test_objects_of_python_are_sources_too():
    import datasets
    import pandas

    rows = [{"text": f"text {at}", "label": at % 2} for at in range(40)]
    frame = pandas.DataFrame([*rows, {"text": "x", "label": None}])
    from_frame = audit(DataSettings(source=frame), TASK, 0, None)
    assert from_frame.task.labels == ("0", "1") and from_frame.summary()["rows"]["by_rule"] == {"missing-label": 1}
    parts = datasets.DatasetDict({"train": datasets.Dataset.from_list(rows), "test": datasets.Dataset.from_list(rows[:6])})
    from_parts = audit(DataSettings(source=parts), TASK, 0, None)
    assert from_parts.rows("test").num_rows == 6 and from_parts.summary()["split"]["given"] == ["train", "test"]
