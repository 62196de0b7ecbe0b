"""``tunewright review labels``: from a prepared dataset to a sheet, and back to a new version."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests import tiny
from tunewright.cli import app
from tunewright.core.errors import UserError
from tunewright.core.folder import file_hash
from tunewright.core.schema import SPLITS
from tunewright.data.dataset import Dataset
from tunewright.pipeline import review
from tunewright.pipeline.make_plan import data_facts, make_plan
from tunewright.pipeline.prepare import prepare
from tunewright.pipeline.recipe import build


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An output folder with the dataset of generated tickets, and what was planted in them."""
    from tunewright.demo.tickets import Tickets

    folder = tmp_path_factory.mktemp("made")
    Tickets(rows=400, seed=3).write(folder)
    data = {"source": str(folder / "tickets.csv"), "columns": {"text": "body", "label": "queue"}, "policy": {"label-variant": "fix"}}
    prepare(build({"task": "text-classification", "data": data, "model": {"base": "embedded"}, "output_dir": str(folder)}), folder)
    return folder, json.loads((folder / "planted.json").read_text())


@pytest.fixture
def root(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """The same in a folder of its own."""
    shutil.copytree(made[0] / "datasets", tmp_path / "datasets")
    return tmp_path / "datasets"


def dataset(root: Path) -> Dataset:
    (folder,) = (one for one in (root / "tickets").iterdir() if "history" not in json.loads((one / "manifest.json").read_text()))
    return Dataset.open(folder)


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return [dict(row) for row in csv.DictReader(stream)]


def put(path: Path, lines: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="cp1252", errors="replace", newline="") as stream:
        writer = csv.DictWriter(stream, list(lines[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(lines)
    return path


def other(label: str, names: list[str]) -> str:
    return names[(names.index(label) + 1) % len(names)]


def test_the_sheet_shows_the_most_doubtful_rows_and_opens_no_test_split(root: Path, tmp_path: Path) -> None:
    mine = dataset(root)
    (mine.folder / "test.parquet").unlink()
    facts = review.sheet("tickets", root, tmp_path / "s.csv", 40)
    lines = lines_of(tmp_path / "s.csv")
    assert facts["rows"] == len(lines) >= 40 and facts["judged"] == len(mine.rows("train")) + len(mine.rows("validation"))
    scores = [float(line["score"]) for line in lines]
    assert scores == sorted(scores, reverse=True) and {line["split"] for line in lines} == {"train", "validation"}
    there = {(row["_file"], row["_row"]): row for split in ("train", "validation") for row in mine.rows(split).to_pylist()}
    for line in lines:
        row = there[line["file"], int(line["row"])]
        assert row["label"] == line["label"] != line["suggested"] and line["corrected"] == ""
        assert row["text"].strip()[:20] in line["text"]
    assert "The test split was not opened" in review.told_of_sheet(facts)
    assert "; 1 of them is probably wrong." in review.told_of_sheet({**facts, "found_wrong": 1})
    assert review.sheet("tickets", root, tmp_path / "s.xlsx", 5, include_test=False)["rows"] == 5
    assert openpyxl.load_workbook(tmp_path / "s.xlsx").worksheets[0]["A1"].value == "rank"


def test_vectors_are_kept_beside_the_datasets(root: Path, tmp_path: Path) -> None:
    review.sheet("tickets", root, tmp_path / "s.csv", 5)
    kept = list((root / ".cache" / "vectors").rglob("*.npz"))
    assert len(kept) == 1
    kept[0].write_bytes(kept[0].read_bytes()[:5000])
    review.sheet("tickets", root, tmp_path / "t.csv", 5)
    assert (tmp_path / "s.csv").read_bytes() == (tmp_path / "t.csv").read_bytes()


def test_a_sheet_that_is_there_is_not_lost(root: Path, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("an hour of work")
    with pytest.raises(UserError, match=r"s.csv is there already. Corrections may stand in it"):
        review.sheet("tickets", root, tmp_path / "s.csv", 5)
    assert review.sheet("tickets", root, tmp_path / "s.csv", 5, overwrite=True)["rows"] >= 5
    with pytest.raises(UserError, match=r"neither .csv nor .xlsx"):
        review.sheet("tickets", root, tmp_path / "s.doc", 5)


def test_corrections_become_a_new_version_that_differs_by_these_rows(root: Path, tmp_path: Path) -> None:
    old = dataset(root)
    names = list(old.task.labels)
    review.sheet("tickets", root, tmp_path / "s.csv", 30)
    lines = lines_of(tmp_path / "s.csv")
    wanted = {}
    for at in (0, 3, 8):
        lines[at]["corrected"] = other(lines[at]["label"], names).upper() + " "
        wanted[lines[at]["file"], int(lines[at]["row"])] = other(lines[at]["label"], names)
    lines[5]["corrected"] = lines[5]["label"]
    path = put(tmp_path / "filled.csv", lines[::-1])
    facts = review.apply("tickets", root, path)
    assert (facts["changed"], facts["confirmed"], facts["empty"], facts["left_in_test"]) == (3, 1, len(lines) - 4, 0)
    new = Dataset.open(Path(facts["folder"]))
    new.verify()
    assert new.folder.parent == old.folder.parent and new.folder.name == facts["version"] != old.version
    for split in SPLITS:
        before, after = old.rows(split).to_pylist(), new.rows(split).to_pylist()
        changed = {(row["_file"], row["_row"]): row["label"] for row, was in zip(after, before, strict=True) if row != was}
        assert changed == {place: label for place, label in wanted.items() if place in changed}
        assert [{**row, "label": ""} for row in after] == [{**row, "label": ""} for row in before]
        assert sum(new.summary()["splits"][split]["labels"].values()) == len(after)
    assert new.findings == old.findings and new.quarantine.equals(old.quarantine)
    assert new.manifest["test_fingerprint"] == old.manifest["test_fingerprint"]
    assert new.manifest["history"] == [{"from": old.version, "by": "review labels", "sheet_sha256": file_hash(path), "rows_changed": 3}]
    listed = pq.read_table(new.folder / "corrections.parquet").to_pylist()
    assert {(one["file"], one["row"]): one["new"] for one in listed} == wanted
    assert all(one["old"] != one["new"] and one["split"] in SPLITS for one in listed)


def test_a_corrected_version_can_be_corrected_again_and_trained_from(root: Path, tmp_path: Path) -> None:
    old = dataset(root)
    names = list(old.task.labels)
    for turn in (1, 2):
        review.sheet("tickets", root, tmp_path / f"{turn}.csv", 20)
        lines = lines_of(tmp_path / f"{turn}.csv")
        lines[turn]["corrected"] = other(lines[turn]["label"], names)
        facts = review.apply("tickets", root, put(tmp_path / f"{turn}.csv", lines))
    new = Dataset.open(Path(facts["folder"]))
    assert [one["rows_changed"] for one in new.manifest["history"]] == [1, 1]
    assert new.manifest["history"][0]["from"] == old.version and new.manifest["history"][1]["from"] == facts["from"]
    model = {"base": str(tiny.base_folder(tmp_path / "base"))}
    again = {"task": "text-classification", "data": {"source": facts["folder"]}, "model": model, "output_dir": str(tmp_path)}
    plan = make_plan(build(again), tmp_path, prepare(build(again), tmp_path))
    assert plan.dataset.version == facts["version"] and data_facts(plan)["history"] == new.manifest["history"], "the report reads it there"
    with pytest.raises(UserError, match="has another text or label than when the sheet was written"):
        review.apply("tickets", root, tmp_path / "1.csv")


def test_the_same_sheet_twice_gives_the_same_version(root: Path, tmp_path: Path) -> None:
    version = dataset(root).version
    review.sheet("tickets", root, tmp_path / "s.csv", 20)
    lines = lines_of(tmp_path / "s.csv")
    lines[0]["corrected"] = other(lines[0]["label"], list(dataset(root).task.labels))
    path = put(tmp_path / "s.csv", lines)
    first, second = (review.apply(f"tickets/{version}", root, path) for _ in range(2))
    assert first == second and len(list((root / "tickets").iterdir())) == 2


def test_rows_of_the_test_split_are_corrected_only_when_asked(root: Path, tmp_path: Path) -> None:
    old = dataset(root)
    row = old.rows("test").slice(4, 1).to_pylist()[0]
    line = {"file": row["_file"], "row": str(row["_row"]), "corrected": other(row["label"], list(old.task.labels))}
    path = put(tmp_path / "s.csv", [line])
    facts = review.apply("tickets", root, path)
    assert facts["left_in_test"] == 1 and facts["folder"] is None
    assert "the test split is locked: 1 correction in it." in review.told_of_apply(facts)
    facts = review.apply("tickets", root, path, include_test=True)
    new = Dataset.open(Path(facts["folder"]))
    assert new.rows("test").slice(4, 1).to_pylist()[0]["label"] == line["corrected"]
    assert new.manifest["test_fingerprint"] != old.manifest["test_fingerprint"]


def test_a_sheet_without_corrections_changes_nothing(root: Path, tmp_path: Path) -> None:
    review.sheet("tickets", root, tmp_path / "s.xlsx", 20)
    said = CliRunner().invoke(app, ["review", "labels", "tickets", "--apply", str(tmp_path / "s.xlsx"), "--output-dir", str(root.parent)])
    assert said.exit_code == 0 and "Nothing to do: nothing stands under 'corrected' in 20 lines" in said.stdout
    assert len(list((root / "tickets").iterdir())) == 1


def test_a_bad_sheet_is_refused_and_nothing_is_written(root: Path, tmp_path: Path) -> None:
    review.sheet("tickets", root, tmp_path / "s.csv", 20)
    lines = lines_of(tmp_path / "s.csv")
    lines[2]["corrected"], lines[4]["row"], lines[4]["corrected"] = "nonsense", "99999", lines[4]["label"]
    wanted = (
        r"(?s)2 line\(s\).*line 4: no label is called 'nonsense'.*line 6: the dataset has no row 99999 of tickets.csv\nNothing was changed"
    )
    with pytest.raises(UserError, match=wanted):
        review.apply("tickets", root, put(tmp_path / "s.csv", lines))
    assert len(list((root / "tickets").iterdir())) == 1
    with pytest.raises(UserError, match="there is no dataset ticket "):
        review.apply("ticket", root, tmp_path / "s.csv")


def test_the_command_ends_by_naming_the_next_step(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    said = CliRunner().invoke(app, ["review", "labels", "tickets", "--rows", "12"])
    assert said.exit_code == 0, said.output
    assert f"Next: tunewright review labels tickets/{dataset(root).version} --apply tickets-labels.csv" in said.stdout
    lines = lines_of(Path("tickets-labels.csv"))
    lines[0]["corrected"] = other(lines[0]["label"], list(dataset(root).task.labels))
    put(Path("tickets-labels.csv"), lines)
    said = CliRunner().invoke(app, ["review", "labels", "tickets", "--apply", "tickets-labels.csv"])
    assert said.exit_code == 0, said.output
    assert "1 label of tickets" in said.stdout and "data: {source: datasets/tickets/" in said.stdout
    both = CliRunner().invoke(app, ["review", "labels", "tickets", "--apply", "a.csv", "--sheet", "b.csv"])
    assert isinstance(both.exception, UserError) and "One of the two is wanted" in str(both.exception)
