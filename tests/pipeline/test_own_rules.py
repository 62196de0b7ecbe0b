"""A rule of the user's own looks like one of ours, and one that raises loses nothing."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tunewright.cli import app
from tunewright.core.errors import DataRefused, UserError
from tunewright.data.prepare import audit, prepare
from tunewright.data.settings import DataSettings
from tunewright.tasks import TASKS

TASK = TASKS.build("text-classification")
RULES = '''
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pyarrow.compute as pc

from tunewright.data.audit.base import Hit, Looked, Rule, per_row


class Shouting(Rule):
    """Texts in capital letters."""

    word: str = "LATE"
    remedy: ClassVar[str] = "Speak softly"

    def look(self, looked: Looked) -> Iterator[Hit]:
        def shouts(texts):
            return pc.match_substring(texts, self.word).to_numpy(zero_copy_only=False)

        rows = np.flatnonzero(per_row(looked.rows["text"], shouts))
        if len(rows):
            yield Hit(f"{len(rows)} rows shout", rows, "it shouts")


class Broken(Rule):
    """Raises."""

    remedy: ClassVar[str] = "Mend it"

    def look(self, looked: Looked) -> Iterator[Hit]:
        raise ZeroDivisionError("nothing to divide by")
        yield


class NoRule:
    pass
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"text": f"my parcel {at} is {'LATE' if at % 10 == 0 else 'late'}", "label": "ab"[at % 2]} for at in range(40)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "mine.py").write_text(RULES)
    return tmp_path


def settings(**keys: object) -> DataSettings:
    return DataSettings.read({"source": "a.jsonl", **keys})


def test_an_own_rule_looks_with_its_settings_and_obeys_its_policy(folder: Path) -> None:
    found = audit(settings(rules={"mine.py:Shouting": True}), TASK, 0, folder).findings
    assert [(one.rule, len(one.places)) for one in found if ":" in one.rule] == [("mine.py:Shouting", 4)]
    other = audit(settings(rules={"mine.py:Shouting": {"word": "parcel 1"}}), TASK, 0, folder).findings
    assert [len(one.places) for one in other if ":" in one.rule] == [11]
    dropped = audit(settings(rules={"mine.py:Shouting": True}, policy={"mine.py:Shouting": "drop"}), TASK, 0, folder)
    assert dropped.summary()["rows"]["by_rule"] == {"mine.py:Shouting": 4}
    with pytest.raises(DataRefused, match="4 rows shout"):
        prepare(settings(rules={"mine.py:Shouting": True}, policy={"mine.py:Shouting": "refuse"}), TASK, 0, folder, folder / "out")


@pytest.mark.parametrize(
    ("rules", "policy", "message"),
    [
        ({"mine.py:Nothing": True}, {}, "names no rule"),
        ({"mine.py:NoRule": True}, {}, "names no rule"),
        ({"other.py:Shouting": True}, {}, "does not exist"),
        ({"mine.py:Shouting": {"wrd": "x"}}, {}, "did you mean 'word'"),
        ({"mine.py:Shouting": True}, {"mine.py:Shouting": "fix"}, "none of its policies"),
        ({}, {"mine.py:Shouting": "drop"}, "no rule of data.rules"),
    ],
)
def test_an_own_rule_that_cannot_be_used_is_refused(folder: Path, rules: dict, policy: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        audit(settings(rules=rules, policy=policy), TASK, 0, folder)


def test_a_rule_that_raises_is_a_finding_and_the_others_look_on(folder: Path) -> None:
    found = audit(settings(rules={"mine.py:Broken": True, "mine.py:Shouting": True}), TASK, 0, folder).findings
    failed = next(one for one in found if one.rule == "own-rule-failed")
    assert "mine.py:Broken raised ZeroDivisionError: nothing to divide by" in failed.message
    assert "line 32" in failed.message
    assert any(one.rule == "mine.py:Shouting" for one in found)


def test_an_own_rule_that_raises_ends_a_command_with_two_after_everything_is_done(folder: Path) -> None:
    recipe = folder / "r.yaml"
    recipe.write_text(
        "task: text-classification\nmodel: {base: embedded}\noutput_dir: " + str(folder) + "\n"
        "data: {source: a.jsonl, rules: {'mine.py:Broken': true}}\n"
    )
    done = CliRunner().invoke(app, ["prepare", str(recipe), "--json"])
    assert done.exit_code == 2
    assert (Path(json.loads(done.stdout)["folder"]) / "train.parquet").is_file()


def test_changing_the_code_of_an_own_rule_gives_another_version(folder: Path) -> None:
    wanted = settings(rules={"mine.py:Shouting": {"word": "parcel 3"}}, policy={"mine.py:Shouting": "drop"})
    first = prepare(wanted, TASK, 0, folder, folder / "out")
    assert prepare(wanted, TASK, 0, folder, folder / "out").version == first.version
    (folder / "mine.py").write_text(RULES.replace("self.word)", "self.word + '9')"))
    second = prepare(wanted, TASK, 0, folder, folder / "out")
    assert second.version != first.version
    assert [one.quarantine.num_rows for one in (first, second)] == [11, 1]
