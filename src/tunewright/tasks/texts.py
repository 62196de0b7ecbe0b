"""One text of a row, or a pair, as one piece: what the tasks that read whole texts share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tunewright.core.errors import UserError
from tunewright.core.schema import Row
from tunewright.tasks.base import Role, text_of


class Read(NamedTuple):
    """A row as a model reads it: the piece without its labels; the tokens of the whole row; those of them that the piece lacks."""

    piece: dict[str, Any]
    tokens: int
    cut: int


def text_roles(purpose: str, pair: str) -> tuple[Role, Role]:
    """The roles ``text`` and ``text_pair``, with what they mean."""
    return Role("text", "text", purpose), Role("text_pair", "text", pair, needed=False)


def texts_and_pairs(rows: Sequence[Row]) -> tuple[list[str], list[str] | None]:
    """The texts of rows, and their second texts where they have some.

    Raises:
        UserError: some rows have a second text and others none.
    """
    paired = sum("text_pair" in row for row in rows)
    if paired not in (0, len(rows)):
        raise UserError(f"{paired} of {len(rows)} rows have a text_pair", "All rows have one, or none", "Ask for the others by themselves")
    return [text_of(row["text"]) for row in rows], [text_of(row["text_pair"]) for row in rows] if paired else None


def read(rows: Sequence[Row], tokenizer: Any, max_tokens: int) -> list[Read]:
    """Each row as one piece, the longer text of a pair cut first.

    Raises:
        UserError: some rows have a second text and others none.
    """
    if not rows:
        return []
    texts, pairs = texts_and_pairs(rows)
    whole = tokenizer(texts, pairs, truncation=False, verbose=False)
    lengths = [len(ids) for ids in whole["input_ids"]]
    long = [index for index, length in enumerate(lengths) if length > max_tokens]
    cut = tokenizer([texts[i] for i in long], pairs and [pairs[i] for i in long], truncation=True, max_length=max_tokens) if long else {}
    place = {index: at for at, index in enumerate(long)}
    found = []
    for index, length in enumerate(lengths):
        source, at = (cut, place[index]) if index in place else (whole, index)
        piece = {name: source[name][at] for name in source}
        found.append(Read(piece, length, length - len(piece["input_ids"])))
    return found
