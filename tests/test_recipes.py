"""The shipped recipes are short and valid, find their columns in the real data, and go the whole road."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunewright.core.folder import read_json
from tunewright.pipeline.recipe import read

FOLDER = Path(__file__).parents[1] / "recipes"
GENERATED = {"questions"}
"""Recipes whose data a generator of ours makes: there is no public set of them at hand."""
RECIPES = sorted(FOLDER.glob("*.yaml"))


def test_there_are_recipes_and_each_says_what_it_is_expected_to_reach() -> None:
    assert len(RECIPES) >= 5
    assert {recipe.stem for recipe in RECIPES} == set(json.loads((FOLDER / "expected.json").read_text()))


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data that a generator of ours makes."""
    from tunewright.demo.questions import Questions

    folder = tmp_path_factory.mktemp("generated")
    Questions().write(folder)
    return folder


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One output folder for all recipes: those of the same data prepare it once."""
    return tmp_path_factory.mktemp("out")


def quick(recipe: Path) -> dict[str, Any]:
    """Settings that leave out what removes nothing and takes long."""
    return {"data.rules": {"label-noise": False}} if recipe.stem.startswith("banking77") else {}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_has_six_lines_at_most_and_reads_its_data_whole(
    recipe: Path, request: pytest.FixtureRequest, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewright.pipeline.prepare import prepare

    assert len(recipe.read_text().splitlines()) <= 6
    monkeypatch.chdir(request.getfixturevalue("generated" if recipe.stem in GENERATED else "real_data"))
    plan = read(recipe, {"output_dir": str(out), **quick(recipe)})
    expected = json.loads((FOLDER / "expected.json").read_text())[recipe.stem]
    rows = prepare(plan, recipe.parent).summary()["splits"]
    assert rows["test"]["rows"] == expected["test_rows"], "no row of a given test split is left out"
    assert rows["train"]["rows"] + rows["validation"]["rows"] == expected["other_rows"]
    assert plan.train.epochs == expected["epochs"] and all(0 < score < 1 for score in expected["scores"].values())


@pytest.fixture(scope="session")
def part(real_data: Path, generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thirtieth of the data of all recipes, by their names; of those that are generated a sixth."""
    folder = tmp_path_factory.mktemp("part")
    for name in ("banking77", "mit_restaurant", "stsb"):
        (folder / name).mkdir()
        for file in (real_data / name).glob("*.jsonl"):
            (folder / name / file.name).write_text("\n".join(file.read_text(encoding="utf-8").splitlines()[::30]), encoding="utf-8")
    squad = read_json(generated / "questions.json")
    (folder / "questions.json").write_text(json.dumps({**squad, "data": squad["data"][::6]}))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_goes_the_whole_road(recipe: Path, part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunewright.pipeline.run import run

    monkeypatch.chdir(part)
    less = {"output_dir": str(tmp_path), "train.max_steps": 2, "evaluate.resamples": 100, "evaluate.baselines": [], **quick(recipe)}
    made, metrics = run(read(recipe, less), part, recipe.stem, f"tunewright run {recipe.name}")
    expected = json.loads((FOLDER / "expected.json").read_text())[recipe.stem]
    assert expected["scores"].keys() <= metrics["test"].keys()
    assert metrics["proof"]["same_labels"] == metrics["proof"]["rows"] > 0
    assert read_json(made / "manifest.json")["status"] == "evaluated" and (made / "report.html").is_file()
