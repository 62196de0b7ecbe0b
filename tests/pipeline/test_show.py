"""``tunewright show``: training rows with the eyes of the model."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tunewright.cli import app
from tunewright.core.errors import UserError
from tunewright.pipeline.recipe import build
from tunewright.pipeline.show import CUT, _spans, show

LONG = "late " * 60


def write_recipe(folder: Path, **sections: Any) -> Path:
    with (folder / "rows.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "second", "label"])
        for at in range(60):
            label = "ABCDEFGH"[at % 2] if at < 50 else "AB"[at % 2]
            writer.writerow([f"order {at} is {LONG if at % 5 == 0 else 'fine'}", f"answer {at} {LONG if at % 7 == 0 else ''}", label])
    recipe = {
        "task": "text-classification",
        "data": {"source": "rows.csv"},
        "model": {"base": "embedded", "max_tokens": 24},
        "output_dir": str(folder / "out"),
        **sections,
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    return folder / "recipe.yaml"


def shown(folder: Path, sample: int = 20, **sections: Any) -> Any:
    return show(build(json.loads(write_recipe(folder, **sections).read_text())), folder, sample)


def test_rows_are_shown_with_special_tokens_labels_and_the_place_of_the_cut(tmp_path):
    found = shown(tmp_path, 48)
    cut = [row for row in found.rows if row["cut"]]
    assert len(found.rows) == 48 and cut and len(cut) < 20
    for row in found.rows:
        assert row["marked"].startswith("[CLS] order") and row["marked"].endswith("[SEP]")
        assert {"A": 0, "B": 1}[row["label"]] == row["label_id"]
        assert (CUT in row["marked"]) == (row["cut"] > 0) and ("fine" in row["marked"]) == (row["cut"] == 0)
    assert all(f"[{CUT} {row['cut']} tokens cut: late late" in row["marked"] and row["tokens"] - row["cut"] == 24 for row in cut)


def test_of_a_pair_each_cut_stands_in_its_own_text(tmp_path):
    found = shown(tmp_path, 48, data={"source": "rows.csv", "columns": {"text": "text", "text_pair": "second"}})
    both = next(row for row in found.rows if row["marked"].count(CUT) == 2)
    first, second = both["marked"].split("[SEP]")[:2]
    assert CUT in first and CUT in second and "answer" in second


def test_rows_are_drawn_by_the_seed_from_the_training_rows_alone(tmp_path):
    from tunewright.data.prepare import audit

    one, again, other = (shown(tmp_path, 5, seed=seed) for seed in (1, 1, 2))
    numbers = [[row["row"] for row in found.rows] for found in (one, again, other)]
    assert numbers[0] == numbers[1] != numbers[2]
    recipe = build(json.loads((tmp_path / "recipe.yaml").read_text()))
    train = set(audit(recipe.data, recipe.task, recipe.seed, tmp_path).rows("train")["_row"].to_pylist())
    everything = shown(tmp_path, 10_000, seed=2)
    assert {row["row"] for row in everything.rows} == train and everything.of == len(train) < 60


def test_nothing_is_written(tmp_path):
    shown(tmp_path, 3)
    assert {one.name for one in tmp_path.iterdir()} == {"rows.csv", "recipe.yaml"}


def test_a_sample_of_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"--sample 0 shows nothing.*--sample 20"):
        shown(tmp_path, 0)


def test_several_labels_have_several_ids(tmp_path):
    task = {"name": "text-classification", "multi_label": True}
    write_recipe(tmp_path, task=task)
    (tmp_path / "rows.csv").write_text("text,label\n" + "".join(f"row {at} is here,{'a;b' if at % 2 else 'b'}\n" for at in range(60)))
    found = show(build(json.loads((tmp_path / "recipe.yaml").read_text())), tmp_path, 60)
    assert {tuple(row["label_id"]) for row in found.rows} == {(0, 1), (1,)}


def test_the_command_prints_rows_and_the_next_command(tmp_path):
    recipe = write_recipe(tmp_path)
    said = CliRunner().invoke(app, ["show", str(recipe), "--sample", "3", "--set", "model.max_tokens=16"])
    assert said.exit_code == 0 and said.stdout.count("[CLS]") == 3 and "the model sees 16 tokens" in said.stdout and "(id " in said.stdout
    assert said.stdout.rstrip().endswith(f"tunewright check {recipe} --set model.max_tokens=16")
    told = json.loads(CliRunner().invoke(app, ["show", str(recipe), "--sample", "2", "--json"]).stdout)
    assert len(told["rows"]) == 2 and told["max_tokens"] == 24 and told["rows"][0]["seen"][0].startswith("[CLS]")


def test_characters_that_the_model_does_not_know_are_counted(tmp_path):
    write_recipe(tmp_path)
    lines = "".join(f"row {at} \U0001f9a5 \U0001f9a6,{'ab'[at % 2]}\n" for at in range(60))
    (tmp_path / "rows.csv").write_text("text,label\n" + lines, encoding="utf-8")
    found = show(build(json.loads((tmp_path / "recipe.yaml").read_text())), tmp_path, 60)
    assert {row["unknown"] for row in found.rows} == {2} and "[UNK]" in found.rows[0]["marked"]


@pytest.mark.parametrize(
    ("kept", "spans"),
    [
        ([1, 5, 6, 2], [(True, [1, 5, 6]), (False, [7, 8]), (True, [2])]),
        ([1, 5, 6, 7, 8, 2], [(True, [1, 5, 6, 7, 8, 2])]),
        ([1, 2], [(True, [1]), (False, [5, 6, 7, 8]), (True, [2])]),
        ([1, 5], [(True, [1, 5]), (False, [6, 7, 8, 2])]),
    ],
)
def test_spans_are_what_is_kept_and_what_is_cut(kept, spans):
    assert list(_spans(kept, [1, 5, 6, 7, 8, 2])) == spans
