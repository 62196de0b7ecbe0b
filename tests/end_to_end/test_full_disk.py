"""A disk that is too small is told before a run is begun, and one that fills up while it is trained with the way to go on."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests import tiny
from tests.end_to_end.test_bad_input import GOOD, main_without_exit, recipe_for, told
from tests.small_disk import small_disk
from tunewright.core.folder import read_json, read_lines

pytestmark = pytest.mark.slow

FILL = """\
from pathlib import Path

from transformers import TrainerCallback


class Fill(TrainerCallback):
    def __init__(self, until=0):
        self.until = until

    def on_step_end(self, args, state, control, **others):
        if state.global_step == self.until:
            Path("{disk}/filled").write_bytes(b"")
        if state.global_step == 3 and not Path("{disk}/kept").exists():
            with open("{disk}/filled", "wb", buffering=0) as stream:
                try:
                    while stream.write(bytes(4096)):
                        pass
                except OSError:
                    pass
"""


def test_a_run_is_not_begun_where_its_checkpoints_have_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.csv").write_text(GOOD)
    recipe = recipe_for(tmp_path, "data.csv")
    with small_disk(tmp_path / "disk", "60m") as disk:
        status, words = told(monkeypatch, capsys, "run", str(recipe), "--set", f"output_dir={disk}", "--set", "name=mine", "--quiet")
        assert status == 2 and "Traceback" not in words
        assert "the run was not begun: its checkpoints and its model need about 909 MB" in words, "three times a checkpoint, and the model"
        assert f"the disk of {disk} has 6" in words and "Make room there, or choose another output_dir" in words
        assert not (disk / "runs").exists(), "no run is begun"
        status, words = told(monkeypatch, capsys, "train", str(recipe), "--set", f"output_dir={disk}", "--set", "train.max_steps=1")
        assert status == 2 and "its checkpoints and its model need about 363 MB" in words, "one step, one checkpoint"


def filling(folder: Path, disk: Path, until: int) -> Path:
    """A recipe whose callback fills the disk at step 3, and empties it again at a later one."""
    (folder / "data.csv").write_text(GOOD)
    tiny.base_folder(folder / "base")
    (folder / "fill.py").write_text(FILL.format(disk=disk))
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        f"task: text-classification\ndata: {{source: data.csv}}\nmodel: {{base: ./base}}\noutput_dir: {disk}\nname: mine\n"
        f"train: {{batch_size: 8, max_steps: 6, save_every: 2, callbacks: [{{name: fill.py:Fill, until: {until}}}]}}\n"
    )
    return recipe


@pytest.mark.parametrize("driver", ["trainer", "loop"])
def test_a_full_disk_holds_no_training_up(
    driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        recipe = filling(tmp_path, disk, until=5)
        monkeypatch.setattr("sys.argv", ["tunewright", "train", str(recipe), "--set", f"train.engine={driver}"])
        main_without_exit()
        run = disk / "runs" / "mine"
        told = " ".join(capsys.readouterr().err.split())
        assert "The checkpoint of step 4 was not written" in told and "Training goes on" in told
        events = read_lines(run / "events.jsonl")
        assert [line["step"] for line in events if line["event"] == "step"] == list(range(1, 7)), "kept until there was room"
        assert [line["step"] for line in events if line["event"] == "unsaved"] == [4]
        assert [line["step"] for line in events if line["event"] == "saved"][-1] == 6
        assert read_json(run / "manifest.json")["status"] == "trained"


def test_a_disk_that_stays_full_ends_the_run_with_the_way_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    course = import_module("tunewright.train.course")
    monkeypatch.setattr(course, "ROOM_MINUTES", 0.001)
    monkeypatch.setattr(course, "LOOK_FOR_ROOM_S", 0.1)
    with small_disk(tmp_path / "disk", "8m") as disk:
        recipe = filling(tmp_path, disk, until=0)
        status, words = told(monkeypatch, capsys, "train", str(recipe), "--quiet")
        run = disk / "runs" / "mine"
        assert status == 2 and "Traceback" not in words and "o space left" in words, words
        assert f"Make room there, then go on with: tunewright train --resume {run}" in words
        assert read_json(run / "manifest.json")["status"] == "training"
        assert [one.name for one in (run / "checkpoints").iterdir()] == ["checkpoint-2"], "whole, and nothing half beside it"
        (disk / "filled").rename(disk / "kept")
        (disk / "kept").write_bytes(b"")
        monkeypatch.setattr("sys.argv", ["tunewright", "train", "--resume", str(run), "--quiet"])
        main_without_exit()
        assert read_json(run / "manifest.json")["status"] == "trained"
        assert read_json(run / "metrics.json")["efficiency"]["steps"] == 6
