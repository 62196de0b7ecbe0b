"""What the frozen layers made of each row, kept in one memory-mapped file without padding, row after row."""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import UserError
from tunewright.core.folder import read_json, whole, write_json
from tunewright.model.frozen import STATES

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

ABOUT, VALUES, STARTS = "about.json", "states.bin", "starts.npy"
CHECK = "xxh3"
BLOCK = 1 << 20
PLACE = "_frozen"
"""In a piece: its number in the file."""


class TooLarge(Exception):
    """A value does not fit into half precision."""


class States:
    """The states of the rows of a split; read as they are asked for, and not kept in memory.

    Args:
        folder: as ``write`` made it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._about = read_json(folder / ABOUT)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "_about": self._about}  # a worker process opens the file anew

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return int(self._about["bytes"])

    def is_whole(self) -> bool:
        """Whether the files have the bytes that were written."""
        import xxhash

        digest = xxhash.xxh3_128()
        try:
            with (self.folder / VALUES).open("rb") as stream:
                while block := stream.read(BLOCK):
                    digest.update(block)
            told = {name: value for name, value in self._about.items() if name != CHECK}
            return bool(_checked(digest, self.folder / STARTS, told) == self._about[CHECK])
        except (OSError, KeyError):
            return False

    def rows(self, numbers: Sequence[int], longest: int, left: bool = False) -> Tensor:
        """(rows, longest, width) states, zeros where a row is shorter.

        Args:
            numbers: of the rows.
            longest: tokens of the longest one, padding included.
            left: whether padding stands before a row.
        """
        import torch

        kept, made = (getattr(torch, self._about[name]) for name in ("kept", "made"))
        width = self._about["width"]
        found = torch.zeros(len(numbers), longest, width, dtype=made)
        file = torch.frombuffer(self._file, dtype=kept).view(-1, width)
        for row, number in zip(found, numbers, strict=True):
            start, end = int(self._starts[number]), int(self._starts[number + 1])
            place = slice(longest - (end - start), longest) if left else slice(0, end - start)
            row[place] = file[start:end]
        del file
        if hasattr(mmap, "MADV_DONTNEED"):
            self._file.madvise(mmap.MADV_DONTNEED)  # the pages stay in the cache of the system, and leave this process's memory
        return found

    @cached_property
    def _starts(self) -> np.ndarray:
        import numpy as np

        found: np.ndarray = np.load(self.folder / STARTS)
        return found

    @cached_property
    def _file(self) -> mmap.mmap:
        with (self.folder / VALUES).open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)


def write(folder: Path, lengths: Sequence[int], blocks: Iterable[Tensor], kept: str) -> States:
    """Write the states of rows as they come, without padding between them.

    Args:
        folder: whole or absent, however this ends.
        lengths: tokens of each row.
        blocks: (tokens, width) each, of some rows one after the other, in the order of the rows.
        kept: ``float16`` or ``float32``.

    Raises:
        TooLarge: a value does not fit into ``float16``.
        UserError: the folder cannot be written, or the disk is full.
    """
    import numpy as np
    import torch
    import xxhash

    digest = xxhash.xxh3_128()
    about: dict[str, Any] = {"rows": len(lengths), "kept": kept, "bytes": 0}
    with whole(folder) as half:
        half.mkdir(parents=True)
        with (half / VALUES).open("wb") as stream:
            for block in blocks:
                small = block.to("cpu", getattr(torch, kept)).contiguous()
                if not torch.isfinite(small).all():
                    raise TooLarge
                data = small.view(torch.uint8).numpy().data.cast("B")
                digest.update(data)
                stream.write(data)
                about |= {"made": str(block.dtype).removeprefix("torch."), "width": block.shape[-1], "bytes": about["bytes"] + len(data)}
        np.save(half / STARTS, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
        write_json(half / ABOUT, {**about, CHECK: _checked(digest, half / STARTS, about)})
    return States(folder)


def opened(folder: Path) -> States | None:
    """The states that an earlier run left; None where there are none, or where they are damaged."""
    try:
        found = States(folder)
    except UserError:
        return None
    return found if found.is_whole() else None


class WithStates:
    """Pads pieces as a task does, and puts the states of their rows beside.

    Args:
        collate: the task's own.
        states: of these pieces.
        left: whether padding stands before a row.
    """

    def __init__(self, collate: Callable[[Sequence[Mapping[str, Any]]], dict[str, Tensor]], states: States, left: bool) -> None:
        self._collate, self._states, self._left = collate, states, left

    def __call__(self, pieces: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """A batch of the task, with ``frozen_states`` of shape (batch, longest, width)."""
        batch = self._collate([{name: value for name, value in piece.items() if name != PLACE} for piece in pieces])
        longest = batch["input_ids"].shape[1]
        return {**batch, STATES: self._states.rows([piece[PLACE] for piece in pieces], longest, self._left)}


class Placed(Sequence[Mapping[str, Any]]):
    """Pieces that know their number in the file.

    Args:
        pieces: of a split.
        places: the number of each.
    """

    def __init__(self, pieces: Sequence[Mapping[str, Any]], places: Sequence[int]) -> None:
        self._pieces, self._places = pieces, places

    def __len__(self) -> int:
        return len(self._pieces)

    def __getitem__(self, at: Any) -> Any:
        return [self[one] for one in range(*at.indices(len(self)))] if isinstance(at, slice) else self._one(at)

    def _one(self, at: int) -> Mapping[str, Any]:
        return {**self._pieces[at], PLACE: int(self._places[at])}


def _checked(digest: Any, starts: Path, about: Mapping[str, Any]) -> str:
    """The hash of all that is kept, in hex.

    Args:
        digest: of the values.
    """
    digest.update(starts.read_bytes())
    digest.update(json.dumps(about).encode())
    return str(digest.hexdigest())
