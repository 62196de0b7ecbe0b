"""The plain bytes of a file, whether it was packed with gzip, zstd or not at all; what cannot be unpacked is told, not raised."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from tunewright.core.errors import UserError

BLOCK = 1 << 18
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class Damage:
    """Where a file stops being readable, and why."""

    reason: str
    offset: int
    """Bytes from the beginning of the file as it lies on the disk."""


@dataclass
class Input:
    """One file, or what stands for one: its name as the user wrote it, and how to open it."""

    name: str
    open: Callable[[], BinaryIO]
    size: int | None = None
    again: bool = True
    """Whether it can be opened more than once (standard input cannot)."""
    path: str = ""
    """Its path on the disk; empty when it has none."""
    among: bool = False
    """Whether it is one of several files that a folder or a pattern stands for: then it alone is lost when it cannot be read."""


class Plain:
    """Yields the unpacked bytes of one opening of an input, block by block; ends early when ``damage`` is met."""

    def __init__(self, source: Input, hashed: bool = False) -> None:
        self.name = source.name
        self.damage: Damage | None = None
        self.packed = ""
        self.bytes_read = 0
        self._digest = sha256() if hashed else None
        self._raw = _opened(source)
        self._head = self._raw_read(4)
        while 0 < len(self._head) < 4 and (more := self._raw_read(4 - len(self._head))):
            self._head += more

    def blocks(self) -> Iterator[bytes]:
        """The bytes, each block at most some 256 KiB and none empty."""
        if self._head.startswith(GZIP):
            self.packed = "gzip"
            source = self._gunzip()
        elif self._head.startswith(ZSTD):
            self.packed = "zstd"
            source = self._unzstd()
        else:
            source = self._as_it_is()
        return source

    def finish(self) -> str:
        """Read what is left, close, and give the SHA-256 of the file as it lies on the disk; empty when it was not asked for."""
        if self._digest is not None:
            while self._raw_read(BLOCK):
                pass
        self.close()
        return self._digest.hexdigest() if self._digest is not None else ""

    def close(self) -> None:
        """Close the file."""
        if not self._raw.closed:
            self._raw.close()

    def _raw_read(self, size: int) -> bytes:
        try:
            data = self._raw.read(size)
        except (OSError, ValueError) as error:
            self._broken(f"the file cannot be read further ({error})")
            return b""
        data = data or b""
        self.bytes_read += len(data)
        if self._digest is not None:
            self._digest.update(data)
        return data

    def _broken(self, reason: str, offset: int | None = None) -> None:
        self.damage = self.damage or Damage(reason, self.bytes_read if offset is None else offset)

    def _as_it_is(self) -> Iterator[bytes]:
        block, self._head = self._head, b""
        while block:
            yield block
            block = self._raw_read(BLOCK)

    def _gunzip(self) -> Iterator[bytes]:
        waiting, self._head = self._head, b""
        member = zlib.decompressobj(wbits=31)
        while True:
            waiting = waiting or self._raw_read(1 << 16)
            if not waiting:
                if not member.eof:
                    self._broken("the gzip file ends too early; it was cut off")
                return
            if member.eof:  # another member, or the padding that some tools leave
                waiting = waiting.lstrip(b"\0")
                if not waiting:
                    continue
                member = zlib.decompressobj(wbits=31)
            piece, waiting = waiting[:4096], waiting[4096:]
            plain, error = _inflated(member, piece)
            yield from plain
            if error:
                self._broken(f"the gzip data is damaged ({error})", self.bytes_read - len(waiting) - len(piece))
                return
            waiting = member.unused_data + waiting

    def _unzstd(self) -> Iterator[bytes]:
        import pyarrow as pa

        whole = _Joined(self._head, self._raw_read)
        self._head = b""
        try:
            with pa.CompressedInputStream(pa.PythonFile(whole, mode="r"), "zstd") as stream:
                while block := stream.read(1 << 16):
                    yield block
        except (OSError, pa.ArrowException) as error:
            self._broken(f"the zstd data is damaged or cut off ({error})")


def _inflated(member: zlib._Decompress, piece: bytes) -> tuple[list[bytes], str]:
    """What a piece unpacks to, as far as it goes, and what is wrong after that."""
    before = member.copy()
    try:
        plain = [member.decompress(piece, BLOCK)]
        while member.unconsumed_tail:
            plain.append(member.decompress(member.unconsumed_tail, BLOCK))
        return [block for block in plain if block], ""
    except zlib.error as error:
        saved = []
        for byte in piece:  # one by one, so that nothing before the fault is lost
            try:
                saved.append(before.decompress(bytes((byte,))))
            except zlib.error:
                break
        return [b"".join(saved)] if any(saved) else [], str(error)


class _Joined:
    """A head that was read already and the reading that follows it, as a file for Arrow."""

    closed = False

    def __init__(self, head: bytes, read: Callable[[int], bytes]) -> None:
        self._head, self._read = head, read

    def read(self, size: int = BLOCK) -> bytes:
        head, self._head = self._head[:size], self._head[size:]
        return head or self._read(size)

    def close(self) -> None:
        self.closed = True


def _opened(source: Input) -> BinaryIO:
    try:
        return source.open()
    except PermissionError:
        raise UserError(
            f"{source.name} may not be read by this user", "Wanted: a readable file", f"Allow it: chmod u+r {source.name}"
        ) from None
    except OSError as error:
        raise UserError(
            f"{source.name} cannot be opened ({error.strerror or error})", "Wanted: a readable file", "Check the path"
        ) from None
