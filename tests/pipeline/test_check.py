"""``tunewright check``: everything that can be known before a run, and an estimate that the run then keeps."""

from __future__ import annotations

import json
import re
import shutil
from importlib.metadata import distribution
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from tests import dirty, tiny
from tunewright.cli import app
from tunewright.core.errors import BadConfig, MissingExtra, SeveralErrors, UserError
from tunewright.core.folder import read_json
from tunewright.pipeline import check, told
from tunewright.pipeline.ahead import find_all
from tunewright.pipeline.data import truncation
from tunewright.pipeline.recipe import Recipe, build, read
from tunewright.tasks.base import Encoded


@pytest.fixture(scope="module")
def bare_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged encoder's configuration and tokenizer, without its weights."""
    from tunewright.model.base import EMBEDDED_FOLDER, EMBEDDED_PACKAGE

    folder = tmp_path_factory.mktemp("bare")
    for file in Path(str(distribution(EMBEDDED_PACKAGE).locate_file(EMBEDDED_FOLDER))).glob("*.json"):
        shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="module")
def recipe_file(tickets: Path, bare_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checked") / "tickets.yaml"
    with_blob = tmp_path_factory.mktemp("with blob") / "tickets.csv"
    table = (tickets / "tickets.csv").read_bytes().rstrip(b"\r\n")
    row = ["x" * 300 if name == "body" else "Billing" for name in table.decode("utf-8-sig", "replace").splitlines()[0].split(",")]
    with_blob.write_bytes(table + b"\n" + ",".join(row).encode() + b"\n")
    recipe = {
        "task": "text-classification",
        "data": {
            "source": str(with_blob),
            "columns": {"text": "body", "label": "queue"},
            "policy": {"conflicting-label": "refuse"},
        },
        "model": {"base": str(bare_encoder), "max_tokens": 24},
        "train": {"batch_size": 8, "epochs": 2},
        "output_dir": str(path.parent / "out"),
    }
    path.write_text(json.dumps(recipe))
    return path


@pytest.fixture(scope="module")
def checked(recipe_file: Path) -> tuple[str, dict[str, Any]]:
    """What the command prints in words and as JSON."""
    words = CliRunner().invoke(app, ["check", str(recipe_file), "--quiet", "--set", "train.batch_size=8"], catch_exceptions=False)
    machine = CliRunner().invoke(app, ["check", str(recipe_file), "--quiet", "--json"], catch_exceptions=False)
    assert words.exit_code == machine.exit_code == 0, "findings, refused ones too, are no error of check"
    return words.stdout, json.loads(machine.stdout)


def with_changes(recipe_file: Path, **changes: Any) -> Recipe:
    return read(recipe_file, {key.replace("__", "."): value for key, value in changes.items()})


def whole_check(recipe: Recipe) -> dict[str, Any]:
    return check.look_at_model(recipe, Path(), check.look_at_data(recipe, Path()), find_all(recipe, Path()))


def test_everything_wrong_in_a_recipe_is_told_at_once(recipe_file):
    said = CliRunner().invoke(
        app, ["check", str(recipe_file), "--set", "train.epoch=3", "--set", "model.max_token=9", "--set", "method=lorra"]
    )
    assert isinstance(said.exception, BadConfig) and said.stdout == ""
    for part in ("3 problems", "did you mean 'epochs'", "did you mean 'max_tokens'", "Did you mean 'lora'"):
        assert part in str(said.exception)


def test_rows_findings_and_splits_are_told_with_remedies(checked):
    words, facts = checked
    rows = facts["data"]["rows"]
    assert rows["read"] == rows["kept"] + rows["quarantined"] and f"{rows['read']:,} rows read" in words
    assert sum(one["rows"] for one in facts["data"]["splits"].values()) == rows["kept"]
    assert {"exact-duplicate", "conflicting-label"} <= {one["rule"] for one in facts["data"]["findings"]}
    assert "train: " in words and "recipe: data.policy." in words and re.search(r"^ {12}row \d+: \S", words, re.M)


def test_findings_are_told_errors_first_in_lines_that_fit_and_can_be_copied():
    facts = dirty.summary() | {"refused": ["leak-group"]}
    lines = told.data(facts, width=90).splitlines()
    heads = [line for line in lines if re.match(r"  (error|warning|info) +\S", line)]
    assert "Findings: 5 errors, 12 warnings, 5 info; rows count from 0" in lines and len(heads) == 22
    assert [line.split()[0] for line in heads] == ["error"] * 5 + ["warning"] * 12 + ["info"] * 5
    assert heads[0] == "  error   leak-group, 331 rows (2.7 %), refused"
    assert heads[2] == "  error   secret, 3 rows (under 0.1 %), left as found"
    assert heads[4] == "  error   unreadable-row, 14 rows (0.1 %), removed", "what is done with comes after what is left"
    assert max(map(len, lines)) <= 90 and len(lines) < 22 * 9
    assert "          recipe: data.policy.conflicting-label: drop" in lines, "a line to copy is never broken"
    at = lines.index("  warning conflicting-label, 58 rows (0.5 %), left as found")
    assert len([line for line in lines[at : at + 9] if re.match(r" {12}row \d+: ", line)]) == 3


def test_a_row_that_is_quoted_cannot_move_the_cursor_or_fill_the_screen():
    facts = dirty.summary() | {"refused": []}
    shown = [{"file": "a.csv", "row": 3, "text": "\x1b[2J\x1b[31mred\nnext line \x07" + "x" * 500}]
    labelled = [{**shown[0], "text": "late", "label": "bill\x07ing"}]
    facts["findings"] = [facts["findings"][10] | {"shown": rows} for rows in (shown, labelled)]
    said = told.data(facts, width=80)
    assert "row 3 [bill\ufffding]: late" in said
    assert "\x1b" not in said and "\x07" not in said and max(map(len, said.splitlines())) == 80


def test_rows_of_several_files_are_quoted_with_their_file():
    facts = dirty.summary() | {"refused": []}
    assert f"            {dirty.FILE} row 17: My parcel" in told.data(facts | {"sources": facts["sources"] * 2}, width=110)


def test_splits_that_could_not_have_their_sizes_are_told_with_the_reason(tmp_path):
    rows = "".join(f"a text number {at} of its own,{'ab'[at % 2]},{at // 25}\n" for at in range(100))
    (tmp_path / "t.csv").write_text("text,label,customer\n" + rows)
    values = {"task": "text-classification", "data": {"source": "t.csv", "split": {"by": "group", "group": "customer"}}}
    (tmp_path / "r.yaml").write_text(json.dumps({**values, "model": {"base": "embedded"}, "output_dir": str(tmp_path)}))
    recipe = read(tmp_path / "r.yaml")
    wanted = "test has 25 rows where 10 were wanted. Rows that belong together stay in one split (the largest cluster has 25)"
    seen = " ".join(told.data(check.data_facts(check.look_at_data(recipe, tmp_path)), width=100).split())
    assert "of the splits: train has 50 rows where 80 were wanted; validation has 25 rows" in seen and wanted in seen
    done = CliRunner().invoke(app, ["prepare", str(tmp_path / "r.yaml"), "--quiet"], catch_exceptions=False)
    assert "of the splits: train has 50 rows" in done.stdout and wanted in done.stdout


def test_what_the_recipe_refuses_is_said(checked):
    words, facts = checked
    assert facts["data"]["refused"] == ["conflicting-label"]
    assert "The recipe refuses what was found: conflicting-label" in words and "exit status 3" in words


def test_cut_rows_are_counted_per_split_and_label_and_the_test_split_only_counted(checked):
    words, facts = checked
    splits = facts["truncation"]["splits"]
    assert set(splits) == {"train", "validation", "test"} and facts["truncation"]["max_tokens"] == 24
    assert all(one["rows_cut"] > 0 and one["tokens"] > one["tokens_cut"] > 0 for one in splits.values())
    assert sum(one["rows_cut"] for one in splits["train"]["labels"].values()) == splits["train"]["rows_cut"]
    assert "by label: " in words and "counted only" in words


def test_a_row_that_the_model_cannot_read_is_counted_and_told(checked):
    words, facts = checked
    assert sum(one["rows_unknown"] for one in facts["truncation"]["splits"].values()) == 1, "a word of 300 letters is one unknown token"
    assert "1 row of which the model knows less than half of the tokens" in words


@pytest.mark.parametrize(("marks", "rows"), [((1, 2), 2), ((9, 2), 0)], ids=["a token of its own", "the one that ends a text as well"])
def test_unknown_tokens_are_told_from_those_that_mark_a_row(marks, rows):
    seen = [[1, 9, 2], [1, 9, 9, 5, 2], [1, 9, 5, 2], [1, 2], [1, 5, 5, 2]]
    encoded = [Encoded(({"input_ids": ids},), len(ids), 0) for ids in seen]
    names = dict.fromkeys(("eos_token_id", "cls_token_id", "sep_token_id", "pad_token_id"), marks[1])
    tokenizer = SimpleNamespace(unk_token_id=9, bos_token_id=marks[0], **names)
    found = truncation(tiny.learned(tiny.rows(5)), tokenizer, {"train": (tiny.rows(5), encoded)}, 8, "")
    assert found["splits"]["train"]["rows_unknown"] == rows


def test_the_estimate_has_numbers_and_the_choices_their_price(checked):
    words, facts = checked
    found = facts["estimate"]
    assert found["parameters"] == found["trainable"] > 22_000_000
    train = facts["data"]["splits"]["train"]["rows"]
    assert found["steps"] == 2 * -(-train // 8) and found["evaluations"] == 2
    assert found["total_seconds"] > found["train_seconds"] > 0 and found["memory_bytes"] > found["checkpoint_bytes"]
    methods = {one["value"]: one for one in facts["choices"] if one["setting"] == "method"}
    assert methods["full"]["chosen"] and not methods["lora"]["chosen"]
    assert (
        methods["lora"]["trainable"] < 0.05 * methods["full"]["trainable"]
        and methods["lora"]["training_bytes"] < methods["full"]["training_bytes"]
    )
    for part in ("Time: about", "Memory: about", "* method full: trains 22,", "pooling mean: ", "Next: tunewright run"):
        assert part in words
    assert words.rstrip().endswith(".yaml --set train.batch_size=8"), "the next command has the settings of this one"


def test_nothing_is_written_and_no_weights_are_read(checked, recipe_file, bare_encoder):
    left = {one.relative_to(recipe_file.parent) for one in recipe_file.parent.rglob("*") if one.is_file()}
    cache = Path("out/datasets/.cache/vectors")
    assert {one for one in left if not one.is_relative_to(cache)} == {Path("tickets.yaml")}, "nothing but the cache of sentence vectors"
    assert not list(bare_encoder.glob("*.safetensors")), "it was checked with a model that has no weights"


@pytest.mark.slow
def test_a_run_keeps_to_the_estimate(trained_run, tmp_path):
    """Weights and steps to the number; how close seconds and memory come is measured by ``benchmarks/estimates.py``."""
    recipe = read(trained_run / "recipe.yaml", {"output_dir": str(tmp_path)})
    found = whole_check(recipe)["estimate"]
    manifest, real = read_json(trained_run / "manifest.json"), read_json(trained_run / "metrics.json")["efficiency"]
    assert (found["parameters"], found["trainable"], found["steps"]) == (
        manifest["model"]["parameters"],
        manifest["model"]["trainable"],
        real["steps"],
    )
    assert found["train_seconds"] > 0
    assert found["memory_bytes"] > 16 * manifest["model"]["trainable"], "weights, gradients and two moments of each, in float32"


def test_what_is_missing_is_told_before_a_row_is_read_and_at_once(recipe_file):
    set_ = [part for key in ("model.base=./nowhere", "data.source=nothing.csv") for part in ("--set", key)]
    said = CliRunner().invoke(app, ["check", str(recipe_file), *set_])
    assert isinstance(said.exception, SeveralErrors) and said.stdout == ""
    for part in ("2 things are in the way", "nothing.csv does not exist", "the folder ./nowhere does not exist"):
        assert part in str(said.exception)


def test_what_the_recipe_names_beside_its_rows_is_found_before_a_row_is_read(recipe_file, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None)
    changes = {
        "evaluate__metrics": ["f2", "mine.py:score"],
        "model__pooling": "mean",
        "train__precision": "fp16",
        "model__max_tokens": 9999,
    }
    with pytest.raises(SeveralErrors) as told_at_once:
        find_all(with_changes(recipe_file, **changes), recipe_file.parent)
    for part in ("no metric is called 'f2'", "mine.py", "pip install 'tunewright[sentence]'", "fp16 needs a GPU", "at most (got 9999)"):
        assert part in str(told_at_once.value)


def test_a_score_that_does_not_exist_is_told_before_a_run(recipe_file):
    with pytest.raises(BadConfig, match=r"train.best_by.*'f1_makro'.*Did you mean 'f1_macro'"):
        whole_check(with_changes(recipe_file, train__best_by="f1_makro", model__base=str(tiny.base_folder(recipe_file.parent / "small"))))


def test_mean_pooling_without_its_library_names_the_extra(recipe_file, monkeypatch):
    import importlib.util

    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "sentence_transformers" else there(name, *more))
    with pytest.raises(MissingExtra, match=r"pip install 'tunewright\[sentence\]'"):
        whole_check(with_changes(recipe_file, model__pooling="mean"))


def test_a_model_that_does_not_fit_into_memory_is_not_tried(recipe_file, monkeypatch):
    import psutil

    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=int(2e8), total=int(2e8)))
    found = whole_check(with_changes(recipe_file))
    assert "alone take 0.4 GB, and 0.2 GB are free here; set method: lora" in found["estimate"]["train_seconds"]["not_measured"]
    assert found["estimate"]["parameters"] > 22_000_000
    assert "Time and memory: not measured: weights" in told.model(found)


