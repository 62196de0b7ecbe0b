"""The streams of randomness that libraries share in a process: set at the start of a run, kept with a checkpoint, and put back."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def chance_state(device: torch.device) -> dict[str, Any]:
    """Where every shared stream of this process stands, in plain values: Python's, numpy's, PyTorch's, and that of its device."""
    version, inner, gauss = random.getstate()
    arrays: Any = np.random.get_state(legacy=False)
    arrays = {**arrays, "state": {**arrays["state"], "key": arrays["state"]["key"].tolist()}}
    state = {"python": [version, list(inner), gauss], "numpy": arrays, "torch": torch.get_rng_state().numpy().tobytes().hex()}
    if device.type != "cpu":
        state["device"] = torch.get_device_module(device.type).get_rng_state().cpu().numpy().tobytes().hex()
    return state


def put_chance_back(state: dict[str, Any], device: torch.device) -> None:
    """Have every shared stream go on from where ``chance_state`` found it."""
    version, inner, gauss = state["python"]
    random.setstate((version, tuple(inner), gauss))
    arrays = state["numpy"]
    np.random.set_state({**arrays, "state": {**arrays["state"], "key": np.asarray(arrays["state"]["key"], dtype=np.uint32)}})
    torch.set_rng_state(_tensor(state["torch"]))
    if device.type != "cpu" and "device" in state:
        torch.get_device_module(device.type).set_rng_state(_tensor(state["device"]))


def _tensor(hexadecimal: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(hexadecimal), dtype=torch.uint8)
