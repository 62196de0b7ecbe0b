"""Tagged tokens, one in each line, and a blank line between two texts: CoNLL files and their kin. A text is a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from tunewright.data.formats.decoding import Decoded, Lines
from tunewright.data.formats.packed import Damage
from tunewright.data.formats.rows import BadRow, Column, Good, Notes, Part, gathered

TAG = re.compile(r"O|[BIESLUM][-_]\S+")
DOCUMENT = "-DOCSTART-"
LOOKED_AT = 400
"""Lines of the beginning from which the shape of a file is told."""
TOKENS, TAGS, NUMBER = "tokens", "tags", "document"
ENOUGH = 2
"""Lines with a token and a tag that a file needs to be taken for one of this kind by its content."""


def looks_tagged(text: str, whole: bool) -> bool:
    """Whether the beginning of a text is tagged tokens: equally many words in each line, the last of which is a tag, and texts apart.

    Args:
        text: the beginning of a file.
        whole: whether it is all of it.
    """
    lines = text.lstrip("\ufeff").splitlines()[:LOOKED_AT]
    lines = lines if whole else lines[:-1]
    words = [_words(line) for line in lines if _holds_token(line)]
    apart = any(not line.strip() or line.startswith(DOCUMENT) for line in lines)
    tagged = len(words) >= ENOUGH and all(len(one) == len(words[0]) > 1 and TAG.fullmatch(one[-1]) for one in words)
    return apart and tagged and len({one[-1] for one in words}) > 1


class Conll:
    """Reads texts as rows with ``tokens`` and ``tags``; further columns are called ``column_1``, ``column_2``, by their place from 0.

    A text of which a line has more or fewer words than the others is a bad row. Lines that begin with ``#`` and are no tagged token are
    comments. Where ``-DOCSTART-`` lines part documents, ``document`` says to which one a text belongs.
    """

    def __init__(self, decoded: Decoded, notes: Notes, damage: Callable[[], Damage | None]) -> None:
        self._decoded, self._notes, self._damage = decoded, notes, damage
        self._width = 0
        self._documents = False

    def parts(self, batch_rows: int) -> Iterator[Part]:
        """The rows in the file's order, at most ``batch_rows`` good ones at a time."""
        return gathered(self._items(), self._columns, batch_rows)

    def _items(self) -> Iterator[Good | BadRow]:
        number, document, begun, held = 0, -1, 0, list[str]()
        line_number = 0
        for line_number, line in enumerate(Lines(self._decoded.texts()), 1):
            bare = line.strip("\ufeff\r\n")
            if bare.startswith(DOCUMENT):
                document, self._documents = document + 1, True
            elif bare.strip():
                if not held:
                    begun = line_number
                held.append(bare)
                continue
            if held:
                yield from self._text(held, number, begun, document)
                number, held = number + 1, []
        if held:
            yield from self._text(held, number, begun, document)
            number += 1
        if damage := self._damage():
            yield self._notes.bad(number, f"from here on {damage.reason}", "", line_number, damage.offset)

    def _text(self, lines: Sequence[str], number: int, line: int, document: int) -> Iterator[Good | BadRow]:
        words = [_words(one) for one in lines if _holds_token(one)]
        if not words:
            return
        self._width = self._width or max(len(one) for one in words)
        wrong = next((at for at, one in enumerate(words) if len(one) != self._width), None)
        raw = "\n".join(lines)
        if wrong is not None:
            told = f"its line {words[wrong][0]!r:.40} has {len(words[wrong])} columns, and the others have {self._width}"
            yield self._notes.bad(number, told, raw, line)
            return
        if self._decoded.broken and "\ufffd" in raw:
            self._notes.broken.append(number)
        yield Good(number, (words, max(document, 0)), len(raw))

    def _columns(self, rows: Sequence[Good]) -> dict[str, Column]:
        names = [TOKENS, *(f"column_{at}" for at in range(1, self._width - 1)), TAGS][: self._width]
        found = {name: Column("list<string>", [[words[at] for words in row.values[0]] for row in rows]) for at, name in enumerate(names)}
        return found | ({NUMBER: Column("int64", [row.values[1] for row in rows])} if self._documents else {})


def _words(line: str) -> list[str]:
    """The columns of a line: between tabs where it has some, else between blanks."""
    bare = line.strip("\r\n")
    return [one.strip(" ") for one in bare.rstrip("\t").split("\t")] if "\t" in bare.strip() else bare.split()


def _holds_token(line: str) -> bool:
    """Whether a line is a token with its columns: no blank one, no mark of a document, no comment."""
    if not line.strip() or line.startswith(DOCUMENT):
        return False
    return not line.startswith("#") or (len(words := _words(line)) > 1 and bool(TAG.fullmatch(words[-1])))
