"""Rows without a label, and words that only say that there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pyarrow as pa

from tunewright.core.schema import Policy
from tunewright.data.audit.base import Hit, Looked, Rule, fault_column, per_row, rows_word

NULL_LIKE = ("none", "n/a", "n.a.", "na", "null", "nil", "-", "--", "?", "??", "(none)", "[none]", "(null)")
"""Words that often stand for no label; taken for a class when ``COMMON`` of the rows or more have them."""
NEVER_A_CLASS = ("nan", "<na>", "#n/a", "nat", "#value!", "#ref!", "#name?")
"""What programs write where a value is missing: no class is ever called so."""
COMMON = 0.02
IF_NO_CLASS = (
    "Nothing, if it is a class of yours; otherwise empty the label of these rows. task.labels, which names all classes, settles it"
)


class MissingLabel(Rule):
    """Rows whose label is missing, blank, or a rare word that stands for none."""

    looks_at: ClassVar = ("label", "labels", "number", "spans", "answers")
    default: ClassVar[Policy] = "drop"
    policies: ClassVar = ("drop", "refuse")
    remedy: ClassVar = (
        "Label the rows, or let them go; a word that is a label of yours may be named in task.labels, "
        "and a row with none of several labels is written []"
    )
    recipe: ClassVar = "data.policy.missing-label: drop"
    reaches_test: ClassVar = True

    def look(self, looked: Looked) -> Iterator[Hit]:
        if looked.label_role is None or looked.label_role.kind == "spans":
            yield from without_value(looked)
            return
        labels = looked.label_ids
        words = [name.strip().lower() for name in labels.names]
        counts = np.bincount(labels.ids[labels.ids >= 0], minlength=len(words)).tolist()
        common, rare = _common_and_rare(words, counts, len(looked), looked.named)
        reasons = [_reason(name, word, rare, looked.named) for name, word in zip(labels.names, words, strict=True)]
        told = list(dict.fromkeys(["", _EMPTY, *reasons]))
        why = _why(looked, [told.index(reason) for reason in reasons])
        rows = np.flatnonzero(why)
        if len(rows):
            stands = int((why > 1).sum())
            of_them = f"; {stands:,} of them with a word that stands for none" if stands else ""
            reasons = [told[one] for one in why[rows].tolist()]
            none = " (one that has none of several labels is written [])" if looked.label_role.kind == "labels" else ""
            yield Hit(f"{rows_word(len(rows))} without a label{none}{of_them}", rows, reasons, numbers={"stand_for_none": stands})
        for word, count in common.items():
            rows = np.flatnonzero(looked.rows_with([name for name, own in zip(labels.names, words, strict=True) if own == word]))
            share = f"{100 * count / len(looked):.1f} % of the rows"
            message = f"the label {word!r} is taken for a class, not for a missing label: {share} have it"
            yield Hit(message, rows, told_only=True, remedy=IF_NO_CLASS, numbers={"share_of_rows": count / len(looked)})


_EMPTY = "the label is empty"


def without_value(looked: Looked) -> Iterator[Hit]:
    """Rows whose number, say, is missing; one that could not be read is another rule's."""
    role = looked.gold_role
    if role is None:
        return
    missing = per_row(looked.rows[role.name], lambda values: values.is_null().to_numpy(zero_copy_only=False))
    if (fault := fault_column(role.name)) in looked.rows.column_names:
        missing &= per_row(looked.rows[fault], lambda told: told.is_null().to_numpy(zero_copy_only=False))
    if missing.any():
        rows = np.flatnonzero(missing)
        told = {"spans": "that nobody has annotated", "answers": "without an answer (a question that has none is answered [])"}.get(
            role.kind, f"without a {role.kind}"
        )
        yield Hit(f"{rows_word(len(rows))} {told}", rows, f"the {role.name} is empty")


class UnreadableLabel(Rule):
    """Rows whose label is there and cannot be used: a word where a number was wanted, more tags than tokens, entities without a type."""

    looks_at: ClassVar = ("number", "spans", "answers")
    severity: ClassVar = "error"
    default: ClassVar[Policy] = "drop"
    policies: ClassVar = ("drop", "refuse")
    streams: ClassVar = "row"
    remedy: ClassVar = "Correct these rows in the file, or let them go"
    recipe: ClassVar = "data.policy.unreadable-label: drop"
    reaches_test: ClassVar = True

    def look(self, looked: Looked) -> Iterator[Hit]:
        role = looked.gold_role
        fault = None if role is None else fault_column(role.name)
        if role is None or fault not in looked.rows.column_names:
            return
        rows = np.flatnonzero(per_row(looked.rows[fault], lambda told: told.is_valid().to_numpy(zero_copy_only=False)))
        if len(rows):
            reasons = looked.rows[fault].take(pa.array(rows)).to_pylist()
            told = "; ".join(dict.fromkeys(reasons[:3]))
            yield Hit(f"{rows_word(len(rows))} whose {role.name} cannot be used: {told}", rows, reasons)


def _reason(name: str, word: str, rare: set[str], named: tuple[str, ...]) -> str:
    """Why rows with this label count as rows without one; empty when they do not."""
    if name in named or (word and word not in rare):
        return ""
    return f"the label {name!r} stands for no label" if word else _EMPTY


def _why(looked: Looked, of_name: list[int]) -> np.ndarray:
    """(rows,) int: why a row has no label, by the number of the reason: 0 it has one, 1 there is nothing.

    Args:
        of_name: the same for each label name.
    """
    labels = looked.label_ids
    why = np.zeros(len(looked), dtype=np.int64)
    found = np.array([*of_name, 1], dtype=np.int64)[labels.ids]
    why[labels.owners[found > 0]] = found[found > 0]
    role = looked.label_role
    if role is not None:
        why[per_row(looked.rows[role.name], lambda names: names.is_null().to_numpy(zero_copy_only=False))] = 1
    return why


def _common_and_rare(words: list[str], counts: list[int], rows: int, named: tuple[str, ...]) -> tuple[dict[str, int], set[str]]:
    """Null-like words among the labels: those common enough to be a class, with their counts; and the others."""
    total = Counter[str]()
    for word, count in zip(words, counts, strict=True):
        total[word] += count
    own = {name.strip().lower() for name in named}
    common = {word: total[word] for word in NULL_LIKE if word not in own and total[word] and total[word] >= COMMON * rows}
    return common, {word for word in (*NULL_LIKE, *NEVER_A_CLASS) if word not in common}
