"""Texts that were once decoded with the wrong encoding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.data.audit.base import Hit, Looked, Rule, one_chunk, rows_word


class Mojibake(Rule):
    """Texts such as ``cafÃ©`` for ``café``. The repair is ftfy's, and touches nothing but the encoding."""

    cost: ClassVar = "about 20 microseconds for a text that is not plain ASCII"
    policies: ClassVar = ("keep", "drop", "fix", "refuse")
    remedy: ClassVar = "Read the file with its true encoding, or have the texts repaired"
    recipe: ClassVar = "data.policy.mojibake: fix"

    def look(self, looked: Looked) -> Iterator[Hit]:
        repaired = {role: _repaired(one_chunk(looked.rows[role])) for role in looked.text_roles}
        rows = sorted({row for found in repaired.values() for row in found})
        if not rows:
            return
        fixed = {}
        for role, found in repaired.items():
            as_read = one_chunk(looked.rows[role].take(pa.array(rows))).to_pylist()
            fixed[role] = pa.array([found.get(row, text) for row, text in zip(rows, as_read, strict=True)], pa.string())
        before, after = next((looked.rows[role][row].as_py(), text) for role, found in repaired.items() for row, text in found.items())
        seen, wanted = _first_difference(before, after)
        message = f"{rows_word(len(rows))} with letters garbled by a wrong encoding, as {seen!r} for {wanted!r}"
        yield Hit(message, np.array(rows, dtype=np.int64), "the text is garbled by a wrong encoding", fixed=fixed)


def _repaired(column: pa.Array) -> dict[int, str]:
    """Row index -> repaired text, for the texts that can be repaired."""
    import ftfy

    suspects = np.flatnonzero(pc.match_substring_regex(column, r"[^\x00-\x7F]").fill_null(False).to_numpy(zero_copy_only=False))
    texts = zip(suspects.tolist(), column.take(pa.array(suspects)).to_pylist(), strict=True)
    return {row: better for row, text in texts if (better := ftfy.fix_encoding(text)) != text}


def _first_difference(before: str, after: str) -> tuple[str, str]:
    """The words around the place where two texts begin to differ."""
    both = zip(before, after, strict=False)
    start = next((at for at, (one, other) in enumerate(both) if one != other), 0)
    start = max(before.rfind(" ", 0, start) + 1, start - 12)
    return before[start : start + 24].split(" ")[0], after[start : start + 24].split(" ")[0]
