"""What a recipe names as its source: found, read, and its splits told apart."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tunewright.core.errors import UserError
from tunewright.core.folder import text_hash
from tunewright.core.schema import SPLITS, Finding, Places
from tunewright.data.bad import BadRows
from tunewright.data.dataset import is_prepared
from tunewright.data.formats.arrow_tables import fingerprint
from tunewright.data.read import read
from tunewright.data.shelf import remade

if TYPE_CHECKING:
    from tunewright.data.read import FileRead, Table


@dataclass(frozen=True)
class Source:
    """The tables of a source.

    Args:
        name: what the dataset is called when the recipe does not say.
        tables: split -> table; one table that is still to be split stands under train.
        given: the splits that the source names; empty when it is one table.
    """

    name: str
    tables: dict[str, Table]
    given: tuple[str, ...]

    @cached_property
    def bad(self) -> BadRows:
        """Every row that could not be read."""
        return BadRows.joined([BadRows.of(table.bad) for table in self.tables.values()])

    @property
    def rows_read(self) -> int:
        """All rows, unreadable ones included."""
        return len(self.bad) + sum(int(table.rows.num_rows) for table in self.tables.values())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the reader told."""
        return tuple(finding for table in self.tables.values() for finding in table.findings)

    @property
    def files(self) -> list[tuple[str | None, FileRead]]:
        """Each file that was read, with the split that it was named for."""
        return [(split if self.given else None, file) for split, table in self.tables.items() for file in table.files]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that was read, bad rows and the names of files included; not of the folders they lie in."""
        parts = [f"{split} {table.fingerprint}" for split, table in self.tables.items()]
        parts += [f"{split} {file.name} {file.sha256}" for split, file in self.files]
        parts += [fingerprint(self.bad.table)] if self.bad else []
        return text_hash(*parts)

    def told_as(self, split: str) -> str:
        """What the table of a split is called in a message."""
        return f"the {split} split" if self.given else "the source"


def read_source(source: Any, base: Path) -> Source:
    """Read what ``data.source`` names; relative names are looked for in ``base``, then in the working directory.

    Files are called by their names without the folders above them, so that a dataset does not depend on where it was prepared.

    Raises:
        UserError: the source cannot be read, or names a file twice.
    """
    splits = {split: source[split] for split in SPLITS if split in source} if isinstance(source, Mapping) else {"train": source}
    tables = {split: read(found(one, base)) for split, one in splits.items()}
    for table in tables.values():
        _each_file_once(table)
    names = _short_names([file.name for table in tables.values() for file in table.files])
    used = [names[file.name] for table in tables.values() for file in table.files]
    clash = len(set(used)) < len(used)
    tables = {
        split: _called(table, {name: f"{split}/{short}" if clash else short for name, short in names.items()})
        for split, table in tables.items()
    }
    return Source(name_of(splits["train"], base), tables, tuple(splits) if isinstance(source, Mapping) else ())


def found(source: Any, base: Path) -> Any:
    """The source with relative names that exist in ``base`` made whole, and file names that exist nowhere too, so that a message
    names the nearest of that folder; anything else as it is."""
    if isinstance(source, (list, tuple)) and all(isinstance(one, (str, Path)) for one in source):
        return [found(one, base) for one in source]
    if not isinstance(source, (str, Path)) or Path(source).is_absolute():
        return source
    there = base / source
    nowhere = Path(source).suffix != "" and not _exists(Path(source)) and _exists(base) and str(source) != "-"
    return str(there) if _exists(there) or _matches(base, str(source)) or nowhere else source


def _matches(base: Path, pattern: str) -> bool:
    return any(char in pattern for char in "*?[") and any(base.glob(pattern))


def prepared_folder(source: Any, base: Path) -> Path | None:
    """The folder of a prepared dataset, if that is what the source names."""
    if not isinstance(source, (str, Path)):
        return None
    folder = Path(found(source, base))
    return folder if is_prepared(folder) else None


def name_of(source: Any, base: Path) -> str:
    """What a dataset is called when the recipe does not say: after the file; after its folder, where that is called ``train`` or ``*``."""
    first = source[0] if isinstance(source, (list, tuple)) and source else source
    if not isinstance(first, (str, Path)):
        return "data"
    path = Path(found(first, base)).absolute()
    names = [_slug(part.split(".")[0]) for part in (path.name, path.parent.name)]
    return next((name for name in names if name and name not in SPLITS), "data")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _each_file_once(table: Table) -> None:
    names = [file.name for file in table.files]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise UserError(f"data.source names {', '.join(twice)} twice", "Each file is read once", "Remove the repetition")


def _short_names(names: list[str]) -> dict[str, str]:
    """Each file -> its name without the folders above it; files of one name keep the folders in which they differ."""
    paths = {name: Path(name).expanduser().absolute() for name in dict.fromkeys(names) if _exists(Path(name).expanduser())}
    if len({path.name for path in paths.values()}) == len(paths):
        return {name: paths[name].name if name in paths else name for name in names}
    above = Path(os.path.commonpath([path.parent for path in paths.values()]))
    return {name: paths[name].relative_to(above).as_posix() if name in paths else name for name in names}


def _called(table: Table, names: Mapping[str, str]) -> Table:
    """The table with other names for its files, wherever they are told."""
    rows, bad = _in_files(table.rows, "_file", names), BadRows(_in_files(BadRows.of(table.bad).table, "file", names))
    findings = tuple(_retold(finding, names) for finding in table.findings)
    return replace(table, rows=rows, bad=bad, findings=findings, files=tuple(replace(one, name=names[one.name]) for one in table.files))


def _retold(finding: Finding, names: Mapping[str, str]) -> Finding:
    message = finding.message
    for name, short in names.items():
        message = message.replace(name, short) if len(short) < len(name) else message
    return finding.model_copy(update={"message": message, "places": Places.of(finding.places).in_files(names)})


def _in_files(table: pa.Table, column: str, names: Mapping[str, str]) -> pa.Table:
    """A table with other names for its files."""
    if all(name == short for name, short in names.items()):
        return table

    def renamed(chunk: pa.Array) -> pa.Array:
        known = chunk.dictionary_encode()
        return pa.array([names.get(name, name) for name in known.dictionary.to_pylist()], pa.string()).take(known.indices)

    return table.set_column(table.column_names.index(column), column, remade(table[column], renamed, pa.string()))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a NUL
        return False
