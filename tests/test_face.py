"""The Python face: one verb per stage."""

from __future__ import annotations

import inspect
import json
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import tunewright
from tests import tiny
from tunewright.core.errors import BadConfig, UserError

VERBS = ["check", "compare", "evaluate", "load", "predict", "prepare", "read", "report", "run", "train"]


def asked(base: Path, **more: Any) -> dict[str, Any]:
    """A recipe as a dict, over rows in memory."""
    return {
        "task": "text-classification",
        "data": {"source": tiny.rows(60)},
        "model": {"base": str(base), "max_tokens": 64},
        "train": {"max_steps": 4, "precision": "fp32"},
        "evaluate": {"resamples": 100, "baselines": ["majority"]},
        **more,
    }


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.base_folder(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def own_run(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run made from Python, from a list of dicts."""
    return tunewright.run(asked(base, output_dir=str(tmp_path_factory.mktemp("out"))))


def test_the_face_has_a_verb_for_each_stage_and_each_says_what_it_does() -> None:
    assert sorted(tunewright.__all__) == VERBS
    for verb in VERBS:
        function = getattr(tunewright, verb)
        assert inspect.isfunction(function) and (function.__doc__ or "").strip()
        assert inspect.signature(function).return_annotation is not inspect.Signature.empty


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "pydantic", "numpy", "pandas", "pyarrow", "typer", "yaml")
    told = subprocess.run(
        [sys.executable, "-c", f"import tunewright, sys; print([name for name in {heavy} if name in sys.modules])"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "[]"


@pytest.mark.slow
def test_verbs_stay_verbs_after_every_module_was_loaded() -> None:
    names = [found.name for found in pkgutil.walk_packages(tunewright.__path__, "tunewright.") if not found.name.endswith("proof_child")]
    assert len(names) >= 100
    for name in names:
        import_module(name)
    assert all(inspect.isfunction(getattr(tunewright, verb)) for verb in VERBS)
    from tunewright.train.settings import TrainSettings

    assert TrainSettings.__module__ == "tunewright.train.settings"


def test_a_recipe_is_read_from_a_file_a_dict_or_as_it_is(tmp_path: Path) -> None:
    values = {"task": "text-classification", "data": {"source": "tickets.csv"}, "model": {"base": "embedded"}, "seed": 3}
    file = tmp_path / "tickets.yaml"
    file.write_text(json.dumps(values))
    found = [tunewright.read(one) for one in (values, file, str(file))]
    assert found[0] == found[1] == found[2] == tunewright.read(found[0])
    assert found[0].seed == 3 and found[0].train.batch_size == 32


def test_everything_wrong_with_a_dict_is_told_at_once() -> None:
    with pytest.raises(BadConfig) as told:
        tunewright.read({"task": "text-classification", "data": {"source": "a.csv"}, "model": {"bse": "embedded"}, "seed": -1})
    assert "did you mean 'base'" in str(told.value) and "seed" in str(told.value)


def test_rows_are_no_recipe() -> None:
    with pytest.raises(UserError, match=r"this is no recipe but a list.*Rows in memory stand under data.source"):
        tunewright.read([{"text": "a", "label": "b"}])  # type: ignore[arg-type]


def test_a_recipe_file_that_is_missing_is_told() -> None:
    with pytest.raises(UserError, match="does not exist"):
        tunewright.run("nowhere.yaml")


def test_a_dataset_is_prepared_from_rows_in_memory(base: Path, tmp_path: Path) -> None:
    rows = [*tiny.rows(60), {"text": "", "label": "billing"}]
    dataset = tunewright.prepare(asked(base, output_dir=str(tmp_path), data={"source": rows}))
    assert dataset.folder.is_relative_to(tmp_path)
    facts = dataset.summary()["rows"]
    assert facts["read"] == 61 and facts["by_rule"]["empty-text"] == 1
    assert dataset.rows("train").num_rows >= 40


def test_splits_may_be_tables_in_memory_too(base: Path, tmp_path: Path) -> None:
    import pandas

    source = {"train": pandas.DataFrame(tiny.rows(40)), "test": pandas.DataFrame(tiny.rows(12, seed=1))}
    dataset = tunewright.prepare(asked(base, output_dir=str(tmp_path), data={"source": source}))
    assert dataset.rows("test").num_rows == 12


@pytest.mark.slow
def test_a_check_tells_data_settings_and_cost(base: Path, tmp_path: Path) -> None:
    facts = tunewright.check(asked(base, output_dir=str(tmp_path)))
    assert facts["data"]["rows"]["read"] == 60 and facts["data"]["refused"] == []
    assert facts["settings"]["max_tokens"] == 64 and facts["estimate"]["parameters"] > 0
    assert not list(tmp_path.iterdir()), "a check leaves nothing behind"


@pytest.mark.slow
def test_a_run_from_a_dict_is_a_run_like_any_other(own_run: Path) -> None:
    assert own_run.name == "run-1"
    assert {"report.html", "metrics.json", "model"} <= {path.name for path in own_run.iterdir()}
    assert json.loads((own_run / "manifest.json").read_text())["command"] == "tunewright.run({...})"


@pytest.mark.slow
def test_a_run_is_asked_measured_and_reported_by_its_folder(own_run: Path) -> None:
    texts = ["please help login", "parcel late"]
    answers = tunewright.predict(own_run, texts)
    assert [answer["label"] in tiny.LABELS for answer in answers] == [True, True]
    assert tunewright.load(own_run, batch_size=1).predict(texts)[0]["label"] == answers[0]["label"]
    metrics = tunewright.evaluate(own_run)
    score = metrics["test"]["accuracy"]
    assert score["low"] <= score["value"] <= score["high"] and score["rows"] == metrics["test"]["accuracy"]["rows"] > 0
    looks = (own_run / "looks.jsonl").read_text().splitlines()
    assert len(looks) == 2 and "tunewright.evaluate" in looks[1]
    page = own_run / "report.html"
    page.unlink()
    assert tunewright.report(own_run) == page and page.exists()


@pytest.mark.slow
def test_a_finished_run_does_not_go_on(own_run: Path) -> None:
    with pytest.raises(UserError, match="is finished"):
        tunewright.train(resume=own_run)


@pytest.mark.parametrize("given", [{}, {"recipe": {}, "resume": "runs/a"}])
def test_train_wants_a_recipe_or_a_run(given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="a recipe or resume"):
        tunewright.train(**given)


@pytest.mark.parametrize("row", ["where is my parcel?", {"text": "where is my parcel?"}])
def test_one_row_where_a_list_is_wanted_is_told(row: Any) -> None:
    with pytest.raises(UserError, match="brackets"):
        tunewright.predict("runs/tickets-1", row)
