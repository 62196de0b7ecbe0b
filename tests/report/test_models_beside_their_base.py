"""The lines of the card for a model whose trained part stands beside its base: run as they stand, they give the model's own answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from run_folders import change, single

from tests import tiny
from tests.model.test_methods import Made
from tests.model.test_specialist import ROWS, TASK
from tunewright.report import card

WAYS = [("adapter", "architecture"), ("adapter", "mean"), ("prompt", "architecture")]


def code_of(run: Path, weights: str, pooling: str) -> str:
    change(run, "manifest.json", served={"weights": weights, "sha256": "x"}, model={"base": "x/y", "pooling": pooling, "max_tokens": 64})
    return card.write(run).read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "pooling"), WAYS)
def test_the_lines_of_the_card_answer_as_the_model_does(tmp_path: Path, method: str, pooling: str) -> None:
    one = Made(tmp_path, tiny.base_folder(tmp_path / "base"), method, pooling=pooling)
    weights = next(path.name for path in one.folder.glob("adapter*.safetensors"))
    code = code_of(single(tmp_path / "run", TASK.labels, 300), f"model/{weights}", pooling)
    assert "tunewright" not in code
    row, answer = ROWS[0], one.answers[0]
    asked = code.replace('"a text"', repr(row["text"]))
    assert asked != code
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-I", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=False, env=offline)
    assert done.returncode == 0, done.stderr[-500:]
    assert answer["label"] in done.stdout
    if pooling == "architecture":
        assert f"{answer['probabilities'][answer['label']]:.4f}"[:5] in done.stdout


def test_a_plain_model_is_loaded_as_before(tmp_path: Path) -> None:
    run = single(tmp_path / "run", ("a", "b"), 300)
    assert 'pipeline("text-classification", model="model")' in code_of(run, "model/model.safetensors", "architecture")
    assert 'SentenceTransformer("model").encode' in code_of(run, "model/model.safetensors", "mean")
