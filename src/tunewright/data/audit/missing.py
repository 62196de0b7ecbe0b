"""Rows without a label, and words that only say that there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.core.schema import Policy
from tunewright.data.audit.base import Hit, Looked, Rule, rows_word

NULL_LIKE = ("none", "n/a", "n.a.", "na", "null", "nil", "-", "--", "?", "??", "(none)", "[none]", "(null)")
"""Words that often stand for no label; taken for a class when ``COMMON`` of the rows or more have them."""
NEVER_A_CLASS = ("nan", "<na>", "#n/a", "nat", "#value!", "#ref!", "#name?")
"""What programs write where a value is missing: no class is ever called so."""
COMMON = 0.02


class MissingLabel(Rule):
    """Rows whose label is missing, blank, or a rare word that stands for none."""

    looks_at: ClassVar = ("label", "labels")
    default: ClassVar[Policy] = "drop"
    policies: ClassVar = ("drop", "refuse")
    remedy: ClassVar = (
        "Label the rows, or let them go; a word that is a label of yours may be named in task.labels, "
        "and a row with none of several labels is written []"
    )
    recipe: ClassVar = "data.policy.missing-label: drop"
    reaches_test: ClassVar = True

    def look(self, looked: Looked) -> Iterator[Hit]:
        names, owners = looked.label_names
        words = pc.utf8_lower(pc.utf8_trim_whitespace(names))
        common, rare = _common_and_rare(words, len(looked), looked.named)
        reasons = self._reasons(looked, names, words, owners, rare)
        if reasons:
            rows = np.array(sorted(reasons), dtype=np.int64)
            blank = sum(reason == _EMPTY for reason in reasons.values())
            stands = f"; {len(rows) - blank:,} of them with a word that stands for none" if blank < len(rows) else ""
            yield Hit(f"{rows_word(len(rows))} without a label{stands}", rows, [reasons[row] for row in rows.tolist()])
        for word, count in common.items():
            rows = np.unique(owners[pc.equal(words, word).to_numpy(zero_copy_only=False)])
            share = f"{100 * count / len(looked):.1f} % of the rows"
            yield Hit(f"the label {word!r} is taken for a class, not for a missing label: {share} have it", rows, told_only=True)

    def _reasons(self, looked: Looked, names: pa.Array, words: pa.Array, owners: np.ndarray, rare: set[str]) -> dict[int, str]:
        """Row index -> why it counts as a row without a label."""
        role = looked.label_role
        column = looked.rows[role.name] if role else pa.chunked_array([[]])
        reasons = dict.fromkeys(np.flatnonzero(pc.is_null(column).to_numpy()).tolist(), _EMPTY)
        unnamed = pc.invert(pc.is_in(names, value_set=pa.array(looked.named, pa.string())))
        gone = pc.and_(pc.or_kleene(pc.equal(words, ""), pc.is_in(words, value_set=pa.array(sorted(rare), pa.string()))), unnamed)
        gone = pc.or_(gone.fill_null(True), pc.is_null(names))
        for at in np.flatnonzero(gone.to_numpy(zero_copy_only=False)).tolist():
            word = names[at].as_py()
            reasons[int(owners[at])] = f"the label {word!r} stands for no label" if word and word.strip() else _EMPTY
        return reasons


_EMPTY = "the label is empty"


def _common_and_rare(words: pa.Array, rows: int, named: tuple[str, ...]) -> tuple[dict[str, int], set[str]]:
    """Null-like words among the labels: those common enough to be a class, with their counts; and the others."""
    counts = {one["values"]: one["counts"] for one in pc.value_counts(words).to_pylist()}
    own = {name.strip().lower() for name in named}
    common = {word: counts[word] for word in NULL_LIKE if word not in own and counts.get(word, 0) >= COMMON * rows and word in counts}
    return common, {word for word in (*NULL_LIKE, *NEVER_A_CLASS) if word not in common}
