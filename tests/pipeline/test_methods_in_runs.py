"""Methods on the road that a user goes: what a run and its manifest tell, how merging is proved, what stands beside its base."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import base_folder, rows
from tunewright.core.errors import ProofFailed, UserError
from tunewright.core.folder import file_hash, read_json
from tunewright.pipeline import check, told
from tunewright.pipeline.ahead import find_all
from tunewright.pipeline.evaluate import evaluate
from tunewright.pipeline.recipe import Recipe, build
from tunewright.pipeline.train import train


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    for kind in ("bert", "distilbert"):
        base_folder(folder / kind, kind)
    with (folder / "t.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["text", "label"])
        writer.writeheader()
        writer.writerows(rows(90, seed=4))
    return folder


def recipe(lab: Path, method: Any, base: str = "bert", **model: Any) -> Recipe:
    return build({
        "task": "text-classification",
        "data": {"source": str(lab / "t.csv")},
        "model": {"base": str(lab / base), "max_tokens": 32, **model},
        "method": method,
        "train": {"max_steps": 2, "evaluate_every": 2, "batch_size": 8, "precision": "fp32"},
        "evaluate": {"resamples": 100, "baselines": []},
        "output_dir": str(lab),
    })  # fmt: skip


@pytest.mark.slow
def test_a_run_tells_its_targets_its_numbers_and_the_proof_of_its_merge(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(recipe(lab, {"name": "lora", "rank": 2, "targets": ["query"]}), lab, "t", "tunewright train t.yaml")
    manifest, proof = read_json(run / "manifest.json"), read_json(run / "metrics.json")["proof"]
    assert manifest["model"]["targets"] == ["attention.self.query"]
    said = " ".join(capsys.readouterr().err.split())
    trained, every = manifest["model"]["trainable"], manifest["model"]["parameters"]
    assert f"trainable params: {trained:,} || all params: {every:,} || trainable%: {100 * trained / every:.4f}" in said
    assert "lora works on attention.self.query" in said
    assert proof["merging"]["largest_difference"] <= proof["merging"]["tolerance"] == 1e-4 and proof["merging"]["rows"] == proof["rows"]


@pytest.mark.slow
def test_full_tuning_has_nothing_to_merge(lab: Path) -> None:
    run = train(recipe(lab, "full"), lab, "t", "tunewright train t.yaml")
    assert "merging" not in read_json(run / "metrics.json")["proof"] and read_json(run / "manifest.json")["model"]["targets"] == []


@pytest.mark.slow
def test_a_quantised_run_ends_in_full_weights_and_tells_the_difference(lab: Path) -> None:
    run = train(recipe(lab, {"name": "qlora", "rank": 2}), lab, "t", "tunewright train t.yaml")
    proof = read_json(run / "metrics.json")["proof"]
    assert proof["merging"]["dequantised"] == "nf4" and "tolerance" not in proof["merging"] and proof["ok"]


@pytest.mark.slow
def test_what_does_not_merge_is_proved_served_and_guarded_with_its_base(lab: Path) -> None:
    run = train(recipe(lab, {"name": "prompt", "virtual_tokens": 4}), lab, "t", "tunewright train t.yaml")
    manifest = read_json(run / "manifest.json")
    assert manifest["served"]["weights"] == "model/adapter_model.safetensors"
    assert manifest["served"]["sha256"] == file_hash(run / "model" / "adapter_model.safetensors")
    assert {"model/base/model.safetensors", "adapter/adapter_model.safetensors"} <= manifest["files"].keys()
    assert read_json(run / "metrics.json")["proof"]["loaded_with"] == "transformers and peft"
    assert evaluate(run, "tunewright evaluate")["test"]["accuracy"]["rows"] > 0
    weights = run / "model" / "base" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ProofFailed, match=r"base/model\.safetensors was changed after the model was proved"):
        evaluate(run, "tunewright evaluate")


def test_check_shows_the_layers_says_what_does_not_fit_and_warns(lab: Path) -> None:
    asked = recipe(lab, "qlora", "distilbert")
    data = check.look_at_data(asked, lab)
    found = check.look_at_model(asked, lab, data, find_all(asked, lab))
    methods = {one["value"]: one for one in found["choices"] if one["setting"] == "method"}
    assert "takes no keys and values from outside" in methods["prefix"]["not_measured"]
    assert methods["qlora"]["chosen"] and "attention.q_lin" in methods["qlora"]["targets"]
    assert methods["qlora"]["training_bytes"] < methods["lora"]["training_bytes"]
    assert any("saves memory and not time" in one for one in found["warnings"])
    assert "on the layers attention.q_lin, attention.k_lin" in told.model(found)


def test_what_does_not_fit_is_refused_before_a_weight_is_read(lab: Path, tmp_path: Path) -> None:
    from shutil import copytree

    bare = Path(copytree(lab / "distilbert", tmp_path / "bare"))
    (bare / "model.safetensors").unlink()
    for method, said in (
        ("prefix", "takes no keys and values from outside"),
        ({"name": "lora", "targets": ["query"]}, "method.targets names 'query', and no linear layer of this model is called so"),
        ({"name": "prompt", "virtual_tokens": 120}, "places, and this model has 128"),
    ):
        asked = recipe(lab, method, "distilbert")
        asked = asked.model_copy(update={"model": asked.model.model_copy(update={"base": str(bare)})})
        for verb in (
            lambda one: train(one, lab, "t", "x"),
            lambda one: check.look_at_model(one, lab, check.look_at_data(one, lab), find_all(one, lab)),
        ):
            with pytest.raises(UserError, match=said):
                verb(asked)
