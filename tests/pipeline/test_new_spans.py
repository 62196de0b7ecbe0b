"""``tunewright new`` tells tables with entities from others, and its recipe reads them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.annotated import CONLL, SCHEMES, TOOLS, many
from tunewright.data.prepare import audit
from tunewright.pipeline.guess_spans import entities_in
from tunewright.pipeline.new import new
from tunewright.pipeline.recipe import read


def wrote(file: Path) -> Any:
    """The recipe that ``new`` writes for a file, and the audit of its data."""
    new([str(file)], file.with_name("recipe.yaml"))
    recipe = read(file.with_name("recipe.yaml"))
    return recipe, audit(recipe.data, recipe.task, 0, file.parent)


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_what_annotation_tools_write_is_known(tool: str, tmp_path: Path) -> None:
    make, columns = TOOLS[tool]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(make(row)) for row in many(str)))
    recipe, data = wrote(tmp_path / "rows.jsonl")
    assert type(recipe.task).__name__ == "TokenClassification"
    assert recipe.data.columns == {"text": "text", "spans": "spans", **columns}
    assert data.task.labels == ("LOC", "ORG", "PER")
    assert "# spans is " in (tmp_path / "recipe.yaml").read_text() and "3 types (" in (tmp_path / "recipe.yaml").read_text()


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_tokens_with_tags_are_known(scheme: str, tmp_path: Path) -> None:
    rows = [{"id": at, "words": ["New", f"York{at}", "to", "Rome", "Köln"], "ner": SCHEMES[scheme]} for at in range(20)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recipe, data = wrote(tmp_path / "rows.jsonl")
    assert recipe.data.columns == {"text": "words", "spans": "ner"} and data.task.labels == ("LOC", "PER")


@pytest.mark.parametrize("bad", [["O"], None, [], "oops", ["O", "?", "B-PER", None, "O"]])
def test_a_few_rows_whose_tags_do_not_fit_hide_no_entities(bad: Any, tmp_path: Path) -> None:
    rows = [{"words": ["New", f"York{at}", "to", "Rome", "Köln"], "ner": bad if at == 7 else SCHEMES["bio"]} for at in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recipe, data = wrote(tmp_path / "rows.jsonl")
    assert recipe.data.columns == {"text": "words", "spans": "ner"} and data.task.labels == ("LOC", "PER")
    assert data.summary()["rows"]["kept"] == 39


def test_a_conll_file_is_known_and_its_last_column_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("".join(CONLL.replace("call", f"call{at}").replace("EU", f"EU{at}") for at in range(40)))
    recipe, data = wrote(tmp_path / "train.conll")
    assert recipe.data.columns == {"text": "tokens", "spans": "tags"}
    assert data.task.labels == ("LOC", "MISC", "ORG", "PER")
    assert "# or: {columns: {text: tokens, spans: column_2}}" in (tmp_path / "recipe.yaml").read_text()


def test_lists_that_are_no_entities_are_left_to_other_tasks() -> None:
    labels = {"text": ["a b c", "d e f"], "label": [["x", "y"], ["x"]]}
    assert entities_in(labels) is None
    assert entities_in({"text": ["a", "b"], "numbers": [[1, 2, 3], [4, 5, 6]]}) is None
    assert entities_in({"text": ["a", "b"], "found": [[{"name": "x"}], []]}) is None
    assert entities_in({"tokens": [["a"], ["b"]], "tags": [["O", "B-x"], ["O"]]}) is None, "lengths differ"


def test_nothing_heavy_is_loaded_for_it(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text(CONLL * 8)
    code = (
        "import sys; from pathlib import Path; from tunewright.pipeline.new import new;"
        f"new([{str(tmp_path / 'train.conll')!r}], Path({str(tmp_path / 'r.yaml')!r}));"
        "print([name for name in ('torch', 'transformers', 'datasets', 'pandas', 'pyarrow') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
