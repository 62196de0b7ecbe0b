"""From bytes to lines of text: the encoding is found out, and what cannot be decoded is replaced and told."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from tunewright.data.formats.charset import likeliest

SAMPLE = 1 << 16
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def head_of(blocks: Iterator[bytes], size: int = SAMPLE) -> tuple[bytes, Iterator[bytes]]:
    """The first ``size`` bytes or a little more (all, if there are fewer), and all blocks from the beginning again."""
    taken: list[bytes] = []
    while sum(map(len, taken)) < size and (block := next(blocks, None)) is not None:
        taken.append(block)
    return b"".join(taken), chain(taken, blocks)


def marked_encoding(head: bytes) -> str:
    """The encoding that a byte order mark names or that the pattern of NUL bytes shows; empty when neither does."""
    for bom, name in BOMS:
        if head.startswith(bom):
            return name
    if b"\0" not in head:
        return ""
    return next((name for name in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be") if _reads_as_text(head, name)), "")


def _reads_as_text(head: bytes, name: str) -> bool:
    """Wrongly read UTF-16 and UTF-32 shows at once: NULs, control characters and letters of a hundred scripts."""
    width = 4 if "32" in name else 2
    try:
        text = head[: len(head) // width * width].decode(name)
    except UnicodeDecodeError as error:
        if error.start < len(head) - width * 2:
            return False
        text = head[: error.start].decode(name)
    odd = sum((char < " " and char not in "\t\n\r") or "\ue000" <= char <= "\uf8ff" for char in text)
    plain = sum(" " <= char <= "\x7f" or char in "\t\n\r" for char in text)
    return bool(text) and odd == 0 and plain >= len(text) * 0.02


def found_encoding(blocks: Iterator[bytes]) -> str:
    """The encoding of the blocks, all of which are read: a Python codec name.

    UTF-8 whenever the bytes are UTF-8, also when a few are broken; else the legacy encoding whose letters make up a language.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = broken = 0
    sample: list[bytes] = []
    for block in blocks:
        if block.isascii() and not decoder.getstate()[0]:
            continue
        text = decoder.decode(block)
        lost = max(0, text.count("\ufffd") - block.count(b"\xef\xbf\xbd"))
        good += len(text) - len(text.encode("ascii", "ignore")) - lost
        broken += lost
        if broken and sum(map(len, sample)) < SAMPLE:
            sample.extend(islice((line[:2000] for line in block.split(b"\n") if not line.isascii()), 1000))
    if decoder.decode(b"", final=True):
        broken += 1
    if broken == 0 or good >= broken or not sample:
        return "utf-8"
    return likeliest(b"\n".join(sample))


@dataclass
class Decoded:
    """Text from blocks of bytes. ``broken`` turns true once a byte was met that the encoding does not have."""

    blocks: Iterator[bytes]
    encoding: str
    """A codec name; empty to decide at the first block that is not plain ASCII."""
    broken: bool = False

    def texts(self) -> Iterator[str]:
        """The text, piece by piece; what cannot be decoded is U+FFFD."""
        decoder: codecs.IncrementalDecoder | None = None
        for block in self.blocks:
            if decoder is None:
                if not self.encoding and block.isascii():
                    yield block.decode("ascii")
                    continue
                self.encoding = self.encoding or found_encoding(iter([block]))
                decoder = codecs.getincrementaldecoder(self.encoding)("strict")
            yield self._piece(decoder, block, final=False)
        if decoder is not None:
            yield self._piece(decoder, b"", final=True)
        self.encoding = self.encoding or "utf-8"

    def _piece(self, decoder: codecs.IncrementalDecoder, block: bytes, final: bool) -> str:
        before = decoder.getstate()
        try:
            return decoder.decode(block, final)
        except UnicodeError:
            self.broken = True
        decoder.errors = "replace"
        decoder.setstate(before)
        text = decoder.decode(block, final)
        decoder.errors = "strict"
        return text


class Lines:
    """Lines without their end; a file that knows no line feed is cut at its carriage returns.

    A line keeps a carriage return before its line feed. What follows the last line feed is a line when it is not empty;
    ``unfinished`` is true when that one is handed out.
    """

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self._end = ""
        self._parts: list[str] = []
        self._ahead: deque[str] = deque()
        self._over = self._open_end = False
        self.unfinished = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while not self._ahead:
            if not self._cut():
                raise StopIteration
        line = self._ahead.popleft()
        self.unfinished = self._open_end and not self._ahead
        return line

    def peek(self, chars: int) -> tuple[list[str], bool]:
        """The next lines, together at least ``chars`` characters long if there are so many, and whether these are all."""
        lines: list[str] = []
        size = 0
        while size < chars:
            if len(lines) == len(self._ahead) and not self._cut():
                return lines, True
            for line in islice(self._ahead, len(lines), None):
                lines.append(line)
                size += len(line) + 1
                if size >= chars:
                    break
        return lines, False

    def ready(self, most: int) -> Iterator[str]:
        """The next lines that are cut already, up to so many; a last one that is unfinished is not among them. They still stand ahead."""
        if not self._ahead:
            self._cut()
        return islice(self._ahead, max(0, min(most, len(self._ahead) - self._open_end)))

    def drop(self, count: int) -> None:
        """Go on behind the next lines, all of which were ready."""
        for _ in range(count):
            self._ahead.popleft()
        self.unfinished = False

    def _cut(self) -> bool:
        """Cut the next piece of text into lines; False when there is none."""
        if self._over:
            return False
        text = next(self._texts, None)
        if text is None:
            self._over = True
            last = "".join(self._parts)
            self._open_end = bool(last)
            self._ahead.extend([last if self._end else last.rstrip("\r")] * self._open_end)
            return True
        if not self._end and ("\n" in text or "\r" in text.rstrip("\r")):
            self._end = "\n" if "\n" in text else "\r"
        if not self._end or self._end not in text:
            self._parts.append(text)
            return True
        first, *rest = text.split(self._end)
        self._ahead.append("".join([*self._parts, first]))
        self._parts = [rest.pop()]
        self._ahead.extend(rest)
        return True
