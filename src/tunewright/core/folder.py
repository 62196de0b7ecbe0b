"""Files that are either whole or absent: written beside, flushed to the disk, then renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from tunewright.core.errors import DiskFull, UserError, first_line

LOCK = ".lock"
"""The file in a folder that tells which process writes there."""
SMALLEST_ROOM = 1 << 16
"""Bytes; a disk with less than this is full."""
FULL = ("no space left", "os error 28", "errno 28", "disk quota exceeded")
"""What the errors of other libraries say of a full disk, in lower case."""
ELSEWHERE = "Choose another place with output_dir (or --set output_dir=...), or make room there"
"""What to do about a place that cannot be written, where output_dir names it."""


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    digest = sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def text_hash(*parts: str) -> str:
    """SHA-256 of several texts, kept apart from each other, in hex."""
    digest = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def write_bytes(path: Path, data: bytes, otherwise: str = ELSEWHERE) -> Path:
    """Write a file so that a kill at any moment leaves the old one or the new one, never half of it.

    Args:
        path: of the file.
        data: its bytes.
        otherwise: what to do where it cannot be written.

    Raises:
        UserError: the folder cannot be written or the disk is full.
    """
    with whole(path, otherwise) as half:
        half.write_bytes(data)
    return path


def write_text(path: Path, text: str, otherwise: str = ELSEWHERE) -> Path:
    """``write_bytes`` for text, in UTF-8."""
    return write_bytes(path, text.encode("utf-8", "surrogatepass"), otherwise)


def write_json(path: Path, value: Any) -> Path:
    """``write_bytes`` for JSON: indented, in the order given, NaN refused."""
    return write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, made_by: str = "tunewright run") -> Any:
    """What ``write_json`` wrote.

    Raises:
        UserError: the file is missing (named with the command that makes it) or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing", "", f"It is written by: {made_by}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error})", "", f"It is written by: {made_by}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid JSON ({error})", "", f"Delete it and make it again: {made_by}") from None


@contextmanager
def writable(path: Path, otherwise: str = ELSEWHERE) -> Iterator[None]:
    """Tell what the system says of a place that cannot be written in the words of an error that the user can mend.

    Args:
        path: what is written.
        otherwise: what to do where it cannot be.

    Raises:
        DiskFull: there is no room left, whatever error of whatever library told so.
        UserError: in the place of any other ``OSError``.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        told = (error.strerror if isinstance(error, OSError) else None) or first_line(error)
        if _is_full(error, path.parent):  # torch and safetensors tell of a full disk in errors of their own
            told = told if "space left" in told else f"no space left: {told}"
            raise DiskFull(f"{path} cannot be written ({told})", "", otherwise) from error
        if isinstance(error, IsADirectoryError):
            raise UserError(f"{path} is a folder", "A file was to be written there", f"Name one in it, as {path / 'name'}") from error
        if isinstance(error, OSError):
            raise UserError(f"{path} cannot be written ({told})", "", otherwise) from error
        raise


@contextmanager
def whole(path: Path, otherwise: str = ELSEWHERE) -> Iterator[Path]:
    """Yield a name beside ``path`` to write a file or a folder to; it takes the place of ``path`` when the block ends well.

    Args:
        path: of the file or folder.
        otherwise: what to do where it cannot be written.

    Raises:
        UserError: the folder cannot be written or the disk is full; nothing half-written stays.
    """
    half = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        with writable(path, otherwise):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield half
            _flush(half)
            if half.is_dir() and path.exists():
                shutil.rmtree(path)
            half.replace(path)
            _flush_folder(path.parent)
    finally:
        with suppress(OSError):
            if half.is_dir():
                shutil.rmtree(half, ignore_errors=True)
            else:
                half.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only writer of a folder. The kernel lets go of it when the process ends, however it ends.

    Raises:
        UserError: another process writes there, or the folder cannot be locked.
    """
    handle = _lock(folder)
    try:
        yield
    finally:
        os.close(handle)


