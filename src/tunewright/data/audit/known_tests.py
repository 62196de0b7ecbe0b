"""Rows of train that stand in public benchmark sets: a model that learned them cannot be measured there any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, PrivateAttr, model_validator

from tunewright.core.folder import file_hash
from tunewright.data.audit.base import TRAIN, Hit, Looked, Rule, rows_word
from tunewright.data.audit.normal import hashes, normal
from tunewright.data.read import FILE, batches
from tunewright.data.source import found

_BASE = np.uint64(0x9E3779B97F4A7C15)


class LeakBenchmark(Rule):
    """Training rows whose text stands in a benchmark set that the recipe names (``sets``), whole or thirteen words in a row."""

    severity: ClassVar = "error"
    cost: ClassVar = "one pass over the named sets and over the texts, some 10 microseconds a row"
    remedy: ClassVar = "Remove the rows, or do not quote scores on these sets"
    recipe: ClassVar = "data.policy.leak-benchmark: drop"
    switched_on: ClassVar = "{sets: [benchmark.jsonl]}"

    enabled: bool = False
    """Whether the rule looks at all; it does as soon as ``sets`` names a file."""
    sets: tuple[str, ...] = ()
    """Files of benchmark sets (JSONL, CSV, Parquet...), relative to the recipe; every column of texts is compared."""
    shortest: int = Field(4, ge=1)
    """Words that a text must have to be compared whole: shorter ones are the same by chance."""
    words: int = Field(13, ge=5)
    """Words in a row that make a match in longer texts. Source: Brown et al. 2020 (arXiv:2005.14165), appendix C."""

    _folder: Path = PrivateAttr(Path())

    @model_validator(mode="after")
    def _has_sets(self) -> Self:
        if self.enabled and not self.sets:
            raise ValueError("name the files of the benchmark sets, as {sets: [benchmark.jsonl]}")
        return self

    def stands_for(self) -> dict[str, Any]:
        """Of a file, what stands in it and not where it lies."""
        files = [Path(found(name, self._folder)) for name in self.sets]
        known = [[path.name, file_hash(path)] if path.is_file() else [name] for name, path in zip(self.sets, files, strict=True)]
        return {**super().stands_for(), "sets": known}

    def beside(self, folder: Path) -> Self:
        other = self.model_copy()
        other._folder = folder
        return other

    def look(self, looked: Looked) -> Iterator[Hit]:
        train = looked.split == TRAIN
        marked, told = np.zeros(len(looked), dtype=bool), []
        known = [(Path(name).name, *self._marks(name)) for name in self.sets]
        whole, runs = (np.zeros((len(known), len(looked)), dtype=bool) for _ in range(2))
        for role in looked.text_roles:
            at = 0
            for chunk in looked.rows[role].chunks:
                own, owners, grams = _marks_of(chunk, self.shortest, self.words)
                here = slice(at, at + len(chunk))
                for number, (_, texts, pieces) in enumerate(known):
                    whole[number, here] |= _among(own, texts)
                    runs[number, at + np.unique(owners[_among(grams, pieces)])] = True
                at += len(chunk)
        for (name, _, _), same, shared in zip(known, whole & train, runs & train, strict=True):
            concerned = same | shared
            if concerned.any():
                told.append(f"{name} ({int(same.sum()):,} whole, {int((concerned & ~same).sum()):,} with {self.words} words in a row)")
                marked |= concerned
        rows = np.flatnonzero(marked)
        if len(rows):
            yield Hit(
                f"{rows_word(len(rows))} of train stand in benchmark sets: {'; '.join(told)}", rows, "the text stands in a benchmark set"
            )

    def _marks(self, source: str) -> tuple[np.ndarray, np.ndarray]:
        """The hashes of the texts of a set, and those of their runs of words; ascending."""
        texts, grams = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.uint64)]
        for chunk in batches(found(source, self._folder)):
            for name in chunk.rows.column_names:
                column = chunk.rows[name]
                if name != FILE and pa.types.is_string(column.type):
                    for part in column.chunks:
                        own, _, pieces = _marks_of(part, self.shortest, self.words)
                        texts.append(own[own > 0])
                        grams.append(np.unique(pieces))
        return np.unique(np.concatenate(texts)), np.unique(np.concatenate(grams))


def _marks_of(texts: pa.Array, shortest: int, words: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The hash of each text (0 for one of fewer words than ``shortest``); and for every run of words, its text and its hash."""
    bare = pc.fill_null(normal(texts), "")
    lists = pc.split_pattern(bare, " ")
    counts = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    own = np.where(counts >= shortest, hashes(bare), np.uint64(0))
    encoded = pc.list_flatten(lists).dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    hashed = hashes(encoded.dictionary)[codes] if len(codes) else np.zeros(0, dtype=np.uint64)
    owners = np.repeat(np.arange(len(texts)), counts)
    if len(hashed) < words:
        return own, owners[:0], hashed[:0]
    runs = np.zeros(len(hashed) - words + 1, dtype=np.uint64)
    for at in range(words):
        runs = runs * _BASE + hashed[at : at + len(runs)]
    inside = owners[: len(runs)] == owners[words - 1 :]
    return own, owners[: len(runs)][inside], runs[inside]


def _among(marks: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(marks,) bool: the mark is one of those known, which are ascending."""
    if not len(known):
        return np.zeros(len(marks), dtype=bool)
    at = np.minimum(np.searchsorted(known, marks), len(known) - 1)
    found: np.ndarray = (known[at] == marks) & (marks > 0)
    return found
