"""The shipped recipes are short, valid, and find their columns in the real data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunewright.pipeline.recipe import read

FOLDER = Path(__file__).parents[1] / "recipes"
RECIPES = sorted(FOLDER.glob("*.yaml"))


def test_there_are_recipes_and_each_says_what_it_is_expected_to_reach() -> None:
    assert len(RECIPES) >= 3
    assert {recipe.stem for recipe in RECIPES} == set(json.loads((FOLDER / "expected.json").read_text()))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_has_six_lines_at_most_and_reads_its_data_whole(
    recipe: Path, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewright.pipeline.prepare import prepare

    assert len(recipe.read_text().splitlines()) <= 6
    monkeypatch.chdir(real_data)
    plan = read(recipe, {"output_dir": str(tmp_path)})
    rows = prepare(plan, recipe.parent).summary()["splits"]
    assert rows["test"]["rows"] == 3080, "no row of a given test split is left out"
    assert rows["train"]["rows"] + rows["validation"]["rows"] == 10003
    assert plan.train.epochs == json.loads((FOLDER / "expected.json").read_text())[recipe.stem]["epochs"]