def _lock(folder: Path) -> int:
    import fcntl  # Unix only: what never locks a folder loads without it

    handle = None
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        return handle
    except OSError as error:
        writer = os.pread(handle, 32, 0).decode("ascii", "replace") if handle is not None else ""
        if handle is not None:
            os.close(handle)
        if isinstance(error, BlockingIOError):
            raise UserError(
                f"{folder} is being written by process {writer}", "One process at a time writes there", "Wait for it to end, or stop it"
            ) from None
        raise UserError(f"{folder} cannot be locked ({error.strerror or error})", "", "Choose another place with output_dir") from error


class Lines:
    """A journal that is kept open. A line is added whole; where the disk is full it is kept, and added with the next one that has room.

    Args:
        path: of the file, which is made where it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._waiting = path, b""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def add(self, value: Any, lasting: bool = False) -> None:
        """Add one JSON line.

        Args:
            value: of the line.
            lasting: whether it is flushed to the disk, so that a power cut does not take it.

        Raises:
            UserError: the file cannot be written, for another reason than a full disk.
        """
        self._waiting += json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass") + b"\n"
        with suppress(DiskFull), writable(self._path):
            end, rest = os.fstat(self._file.fileno()).st_size, memoryview(self._waiting)
            try:
                while rest:
                    rest = rest[self._file.write(rest) :]
                if lasting:
                    os.fsync(self._file.fileno())
            except OSError:
                self._file.truncate(end)
                raise
            self._waiting = b""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def append_line(path: Path, value: Any) -> None:
    """Add one JSON line to a journal and flush it to the disk.

    Raises:
        UserError: the file cannot be written or the disk is full.
    """
    line = json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass") + b"\n"
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as stream:
            if stream.tell() and not _ends_a_line(stream):
                line = b"\n" + line  # a kill cut the last line short: it must not swallow this one
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())


def read_lines(path: Path) -> list[Any]:
    """The values of a journal; a line that a kill cut short is left out."""
    if not path.exists():
        return []
    values = []
    for line in path.read_bytes().split(b"\n")[:-1]:  # what stands after the last newline was never finished
        with suppress(ValueError):
            values.append(json.loads(line.decode("utf-8", "surrogatepass")))
    return values


def tree_hashes(root: Path, skip: tuple[str, ...] = ()) -> dict[str, str]:
    """SHA-256 of every file below ``root``, by relative path, in name order; names that begin with a prefix of ``skip`` are left out."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    names = {path.relative_to(root).as_posix(): path for path in files}
    halves = {name for name, path in names.items() if any(part.endswith(".part") for part in path.relative_to(root).parts)}
    return {name: file_hash(path) for name, path in names.items() if not name.startswith(skip) and name not in halves}


def clear_halves(root: Path) -> None:
    """Remove what a kill left half-written directly below ``root``."""
    for half in root.glob(".*.part"):
        if half.is_dir():
            shutil.rmtree(half, ignore_errors=True)
        else:
            half.unlink(missing_ok=True)


def _ends_a_line(stream: IO[bytes]) -> bool:
    stream.seek(-1, os.SEEK_END)
    return stream.read(1) == b"\n"


def free_bytes(folder: Path) -> int:
    """Room on the disk of a folder, which need not exist yet."""
    there = folder.absolute()
    return shutil.disk_usage(next(one for one in (there, *there.parents) if one.exists())).free


def _is_full(error: BaseException, folder: Path) -> bool:
    """Whether an error, or one that it comes from, tells of a full disk; or there is no room left, whatever it says."""
    seen: BaseException | None = error
    while seen is not None:
        if getattr(seen, "errno", None) == errno.ENOSPC or any(words in str(seen).lower() for words in FULL):
            return True
        seen = seen.__cause__ or seen.__context__
    with suppress(OSError):
        return free_bytes(folder) < SMALLEST_ROOM
    return False


def _flush(path: Path) -> None:
    for one in [path, *path.rglob("*")] if path.is_dir() else [path]:
        if one.is_file():
            with one.open("rb") as stream:
                os.fsync(stream.fileno())


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
