"""Nested states, as optimizers and schedules give them, as JSON and tensors: one file each, and nothing pickled."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import UserError
from tunewright.core.folder import read_json, write_json

if TYPE_CHECKING:
    from torch import Tensor

MARK = "$"
"""The key of what JSON has no form for: tensors, tuples, keys that are numbers, floats that are not finite."""
STATE = "state"


def write_state(folder: Path, name: str, state: Any) -> None:
    """Write a state into ``<name>.json``, or into ``<name>.safetensors`` when there are tensors in it.

    Raises:
        UserError: something in it is neither a tensor nor a plain value; it is named.
    """
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    plain = _packed(state, tensors, name)
    if tensors:
        save_file(tensors, folder / f"{name}.safetensors", {STATE: json.dumps(plain, allow_nan=False)})
    else:
        write_json(folder / f"{name}.json", plain)


def read_state(folder: Path, name: str) -> Any:
    """What ``write_state`` wrote, tensors in the memory of the processor.

    Raises:
        UserError: there is no such state.
    """
    from safetensors import safe_open

    path = folder / f"{name}.safetensors"
    if not path.exists():
        return _unpacked(read_json(folder / f"{name}.json", "tunewright train"), {})
    with safe_open(path, "pt") as file:
        return _unpacked(json.loads(file.metadata()[STATE]), {key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118


def _packed(value: Any, tensors: dict[str, Tensor], place: str) -> Any:
    """JSON of a value; its tensors are added to ``tensors``."""
    import torch

    if isinstance(value, torch.Tensor):
        name, kept = str(len(tensors)), value.detach().cpu().contiguous()
        shared = any(kept.untyped_storage().data_ptr() == one.untyped_storage().data_ptr() for one in tensors.values())
        tensors[name] = kept.clone() if shared else kept  # no two of a file may share memory
        return {MARK: "tensor", "name": name}
    if isinstance(value, float) and not math.isfinite(value):
        return {MARK: "float", "value": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        items = [_packed(one, tensors, f"{place}.{number}") for number, one in enumerate(value)]
        return {MARK: "tuple", "items": items} if isinstance(value, tuple) else items
    if isinstance(value, Mapping):
        found = [[key, _packed(one, tensors, f"{place}.{key}")] for key, one in value.items()]
        if all(isinstance(key, str) and key != MARK for key in value):
            return dict(found)
        if all(isinstance(key, (int, str)) for key in value):
            return {MARK: "mapping", "items": found}
    raise UserError(
        f"the state {place} is a {type(value).__name__}, which a checkpoint does not keep",
        "Numbers, texts, lists, mappings and tensors are kept, so that nothing has to be pickled",
        "Use another part in its place, or have its state() give plain values",
    )


def _unpacked(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpacked(one, tensors) for one in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(MARK)
    if kind == "tensor":
        return tensors[value["name"]]
    if kind == "float":
        return float(value["value"])
    if kind == "tuple":
        return tuple(_unpacked(one, tensors) for one in value["items"])
    if kind == "mapping":
        return {key: _unpacked(one, tensors) for key, one in value["items"]}
    return {key: _unpacked(one, tensors) for key, one in value.items()}
