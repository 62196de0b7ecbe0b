"""The demonstration, on fewer tickets and with fewer steps: its own recipe, what was planted against what was found, and answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunewright.core.folder import read_json
from tunewright.pipeline.demo import NEW, demo, free_folder, planted_and_found

SMALL = {"train.max_steps": 3, "model.max_tokens": 24, "evaluate.resamples": 100}


@pytest.mark.slow
def test_every_stage_is_told_and_what_was_planted_is_found(tmp_path: Path) -> None:
    told: list[str] = []
    page = demo(tmp_path / "demo", 240, "tunewright demo", 1, told.append, SMALL)
    assert [text[:2] for text in told] == ["1.", "2.", "3.", "4."] and page.is_file()
    run = page.parent
    recipe = (run / "recipe.yaml").read_text()
    assert "name: top-layers" in recipe and "seed: 1  # yours" in recipe
    sought = {one.kind: one for one in planted_and_found(tmp_path / "demo", run)}
    planted = read_json(tmp_path / "demo" / "planted.json")
    assert {kind: len(rows) for kind, rows in planted.items() if kind in sought} == {one.kind: one.planted for one in sought.values()}
    assert sum(one.planted for one in sought.values()) > 30
    sure = {kind: one.found for kind, one in sought.items() if kind != "label-noise"}
    assert sure == {kind: sought[kind].planted for kind in sure}, "every row, but for doubtful labels"
    assert all(f"   {kind:<22}" in told[1] for kind in sought)
    assert "Proof: loaded by transformers.pipeline alone" in told[2]
    assert all(text in told[3] for text in NEW)
    assert json.loads((run / "metrics.json").read_text())["efficiency"]["steps"] == 3


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    assert free_folder(tmp_path / "demo") == tmp_path / "demo"
    (tmp_path / "demo").mkdir()
    assert free_folder(tmp_path / "demo") == tmp_path / "demo-2"
