import subprocess
import sys

import pyarrow as pa
import pytest

from tunewright.core.errors import BadConfig
from tunewright.data.settings import DataSettings


def problems(**values):
    with pytest.raises(BadConfig) as caught:
        DataSettings.read(values)
    return str(caught.value)


def test_every_problem_of_the_section_is_told_at_once():
    told = problems(source={"train": "a.csv", "tset": "b.csv"}, policy={"empty-txt": "drop", "empty-text": "fix", "mojibake": "repair"},
                    split={"validation": 0.7, "test": 0.4}, polcy={}, name="my data")  # fmt: skip
    assert "source.tset: no split is called 'tset'. Did you mean 'test'?" in told
    assert "policy.empty-txt: no audit rule is called 'empty-txt'. Did you mean 'empty-text'?" in told
    assert "policy.empty-text: these rows cannot be fixed; known for this rule: keep, drop, refuse" in told
    assert "policy.mojibake: 'repair' is no policy" in told
    assert "validation and test together take 1.1 of the rows" in told
    assert "polcy: unknown key; did you mean 'policy'?" in told
    assert "name:" in told


@pytest.mark.parametrize("source", [None, "", [], 5, 2.5, True, {}, {"test": "a.csv"}, {"train": ""}, {"train": []}, {"train": 5}])
def test_a_source_without_training_rows_is_refused(source):
    assert "source" in problems(source=source)


def test_one_column_cannot_play_two_roles():
    assert "column 'body' is given to both 'text' and 'label'" in problems(source="a.csv", columns={"text": "body", "label": "body"})


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_lies_between_0_and_1(share):
    assert "split.test" in problems(source="a.csv", split={"test": share})


def test_a_resolved_recipe_says_every_setting_and_reads_back():
    settings = DataSettings.read({"source": {"train": ["a.csv", "b.csv"], "test": "c.csv"}, "policy": {"mojibake": "fix"}})
    written = settings.model_dump(mode="json")
    assert written["source"] == {"train": ["a.csv", "b.csv"], "test": "c.csv"}
    assert written["split"] == {"by": "stratified", "group": None, "time": None, "validation": 0.1, "test": 0.1, "folds": None, "fold": 0}
    assert DataSettings.read(written) == settings


def test_an_object_of_python_may_be_the_source_and_is_written_by_its_type():
    assert DataSettings(source=pa.table({"text": ["a"]})).model_dump(mode="json")["source"] == "<Table>"


def test_the_schema_of_the_section_can_be_written():
    assert "anyOf" in DataSettings.model_json_schema()["properties"]["source"]


def test_given_splits_must_all_be_named_and_none_is_made():
    files = {"train": "a.csv", "validation": "b.csv", "test": "c.csv"}
    assert DataSettings.read({"source": files, "split": {"by": "given"}}).split.by == "given"
    for missing in ("validation", "test"):
        some = {name: file for name, file in files.items() if name != missing}
        with pytest.raises(BadConfig, match=f"split.by: given makes no split, and the source names no {missing}: write source"):
            DataSettings.read({"source": some, "split": {"by": "given"}})
    with pytest.raises(BadConfig, match="names no train and no validation and no test"):
        DataSettings.read({"source": "a.csv", "split": {"by": "given"}})


def test_settings_load_no_heavy_library():
    code = (
        "import sys; import tunewright.data.settings as s; s.DataSettings(source='a.csv'); light = 'pyarrow' not in sys.modules;"
        "from tunewright.data.audit import RULES; [RULES.get(name) for name in RULES.places()]; import tunewright.data.prepare;"
        "print(light, [name for name in ('torch', 'transformers', 'datasets', 'pandas', 'ftfy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True []"


FOLDS_REFUSED = [
    ({"fold": 1}, "a.csv", "fold: 1 needs to know of how many: write data.split.folds, as 5"),
    ({"folds": 3, "fold": 3}, "a.csv", "fold: 3 is none of 3 folds, which are counted from 0 to 2"),
    ({"folds": 3, "by": "given"}, {"train": "a", "validation": "b", "test": "c"}, "by: given makes no split, so that there are no folds"),
    ({"folds": 3, "validation": 0.2}, "a.csv", "validation: 0.2 and folds: 3 both say how large the validation split is"),
    ({"folds": 3}, {"train": "a.csv", "validation": "b.csv"}, "split.folds makes the validation split, and the source names one"),
    ({"folds": 1}, "a.csv", "split.folds"),
]


@pytest.mark.parametrize(("split", "source", "told"), FOLDS_REFUSED)
def test_folds_that_cannot_be_made_are_refused_with_the_reason(split, source, told):
    assert told in problems(source=source, split=split)


def test_a_stream_keeps_no_folds():
    assert "split.folds cannot be kept by a stream" in problems(source="a.csv", split={"folds": 3}, streaming=True)
