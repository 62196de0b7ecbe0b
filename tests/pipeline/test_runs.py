"""Run folders: one writer each, a name that is free again after a false start, and hashes that bless nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tunewright.core.errors import ProofFailed, UserError
from tunewright.core.folder import file_hash, locked, read_json, tree_hashes, write_json
from tunewright.pipeline import runs
from tunewright.pipeline.recipe import Recipe, build

HOLD = "import sys, time; from pathlib import Path; from tunewright.core.folder import locked\nwith locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"  # noqa: E501


def recipe(out: Path, **more: Any) -> Recipe:
    return build({
        "task": "text-classification", "data": {"source": "t.csv"}, "model": {"base": "embedded"}, "output_dir": str(out), **more,
    })  # fmt: skip


def proved_run(folder: Path) -> Path:
    """A run folder with a served model of three small files."""
    for name, content in {
        "model/model.safetensors": "weights",
        "model/config.json": "{}",
        "model/README.md": "card",
        "data.json": "{}",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    write_json(folder / "manifest.json", {"status": "training"})
    runs.update(folder, {"status": "trained", "served": {"step": 1, "sha256": file_hash(folder / "model" / "model.safetensors")}})
    return folder


def test_a_prepared_dataset_is_no_run_and_a_report_of_it_leaves_it_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tunewright.cli import main
    from tunewright.pipeline.prepare import prepare

    lines = [
        f"the {thing} number {number} is {state},{state}"
        for number in range(12)
        for thing in ("lamp", "chair")
        for state in ("good", "bad")
    ]
    (tmp_path / "t.csv").write_text("\n".join(["text,label", *lines]))
    dataset = prepare(recipe(tmp_path), tmp_path)
    before = tree_hashes(dataset.folder)
    monkeypatch.setattr(sys, "argv", ["tunewright", "report", str(dataset.folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "is no run" in capsys.readouterr().err
    assert tree_hashes(dataset.folder) == before


def test_a_run_is_found_by_its_folder_its_name_and_its_model_folder(tmp_path: Path) -> None:
    run = proved_run(tmp_path / "runs" / "mine")
    (run / "model" / "tunewright.json").write_text("{}")
    assert runs.find(run) == runs.find("mine", str(tmp_path)) == runs.find(run / "model") == run


def test_overwrite_without_a_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    from tunewright.pipeline.train import train

    with pytest.raises(UserError, match="give the run a name"):
        train(recipe(tmp_path), tmp_path, "t", "tunewright train t.yaml --overwrite", overwrite=True)
    with pytest.raises(UserError, match="give the run a name"):
        runs.claim(recipe(tmp_path), "t", overwrite=True)
    assert list(tmp_path.iterdir()) == []


def test_overwrite_throws_a_finished_run_away_and_never_one_that_is_being_written(tmp_path: Path) -> None:
    run = runs.claim(recipe(tmp_path, name="mine"), "t")
    (run / "old").touch()
    with locked(run), pytest.raises(UserError, match=f"being written by process {os.getpid()}"):
        runs.claim(recipe(tmp_path, name="mine"), "t", overwrite=True)
    assert (run / "old").exists()
    assert runs.claim(recipe(tmp_path, name="mine"), "t", overwrite=True) == run and not (run / "old").exists()


def test_the_kernel_opens_the_lock_when_its_process_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"being written by process {other.pid}"), locked(tmp_path):
            pytest.fail("two writers")
        other.send_signal(signal.SIGKILL)
        other.wait()
    with locked(tmp_path):
        assert tree_hashes(tmp_path, skip=runs.NOT_HASHED) == {}


@pytest.mark.parametrize("name", ["mine", None])
def test_an_error_before_the_first_step_leaves_no_folder_and_the_name_free(tmp_path: Path, name: str | None) -> None:
    for _ in range(2):
        run = runs.claim(recipe(tmp_path, name=name), "t")
        with pytest.raises(MemoryError), runs.begun(run):
            (run / "recipe.yaml").touch()
            raise MemoryError
        assert run.name == (name or "t-1") and not run.exists()


def test_an_error_after_the_first_step_keeps_the_folder(tmp_path: Path) -> None:
    run = runs.claim(recipe(tmp_path), "t")
    with pytest.raises(MemoryError), runs.begun(run):
        (run / "events.jsonl").write_text('{"event": "step", "step": 1}\n')
        raise MemoryError
    assert (run / "events.jsonl").exists()


def test_the_hashes_of_a_proved_model_stay_and_those_of_other_files_follow(tmp_path: Path) -> None:
    run = proved_run(tmp_path / "run")
    before = read_json(run / "manifest.json")["files"]
    for name in before:
        (run / name).write_text("changed")
    after = runs.update(run, {})["files"]
    assert {name for name in before if after[name] != before[name]} == {"model/README.md", "data.json"}
    assert after.keys() == before.keys()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
@pytest.mark.parametrize("gone", [False, True])
def test_a_changed_model_is_neither_measured_nor_reported(tmp_path: Path, name: str, gone: bool) -> None:
    from tunewright.pipeline.evaluate import evaluate
    from tunewright.pipeline.report import report

    run = proved_run(tmp_path / "run")
    runs.verify(run, runs.served(run))
    file = run / "model" / name
    file.unlink() if gone else file.write_text("tampered")
    before = tree_hashes(run)
    for verb in (report, lambda run: evaluate(run, "tunewright evaluate run")):
        with pytest.raises(ProofFailed, match="was taken away" if gone else "was changed") as refused:
            verb(run)
        assert name in str(refused.value) and refused.value.exit_code == 5
    assert tree_hashes(run) == before


@pytest.mark.parametrize(
    ("status", "told"), [("training", "train --resume"), ("proof failed", "failed its proof"), ("trained", "any more")]
)
def test_a_run_without_a_model_is_told_what_to_do(tmp_path: Path, status: str, told: str) -> None:
    from tunewright.pipeline.evaluate import evaluate
    from tunewright.pipeline.predict import load

    write_json(tmp_path / "manifest.json", {"status": status})
    with pytest.raises(UserError, match=told):
        evaluate(tmp_path, "tunewright evaluate run")
    with pytest.raises(UserError, match="holds no trained model"):
        load(tmp_path)


def test_what_a_kill_left_half_written_is_cleared_by_the_one_who_writes_next(tmp_path: Path) -> None:
    run = proved_run(tmp_path)
    halves = [run / ".metrics.json.0a1b2c3d.part", run / "model" / ".README.md.0a1b2c3d.part"]
    for half in halves:
        half.touch()
    with locked(run), pytest.raises(UserError, match=f"being written by process {os.getpid()}"), runs.alone(run):
        pytest.fail("two writers")
    assert all(half.exists() for half in halves), "they may belong to the other"
    with runs.alone(run):
        assert not any(half.exists() for half in halves)
    assert (run / "model" / "model.safetensors").exists() and (run / "data.json").exists()
