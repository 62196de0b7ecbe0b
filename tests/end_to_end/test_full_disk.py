"""A disk that is too small is told before a run is begun, and one that fills up while it is trained with the way to go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import tiny
from tests.end_to_end.test_bad_input import GOOD, main_without_exit, recipe_for, told
from tests.small_disk import small_disk
from tunewright.core.folder import read_json

pytestmark = pytest.mark.slow

FILL = """\
from pathlib import Path

from transformers import TrainerCallback


class Fill(TrainerCallback):
    def on_step_end(self, args, state, control, **others):
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


def test_a_disk_that_fills_up_in_training_ends_the_run_with_the_way_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.csv").write_text(GOOD)
    tiny.base_folder(tmp_path / "base")
    with small_disk(tmp_path / "disk", "8m") as disk:
        (tmp_path / "fill.py").write_text(FILL.format(disk=disk))
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(
            f"task: text-classification\ndata: {{source: data.csv}}\nmodel: {{base: ./base}}\noutput_dir: {disk}\nname: mine\n"
            "train: {batch_size: 8, max_steps: 6, save_every: 2, callbacks: [fill.py:Fill]}\n"
        )
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
