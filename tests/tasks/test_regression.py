"""Numbers: learned in standard deviations, answered in the unit of the table, by the saved model alone where its head can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests import tiny
from tunewright.core.errors import BadConfig, Diverged, UserError
from tunewright.model.build import save
from tunewright.model.predict import Predictor
from tunewright.model.proof import prove
from tunewright.model.settings import ModelSettings
from tunewright.tasks import TASKS
from tunewright.tasks.regression import Regression

ROWS = [{"text": row["text"], "number": 2000.0 + 3 * (at % 4)} for at, row in enumerate(tiny.rows(24))]
TASK = Regression().learn(ROWS)


def test_mean_and_deviation_are_those_of_the_training_numbers() -> None:
    numbers = [row["number"] for row in ROWS]
    assert TASK.mean == pytest.approx(np.mean(numbers)) and TASK.deviation == pytest.approx(np.std(numbers))
    assert TASK.learn([{"number": 1.0}, {"number": 5.0}]) == TASK, "what is known already stays"
    labels = [one.pieces[0]["labels"] for one in TASK.encode(ROWS, tiny.tokenizer(), 40)]
    assert np.mean(labels) == pytest.approx(0, abs=1e-9) and np.std(labels) == pytest.approx(1)
    raw = [one.pieces[0]["labels"] for one in Regression(standardise=False).learn(ROWS).encode(ROWS, tiny.tokenizer(), 40)]
    assert raw == numbers


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"number": 3.0}] * 9, "all 9 training rows have the number 3"),
        ([{"number": None}] * 9, "no training row has a number"),
    ],
)
def test_rows_that_teach_nothing_are_refused(rows: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(UserError, match=f"{said}.*data.columns.number"):
        Regression().learn(rows)


def test_bounds_keep_the_answers_and_refuse_rows_beyond_them() -> None:
    bounded = Regression(low=0, high=5, mean=2.0, deviation=1.0)
    answers = [bounded.decode({}, [value], None, None)["number"] for value in (-9.0, 1.0, 9.0)]  # type: ignore[arg-type]
    assert answers == [0.0, 3.0, 5.0]
    with pytest.raises(UserError, match=r"1 training rows have a number outside task\.low and task\.high, as 7.*Widen the bounds"):
        Regression(low=0, high=5).learn([{"number": 1.0}, {"number": 7.0}])
    with pytest.raises(BadConfig, match="low must be less than high"):
        TASKS.build({"name": "regression", "low": 5, "high": 5})


def test_an_answer_that_is_no_number_is_no_answer() -> None:
    with pytest.raises(Diverged):
        TASK.outcome(ROWS[:1], [TASK.decode({}, [float("nan")], None, None)])  # type: ignore[arg-type]
    assert TASK.difference({"number": float("nan")}, {"number": 1.0}) == float("inf")


def test_answers_are_compared_in_standard_deviations() -> None:
    task = Regression(mean=0.0, deviation=100.0)
    assert task.difference({"number": 10.0}, {"number": 30.0}) == pytest.approx(0.2)
    assert task.agrees({"number": 10.0}, {"number": 10.05}) and not task.agrees({"number": 10.0}, {"number": 11.0})


class Saved:
    """A drawn model, settled and saved, with the answers that it gave before."""

    def __init__(self, folder: Path, kind: str, task: Any = TASK, some: Any = ROWS, **settings: Any) -> None:
        base = tiny.base_folder(folder / "base", kind) if kind != "llama" else llama(folder / "base")
        self.built, found = tiny.built(base, task, **settings)
        self.built.model.eval()
        self.answers = Predictor(self.built.model, found.tokenizer, task, 40).answers(some, task.encode(some, found.tokenizer, 40))
        self.settled = task.settled(self.built.model)
        self.folder = folder / "model"
        chosen = ModelSettings(base=str(base), **settings)
        save(self.built.model, self.folder, found.tokenizer, self.settled, TASKS.spec(self.settled), chosen, 40)


def llama(folder: Path) -> Path:
    """A decoder whose head has no bias."""
    from transformers import LlamaConfig, LlamaModel

    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 128}
    torch.manual_seed(0)
    LlamaModel(LlamaConfig(vocab_size=261, pad_token_id=0, bos_token_id=1, eos_token_id=2, **size)).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_the_saved_model_gives_numbers_in_the_unit_of_the_table(kind: str, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    made = Saved(tmp_path, kind)
    assert not made.settled.standardise
    model = AutoModelForSequenceClassification.from_pretrained(made.folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(made.folder)
    for row, answer in list(zip(ROWS, made.answers, strict=True))[:6]:
        inputs = tokenizer(row["text"], return_tensors="pt", truncation=True, max_length=40)
        with torch.no_grad():
            assert model(**inputs).logits.item() == pytest.approx(answer["number"], abs=2e-3)
    again = Predictor.load(made.folder).predict([row["text"] for row in ROWS])
    assert [one["number"] for one in again] == pytest.approx([one["number"] for one in made.answers], abs=2e-3)


def test_a_head_without_a_bias_keeps_its_own_scale_and_the_folder_says_so(tmp_path: Path) -> None:
    made = Saved(tmp_path, "llama")
    assert made.settled == TASK and made.settled.standardise
    assert TASK.details(TASK.outcome(ROWS, made.answers))["numbers"]["unit"] == TASK.deviation
    again = Predictor.load(made.folder).predict([row["text"] for row in ROWS])
    assert [one["number"] for one in again] == pytest.approx([one["number"] for one in made.answers], abs=2e-3)


@pytest.mark.slow
def test_mean_pooling_is_proved_with_sentence_transformers_and_pairs_with_transformers(tmp_path: Path) -> None:
    made = Saved(tmp_path / "mean", "bert", pooling="mean")
    evidence = prove(made.folder, Predictor.load(made.folder), ROWS, made.answers, "mean")
    assert evidence["loaded_with"] == "sentence_transformers" and evidence["same_labels"] == len(ROWS)
    pairs = [{**row, "text_pair": f"and {row['text'][:9]}"} for row in ROWS]
    made = Saved(tmp_path / "pairs", "bert", TASK, pairs)
    assert prove(made.folder, Predictor.load(made.folder), pairs, made.answers, "architecture")["same_labels"] == len(ROWS)
