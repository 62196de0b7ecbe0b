import json
import shutil

import pytest
import yaml

from tunewright.core.errors import UserError
from tunewright.core.schema import SPLITS
from tunewright.data.audit import RULES
from tunewright.data.dataset import Dataset
from tunewright.data.prepare import audit, prepare
from tunewright.data.settings import DataSettings
from tunewright.tasks import TASKS

TASK = TASKS.build("text-classification")
FILES = {
    "rows.svg",
    "labels.svg",
    "train.parquet",
    "validation.parquet",
    "test.parquet",
    "quarantine.parquet",
    "findings.parquet",
    "manifest.json",
    "README.md",
}


def written(folder, name="tickets.jsonl"):
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"text": f"ticket {at}", "label": ("billing", "login")[at % 2], "tags": ["x"]} for at in range(50)]
    rows += [
        {"text": "", "label": "login", "tags": []},
        {"text": "Ticket 0!", "label": "billing", "tags": []},
        {"text": "same", "label": "login", "tags": []},
    ]
    rows += [{"text": "SAME", "label": "billing", "tags": []}] + [{"text": "twice", "label": "login", "tags": []}] * 2
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def prepared(folder, seed=0, **settings):
    return prepare(DataSettings.read({"source": "tickets.jsonl", **settings}), TASK, seed, folder, folder / "datasets")


def test_the_folder_loads_with_the_datasets_library_and_gives_the_three_splits_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    import datasets

    dataset = prepared(written(tmp_path))
    loaded = datasets.load_dataset(str(dataset.folder), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == set(SPLITS)
    for split in SPLITS:
        assert loaded[split].to_list() == dataset.rows(split).to_pylist()


def test_the_folder_holds_what_the_design_says(tmp_path):
    dataset = prepared(written(tmp_path))
    assert {path.name for path in dataset.folder.iterdir()} == FILES
    assert set(dataset.manifest["files"]) == FILES - {"manifest.json"}
    assert dataset.folder == tmp_path / "datasets" / "tickets" / dataset.version
    assert dataset.fingerprint.startswith(dataset.version)
    assert dataset.quarantine.column_names == ["text", "label", "tags", "_file", "_row", "_rule", "_reason"]


def test_findings_have_one_line_per_row_and_come_back_as_they_were(tmp_path):
    import pyarrow.parquet as pq

    folder = written(tmp_path)
    dataset = prepared(folder)
    lines = pq.read_table(dataset.folder / "findings.parquet")
    assert lines.column_names == ["rule", "severity", "file", "row", "group", "message", "remedy", "kept", "numbers"]
    before = audit(DataSettings(source="tickets.jsonl"), TASK, 0, folder).findings
    assert {finding.rule for finding in before} >= {"empty-text", "conflicting-label", "normalised-duplicate"}
    assert dataset.findings == before
    assert lines.num_rows == sum(max(len(finding.places), 1) for finding in before)


def test_only_the_file_of_the_split_that_is_asked_for_is_opened(tmp_path):
    dataset = prepared(written(tmp_path))
    (dataset.folder / "test.parquet").unlink()
    again = Dataset.open(dataset.folder)
    assert again.rows("train").num_rows and again.rows("validation").num_rows
    assert again.findings and again.summary()["splits"]["test"]["rows"] and again.learned_by(TASK).task == dataset.task
    with pytest.raises(UserError, match=r"test.parquet in .* is missing"):
        again.rows("test")


def test_a_split_that_does_not_exist_is_named_with_the_nearest(tmp_path):
    with pytest.raises(UserError, match="Did you mean 'validation'"):
        prepared(written(tmp_path)).rows("validaton")


def test_the_same_input_gives_the_same_bytes_wherever_it_lies(tmp_path):
    one, other = (prepared(written(tmp_path / name / "deep")) for name in ("here", "there"))
    assert one.folder != other.folder and one.version == other.version
    for file in FILES:
        assert (one.folder / file).read_bytes() == (other.folder / file).read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"policy": {"empty-text": "keep"}},
        {"split": {"test": 0.2}},
        {"split": {"by": "random"}},
        {"columns": {"text": "text"}, "seed": 2},
    ],
)
def test_every_setting_that_changes_the_rows_changes_the_version(tmp_path, change):
    folder = written(tmp_path)
    assert prepared(folder).version != prepared(folder, **change).version


def test_a_setting_that_says_the_default_changes_nothing(tmp_path):
    folder = written(tmp_path)
    defaults = {name: RULES.get(name).default for name in RULES.places() if RULES.build(name).enabled}
    assert len(defaults) > 30
    assert (
        prepared(folder).version == prepared(folder, policy=defaults, split={"test": 0.1}, columns={"text": "text"}, name="tickets").version
    )


def test_one_changed_cell_changes_the_version(tmp_path):
    first = prepared(written(tmp_path)).version
    path = tmp_path / "tickets.jsonl"
    path.write_text(path.read_text().replace("ticket 7", "ticket seven"))
    assert prepared(tmp_path).version != first


