"""What the processes of a run tell each other: plain values, as JSON in tensors; nothing is pickled."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

T = TypeVar("T")


class Processes:
    """The processes that train together, seen from one of them.

    Args:
        device: where this one computes, and where the tensors of its messages live.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._alone = not (distributed.is_available() and distributed.is_initialized())
        self.number = 0 if self._alone else distributed.get_rank()
        self.count = 1 if self._alone else distributed.get_world_size()

    @property
    def first(self) -> bool:
        """Whether this is the one that evaluates, writes and hears the callbacks."""
        return self.number == 0

    def agreed(self, value: T) -> T:
        """What the first process has, told to all of them; a value of JSON."""
        if self._alone:
            return value
        data = self._bytes(value) if self.first else torch.zeros(0, dtype=torch.uint8, device=self._device)
        size = torch.tensor([len(data)], device=self._device)
        distributed.broadcast(size, src=0)
        data = data if self.first else torch.zeros(int(size), dtype=torch.uint8, device=self._device)
        distributed.broadcast(data, src=0)
        found: T = _value(data)
        return found

    def gathered(self, value: T) -> list[T]:
        """What each process has, in their order; values of JSON."""
        if self._alone:
            return [value]
        data = self._bytes(value)
        sizes = [torch.zeros(1, dtype=torch.int64, device=self._device) for _ in range(self.count)]
        distributed.all_gather(sizes, torch.tensor([len(data)], device=self._device))
        longest = max(int(size) for size in sizes)
        found = [torch.zeros(longest, dtype=torch.uint8, device=self._device) for _ in range(self.count)]
        distributed.all_gather(found, torch.nn.functional.pad(data, (0, longest - len(data))))
        return [_value(one[: int(size)]) for one, size in zip(found, sizes, strict=True)]

    def summed(self, values: Tensor) -> Tensor:
        """The sum over all processes, element by element."""
        if not self._alone:
            distributed.all_reduce(values)
        return values

    def wait(self) -> None:
        """Until all of them are here."""
        if not self._alone:
            distributed.barrier()

    def _bytes(self, value: Any) -> Tensor:
        return torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8).to(self._device)


def _value(data: Tensor) -> Any:
    return json.loads(bytes(data.cpu().numpy()).decode())
