"""Guards on the road that a user goes: a recipe, a run folder, the report and the card."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests import tiny
from tunewright.cli import main
from tunewright.core.folder import read_json, read_lines
from tunewright.train.guards import GUARDS

SPOIL = """\
import torch
from transformers import TrainerCallback


class Spoil(TrainerCallback):
    def on_step_end(self, args, state, control, model=None, **_):
        if state.global_step == 5:
            with torch.no_grad():
                next(iter(model.parameters())).fill_(float("nan"))
"""
RECIPE = """\
task: text-classification
data: {{source: rows.csv}}
model: {{base: bert, max_tokens: 64}}
train: {{engine: {engine}, epochs: 3, batch_size: 8, precision: fp32, callbacks: [spoil.py:Spoil], save_every: {save_every}}}
guards: {{not-finite: {{in_a_row: 1, most: 3}}, full-disk: {{least_bytes: 1152921504606846976}}}}
evaluate: {{resamples: 100, baselines: [majority]}}
name: spoiled
"""


def guarded(folder: Path, monkeypatch: pytest.MonkeyPatch, engine: str, save_every: int) -> tuple[int, Path]:
    """The exit status of ``tunewright run``, and the run folder; 48 training rows, 6 steps an epoch."""
    monkeypatch.chdir(folder)
    tiny.base_folder(folder / "bert")
    with (folder / "rows.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["text", "label"])
        writer.writeheader()
        writer.writerows({**row, "text": f"{row['text']} {at}"} for at, row in enumerate(tiny.rows(60)))
    (folder / "spoil.py").write_text(SPOIL)
    (folder / "spoiled.yaml").write_text(RECIPE.format(engine=engine, save_every=save_every))
    monkeypatch.setattr("sys.argv", ["tunewright", "run", "spoiled.yaml"])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0), folder / "runs" / "spoiled"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["loop", "trainer"])
def test_a_run_that_a_guard_saved_is_served_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    status, run = guarded(tmp_path, monkeypatch, engine, 1)
    assert status == 0
    found = [one for one in read_lines(run / "events.jsonl") if one["event"] == "guard" and one["guard"] == "not-finite"]
    assert [(one["step"], one["verdict"]) for one in found] == [(6, "skip"), (7, "restore")]
    assert len(found[0]["rows"]) == 8 and all(row.startswith("rows.csv row ") for row in found[0]["rows"])
    assert read_json(run / "metrics.json")["guards"] == {"not-finite": {"skip": 1, "restore": 1}, "full-disk": {"go": 1}}
    assert read_json(run / "manifest.json")["guards"] == list(GUARDS.places())
    page, card = (run / "report.html").read_text(), (run / "README.md").read_text()
    assert "13 guards watched every step; 2 saw something, 1 acted." in page
    assert "taken back to the last checkpoint" in page and found[0]["rows"][0] in page
    assert "Guards stepped in while it was trained: not-finite (update left out and taken back to the last checkpoint)" in card
    assert "full-disk" not in card


@pytest.mark.slow
def test_a_run_that_nothing_can_save_ends_with_status_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    status, run = guarded(tmp_path, monkeypatch, "loop", 99)
    told = " ".join(capfd.readouterr().err.split())
    assert status == 4 and "at step 9 the loss is nan" in told and "rows.csv row" in told and "Traceback" not in told
    assert [one["verdict"] for one in read_lines(run / "events.jsonl") if one.get("guard") == "not-finite"] == [
        "skip",
        "lower",
        "skip",
        "fail",
    ]
    assert not (run / "model").exists()


@pytest.mark.slow
def test_a_clean_run_has_nothing_to_tell(trained_run: Path) -> None:
    assert not [one for one in read_lines(trained_run / "events.jsonl") if one["event"] == "guard"]
    assert read_json(trained_run / "metrics.json")["guards"] == {}
    page, card = (trained_run / "report.html").read_text(), (trained_run / "README.md").read_text()
    assert "13 guards watched every step; none saw anything wrong." in page and "Guards stepped in" not in card
