"""``compare``: measured runs side by side, over one of them, with a paired test on the same rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from tests import tiny
from tunewright.cli import app
from tunewright.core.errors import UserError
from tunewright.core.folder import read_json, write_json
from tunewright.pipeline.compare import compare, picture, table, told
from tunewright.pipeline.evaluate import evaluate
from tunewright.pipeline.recipe import build
from tunewright.pipeline.train import train
from tunewright.report.method_table import PANELS

pytestmark = pytest.mark.slow
METHODS: dict[str, Any] = {"lora": {"name": "lora", "rank": 2, "layers": 1}, "full": "full", "head": "head"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("compared")
    tiny.base_folder(root / "bert")
    with (root / "rows.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["text", "label"])
        writer.writeheader()
        writer.writerows({**row, "text": f"{row['text']} {at}"} for at, row in enumerate(tiny.rows(90)))
    found = {}
    for name, method in METHODS.items():
        found[name] = trained(root, name, method)
    return found


def trained(root: Path, name: str, method: Any, **data: Any) -> Path:
    values = {
        "task": "text-classification",
        "data": {"source": str(root / "rows.csv"), **data},
        "model": {"base": str(root / "bert")},
        "method": method,
        "train": {"epochs": 2, "batch_size": 8, "precision": "fp32"},
        "evaluate": {"baselines": [], "resamples": 200},
        "name": name,
        "output_dir": str(root),
    }
    run = train(build(values), root, name, "tunewright train")
    evaluate(run, "tunewright evaluate")
    return run


def test_each_run_tells_what_it_cost_and_gave_over_the_full_one(runs: dict[str, Path]) -> None:
    found = compare([runs["lora"], runs["full"], runs["head"]])
    assert (found["score"], found["reference"]) == ("accuracy", "full")
    lora, full, head = found["runs"]
    for one in found["runs"]:
        kept = read_json(runs[one["run"]] / "metrics.json")
        assert one["score"] == kept["test"]["accuracy"] and one["train_seconds"] == kept["efficiency"]["train_seconds"]
        assert one["training_memory_bytes"] == kept["efficiency"]["training_memory_bytes"] >= 0
        assert one["merged_rows_per_second"] > 0
    assert head["trainable"] < lora["trainable"] + head["trainable"] and lora["trainable"] < full["trainable"]
    assert lora["relative"]["trainable"] == pytest.approx(lora["trainable"] / full["trainable"], abs=1e-5)
    folder = sum(path.stat().st_size for path in (runs["lora"] / "adapter").iterdir())
    assert lora["storage_bytes"] == folder and full["storage_bytes"] == full["model_bytes"] > head["storage_bytes"]
    assert lora["attached_rows_per_second"] > 0 and "not_measured" in full["attached_rows_per_second"]
    assert lora["relative"]["attached_rows_per_second"] > 0
    assert lora["frozen_cache_bytes"] > 0 and head["frozen_cache_bytes"] > 0 and full["frozen_cache_bytes"] == 0


def test_the_difference_is_paired(runs: dict[str, Path]) -> None:
    found = compare([runs["full"], runs["head"]], speed=False)
    apart = found["runs"][1]["difference"]
    assert found["runs"][0]["difference"] is None
    assert apart["value"] == pytest.approx(found["runs"][1]["score"]["value"] - found["runs"][0]["score"]["value"])
    assert apart["low"] <= apart["value"] <= apart["high"] and apart["rows"] == found["runs"][0]["score"]["rows"]
    itself = compare([runs["head"], runs["head"]], speed=False)["runs"][1]["difference"]
    assert (itself["low"], itself["value"], itself["high"]) == (0, 0, 0) and itself["verdict"] == "no difference is proven"


def test_without_a_full_run_the_first_is_the_reference(runs: dict[str, Path]) -> None:
    found = compare([runs["head"], runs["lora"]], speed=False)
    assert found["reference"] == "head" and found["runs"][0]["relative"]["trainable"] == 1
    assert "merged_rows_per_second" not in found["runs"][0]


def test_it_is_told_and_drawn(runs: dict[str, Path], tmp_path: Path) -> None:
    found = compare([runs["full"], runs["lora"]])
    text = told(found)
    assert text.startswith("full (reference)") and "merged rows/s" in text and "Percentages and x are of full" in text
    assert {len(line) for line in table(found)} == {10}
    drawn = ElementTree.fromstring(picture(found, tmp_path / "table.svg").read_text())
    titles = [one.text for one in drawn.iter() if one.get("class") == "title"]
    assert len(titles) == len(PANELS) and len([one for one in drawn.iter() if one.tag.endswith("rect")]) >= 2 * len(PANELS) - 1
    page = picture(found, tmp_path / "table.html").read_text()
    assert "<svg" in page and page.count("<tr>") == 3 and "http" not in page.replace("http://www.w3.org/2000/svg", "")
    with pytest.raises(UserError, match=r"--out table\.png ends in \.png"):
        picture(found, Path("table.png"))


def test_the_command_prints_it_and_names_the_next_one(runs: dict[str, Path], tmp_path: Path) -> None:
    words = ["compare", str(runs["full"]), str(runs["lora"]), "--no-speed", "-q"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "t.html")])
    assert done.exit_code == 0 and "difference" in done.stdout and f"Next: open {tmp_path / 't.html'}" in done.stdout
    asked = CliRunner().invoke(app, [*words, "--json"])
    assert json.loads(asked.stdout)["reference"] == "full"


def test_what_cannot_be_compared_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one run was given"):
        compare([runs["full"]])
    other = trained(runs["full"].parent.parent, "other-split", "head", split={"test": 0.3})
    with pytest.raises(UserError, match="Scores are compared on the same test rows"):
        compare([runs["full"], other])
    kept = read_json(other / "metrics.json")
    write_json(other / "metrics.json", {name: kept[name] for name in ("efficiency", "proof")})
    with pytest.raises(UserError, match="other-split was not measured"):
        compare([other, other])
