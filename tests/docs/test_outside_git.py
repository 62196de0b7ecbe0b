"""The page about keeping rows outside git, followed to the letter: what it has git do, and what the commands then tell."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tunewright.cli import app
from tunewright.core.errors import ProofFailed, UserError
from tunewright.data.dataset import Dataset
from tunewright.demo.tickets import Tickets
from tunewright.pipeline import datasets
from tunewright.pipeline.diff import diff, told
from tunewright.pipeline.prepare import prepare
from tunewright.pipeline.recipe import build

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "keep-data-outside-git.md"
IGNORE, ATTRIBUTES = re.findall(r"^```text\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
ROWS = {f"{name}.parquet" for name in ("train", "validation", "test", "quarantine", "findings")}


def git(folder: Path, *words: str) -> str:
    own = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *own, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two versions of a dataset in its working tree."""
    folder = tmp_path_factory.mktemp("project")
    Tickets(rows=120, seed=3).write(folder)
    columns = {"text": "body", "label": "queue"}
    for policy in ("keep", "drop"):
        data = {"source": str(folder / "tickets.csv"), "columns": columns, "policy": {"conflicting-label": policy}}
        prepare(build({"task": "text-classification", "data": data, "model": {"base": "embedded"}, "output_dir": str(folder)}), folder)
    git(folder, "init", "-q")
    return folder


@pytest.fixture
def cloned(project: Path, tmp_path: Path) -> Path:
    """What somebody else gets: the rows were left out."""
    (project / ".gitignore").write_text(IGNORE)
    git(project, "add", "-A")
    git(project, "commit", "-q", "--allow-empty", "-m", "data")
    git(tmp_path, "clone", "-q", str(project), "clone")
    return tmp_path / "clone"


def folders(root: Path) -> list[Path]:
    return sorted(path.parent for path in (root / "datasets").rglob("manifest.json"))


def test_git_leaves_the_rows_out_and_keeps_what_tells_of_them(cloned):
    assert len(folders(cloned)) == 2
    for folder in folders(cloned):
        assert {path.name for path in folder.iterdir()} == {"manifest.json", "README.md", "rows.svg", "labels.svg"}


def test_git_lfs_would_take_every_file_of_rows_and_no_other(project):
    (project / ".gitattributes").write_text(ATTRIBUTES)
    files = [path.relative_to(project).as_posix() for folder in folders(project) for path in folder.iterdir()]
    lines = git(project, "check-attr", "filter", "--", *files).splitlines()
    assert {line.split(": ")[0] for line in lines if line.endswith(": lfs")} == {file for file in files if file.endswith(".parquet")}
    (project / ".gitattributes").unlink()


def test_without_the_rows_list_show_and_diff_tell_what_the_manifests_know(cloned, project):
    root = cloned / "datasets"
    assert [one["rows"] for one in datasets.versions(root)] and not any("damaged" in one for one in datasets.versions(root))
    one, other = (str(folder) for folder in folders(cloned))
    facts = datasets.show(one, root)
    assert set(facts["absent"]) == ROWS and facts["splits"]["train"]["rows"] > 50
    assert "not here: " in datasets.told(facts) and "tunewright data verify" in datasets.told(facts)
    found = diff(one, other, root)
    assert found["rows"] is None and len(found["absent"]) == 6 and "audit.conflicting-label.policy" in found["settings"]
    words = told(found)
    assert "not here, so that rows cannot be compared" in words and "rows: train " in words
    whole = diff(*(str(folder) for folder in folders(project)), project)
    assert whole["rows"]["unchanged"] > 0 and whole["settings"] == found["settings"] and whole["findings"] == found["findings"]


def test_verify_names_every_file_that_is_not_here_until_all_are_back(cloned, project):
    said = CliRunner().invoke(app, ["data", "verify", "tickets", "--output-dir", str(cloned)])
    assert isinstance(said.exception, ProofFailed)
    for name in ROWS:
        assert str(said.exception).count(name) == 2
    assert "copy them from where they are kept" in str(said.exception) and "tunewright prepare RECIPE" in str(said.exception)
    assert "never change" not in str(said.exception), "nothing is damaged"
    for here, there in zip(folders(cloned), folders(project), strict=True):
        for name in ROWS:
            shutil.copy(there / name, here / name)
    assert [one["files"] for one in datasets.verify("tickets", cloned / "datasets")] == [7, 7]


def test_verify_knows_the_pointers_of_git_lfs_and_the_files_of_dvc(cloned):
    folder = folders(cloned)[0]
    for name in ROWS:
        (folder / name).write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n")
    with pytest.raises(ProofFailed, match=r"train\.parquet.* not in .*Get what is not here: git lfs pull; or prepare"):
        datasets.verify(str(folder), cloned)
    for name in ROWS:
        (folder / name).unlink()
        (folder / f"{name}.dvc").write_text("outs: []\n")
    with pytest.raises(ProofFailed, match="Get what is not here: dvc pull; or prepare"):
        datasets.verify(str(folder), cloned)


def test_a_damaged_file_beside_absent_ones_is_named_as_damaged(cloned, project):
    folder = folders(cloned)[0]
    (folder / "train.parquet").write_bytes(b"not what was written, and longer than a pointer" * 50)
    with pytest.raises(ProofFailed, match=r"train\.parquet in .* is not what was written; .*test\.parquet.* are not in .*never change"):
        datasets.verify(str(folder), cloned)


def test_training_without_the_rows_says_which_file_is_missing(cloned):
    with pytest.raises(UserError, match=r"train\.parquet"):
        Dataset.open(folders(cloned)[0]).rows("train")
