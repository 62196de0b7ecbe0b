"""What a source names: one file, several, a folder, a stream, something in memory, or a dataset of the Hub."""

from __future__ import annotations

import glob
import io
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import IO, Any, BinaryIO

from tunewright.core.errors import UserError, nearest
from tunewright.data.formats.memory import MEMORY, hub_dataset, saved_dataset
from tunewright.data.formats.packed import BLOCK, Input
from tunewright.data.formats.rows import Notes
from tunewright.data.formats.sniff import ENDINGS, TABLES, promised

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(:[\w.-]+)?$")
WANTED = "Wanted: a file, a list of files, a pattern, a folder, a table in memory, or a Hub dataset (owner/name)"


def inputs_of(source: Any, notes: Notes) -> Iterator[Input | Any]:
    """Each file that a source names, in order, as an ``Input``; or the object in memory that it is.

    Args:
        notes: told what of a folder is left out.

    Raises:
        UserError: nothing of that name exists, a folder holds no table, or the source is nothing that can be read.
    """
    if isinstance(source, (str, PurePath)):
        yield from _named(str(source), notes)
    elif isinstance(source, (list, tuple)) and source and all(isinstance(one, (str, PurePath)) for one in source):
        for one in source:
            yield from _named(str(one), notes)
    elif callable(getattr(source, "read", None)):
        yield _stream(source, MEMORY)
    elif isinstance(source, Mapping) and type(source).__module__.partition(".")[0] != "datasets":
        raise UserError(f"a mapping with the keys {', '.join(map(str, source))} names several tables", WANTED, "Read them one by one")
    elif source is None or (isinstance(source, (list, tuple)) and not source):
        raise UserError("the source is empty", WANTED, "Name the file that holds the rows")
    else:
        yield source


def _named(name: str, notes: Notes) -> Iterator[Input | Any]:
    path = Path(name).expanduser()
    if name == "-":
        yield _stream(sys.stdin, "standard input")
    elif _is(path, "dir"):
        yield from _folder(path, name, notes)
    elif _is(path, "there"):
        yield _file(path, name)
    elif any(char in name for char in "*?["):
        yield from _pattern(str(path), name)
    elif HUB_ID.match(name) and not promised(name) and not path.parent.is_dir():
        yield hub_dataset(name)
    else:
        raise _missing(path, name)


def _is(path: Path, what: str) -> bool:
    try:
        return path.is_dir() if what == "dir" else path.exists()
    except (OSError, ValueError):  # a name too long, or with a NUL
        return False


def _file(path: Path, name: str, among: bool = False) -> Input:
    return Input(name, lambda: path.open("rb"), path.stat().st_size, path=str(path), again=path.is_file(), among=among)


def _folder(folder: Path, name: str, notes: Notes) -> Iterator[Input | Any]:
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except PermissionError:
        raise UserError(
            f"the folder {name} may not be read by this user", "Wanted: a readable folder", f"Allow it: chmod u+rx {name}"
        ) from None
    there = {path.name for path in files}
    if "dataset_dict.json" in there or {"dataset_info.json", "state.json"} <= there or (folder / "dataset_dict.json").exists():
        yield saved_dataset(folder, name)
        return
    if {"manifest.json", "train.parquet"} <= there:
        raise UserError(
            f"{name} is a prepared dataset with several splits",
            "Wanted: one table",
            f"Name one of its files: {Path(name) / 'train.parquet'}",
        )
    tables = [path for path in files if promised(path.name) and path.suffix != ".txt"]
    if not tables:
        raise UserError(f"the folder {name} holds no table ({len(files)} file(s): {', '.join(sorted(there)[:5]) or 'none'})", TABLES,
                        "Give the file, or put tables into the folder")  # fmt: skip
    if rest := [path.name for path in files if path not in tables]:
        notes.tell("left-out", "info", f"{len(rest)} file(s) of {name} are no tables by their names: {', '.join(rest[:10])}",
                   "They were left out; name them one by one if they hold rows")  # fmt: skip
    for path in tables:
        yield _file(path, str(Path(name) / path.name), len(tables) > 1)


def _pattern(pattern: str, name: str) -> Iterator[Input]:
    paths = sorted(path for path in map(Path, glob.glob(pattern, recursive=True)) if path.is_file())  # noqa: PTH207
    if not paths:
        raise UserError(f"no file matches {name}", "Wanted: at least one", "Check the pattern; quote it in the shell")
    for path in paths:
        yield _file(path, str(path), len(paths) > 1)


def _missing(path: Path, name: str) -> UserError:
    folder = path.parent
    there = sorted(one.name for one in folder.iterdir()) if _is(folder, "dir") and _may_list(folder) else []
    near = nearest(path.name, there) or nearest(path.stem, [one for one in there if promised(one)])
    if near:
        return UserError(f"{name} does not exist", "", f"Did you mean {folder / near}?")
    if not _is(folder, "dir"):
        return UserError(f"{name} does not exist, nor does the folder {folder}", WANTED, f"Check the path; commands look from {Path.cwd()}")
    tables = [one for one in there if PurePath(one).suffix.lower() in ENDINGS]
    return UserError(f"{name} does not exist", WANTED, f"Tables in {folder}: {', '.join(tables[:8]) or 'none'}")


def _may_list(folder: Path) -> bool:
    try:
        next(folder.iterdir(), None)
    except OSError:
        return False
    return True


def _stream(stream: Any, name: str) -> Input:
    """A binary stream as it is; a text stream through its bytes, or encoded again."""
    binary: BinaryIO = getattr(stream, "buffer", stream)
    return Input(name, lambda: _Unclosed(binary), again=False)  # type: ignore[return-value, arg-type]


class _Unclosed:
    """Reads a stream that belongs to someone else, and never closes it."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        data: Any = self._stream.read(size)
        return data.encode("utf-8", "replace") if isinstance(data, str) else bytes(data or b"")

    def close(self) -> None:
        self.closed = True


class _Again:
    """Reads bytes that were put aside from their beginning, whoever else reads them."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._at = file, 0

    def read(self, size: int = -1) -> bytes:
        self._file.seek(self._at)
        data = self._file.read(size)
        self._at += len(data)
        return data

    def close(self) -> None:
        self.closed = True


def spooled(source: Input) -> Input:
    """A stream put aside on the disk, so that it can be read twice.

    Raises:
        UserError: there is no room on the disk.
    """
    from tunewright.data.shelf import put_aside

    stream = source.open()
    file = put_aside(iter(lambda: stream.read(BLOCK), b""))
    size = file.seek(0, io.SEEK_END)
    return Input(source.name, lambda: _Again(file), size)  # type: ignore[return-value, arg-type]
