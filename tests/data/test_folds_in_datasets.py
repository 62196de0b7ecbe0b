"""`data.split.folds`: one fold after the other is the validation split, and the test split is none of their business."""

import json

import pytest

from tunewright.core.schema import SPLITS
from tunewright.data.prepare import prepare
from tunewright.data.settings import DataSettings
from tunewright.tasks import TASKS

TASK = TASKS.build("text-classification")
LONG = "the parcel that you sent me on monday has not come and nobody at the counter could tell me where it is now"
ROWS = 120


def day(at):
    return f"2026-01-01 {at // 60:02}:{at % 60:02}"


def written(folder):
    rows = [
        {"text": f"ticket {at} about matter {at * 7919 % 1009}", "label": "abc"[at % 3], "who": f"c{at // 3}", "day": day(at)}
        for at in range(ROWS - 4)
    ]
    rows += [
        {"text": f"{LONG} {word}", "label": "a", "who": f"x{word}", "day": "2026-01-01 00:01"} for word in ("please", "now", "so", "ok")
    ]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def folded(folder, fold, **split):
    settings = DataSettings.read({"source": "a.jsonl", "split": {"folds": 4, "fold": fold, **split}})
    return prepare(settings, TASK, 0, folder, folder / "out")


def numbers(dataset, split):
    return set(dataset.rows(split)["_row"].to_pylist())


@pytest.mark.parametrize("split", [{}, {"by": "random"}, {"group": "who"}, {"by": "group", "group": "who"}])
def test_each_row_that_is_not_test_is_held_out_once_and_the_test_split_stays(tmp_path, split):
    sets = [folded(written(tmp_path), fold, **split) for fold in range(4)]
    assert len({one.version for one in sets}) == 4 and len({one.manifest["test_fingerprint"] for one in sets}) == 1
    plain = prepare(DataSettings.read({"source": "a.jsonl", "split": split}), TASK, 0, tmp_path, tmp_path / "out")
    assert sets[0].manifest["test_fingerprint"] == plain.manifest["test_fingerprint"]
    held_out = [numbers(one, "validation") for one in sets]
    assert sum(map(len, held_out)) == len(set.union(*held_out)) == ROWS - len(numbers(sets[0], "test"))
    for one in sets:
        assert sum(len(numbers(one, name)) for name in SPLITS) == ROWS
        copies = [name for name in SPLITS if any(text.startswith(LONG) for text in one.rows(name)["text"].to_pylist())]
        assert len(copies) == 1, "near-copies stand in one split"
        if "group" in split:
            whose = [set(one.rows(name)["who"].to_pylist()) for name in SPLITS]
            assert not whose[0] & whose[1] and not whose[1] & whose[2] and not whose[0] & whose[2]


def test_labels_are_even_in_every_fold_and_the_sizes_are_told(tmp_path):
    for fold in range(4):
        summary = folded(written(tmp_path), fold).summary()
        counts = summary["splits"]["validation"]["labels"]
        assert sum(counts.values()) == summary["split"]["wanted"]["validation"] == 27 and set(counts.values()) <= {8, 9, 10}
        assert f"validation is fold {fold} of 4, counted from 0" in summary["split"]["notes"]


def test_with_times_train_is_older_than_the_fold_and_later_folds_are_set_aside(tmp_path):
    sets = [folded(written(tmp_path), fold, by="time", time="day") for fold in range(4)]
    assert len({one.manifest["test_fingerprint"] for one in sets}) == 1
    trained = []
    for fold, one in enumerate(sets):
        days = {name: one.rows(name)["day"].to_pylist() for name in SPLITS}
        assert max(days["train"]) < min(days["validation"]) <= max(days["validation"]) < min(days["test"])
        later = [row for row in one.quarantine.to_pylist() if row["_rule"] == "later-fold"]
        assert len(later) + sum(map(len, days.values())) == ROWS and bool(later) == (fold < 3)
        assert all(row["day"] > max(days["validation"]) and f"newer than fold {fold} of 4" in row["_reason"] for row in later)
        trained.append(len(days["train"]))
    assert trained == sorted(trained) and len(set(trained)) == 4


def test_with_a_test_file_the_folds_are_those_of_the_training_file(tmp_path):
    written(tmp_path)
    (tmp_path / "test.jsonl").write_text("".join(json.dumps({"text": f"asked {at}", "label": "abc"[at % 3]}) + "\n" for at in range(9)))
    source = {"train": "a.jsonl", "test": "test.jsonl"}
    settings = [DataSettings.read({"source": source, "split": {"folds": 2, "fold": fold}}) for fold in range(2)]
    sets = [prepare(one, TASK, 0, tmp_path, tmp_path / "out") for one in settings]
    assert [one.rows("test").num_rows for one in sets] == [9, 9]
    assert numbers(sets[0], "validation") == numbers(sets[1], "train") and len(numbers(sets[0], "validation")) == ROWS // 2
