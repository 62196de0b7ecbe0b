"""Where the rows of a table were read, in twelve bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from tunewright.core.schema import Place, Places

ROW_BITS = 40
"""A file has fewer than 2 ** 40 rows, and a source fewer than 2 ** 23 files."""


@dataclass(frozen=True)
class Origins:
    """Where each row of a table was read.

    Args:
        files: the names of the files.
        codes: (rows,) int32, which of them.
        rows: (rows,) int64, the number of the row in that file's data, from 0.
    """

    files: tuple[str, ...]
    codes: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, table: pa.Table, file: str = "_file", row: str = "_row") -> Origins:
        """From the columns that say it."""
        files: dict[str, int] = {}
        codes = [_codes(chunk, files) for chunk in table[file].chunks]
        rows = [chunk.to_numpy(zero_copy_only=False) for chunk in table[row].chunks]
        empty = np.zeros(0, dtype=np.int64)
        return cls(tuple(files), np.concatenate([empty.astype(np.int32), *codes]), np.concatenate([empty, *rows]))

    def only(self, rows: np.ndarray) -> Origins:
        """Of some of the rows, by a truth value for each or by their indices."""
        return Origins(self.files, self.codes[rows], self.rows[rows])

    def places(self) -> Places:
        """Of all rows, in their order."""
        return Places(self.files, array("i", self.codes.astype(np.intc).tobytes()), array("q", self.rows.astype(np.int64).tobytes()))

    def keys(self, files: Sequence[str]) -> np.ndarray:
        """(rows,) int64: another number for each row of ``files``, in which every file of these rows stands."""
        number = {name: at for at, name in enumerate(files)}
        mine = np.array([number[name] for name in self.files], dtype=np.int64)
        found: np.ndarray = (mine[self.codes] << ROW_BITS) | self.rows
        return found

    def find(self, places: Sequence[Place]) -> list[int | None]:
        """The index of the row that was read at each of some places; None where there is none."""
        keys, order = self._sorted
        number = {name: at for at, name in enumerate(self.files)}
        found: list[int | None] = []
        for place in places:
            key = (number.get(place.file, -1) << ROW_BITS) | place.row
            at = int(np.searchsorted(keys, key)) if place.file in number else len(keys)
            hit = at < len(keys) and int(keys[at]) == key
            found.append((at if order is None else int(order[at])) if hit else None)
        return found

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The keys of all rows, ascending, and the row of each; None where that is the order of the rows."""
        keys = self.keys(self.files)
        if (keys[1:] > keys[:-1]).all():
            return keys, None
        order = np.argsort(keys, kind="stable")
        return keys[order], order


def _codes(chunk: pa.Array, files: dict[str, int]) -> np.ndarray:
    """The number of each file name; names that were not met before are added to ``files``."""
    encoded = chunk.dictionary_encode()
    numbers = np.array([files.setdefault(name, len(files)) for name in encoded.dictionary.to_pylist()], dtype=np.int32)
    found: np.ndarray = numbers[encoded.indices.to_numpy(zero_copy_only=False)]
    return found
