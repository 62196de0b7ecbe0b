"""Label names that look like two spellings of one name."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
import pyarrow as pa

from tunewright.data.audit.base import Hit, Looked, Rule, rows_word
from tunewright.data.shelf import shelved, taken

SHORTEST = 5
"""Letters that a name needs before another, which may lack one of them, counts as a slip of it: ``spam`` and ``scam`` are two names."""
RARER = 5
"""How many times more frequent the right spelling is than the slip, at least."""


class LabelVariant(Rule):
    """Label names that differ only in case, in blanks, or by a slip of the pen. Names that differ in a digit are never variants."""

    looks_at: ClassVar = ("label", "labels", "spans")
    cost: ClassVar = "one pass over the label names"
    policies: ClassVar = ("keep", "drop", "fix", "refuse")
    remedy: ClassVar = "Write each label in one way; fix takes the most frequent spelling, without blanks around it"
    recipe: ClassVar = "data.policy.label-variant: fix"

    def look(self, looked: Looked) -> Iterator[Hit]:
        counts = dict.fromkeys(looked.label_counts(looked.locked), 0) | looked.label_counts(~looked.locked)
        if better := spellings(counts):
            yield self.hit(looked, better, counts)

    def hit(self, looked: Looked, better: Mapping[str, str], counts: Mapping[str, int]) -> Hit:
        """The rows whose label is a variant, of which there are some.

        Args:
            looked: rows of a table with labels.
            better: each variant -> its right spelling.
            counts: how many rows have each label, for the order in which variants are told.
        """
        role = looked.label_role
        assert role is not None
        rows = np.flatnonzero(looked.rows_with(list(better)))
        first, wanted = _first_variant(looked, better)
        pairs = [f"{name!r} for {right!r}" for name, right in sorted(better.items(), key=lambda pair: -counts[pair[0]])]
        more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
        message = f"{rows_word(len(rows))} with another spelling of a more frequent label: {', '.join(pairs[:5])}{more}"
        told = [f"the label {name!r} looks like another spelling of {better.get(name, name)!r}" for name in looked.label_ids.names]
        column = looked.rows.select([role.name])
        as_read = (piece[role.name].combine_chunks() for piece, _ in taken(column, rows))
        fixed = shelved((pa.table([_mended(labels, better)], schema=column.schema) for labels in as_read), column.schema)
        return Hit(
            message,
            rows,
            [told[one] for one in first[rows].tolist()],
            wanted[rows],
            fixed={role.name: fixed[role.name]},
            numbers={"labels": len(better)},
        )


def _first_variant(looked: Looked, better: Mapping[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """For each row the number of its first label that is a variant, and that of the right spelling among all of them; -1 without one."""
    labels = looked.label_ids
    right = {name: number for number, name in enumerate(sorted(set(better.values())))}
    targets = np.array([right[better[name]] if name in better else -1 for name in labels.names] + [-1])
    first = np.full(len(looked), -1, dtype=np.int64)
    variants = np.flatnonzero(targets[labels.ids] >= 0)[::-1]
    first[labels.owners[variants]] = labels.ids[variants]
    return first, targets[first]


def _mended(labels: pa.Array, better: Mapping[str, str]) -> pa.Array:
    """Labels, one or several of each row, in their right spelling; no label stands twice in a row."""
    if pa.types.is_list(labels.type) and pa.types.is_struct(labels.type.value_type):
        rows = labels.to_pylist()
        return pa.array(
            [spans and [{**one, "label": better.get(one["label"], one["label"])} for one in spans] for spans in rows], labels.type
        )
    if pa.types.is_list(labels.type):
        lists = [list(dict.fromkeys(better.get(name, name) for name in names)) for names in labels.to_pylist()]
        return pa.array(lists, labels.type)
    known = labels.dictionary_encode()
    return pa.array([better.get(name, name) for name in known.dictionary.to_pylist()], labels.type).take(known.indices)


def spellings(counts: Mapping[str, int]) -> dict[str, str]:
    """Each name that looks like a variant -> the most frequent spelling of it, without blanks around it.

    >>> spellings({"refund": 90, "Refund ": 4, "refnud": 2, "level 1": 50, "level 2": 3})
    {'Refund ': 'refund', 'refnud': 'refund'}
    """
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    first: dict[str, str] = {}
    better: dict[str, str] = {}
    for name in ranked:
        chosen = first.setdefault(_bare(name), name)
        if chosen != name:
            better[name] = chosen
    slips = _slips({bare: counts[name] for bare, name in first.items()})
    for name in ranked:
        right = bare = _bare(name)
        while right in slips:
            right = slips[right]
        if right != bare:
            better[name] = first[right]
    tidy = {name: right.strip() or right for name, right in better.items()}
    return {**tidy, **{right: right.strip() for right in better.values() if right.strip() not in {"", right}}}


def _bare(name: str) -> str:
    """A name without case and blanks; a blank next to a digit stays, as does a sign."""
    folded = unicodedata.normalize("NFKC", name).casefold().strip()
    return re.sub(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])", "", re.sub(r"\s+", " ", folded))


def _slips(counts: Mapping[str, int]) -> dict[str, str]:
    """Each rare name that is one slip away from a far more frequent one -> that one."""
    near: dict[str, list[str]] = defaultdict(list)
    for name in counts:
        if len(name) >= SHORTEST - 1:
            for shorter in {name, *(name[:at] + name[at + 1 :] for at in range(len(name)))}:
                near[shorter].append(name)
    found: dict[str, str] = {}
    for names in near.values():
        for rare in names:
            right = [one for one in names if len(one) >= SHORTEST and counts[one] >= RARER * max(counts[rare], 1) and one_slip(rare, one)]
            best = max(right, key=lambda one: (counts[one], one), default=None)
            if best is not None and counts[best] > counts.get(found.get(rare, ""), -1):
                found[rare] = best
    return found


def one_slip(one: str, other: str) -> bool:
    """Whether two names differ by one letter added, left out, replaced, or by two neighbours swapped; never in a digit or the first letter.

    >>> one_slip("refund", "refnud"), one_slip("level 1", "level 2"), one_slip("typical", "atypical")
    (True, False, False)
    """
    if one == other or one[:1] != other[:1] or re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return False
    while one and other and one[0] == other[0]:
        one, other = one[1:], other[1:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return (len(one) <= 1 and len(other) <= 1) or (len(one) == 2 and one == other[::-1])