def test_steps_that_leave_the_finite_numbers_are_not_measured_and_say_why(recipe_file):
    small = tiny.base_folder(recipe_file.parent / "small")
    changes = {"model__base": str(small), "model__precision": "float16", "train__learning_rate": 0.9, "train__clip": 0}
    found = whole_check(with_changes(recipe_file, **changes))["estimate"]
    assert "a step of this run does not work here" in found["memory_bytes"]["not_measured"] and found["trainable"] > 5_000


def test_little_memory_and_little_disk_are_warned_of(recipe_file, tmp_path):
    recipe = build({**json.loads(recipe_file.read_text()), "output_dir": str(tmp_path / "not" / "yet")})
    warned = list(check._warnings(recipe, {"memory_bytes": 10**15, "disk_bytes": 3 * 10**15}))
    assert "1000000.0 GB of memory" in warned[0] and "method: lora" in warned[0]
    assert "checkpoints and its model need about 3000000.0 GB" in warned[1] and "output_dir" in warned[1]
    assert not list(check._warnings(recipe, {"memory_bytes": {"not_measured": "?"}, "disk_bytes": 1}))


def test_data_that_cannot_be_learned_from_is_explained(recipe_file, tmp_path):
    (tmp_path / "rows.csv").write_text("body,queue\n" + "".join(f"order {at} is late,delivery\n" for at in range(40)))
    with pytest.raises(UserError, match=r"have the label 'delivery'.*at least two labels"):
        check.look_at_data(with_changes(recipe_file, data__source=str(tmp_path / "rows.csv")), tmp_path)
