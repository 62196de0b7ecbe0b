"""What differs between two versions of a dataset, row by row, in memory that does not hold the texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tunewright.core.errors import UserError, first_line
from tunewright.core.schema import SPLITS
from tunewright.data.audit.normal import hashes, together
from tunewright.data.dataset import Dataset
from tunewright.data.origins import ROW_BITS
from tunewright.data.shelf import BATCH_ROWS

AGREE = 0.5
"""Share of a file's rows that must say the same in both versions before two others with the same number are one row with another text."""


@dataclass(frozen=True)
class Pairs:
    """Rows of two versions that are the same row; parallel arrays of their numbers in each."""

    one: np.ndarray
    other: np.ndarray


@dataclass
class _Names:
    """Names of both versions, numbered in the order in which they are met; None is -1."""

    known: dict[str, int] = field(default_factory=dict)

    def of(self, names: pa.Array) -> np.ndarray:
        encoded = names.dictionary_encode()
        numbers = np.array([self.known.setdefault(name, len(self.known)) for name in encoded.dictionary.to_pylist()] + [-1])
        found: np.ndarray = numbers[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
        return found


@dataclass(frozen=True)
class Side:
    """The rows of one version in numbers, some 40 bytes for each; train first, then validation, then test.

    Args:
        dataset: the version.
        text: (rows,) uint64, a hash of the texts.
        label: (rows,), the number of the label, or of the set of labels; -1 for none.
        split: (rows,), index into ``SPLITS``.
        file: (rows,), the number of the file.
        row: (rows,), its number there.
    """

    dataset: Dataset
    text: np.ndarray
    label: np.ndarray
    split: np.ndarray
    file: np.ndarray
    row: np.ndarray

    @classmethod
    def read(cls, dataset: Dataset, labels: _Names, files: _Names) -> Side:
        """Go through the three splits.

        Raises:
            UserError: a file is missing or damaged.
        """
        texts, label = _roles(dataset)
        parts: dict[str, list[np.ndarray]] = {name: [np.zeros(0, dtype=np.int64)] for name in ("label", "split", "file", "row")}
        hashed = [np.zeros(0, dtype=np.uint64)]
        for at, split in enumerate(SPLITS):
            for batch in _batches(dataset, f"{split}.parquet", [*texts, *filter(None, [label]), "_file", "_row"]):
                hashed.append(together([hashes(batch[name]) for name in texts]))
                parts["label"].append(labels.of(_joined(batch[label])) if label else np.full(len(batch), -1))
                parts["split"].append(np.full(len(batch), at))
                parts["file"].append(files.of(batch["_file"]))
                parts["row"].append(batch["_row"].to_numpy(zero_copy_only=False))
        return cls(dataset, np.concatenate(hashed), **{name: np.concatenate(some) for name, some in parts.items()})

    def __len__(self) -> int:
        return len(self.text)

    @property
    def place(self) -> np.ndarray:
        """(rows,) uint64, another number for each place that a row was read from."""
        places: np.ndarray = ((self.file << ROW_BITS) | self.row).astype(np.uint64)
        return places

    def shown(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """File, row, split, text and label of some rows; the text of a row of test is not told, because that would be a look at it."""
        texts, label = _roles(self.dataset)
        begins = np.searchsorted(self.split, np.arange(len(SPLITS)))
        found = []
        for row in rows:
            split = SPLITS[self.split[row]]
            values = _row(
                self.dataset, f"{split}.parquet", int(row - begins[self.split[row]]), [*texts, *filter(None, [label]), "_file", "_row"]
            )
            text = None if split == "test" else " | ".join(values[name] or "" for name in texts)
            found.append({"file": values["_file"], "row": values["_row"], "split": split, "text": text, "label": values.get(label or "")})
        return found


def difference(one: Dataset, other: Dataset, most: int) -> dict[str, Any]:
    """Rows added, removed, relabelled, moved between splits, and with another text, from one version to the other.

    A row is the same row when its text is the same; where a text stands several times, rows of the same place, label and split are put
    together first. Rows without a partner that stand at the same place of the file (rows that were put in before them are allowed for) are
    one row whose text was changed, as long as most of that file is the same.

    Args:
        one: the older version.
        other: the newer version.
        most: rows that are shown of each kind.

    Raises:
        UserError: a file is missing or damaged.
    """
    labels, files = _Names(), _Names()
    before, after = Side.read(one, labels, files), Side.read(other, labels, files)
    same = _same_text(before, after)
    changed = _same_place(before, after, same)
    both = Pairs(np.append(same.one, changed.one), np.append(same.other, changed.other))
    new_label = before.label[same.one] != after.label[same.other]
    moves = before.split[both.one] != after.split[both.other]
    removed, added = _rest(len(before), both.one), _rest(len(after), both.other)
    relabelled = Pairs(same.one[new_label], same.other[new_label])
    moved = Pairs(both.one[moves], both.other[moves])
    names = list(labels.known)
    still = len(both.one) - len(np.union1d(np.union1d(relabelled.other, moved.other), changed.other))
    return {
        "unchanged": still,
        "added": {
            **_counted(after, added),
            "left_quarantine": _by_rule(after, added, one),
            "shown": after.shown(added[:most].tolist()),
        },
        "removed": {
            **_counted(before, removed),
            "now_in_quarantine": _by_rule(before, removed, other),
            "shown": before.shown(removed[:most].tolist()),
        },
        "relabelled": {
            **_changes(before.label, after.label, relabelled, [*names, None]),
            "shown": _both(before, after, relabelled, most, "label"),
        },
        "moved": {
            **_changes(before.split, after.split, moved, SPLITS),
            "themselves_changed": int(np.isin(moved.other, np.append(relabelled.other, changed.other)).sum()),
            "shown": _both(before, after, moved, most, "split"),
        },
        "changed": {"rows": len(changed.one), "shown": _both(before, after, changed, most, "text")},
    }


def _same_text(before: Side, after: Side) -> Pairs:
    """Rows with the same text, as many of each as stand on both sides."""
    keys = {
        name: (getattr(before, name).astype(np.uint64), getattr(after, name).astype(np.uint64))
        for name in ("text", "label", "split", "place")
    }
    found = Pairs(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    for wanted in (("text", "label", "split", "place"), ("text", "label", "place"), ("text", "label", "split"), ("text", "label"),
                   ("text", "place"), ("text",)):  # fmt: skip
        left, right = _rest(len(before), found.one), _rest(len(after), found.other)
        pairs = _paired(together([keys[name][0][left] for name in wanted]), together([keys[name][1][right] for name in wanted]))
        found = Pairs(np.append(found.one, left[pairs.one]), np.append(found.other, right[pairs.other]))
    order = np.argsort(found.other)
    return Pairs(found.one[order], found.other[order])


def _same_place(before: Side, after: Side, same: Pairs) -> Pairs:
    """Rows without a partner that stand where, going by their neighbours, the partner should stand."""
    left, right = _rest(len(before), same.one), _rest(len(after), same.other)
    ones, others = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for file in np.intersect1d(before.file[left], after.file[right]).tolist():
        here = (before.file[same.one] == file) & (after.file[same.other] == file)
        if here.sum() < AGREE * min(int((before.file == file).sum()), int((after.file == file).sum())):
            continue
        known = np.sort(before.row[same.one[here]]), after.row[same.other[here]][np.argsort(before.row[same.one[here]], kind="stable")]
        mine, theirs = left[before.file[left] == file], right[after.file[right] == file]
        at = np.maximum(np.searchsorted(known[0], before.row[mine]) - 1, 0)
        expected = before.row[mine] + known[1][at] - known[0][at]
        pairs = _paired(expected.astype(np.uint64), after.row[theirs].astype(np.uint64))
        ones.append(mine[pairs.one])
        others.append(theirs[pairs.other])
    return Pairs(np.concatenate(ones), np.concatenate(others))


def _paired(one: np.ndarray, other: np.ndarray) -> Pairs:
    """Where the same key stands on both sides: the first with the first, the second with the second..."""
    codes = np.unique(np.concatenate([one, other]), return_inverse=True)[1].astype(np.int64)
    most = max(len(one), len(other), 1)
    left, right = (some * most + _rank(some) for some in (codes[: len(one)], codes[len(one) :]))
    _, at, there = np.intersect1d(left, right, assume_unique=True, return_indices=True)
    return Pairs(at, there)


def _rank(codes: np.ndarray) -> np.ndarray:
    """How many rows before it have the same code."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    begins = np.maximum.accumulate(np.where(np.diff(ordered, prepend=-1) != 0, np.arange(len(codes)), 0)) if len(codes) else ordered
    rank = np.empty(len(codes), dtype=np.int64)
    rank[order] = np.arange(len(codes)) - begins
    return rank


def _rest(rows: int, taken: np.ndarray) -> np.ndarray:
    """The numbers of the rows that are not taken, ascending."""
    free = np.ones(rows, dtype=bool)
    free[taken] = False
    return np.flatnonzero(free)


def _counted(side: Side, rows: np.ndarray) -> dict[str, Any]:
    counts = np.bincount(side.split[rows], minlength=len(SPLITS)).tolist()
    return {"rows": len(rows), "splits": dict(zip(SPLITS, counts, strict=True))}


def _changes(before: np.ndarray, after: np.ndarray, pairs: Pairs, names: Sequence[str | None]) -> dict[str, Any]:
    """How often which value became which, the most frequent first; ``names`` are those of the values, the last one that of -1."""
    counts = Counter(zip(before[pairs.one].tolist(), after[pairs.other].tolist(), strict=True))
    told = [{"from": names[old], "to": names[new], "rows": rows} for (old, new), rows in counts.most_common()]
    return {"rows": len(pairs.one), "pairs": told}


def _both(before: Side, after: Side, pairs: Pairs, most: int, what: str) -> list[dict[str, Any]]:
    """The first pairs as the newer version has them, with what the older one said."""
    was, now = before.shown(pairs.one[:most].tolist()), after.shown(pairs.other[:most].tolist())
    return [{**new, f"{what}_before": old[what]} for old, new in zip(was, now, strict=True)]


def _by_rule(side: Side, rows: np.ndarray, elsewhere: Dataset) -> dict[str, int]:
    """Rows whose text stands in the quarantine of the other version, by the rule that put it there."""
    if not len(rows) or not (elsewhere.folder / "quarantine.parquet").is_file():
        return {}
    columns = [elsewhere.manifest["columns"].get(name, name) for name in _roles(side.dataset)[0]]
    rules, texts, names = [], [], _Names()
    for batch in _batches(elsewhere, "quarantine.parquet", [*columns, "_rule"]):
        if any(name not in batch.schema.names for name in columns):
            return {}
        texts.append(together([hashes(batch[name].cast(pa.string())) for name in columns]))
        rules.append(names.of(batch["_rule"]))
    if not texts:
        return {}
    known, first = np.unique(np.concatenate(texts), return_index=True)
    at = np.minimum(np.searchsorted(known, side.text[rows]), len(known) - 1)
    hit = known[at] == side.text[rows]
    told = list(names.known)
    return dict(Counter(told[number] for number in np.concatenate(rules)[first[at[hit]]].tolist()).most_common())


def _roles(dataset: Dataset) -> tuple[list[str], str | None]:
    """The names of the roles that are texts, and of the one that is a label or several."""
    roles: Mapping[str, str] = dataset.manifest["roles"]
    return [name for name, kind in roles.items() if kind == "text"], next(
        (name for name in roles if roles[name] in {"label", "labels", "spans"}), None
    )


def _joined(labels: pa.Array) -> pa.Array:
    """Labels as they are; several as one text."""
    if not pa.types.is_list(labels.type):
        return labels.cast(pa.string())
    return pa.array([None if names is None else ", ".join(sorted(map(str, names))) for names in labels.to_pylist()], pa.string())


def _batches(dataset: Dataset, name: str, columns: Sequence[str]) -> Iterable[pa.RecordBatch]:
    try:
        with pq.ParquetFile(dataset.folder / name, pre_buffer=False) as file:
            there = [column for column in columns if column in file.schema_arrow.names]
            yield from file.iter_batches(BATCH_ROWS, columns=there)
    except (OSError, pa.ArrowInvalid) as error:
        raise _damaged(dataset, name, error) from None


def _row(dataset: Dataset, name: str, at: int, columns: Sequence[str]) -> dict[str, Any]:
    """One row of a file, of which only the row group that holds it is read."""
    with pq.ParquetFile(dataset.folder / name, pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if at < rows:
                found: dict[str, Any] = file.read_row_group(group, columns=list(columns)).slice(at, 1).to_pylist()[0]
                return found
            at -= rows
    raise IndexError(at)


def _damaged(dataset: Dataset, name: str, error: Exception) -> UserError:
    return UserError(
        f"{name} in {dataset.folder} cannot be read ({first_line(error)})",
        "",
        f"See what is wrong: tunewright data verify {dataset.folder}",
    )
