"""What became of each block of a stream: written once, when the block is looked at for the first time, and whole or absent after a kill."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from tunewright.core.errors import UserError
from tunewright.core.folder import clear_halves, read_json, whole, write_bytes, write_json
from tunewright.data.streams.blocks import Audited
from tunewright.data.streams.stream import Block, Mark

BLOCKS, QUARANTINE, MARKS, BEGIN = "blocks", "quarantine", "marks", "begin.json"


class Ledger:
    """The folder ``stream/`` of a run.

    ``blocks/`` says of each block where it begins, what was removed and why; ``quarantine/`` holds the removed rows, a Parquet file for
    each block that has some; ``marks/`` holds what later copies are recognised by, and goes when the run is finished.

    Args:
        folder: made when it is first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in (BLOCKS, QUARANTINE, MARKS):
            clear_halves(folder / name)

    @property
    def begun(self) -> bool:
        """Whether the stream was begun."""
        return (self.folder / BEGIN).exists()

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Write what must be known before the first block."""
        write_json(self.folder / BEGIN, dict(facts))

    def beginning(self) -> dict[str, Any]:
        """What ``begin`` wrote.

        Raises:
            UserError: it is missing or damaged.
        """
        facts: dict[str, Any] = read_json(self.folder / BEGIN)
        return facts

    def has(self, number: int) -> bool:
        """Whether a block was looked at."""
        return self._entry(number).exists()

    def entry(self, number: int) -> dict[str, Any]:
        """What is known of a block: ``begin, end, away, content`` and what was told."""
        entry: dict[str, Any] = read_json(self._entry(number))
        return entry

    def begins(self, number: int) -> Mark:
        """Where a block begins."""
        return Mark(**self.entry(number)["begin"])

    def commit(self, number: int, block: Block, audited: Audited, cuts: Mapping[str, Any]) -> None:
        """Write down a block. What belongs to it is written first: the entry alone makes it count."""
        name = f"{number:06d}"
        if audited.quarantine.num_rows:
            with whole(self.folder / QUARANTINE / f"{name}.parquet") as half:
                pq.write_table(audited.quarantine.replace_schema_metadata(None), half, compression="zstd")
        data = io.BytesIO()
        np.save(data, audited.marks)
        write_bytes(self.folder / MARKS / f"{name}.npy", data.getvalue())
        write_json(
            self._entry(number),
            {
                "begin": vars(block.begin),
                "end": vars(block.end),
                "content": audited.content,
                "away": list(audited.away),
                "conflicting": [f"{one:016x}" for one in audited.conflicting],
                **audited.told,
                "cuts": dict(cuts),
            },
        )

    def remembered(self) -> Iterator[tuple[np.ndarray, set[int]]]:
        """Of each block in their order, what its rows are remembered by, as ``Memory.remember`` takes it.

        Raises:
            UserError: a file of them is missing or damaged.
        """
        for number in self.numbers():
            conflicting = {int(one, 16) for one in self.entry(number)["conflicting"]}
            path = self.folder / MARKS / f"{number:06d}.npy"
            try:
                yield np.load(path), conflicting
            except (OSError, ValueError, EOFError):
                raise UserError(f"{path} is missing or damaged", "A run that goes on must know what its stream has brought already",
                                "Put it back, or train the recipe again under another name or with --overwrite") from None  # fmt: skip

    def numbers(self) -> list[int]:
        """The blocks that were looked at."""
        return sorted(int(path.stem) for path in (self.folder / BLOCKS).glob("*.json"))

    def facts(self) -> dict[str, Any]:
        """All blocks together: rows read, kept and quarantined, by rule; labels; what was cut; findings, one for each rule and action."""
        read = kept = 0
        by_rule, labels = Counter[str](), Counter[str]()
        cuts: dict[str, Any] = {}
        findings: dict[tuple[str, str], dict[str, Any]] = {}
        numbers = self.numbers()
        for number in numbers:
            entry = self.entry(number)
            read, kept = read + entry["read"], kept + entry["kept"]
            by_rule.update(entry["by_rule"])
            labels.update(entry["labels"])
            cuts = added(cuts, entry["cuts"])
            for one in entry["findings"]:
                _add(findings.setdefault((one["rule"], one["action"]), {**one, "rows": 0, "blocks": 0}), one)
        return {
            "blocks": len(numbers),
            "rows": {"read": read, "kept": kept, "quarantined": sum(by_rule.values()), "by_rule": dict(by_rule)},
            "labels": dict(sorted(labels.items(), key=lambda pair: (-pair[1], pair[0]))),
            "cuts": cuts,
            "findings": [_summed(one, len(numbers)) for one in findings.values()],
        }

    def finish(self) -> None:
        """Let go of what only a run that goes on needs."""
        shutil.rmtree(self.folder / MARKS, ignore_errors=True)

    def _entry(self, number: int) -> Path:
        return self.folder / BLOCKS / f"{number:06d}.json"


def added(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Counts of two sets of rows together: numbers are added up by their names, at every depth."""
    found = dict(one)
    for name, value in other.items():
        found[name] = added(found.get(name, {}), value) if isinstance(value, Mapping) else found.get(name, 0) + value
    return found


def _add(total: dict[str, Any], one: Mapping[str, Any]) -> None:
    total["rows"] += one["rows"]
    total["blocks"] += 1
    if total["shown"] is not one["shown"]:
        total["shown"] = [*total["shown"], *one["shown"]][:5]


def _summed(finding: dict[str, Any], blocks: int) -> dict[str, Any]:
    """One finding in the place of those of several blocks."""
    rows, among = finding["rows"], finding.pop("blocks")
    if among > 1:
        finding["message"] = f"{rows:,} rows in {among:,} of {blocks:,} blocks of the stream; in the first of them: {finding['message']}"
    return {**finding, "shown": [{**one, "text": ""} for one in finding["shown"]]}
