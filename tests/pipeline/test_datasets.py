"""``tunewright data list|show|verify|rules``: versions that were prepared, and one that was damaged."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tunewright.cli import app
from tunewright.core.errors import ProofFailed, UserError
from tunewright.data.audit import RULES
from tunewright.pipeline import datasets
from tunewright.pipeline.prepare import prepare
from tunewright.pipeline.recipe import build


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with two versions of one dataset and one of another."""
    from tunewright.demo.tickets import Tickets

    folder = tmp_path_factory.mktemp("prepared")
    Tickets(rows=120, seed=3).write(folder)

    def recipe(**data: Any) -> Any:
        columns = {"text": "body", "label": "queue"}
        source = {"source": str(folder / "tickets.csv"), "columns": columns, **data}
        return build({"task": "text-classification", "data": source, "model": {"base": "embedded"}, "output_dir": str(folder)})

    old = prepare(recipe(), folder)
    os.utime(old.folder, (1, 1))
    prepare(recipe(policy={"conflicting-label": "drop"}), folder)
    prepare(recipe(name="others"), folder)
    return folder


def test_every_version_is_listed_with_its_rows(prepared):
    found = datasets.versions(prepared / "datasets")
    assert [one["name"] for one in found] == ["others", "tickets", "tickets"]
    assert all(one["rows"]["train"] > one["rows"]["test"] > 0 and one["bytes"] > 1000 for one in found)
    said = CliRunner().invoke(app, ["data", "list", "--output-dir", str(prepared)])
    assert f"others/{found[0]['version']}" in said.stdout and "Next: tunewright data show others" in said.stdout
    assert json.loads(CliRunner().invoke(app, ["data", "list", "--output-dir", str(prepared), "--json"]).stdout) == found


def test_without_any_dataset_the_next_step_is_told(tmp_path):
    said = CliRunner().invoke(app, ["data", "list", "--output-dir", str(tmp_path)])
    assert said.exit_code == 0 and "tunewright prepare RECIPE" in said.stdout
    with pytest.raises(UserError, match=r"There is no dataset at all there.*tunewright prepare"):
        datasets.show("tickets", tmp_path / "datasets")


def test_a_name_means_its_newest_version_and_letters_of_a_version_do(prepared):
    newest, oldest = datasets.versions(prepared / "datasets")[1:]
    assert datasets.show("tickets", prepared / "datasets")["version"] == newest["version"]
    assert datasets.show(f"tickets/{oldest['version'][:6]}", prepared / "datasets")["version"] == oldest["version"]
    assert datasets.show(oldest["folder"], Path("nowhere"))["version"] == oldest["version"]
    facts = datasets.show("tickets", prepared / "datasets")
    assert facts["settings"]["audit"]["conflicting-label"]["policy"] == "drop"
    words = datasets.told(facts)
    assert "made from tickets.csv (" in words and "text = body" in words and "labels in train: " in words and "rows read" in words


def test_a_wrong_name_is_answered_with_the_nearest(prepared):
    with pytest.raises(UserError, match=r"there is no dataset tikets.*Did you mean 'tickets'"):
        datasets.show("tikets", prepared / "datasets")
    with pytest.raises(UserError, match=r"there is no dataset tickets/zzz"):
        datasets.verify("tickets/zzz", prepared / "datasets")


def test_whole_datasets_are_verified_and_a_damaged_file_is_named_with_exit_5(prepared):
    said = CliRunner().invoke(app, ["data", "verify", "tickets", "--output-dir", str(prepared)])
    assert said.exit_code == 0 and said.stdout.count("files are as they were written") == 2
    folder = Path(datasets.versions(prepared / "datasets")[0]["folder"])
    (folder / "README.md").write_text("a person completed the card")
    assert datasets.verify("others", prepared / "datasets")[0]["files"] == 7, "the card is not looked at"
    kept = (folder / "test.parquet").read_bytes()
    (folder / "test.parquet").write_bytes(kept[:-1] + b"x")
    with pytest.raises(ProofFailed, match=r"test\.parquet in .*not what was written.*Prepare the dataset again") as found:
        datasets.verify("others", prepared / "datasets")
    assert found.value.exit_code == 5
    (folder / "test.parquet").write_bytes(kept)


def test_a_manifest_of_something_else_is_no_dataset_and_a_broken_one_is_told(prepared, tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match=r"is not the manifest of a dataset"):
        datasets.show(str(tmp_path), tmp_path)
    broken = tmp_path / "datasets" / "odd" / "1"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text(
        json.dumps({"kind": "tunewright dataset", "task": "text-classification", "name": "odd", "version": "1"})
    )
    assert "damaged" in datasets.versions(tmp_path / "datasets")[0]


def test_every_rule_is_told_with_its_policies_and_remedy():
    found = datasets.rules()
    assert [one["rule"] for one in found] == list(RULES.places()) and len(found) >= 12
    assert all(one["default"] in one["policies"] and one["remedy"] and one["finds"] and one["looks_at"] for one in found)
    said = CliRunner().invoke(app, ["data", "rules"])
    assert "conflicting-label: " in said.stdout and "drop (default)" in said.stdout and "Next: " in said.stdout
    assert json.loads(CliRunner().invoke(app, ["data", "rules", "--json"]).stdout) == found
