"""Texts that were once decoded with the wrong encoding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.data.audit.base import Hit, Looked, Rule, rows_word
from tunewright.data.shelf import replaced, shelved, taken

SUSPECT = r"[\x{80}-\x{9f}ŒœÃÂ]|[^\x00-\x7f]{2}"
"""What every pattern of ftfy's ``badness`` holds: two letters side by side that are not ASCII, or one of a few that are told alone."""
REPAIRED = pa.schema([("row", pa.int64()), ("text", pa.string())])


class Mojibake(Rule):
    """Texts such as ``cafÃ©`` for ``café``. The repair is ftfy's, and touches nothing but the encoding."""

    cost: ClassVar = "one pass over the texts, in Arrow; some 30 microseconds for one with two letters side by side that are not ASCII"
    policies: ClassVar = ("keep", "drop", "fix", "refuse")
    streams: ClassVar = "row"
    remedy: ClassVar = "Read the file with its true encoding, or have the texts repaired"
    recipe: ClassVar = "data.policy.mojibake: fix"

    def look(self, looked: Looked) -> Iterator[Hit]:
        repaired = {role: _repaired(looked.rows[role]) for role in looked.text_roles}
        rows = np.unique(np.concatenate([found["row"].to_numpy() for found in repaired.values()]))
        if not len(rows):
            return
        fixed, first = {}, ("", "")
        for role, found in repaired.items():
            as_read = shelved((piece for piece, _ in taken(looked.rows.select([role]), rows)), pa.schema([(role, pa.string())]))[role]
            at = np.searchsorted(rows, found["row"].to_numpy())
            fixed[role] = replaced(as_read, at, found["text"])
            first = (as_read[int(at[0])].as_py(), found["text"][0].as_py()) if len(at) and not any(first) else first
        seen, wanted = _first_difference(*first)
        message = f"{rows_word(len(rows))} with letters garbled by a wrong encoding, as {seen!r} for {wanted!r}"
        yield Hit(message, rows, "the text is garbled by a wrong encoding", fixed=fixed)


def _repaired(column: pa.ChunkedArray) -> pa.Table:
    """``row`` and ``text``: the index of each text that can be repaired, and the repaired text."""
    return shelved(_repairs(column), REPAIRED)


def _repairs(column: pa.ChunkedArray) -> Iterator[pa.Table]:
    import ftfy
    from ftfy.badness import is_bad

    at = 0
    for chunk in column.chunks:
        suspects = np.flatnonzero(pc.match_substring_regex(chunk, SUSPECT).fill_null(False).to_numpy(zero_copy_only=False))
        texts = zip(suspects.tolist(), chunk.take(pa.array(suspects)).to_pylist(), strict=True)
        # ftfy asks is_bad before it repairs anything, and takes ten times as long to come to it
        found = [(at + row, better) for row, text in texts if is_bad(text) and (better := ftfy.fix_encoding(text)) != text]
        yield pa.table([[row for row, _ in found], [text for _, text in found]], schema=REPAIRED)
        at += len(chunk)


def _first_difference(before: str, after: str) -> tuple[str, str]:
    """The words around the place where two texts begin to differ."""
    both = zip(before, after, strict=False)
    start = next((at for at, (one, other) in enumerate(both) if one != other), 0)
    start = max(before.rfind(" ", 0, start) + 1, start - 12)
    return before[start : start + 24].split(" ")[0], after[start : start + 24].split(" ")[0]
