"""``train.compile`` really compiles, in both engines; it needs a C++ compiler."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests import tiny
from tunewright.train import ENGINES, engine
from tunewright.train.checkpoint import latest, load_weights


@pytest.mark.slow
@pytest.mark.parametrize("driver", sorted(ENGINES))
def test_a_compiled_model_trains_to_the_same_weights_and_its_checkpoint_fits_the_plain_one(driver: str, tmp_path: Path) -> None:
    base, some = tiny.base_folder(tmp_path / "base", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0), tiny.rows(16)
    found = {}
    for wanted in (False, True):
        settings = {"engine": driver, "optimizer": {"name": "adamw", "epsilon": 1e-3}, "compile": wanted, "bucket": False, "epochs": 2}
        torch._dynamo.reset()  # what another engine has compiled of the same code
        before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        job = tiny.job(tmp_path / str(wanted), base, some, **settings)
        found[wanted] = engine(driver)(job)
        assert (torch._dynamo.utils.counters["stats"]["unique_graphs"] > before) is wanted
    plain, compiled = (tiny.weights(found[wanted].model) for wanted in (False, True))
    for name, value in plain.items():
        torch.testing.assert_close(compiled[name], value, rtol=0, atol=1e-4, msg=lambda told, name=name: f"{name}: {told}")
    load_weights(tiny.job(tmp_path / "again", base, some).model, latest(tmp_path / "True") or tmp_path)
