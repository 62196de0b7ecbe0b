from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tunewright.core.errors import UserError
from tunewright.train.packing import read_state, write_state


def test_a_nested_state_comes_back_as_it_was_types_and_bits_included(tmp_path: Path) -> None:
    shared = torch.arange(6, dtype=torch.float32)
    state: dict[str, Any] = {
        "state": {
            0: {"step": torch.tensor(3.0), "mean": shared},
            1: {"mean": shared.view(2, 3).t(), "half": torch.ones(3, dtype=torch.bfloat16)},
        },
        "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "fused": None, "params": [0, 1], "amsgrad": False}],
        "odd": [math.inf, -math.inf, {"$": "a key of ours"}, [], {}, 1e-300, 2**70],
        "bytes": torch.tensor([1, 255], dtype=torch.uint8),
    }
    write_state(tmp_path, "optimizer", state)
    found = read_state(tmp_path, "optimizer")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["optimizer.safetensors"]
    for number, inner in state["state"].items():
        for name, value in inner.items():
            assert torch.equal(found["state"][number][name], value) and found["state"][number][name].dtype == value.dtype
    assert torch.equal(found["bytes"], state["bytes"])
    assert found["param_groups"] == state["param_groups"] and isinstance(found["param_groups"][0]["betas"], tuple)
    assert found["odd"] == state["odd"]


def test_a_state_without_tensors_is_a_file_of_json_that_can_be_read(tmp_path: Path) -> None:
    write_state(tmp_path, "schedule", {"last_epoch": 3, "lr_lambdas": [{}, None], "rate": math.nan})
    assert '"last_epoch": 3' in (tmp_path / "schedule.json").read_text()
    found = read_state(tmp_path, "schedule")
    assert found["lr_lambdas"] == [{}, None] and math.isnan(found["rate"])


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), {1.5: 2}, 1j])
def test_what_would_have_to_be_pickled_is_refused_by_its_place(value: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the state optimizer.param_groups.0.odd is a .*which a checkpoint does not keep"):
        write_state(tmp_path, "optimizer", {"param_groups": [{"odd": value}]})


def test_a_state_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"scaler.json is missing"):
        read_state(tmp_path, "scaler")
