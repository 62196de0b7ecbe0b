"""Names of people, by a real spaCy pipeline: a blank one whose entities are told by rules, as a folder on the disk."""

import json

import pytest

from tunewright.core.errors import UserError
from tunewright.data.prepare import prepare
from tunewright.data.settings import DataSettings
from tunewright.tasks import TASKS

TASK = TASKS.build("text-classification")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import spacy

    folder = tmp_path_factory.mktemp("people")
    known = spacy.blank("en")
    patterns = [("PERSON", "Ada Lovelace"), ("PER", [{"LOWER": "grace"}, {"LOWER": "hopper"}]), ("ORG", "Acme Ltd")]
    known.add_pipe("entity_ruler").add_patterns([{"label": label, "pattern": pattern} for label, pattern in patterns])
    known.to_disk(folder / "names")
    spacy.blank("en").to_disk(folder / "nothing")
    rows = [{"text": f"ticket {at} about matter {at * 7919 % 1009}", "label": "ab"[at % 2], "who": "desk"} for at in range(40)]
    rows += [
        {"text": "Ada Lovelace of Acme Ltd wrote to ada@example.org", "label": "a", "who": "Grace Hopper"},
        {"text": "then grace hopper called, and GRACE HOPPER again, and Ada Lovelace", "label": "b", "who": "desk"},
    ]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def prepared(folder, out, **values):
    return prepare(DataSettings.read({"source": "a.jsonl", **values}), TASK, 0, folder, out)


def told(dataset):
    return next((one for one in dataset.findings if one.rule == "personal-data"), None)


def texts(dataset):
    return [row["text"] for split in ("train", "validation", "test") for row in dataset.rows(split).to_pylist()]


def test_names_are_looked_for_only_where_the_recipe_names_a_pipeline(folder, tmp_path):
    plain, named = prepared(folder, tmp_path), prepared(folder, tmp_path, rules={"personal-data": {"names": "names"}})
    assert "name" not in told(plain).numbers and len(told(plain).places) == 1
    assert told(named).numbers["name"] == 5 and len(told(named).places) == 2
    assert "1 e-mail address, 5 names of people" in told(named).message and "'who' (1 row)" in told(named).message
    assert plain.version != named.version


def test_fix_puts_the_same_placeholder_for_the_same_name_and_no_name_reaches_a_file(folder, tmp_path):
    rules, policy = {"personal-data": {"names": "names"}}, {"personal-data": "fix"}
    dataset = prepared(folder, tmp_path, rules=rules, policy=policy)
    assert [one for one in texts(dataset) if "[" in one and "wrote" in one] == ["[NAME_1] of Acme Ltd wrote to [EMAIL_1]"]
    assert "then [NAME_2] called, and [NAME_2] again, and [NAME_1]" in texts(dataset)
    for file in dataset.folder.iterdir():
        if file.suffix in {".json", ".md", ".svg"}:
            assert "Lovelace" not in file.read_text() and "Hopper" not in file.read_text()
    assert not [one for split in ("train", "validation", "test") for one in dataset.rows(split)["who"].to_pylist() if "Hopper" in one]


def test_rows_with_a_name_are_shown_with_it_masked_whatever_the_policy(folder, tmp_path):
    dataset = prepared(folder, tmp_path, rules={"personal-data": {"names": "names"}})
    shown = next(one["shown"] for one in dataset.summary()["findings"] if one["rule"] == "personal-data")
    assert shown[0]["text"].startswith("*** ******** of Acme Ltd")


def test_the_version_goes_by_what_the_pipeline_is_and_not_by_where_it_lies(folder, tmp_path):
    versions = {prepared(folder, tmp_path, rules={"personal-data": {"names": one}}).version for one in ("names", str(folder / "names"))}
    assert len(versions) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere_at_all", "'nowhere_at_all' cannot be loaded as a spaCy pipeline"), ("nothing", "has no part that tells entities")],
)
def test_a_pipeline_that_is_not_there_or_tells_nothing_is_refused_before_anything_is_read(folder, tmp_path, name, message):
    with pytest.raises(UserError, match=message):
        prepare(DataSettings.read({"source": "not there.csv", "rules": {"personal-data": {"names": name}}}), TASK, 0, folder, tmp_path)
