"""What a recipe has redacted stands in no file that preparing writes, and in nothing that is told."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tunewright.data.prepare import prepare
from tunewright.data.settings import DataSettings
from tunewright.tasks import TASKS

TASK = TASKS.build("text-classification")
MAIL, PHONE, IBAN = "jane.roe@example.com", "+49 170 1234567", "DE89 3704 0044 0532 0130 00"
FIX = {"personal-data": "fix", "secret": "fix"}


def rows() -> list[str]:
    plain = [{"text": f"parcel number {at} is late again, please help", "label": "ab"[at % 2], "note": ""} for at in range(60)]
    private = [
        {"text": f"write to {MAIL} about order {at}, or call {PHONE}", "label": "ab"[at % 2], "note": f"seen by {MAIL}"} for at in range(6)
    ]
    removed = [{"text": f"my account is {IBAN}", "label": None, "note": f"{MAIL}"}]
    copies = [{"text": f"the same words from {MAIL} twice", "label": "a", "note": ""}] * 2
    return [json.dumps(row) for row in plain + private + removed + copies]


def everything(folder: Path) -> str:
    told = "".join(path.read_text() for path in folder.rglob("*") if path.suffix in {".json", ".md", ".svg"})
    return told + "".join(json.dumps(pq.read_table(path).to_pylist(), default=str) for path in folder.rglob("*.parquet"))


@pytest.mark.parametrize("placeholder", ["typed", "mask"])
def test_nothing_that_is_redacted_reaches_a_file(tmp_path: Path, placeholder: str) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join([*rows(), '{"text": "call ' + PHONE + " or " + MAIL + '", "label"']))
    wanted = {"source": "a.jsonl", "policy": FIX, "rules": {name: {"placeholder": placeholder} for name in FIX}}
    dataset = prepare(DataSettings.read(wanted), TASK, 0, tmp_path, tmp_path / "out")
    assert dataset.summary()["rows"]["by_rule"].keys() >= {"unreadable-row", "missing-label"}, "quarantine holds private rows"
    whole = everything(dataset.folder)
    for value in (MAIL, "jane.roe", PHONE, IBAN):
        assert value not in whole
    assert ("[EMAIL_1]" in whole) == (placeholder == "typed")


def test_what_is_only_told_is_masked_where_it_is_shown(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(rows()))
    dataset = prepare(DataSettings.read({"source": "a.jsonl"}), TASK, 0, tmp_path, tmp_path / "out")
    finding = next(one for one in dataset.summary()["findings"] if one["rule"] == "personal-data")
    assert finding["rows"] >= 6
    assert MAIL not in json.dumps(finding)
    assert any(MAIL in row["text"] for row in dataset.rows("train").to_pylist()), "keep leaves the rows as they are"
