"""The verb ``train`` on tiny models: what is served was proved, a false start leaves nothing, a run has one writer."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import base_folder, rows
from tunewright.core.errors import BadConfig, ProofFailed, UserError
from tunewright.core.folder import file_hash, locked, read_json, read_lines, write_json
from tunewright.pipeline.evaluate import evaluate
from tunewright.pipeline.recipe import Recipe, build, read
from tunewright.pipeline.runs import claim
from tunewright.pipeline.train import resume, train

COMMAND = "tunewright train tiny.yaml"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base_folder(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def work(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a table and a base model, both named by relative paths."""
    (tmp_path / "base").symlink_to(base)
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["text", "label"])
        writer.writeheader()
        writer.writerows(rows(90, seed=4))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recipe(train: dict[str, Any] | None = None, **more: Any) -> Recipe:
    return build({
        "task": "text-classification",
        "data": {"source": "t.csv"},
        "model": {"base": "base", "max_tokens": 32},
        "train": {"max_steps": 2, "evaluate_every": 2, "batch_size": 8, "precision": "fp32", **(train or {})},
        "evaluate": {"resamples": 100, "baselines": [], **more.pop("evaluate", {})},
        **more,
    })  # fmt: skip


def test_a_model_that_fails_its_proof_is_not_served_and_the_run_says_so(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunewright.model.proof.TOLERANCE", -1.0)  # no two answers are this close
    with pytest.raises(ProofFailed, match=r"model\.unproved does not answer") as failed:
        train(recipe(name="mine"), work, "tiny", COMMAND)
    run = work / "runs" / "mine"
    assert failed.value.exit_code == 5
    manifest = read_json(run / "manifest.json")
    assert manifest["status"] == "proof failed" and manifest["ended"] and "served" not in manifest
    assert (run / "model.unproved" / "model.safetensors").is_file() and not (run / "model").exists()
    for verb in (resume, lambda run: evaluate(run, "tunewright evaluate mine")):
        with pytest.raises(UserError, match="failed its proof"):
            verb(run)


def test_a_model_that_is_proved_gets_its_name_and_its_adapter_too(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, replace = list[Path](), Path.replace

    def seen(half: Path, path: Path) -> Path:
        made.append(path)
        return replace(half, path)

    monkeypatch.setattr(Path, "replace", seen)
    run = train(recipe(method={"name": "lora", "rank": 2}), work, "tiny", COMMAND)
    begun = made.index(run / "manifest.json")
    assert {run / "recipe.yaml", run / "data.json"} <= set(made[:begun]), "a run with a manifest can go on, whenever it is killed"
    manifest = read_json(run / "manifest.json")
    assert manifest["status"] == "trained" and manifest["served"]["sha256"] == file_hash(run / "model" / "model.safetensors")
    assert (run / "adapter" / "adapter_config.json").is_file() and not list(run.glob("*.unproved"))
    assert {"model/model.safetensors", "adapter/adapter_config.json"} <= manifest["files"].keys() and ".lock" not in manifest["files"]


@pytest.mark.parametrize("name", ["mine", None])
def test_a_wrong_score_or_a_metric_that_fails_leaves_no_run_and_its_name_is_free(work: Path, name: str | None) -> None:
    (work / "own.py").write_text("def broken(wanted, probabilities, names):\n    raise ValueError('no')\n")
    with pytest.raises(BadConfig, match="best_by"):
        train(recipe({"best_by": "acuracy"}, name=name), work, "tiny", COMMAND)
    with pytest.raises(UserError, match="broken"):
        train(recipe(name=name, evaluate={"metrics": ["own.py:broken"]}), work, "tiny", COMMAND)
    assert not (work / "runs").exists()
    assert claim(recipe(name=name), "tiny").name == (name or "tiny-1")


def test_a_taken_name_is_told_before_the_data_are_read(work: Path) -> None:
    (work / "runs" / "mine").mkdir(parents=True)
    with pytest.raises(UserError, match="a run named mine exists"):
        train(recipe(name="mine"), work, "tiny", COMMAND)
    assert not (work / "datasets").exists()


def test_a_run_goes_on_by_itself_only(work: Path) -> None:
    run = train(recipe(), work, "tiny", COMMAND)
    write_json(run / "manifest.json", {**read_json(run / "manifest.json"), "status": "training"})
    with locked(run), pytest.raises(UserError, match=f"being written by process {os.getpid()}"):
        resume(run)
    assert read_json(resume(run) / "manifest.json")["status"] == "trained", "a kill between the model's name and the manifest is mended"
    assert (run / "model" / "model.safetensors").is_file() and not list(run.glob("*.unproved"))


def test_a_run_holds_its_lock_while_it_trains(work: Path) -> None:
    (work / "own.py").write_text(
        "from pathlib import Path\nfrom tunewright.core.folder import locked\ncalls = 0\n"
        "def taken(wanted, probabilities, names):\n"
        "    global calls\n    calls += 1\n    if calls == 1: return 0.0\n"
        "    with locked(Path('runs/mine')): pass\n    return 1.0\n"
    )
    with pytest.raises(UserError, match="being written by process"):
        train(recipe(name="mine", evaluate={"metrics": ["own.py:taken"]}), work, "tiny", COMMAND)
    assert [line["step"] for line in read_lines(work / "runs" / "mine" / "events.jsonl") if line["event"] == "step"] == [1, 2]


def test_the_resolved_recipe_names_whole_paths_and_is_evaluated_from_another_folder(
    work: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(recipe(), work, "tiny", COMMAND).resolve()
    written = read(run / "recipe.yaml")
    assert (
        written.output_dir == str(work)
        and written.model.base == str((work / "base").resolve())
        and written.data.source == str(work / "t.csv")
    )
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    metrics = evaluate(run, "tunewright evaluate tiny-1")
    assert metrics["test"]["accuracy"]["rows"] > 0 and list(elsewhere.iterdir()) == []


def test_own_metrics_get_as_many_resamples_as_the_recipe_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.tiny import learned
    from tunewright.evaluate.quality import quality

    some = rows(30)
    task = learned(some)
    answers = [
        {"label": row["label"], "probabilities": {name: 1.0 if name == row["label"] else 0.0 for name in task.labels}} for row in some
    ]
    calls = 0

    def own(outcome: Any) -> dict[str, float]:
        nonlocal calls
        calls += 1
        return {"own": float(len(outcome.wanted))}

    quality(task, some, answers, [own], 300, 0)
    assert calls >= 300
