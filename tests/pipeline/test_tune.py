"""``tunewright tune``: learning rates and sizes of passes, tried on some steps."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from tests import tiny
from tunewright.cli import app
from tunewright.core.errors import UserError
from tunewright.pipeline import tune
from tunewright.pipeline.recipe import build, read


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe file on 60 rows, whose base is a tiny BERT."""
    folder = tmp_path_factory.mktemp("tuned")
    tiny.base_folder(folder / "bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    rows = "\n".join(json.dumps({**row, "text": f"{row['text']} {at}"}) for at, row in enumerate(tiny.rows(120)))
    (folder / "rows.jsonl").write_text(rows + "\n")
    (folder / "r.yaml").write_text(
        "task: text-classification\ndata: {source: rows.jsonl}\nmodel: {base: bert, max_tokens: 64}\n"
        "train: {learning_rate: 1.0e-3, batch_size: 16, precision: fp32}\n"
        f"output_dir: {folder / 'out'}\n"
    )
    return folder / "r.yaml"


@pytest.mark.slow
def test_rates_rise_by_the_same_factor_and_the_advice_is_where_the_loss_fell(recipe: Path) -> None:
    small = read(recipe, {"model.base": "embedded", "train.batch_size": 8, "train.learning_rate": 2e-4})
    facts = tune.rates(small, recipe.parent, 80)
    tried, smooth = ([one[name] for one in facts["tried"]] for name in ("rate", "smoothed"))
    assert facts["own"] == 2e-4 and tried[0] == pytest.approx(2e-6) and len(tried) > 40
    factors = [after / before for before, after in itertools.pairwise(tried)]
    assert all(one == pytest.approx((100**2) ** (1 / 79), rel=1e-6) for one in factors)
    assert facts["least"] == tried[smooth.index(min(smooth))] and min(smooth) < 0.9 * smooth[0]
    assert facts["steepest"] < facts["least"] and 1e-5 < facts["advice"] < 2e-3
    assert facts["advice"] == pytest.approx(facts["least"] / 10, rel=0.06)
    assert facts["lost"] is None or facts["lost"] == tried[-1]
    said = tune.told_of_rates(facts, recipe)
    assert f"a tenth of the rate with the least loss is {facts['advice']:.1e}" in said and said.count("#") > 40
    assert not (recipe.parent / "out" / "runs").exists(), "nothing is kept but the dataset"


def test_where_the_loss_does_not_fall_no_rate_is_advised(recipe: Path) -> None:
    with pytest.raises(UserError, match="the loss did not fall at any of the 20 rates that were tried"):
        tune.rates(read(recipe, {"train.learning_rate": 1e-7}), recipe.parent, 20)


def test_the_advice_of_losses_whose_turn_is_known() -> None:
    rates = [10 ** (-5 + at / 10) for at in range(50)]
    losses = [
        3.0 if rate < 1e-4 else max(1.0, 3.0 + math.log10(1e-4 / rate)) if rate < 1e-2 else 1.0 + 40 * (rate - 1e-2) for rate in rates
    ]
    found = tune.advice(rates, losses)
    assert 1e-2 < found["least"] < 4e-2 and found["advice"] == pytest.approx(found["least"] / 10, rel=0.06)
    assert 1e-4 < found["steepest"] < 1e-2
    for bad, why in (([1.0 + at for at in range(50)], "the loss did not fall"), ([], "the loss was no number at the lowest rate")):
        with pytest.raises(UserError, match=why):
            tune.advice(rates[: len(bad)], bad)


def test_sizes_double_until_all_rows_are_in_a_pass(recipe: Path) -> None:
    facts = tune.sizes(read(recipe), recipe.parent, 8)
    assert [one["rows"] for one in facts["tried"]] == [1, 2, 4, 8] and facts["failed"] is None
    assert all(one["rows_per_second"] > 0 for one in facts["tried"])
    assert facts["batch_size"] == 16 and 16 % facts["accumulate"] == 0 and 16 // facts["accumulate"] <= facts["fastest"]


def test_the_size_at_which_memory_fails_is_found(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunewright.pipeline import job

    usual = job.job_of

    def short(*args: Any, **more: Any) -> Any:
        made = usual(*args, **more)

        def loss_fn(model: Any, batch: Any) -> Any:
            if len(batch["labels"]) > 4:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return made.loss_fn(model, batch)

        return tiny.without(made, loss_fn=loss_fn)

    monkeypatch.setattr(tune, "job_of", short)
    facts = tune.sizes(read(recipe), recipe.parent, 64)
    assert [one["rows"] for one in facts["tried"]] == [1, 2, 4] and facts["failed"] == 8
    assert "Memory fails in a pass over 8 rows." in tune.told_of_sizes(facts, recipe)
    assert facts["accumulate"] >= 4


def test_what_cannot_be_tried_is_refused(recipe: Path) -> None:
    with pytest.raises(UserError, match="--steps 5 are too few"):
        tune.rates(read(recipe), recipe.parent, 5)
    with pytest.raises(UserError, match="--largest 0 is no size"):
        tune.sizes(read(recipe), recipe.parent, 0)
    streamed = build({
        "task": "text-classification",
        "data": {"source": "rows.jsonl", "streaming": {"first_rows": 50}},
        "model": {"base": "bert"},
        "train": {"max_steps": 5},
    })  # fmt: skip
    with pytest.raises(UserError, match="a stream cannot be tried"):
        tune.rates(streamed, recipe.parent)


def test_the_commands_end_by_naming_the_next_step(recipe: Path) -> None:
    found = {"own": 1e-3, "lost": 0.05, **tune.advice([10 ** (at - 6) for at in range(6)], [3.0, 2.9, 2.0, 1.0, 5.0, 50.0])}
    assert "At 5.0e-02 it was lost." in tune.told_of_rates(found, recipe)
    assert f"Next: tunewright run {recipe} --set train.learning_rate=" in tune.told_of_rates(found, recipe)
    said = CliRunner().invoke(app, ["tune", "lr", str(recipe), "--steps", "20", "--quiet", "--set", "train.learning_rate=1e-7"])
    assert isinstance(said.exception, UserError) and "the loss did not fall" in str(said.exception)
    said = CliRunner().invoke(app, ["tune", "batch", str(recipe), "--largest", "4", "--json", "--quiet"])
    assert said.exit_code == 0, said.output
    assert len(json.loads(said.stdout)["tried"]) == 3
