"""Public sets, where they are at hand: the defaults must leave them nearly whole."""

import os
from pathlib import Path

import pytest

from tunewright.core.schema import SPLITS
from tunewright.data.prepare import prepare
from tunewright.data.settings import DataSettings
from tunewright.tasks import TASKS

ROOT = os.environ.get("TUNEWRIGHT_DATA")
SETS = {
    "banking77": (77, 0.01, {}),
    "ag_news": (4, 0.01, {}),
    "rotten_tomatoes": (2, 0.01, {}),
    "tweet_eval/emotion": (4, 0.01, {}),
    "newsgroups20": (20, 0.01, {}),
    "cola": (2, 0.01, {}),
    "rte": (2, 0.01, {"text": "premise", "text_pair": "hypothesis"}),
    "sms_spam": (2, 0.07, {}),  # 403 of its 5,574 messages are copies, word for word
}


@pytest.mark.skipif(not ROOT, reason="TUNEWRIGHT_DATA is not set")
@pytest.mark.parametrize("name", SETS)
def test_the_default_policies_leave_a_public_set_nearly_whole(tmp_path, name):
    labels, most, columns = SETS[name]
    folder = Path(ROOT or "") / name
    files = {split: next((str(path) for path in folder.glob(f"{split}.*")), None) for split in SPLITS}
    assert files["train"], f"{folder} is missing"
    source = {split: file for split, file in files.items() if file}
    dataset = prepare(DataSettings(source=source, columns=columns), TASKS.build("text-classification"), 0, tmp_path, tmp_path)
    rows = dataset.summary()["rows"]
    assert rows["read"] == rows["kept"] + rows["quarantined"] == sum(one["rows"] for one in dataset.summary()["sources"])
    assert rows["quarantined"] <= most * rows["read"]
    assert len(dataset.task.labels) == labels
    if "test" in source:
        given = next(one["rows"] for one in dataset.summary()["sources"] if one["split"] == "test")
        assert dataset.rows("test").num_rows == given
    assert {row for row in dataset.rows("validation")["text"].to_pylist() if row}
