"""Open one file: unpack it, find out its format and encoding, and choose its reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tunewright.core.errors import UserError
from tunewright.data.formats.conll import Conll
from tunewright.data.formats.decoding import SAMPLE, Decoded, found_encoding, head_of, marked_encoding
from tunewright.data.formats.delimited import Delimited
from tunewright.data.formats.json_text import JsonDocument, JsonLines
from tunewright.data.formats.kinds import Kinds
from tunewright.data.formats.packed import Input, Plain
from tunewright.data.formats.rows import Notes, Part, Reader
from tunewright.data.formats.sniff import binary_format, refuse_binary, text_format


class File:
    """One opened file and its reader.

    Args:
        source: where the bytes come from.
        notes: told the format, the encoding and what else is found out.
        whole: read all of it beforehand for its encoding and its types, where it can be read twice, and hash it; else look at its
            beginning only.

    Raises:
        UserError: it is no table.
    """

    def __init__(self, source: Input, notes: Notes, whole: bool) -> None:
        self._source, self._notes, self._whole = source, notes, whole
        self._decoded: Decoded | None = None
        self._plain = Plain(source, hashed=whole)
        try:
            self._reader = self._chosen()
        except BaseException:
            self._plain.close()
            raise

    def parts(self, batch_rows: int) -> Iterator[Part]:
        """The rows in the file's order, at most ``batch_rows`` good ones at a time."""
        yield from self._reader.parts(batch_rows)

    def skip(self, rows: int) -> None:
        """Leave out rows before this one, where that can be done without reading them; as many of them as that are."""
        if hasattr(self._reader, "skip"):
            self._reader.skip(rows)

    def finish(self) -> tuple[int, str]:
        """Close the file: its size in bytes, and its SHA-256 when all of it was wanted."""
        digest = self._plain.finish()
        if self._decoded is not None:
            self._notes.encoding = self._decoded.encoding or "utf-8"
        return self._plain.bytes_read if self._source.size is None else self._source.size, digest

    def close(self) -> None:
        """Close the file, finished or not."""
        self._plain.close()

    def _chosen(self) -> Reader:
        name, notes = self._source.name, self._notes
        head, blocks = head_of(self._plain.blocks())
        if not head and (damage := self._plain.damage):
            raise UserError(
                f"nothing of {name} can be read: {damage.reason}", "Wanted: a file that can be unpacked", "Write or download it again"
            )
        notes.format = binary_format(head, name)
        if notes.format:
            return _binary(notes, self._bytes(blocks))
        marked = marked_encoding(head)
        if not marked:
            refuse_binary(head[:SAMPLE], name)
        begin = head[:SAMPLE].decode(marked or "utf-8", "replace")
        notes.format = text_format(begin, name, whole=len(head) < SAMPLE)
        encoding = marked or (self._surveyed_encoding() if self._again else "")
        self._decoded = Decoded(blocks, encoding)
        if notes.format == "csv":
            return Delimited(
                self._decoded, notes, self._damage, tabs=name.lower().removesuffix(".gz").removesuffix(".zst").endswith(".tsv")
            )
        if notes.format == "conll":
            return Conll(self._decoded, notes, self._damage)
        if notes.format == "json":
            return JsonDocument(self._decoded, notes, self._damage)
        return JsonLines(self._decoded, notes, self._damage, self._surveyed_kinds(encoding) if self._again else None)

    @property
    def _again(self) -> bool:
        return self._whole and self._source.again

    def _damage(self) -> Any:
        return self._plain.damage

    def _bytes(self, blocks: Iterator[bytes]) -> Any:
        """The path of the file where it lies unpacked on the disk, else its bytes put aside."""
        if self._source.path and self._source.again and not self._plain.packed:
            return self._source.path
        from tunewright.data.shelf import put_aside

        data = put_aside(blocks)
        if damage := self._plain.damage:
            raise UserError(f"{self._source.name} can be unpacked only in part: {damage.reason}, at byte {damage.offset:,}",
                            "Wanted: the whole file: this format cannot be read in part", "Write or download it again")  # fmt: skip
        return data

    def _surveyed_encoding(self) -> str:
        plain = Plain(self._source)
        try:
            return found_encoding(plain.blocks())
        finally:
            plain.close()

    def _surveyed_kinds(self, encoding: str) -> Kinds:
        plain = Plain(self._source)
        try:
            decoded = Decoded(plain.blocks(), encoding)
            return JsonLines(decoded, Notes(self._source.name), lambda: plain.damage).survey()
        finally:
            plain.close()


def _binary(notes: Notes, source: Any) -> Reader:
    """The reader of a format that is no text. ``source`` is a path or a file that can be sought in."""
    if notes.format == "xlsx":
        from tunewright.data.formats.spreadsheet import Sheet

        return Sheet(open(source, "rb") if isinstance(source, str) else source, notes)  # noqa: PTH123
    import pyarrow as pa

    from tunewright.data.formats import columnar

    where = pa.OSFile(source) if isinstance(source, str) else pa.PythonFile(source, mode="r")
    readers: dict[str, Callable[[Any, Notes], Reader]] = {
        "parquet": columnar.Parquet,
        "arrow": columnar.ArrowFile,
        "arrow-stream": columnar.ArrowStream,
    }
    kind = notes.format
    notes.format = kind.partition("-")[0]
    return readers[kind](where, notes)