def test_a_whole_version_is_used_again_and_a_damaged_one_is_written_again_and_told(tmp_path, capsys):
    folder = written(tmp_path)
    dataset = prepared(folder)
    stamp = (dataset.folder / "train.parquet").stat().st_mtime_ns
    prepared(folder)
    assert (dataset.folder / "train.parquet").stat().st_mtime_ns == stamp
    damaged = dataset.folder / "test.parquet"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1] + b"x")
    with pytest.raises(UserError, match=r"test.parquet in .* not what was written"):
        Dataset.open(dataset.folder).verify()
    again = prepared(folder)
    again.verify()
    assert damaged.read_bytes() == whole
    told = capsys.readouterr().err
    assert "is damaged and is prepared again" in told and "test.parquet" in told


def test_a_card_that_people_completed_stays(tmp_path):
    folder = written(tmp_path)
    card = prepared(folder).folder / "README.md"
    card.write_text(card.read_text() + "\nLicence: ours.\n")
    prepared(folder).verify()
    assert "Licence: ours." in card.read_text()


def test_nothing_half_written_stays_behind(tmp_path):
    dataset = prepared(written(tmp_path))
    assert [path.name for path in dataset.folder.parent.iterdir()] == [dataset.version]


def test_the_card_tells_splits_labels_cleaning_findings_and_limits(tmp_path):
    dataset = prepared(written(tmp_path))
    card = (dataset.folder / "README.md").read_text()
    _, front, body = card.split("---\n", 2)
    assert yaml.safe_load(front)["configs"][0]["data_files"] == [{"split": split, "path": f"{split}.parquet"} for split in SPLITS]
    assert "56 rows were read" in body
    assert f"| train | {dataset.rows('train').num_rows} | made, stratified, seed 0 |" in body
    assert "| billing |" in body and "- empty-text: 1" in body and "**conflicting-label**" in body
    assert "is known to about ±" in body and "tickets.jsonl" in body
    assert str(tmp_path) not in card


def test_a_prepared_dataset_is_a_source_and_stays_what_it_is(tmp_path):
    dataset = prepared(written(tmp_path))
    source = str(dataset.folder.relative_to(tmp_path))
    again = prepare(DataSettings(source=source), TASK, 5, tmp_path, tmp_path / "elsewhere")
    assert again.folder == dataset.folder and again.version == dataset.version and again.task == dataset.task
    assert not (tmp_path / "elsewhere").exists()
    assert audit(DataSettings(source=source), TASK, 0, tmp_path).summary()["rows"] == dataset.summary()["rows"]


def test_a_prepared_dataset_refuses_what_only_preparing_could_do(tmp_path):
    dataset = prepared(written(tmp_path))
    settings = DataSettings.read({"source": str(dataset.folder), "policy": {"empty-text": "keep"}, "columns": {"text": "body"}})
    with pytest.raises(UserError, match=r"is a prepared dataset, so that data.policy, data.columns would change nothing"):
        prepare(settings, TASK, 0, tmp_path, tmp_path)
    several = TASKS.build({"name": "text-classification", "multi_label": True})
    with pytest.raises(UserError, match="prepared for another task: its label cannot be used"):
        prepare(DataSettings(source=str(dataset.folder)), several, 0, tmp_path, tmp_path)


def test_a_damaged_dataset_is_refused_as_a_source(tmp_path):
    dataset = prepared(written(tmp_path))
    (dataset.folder / "train.parquet").write_bytes(b"")
    with pytest.raises(UserError, match=r"train\.parquet"):
        prepare(DataSettings(source=str(dataset.folder)), TASK, 0, tmp_path, tmp_path)


def test_a_folder_that_is_no_dataset_says_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match="tunewright prepare"):
        Dataset.open(tmp_path)
    (tmp_path / "manifest.json").write_text('{"kind": "something else"}')
    with pytest.raises(UserError, match="is not the manifest of a dataset"):
        Dataset.open(tmp_path)


def test_a_dataset_that_was_moved_still_opens(tmp_path):
    dataset = prepared(written(tmp_path))
    moved = tmp_path / "moved"
    shutil.move(dataset.folder, moved)
    Dataset.open(moved).verify()
    assert Dataset.open(moved).summary()["folder"] == str(moved)


def test_the_summary_has_the_keys_that_a_report_reads(tmp_path):
    summary = prepared(written(tmp_path)).summary()
    assert list(summary) == [
        "name",
        "version",
        "folder",
        "task",
        "columns",
        "labels",
        "sources",
        "rows",
        "split",
        "splits",
        "never_trained",
        "test_without_label",
        "card",
        "rules",
        "findings",
    ]
    assert json.loads(json.dumps(summary)) == summary
    assert set(summary["sources"][0]) == {"name", "format", "encoding", "delimiter", "rows", "bytes", "sha256", "split"}
    for finding in summary["findings"]:
        assert (
            set(finding) == {"rule", "severity", "message", "remedy", "recipe", "action", "rows", "shown", "numbers"}
            and len(finding["shown"]) <= 5
        )
    (empty,) = [finding for finding in summary["findings"] if finding["rule"] == "empty-text"]
    assert empty["shown"] == [{"file": "tickets.jsonl", "row": 50, "text": "", "label": "login", "group": None, "kept": False}]


def test_the_fingerprint_of_the_test_rows_is_that_of_the_rows_alone(tmp_path):
    one = prepared(written(tmp_path / "one"))
    same = prepared(tmp_path / "one", policy={"mojibake": "fix"})
    other = prepared(tmp_path / "one", seed=1)
    assert one.version != same.version
    assert one.manifest["test_fingerprint"] == same.manifest["test_fingerprint"] != other.manifest["test_fingerprint"]
