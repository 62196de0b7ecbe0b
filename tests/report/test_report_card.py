from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hostile import LABELS, hostile
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results
from run_folders import SEVENTY_SEVEN, change, several, single

from tunewright.report import card
from tunewright.report.facts import read


def made(run: Path) -> ModelCard:
    return ModelCard(card.write(run).read_text(encoding="utf-8"), ignore_metadata_errors=False)


def test_the_hub_reads_every_result_with_its_interval(tmp_path: Path) -> None:
    data = made(single(tmp_path / "run")).data
    assert {one.metric_type: one.metric_value for one in data.eval_results}["accuracy"] == pytest.approx(0.94, abs=0.04)
    assert all("95 % interval" in one.metric_name and one.dataset_split == "test" for one in data.eval_results)
    assert (
        {one.metric_type for one in data.eval_results}
        == {"accuracy", "balanced_accuracy", "f1", "matthews_correlation"}
        == set(data.metrics)
    )
    assert (data.pipeline_tag, data.library_name, data.base_model) == (
        "text-classification",
        "transformers",
        "distilbert/distilbert-base-uncased",
    )
    assert data.datasets == ["tickets"] and data.license is None and data.language is None
    index = card.metadata(read(tmp_path / "run"))["model-index"]
    name, results = model_index_to_eval_results(index)
    assert name == "run" and len(results) == len(data.eval_results) == 5


@pytest.mark.parametrize("base", ["embedded", "/models/mine", "./mine", "mine/is/deep", "models--x/y"])
def test_a_base_model_that_is_not_of_the_hub_is_not_claimed(tmp_path: Path, base: str) -> None:
    run = single(tmp_path / "run")
    change(run, "manifest.json", model={"base": base, "pooling": "architecture"})
    card = made(run)
    assert card.data.base_model is None and ("all-MiniLM-L6-v2" in card.text) == (base == "embedded")


def test_a_folder_that_exists_is_not_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert card.hub_id("models/mine")
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert not card.hub_id("models/mine")


@pytest.mark.parametrize(
    ("pooling", "wanted"), [("architecture", "from transformers import pipeline"), ("mean", "from sentence_transformers import")]
)
@pytest.mark.parametrize("many", [False, True])
def test_the_way_to_load_it_fits_the_model_and_is_python(tmp_path: Path, pooling: str, wanted: str, many: bool) -> None:
    run = single(tmp_path / "run", SEVENTY_SEVEN if many else ("a", "b"), 300)
    change(run, "manifest.json", model={"base": "x/y", "pooling": pooling, "max_tokens": 64})
    text = made(run).text
    code = text.split("```python\n")[1].split("```")[0]
    ast.parse(code)
    assert wanted in code and "tunewright" not in code
    assert ("max_length=64" in code) == (pooling == "architecture")


def test_several_labels_are_loaded_with_a_sigmoid_and_their_thresholds(tmp_path: Path) -> None:
    text = made(several(tmp_path / "run")).text
    assert 'top_k=None, function_to_apply="sigmoid"' in text
    assert "late 0.30, damaged 0.32" in text


def test_limits_come_from_evidence(tmp_path: Path) -> None:
    text = made(single(tmp_path / "run")).text
    for said in ("Weakest on", "is taken for", "Reads the first 128 tokens", "conflicting-label (14 rows)", "were not reviewed by people"):
        assert said in text


def test_what_was_not_measured_is_said_and_gives_no_result(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    change(run, "metrics.json", test={"not_measured": "no labels"}, validation=None)
    made_card = made(run)
    assert made_card.data.eval_results is None
    assert "Not measured: no labels." in made_card.text and "How good this model is was not measured (no labels)" in made_card.text


def test_hostile_names_stay_text_and_tables_stay_whole(tmp_path: Path) -> None:
    found = made(hostile(tmp_path / "run"))
    body = found.text.replace("```", "")
    assert "<script" not in body and "<img" not in body and not re.search(r"(?<!\\)\]\(javascript", body)
    assert found.data.model_name == "<script>window.broken=1</script>"
    lines = found.text.splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) > 20
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in tables]
    for number, line in enumerate(lines):
        if line.startswith("|") and lines[number - 1].startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == len(re.findall(r"(?<!\\)\|", lines[number - 1]))
    assert set(widths) >= {4, 6}
    assert len(LABELS) == 5
