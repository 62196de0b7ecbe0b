"""Label names that look like two spellings of one name."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.data.audit.base import Hit, Looked, Rule, rows_word

SHORTEST = 5
"""Letters that a name needs before another may count as a slip of the pen: ``spam`` and ``scam`` are two names."""
RARER = 5
"""How many times more frequent the right spelling is than the slip, at least."""


class LabelVariant(Rule):
    """Label names that differ only in case, in blanks, or by a slip of the pen. Names that differ in a digit are never variants."""

    looks_at: ClassVar = ("label", "labels")
    cost: ClassVar = "one pass over the label names"
    policies: ClassVar = ("keep", "drop", "fix", "refuse")
    remedy: ClassVar = "Write each label in one way; fix takes the most frequent spelling"
    recipe: ClassVar = "data.policy.label-variant: fix"

    def look(self, looked: Looked) -> Iterator[Hit]:
        counts = dict.fromkeys(looked.label_counts(looked.locked), 0) | looked.label_counts(~looked.locked)
        better = spellings(counts)
        if not better:
            return
        names, owners = looked.label_names
        rows = np.unique(owners[pc.is_in(names, value_set=pa.array(list(better), pa.string())).to_numpy(zero_copy_only=False)])
        role = looked.label_role
        as_read = looked.rows[role.name].take(pa.array(rows)).to_pylist() if role else []
        several = role is not None and role.kind == "labels"
        lists = [labels if several else [labels] for labels in as_read]
        fixed = [list(dict.fromkeys(better.get(name, name) for name in labels)) for labels in lists]
        targets = {name: number for number, name in enumerate(sorted(set(better.values())))}
        groups = np.array([next(targets[better[name]] for name in labels if name in better) for labels in lists])
        pairs = [f"{name!r} for {right!r}" for name, right in sorted(better.items(), key=lambda pair: -counts[pair[0]])]
        more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
        message = f"{rows_word(len(rows))} with another spelling of a more frequent label: {', '.join(pairs[:5])}{more}"
        reasons = [
            f"the label {labels[0]!r} looks like another spelling of {right[0]!r}" for labels, right in zip(lists, fixed, strict=True)
        ]
        values = pa.array(fixed, pa.list_(pa.string())) if several else pa.array([right[0] for right in fixed], pa.string())
        yield Hit(message, rows, reasons, groups, fixed={role.name: values} if role else {})


def spellings(counts: Mapping[str, int]) -> dict[str, str]:
    """Each name that looks like a variant -> the most frequent spelling of it.

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
    return better


def _bare(name: str) -> str:
    """A name without case and blanks; a blank next to a digit stays, as does a sign."""
    folded = unicodedata.normalize("NFKC", name).casefold().strip()
    return re.sub(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])", "", re.sub(r"\s+", " ", folded))


def _slips(counts: Mapping[str, int]) -> dict[str, str]:
    """Each rare name that is one slip away from a far more frequent one -> that one."""
    near: dict[str, list[str]] = defaultdict(list)
    for name in counts:
        if len(name) >= SHORTEST:
            for shorter in {name, *(name[:at] + name[at + 1 :] for at in range(len(name)))}:
                near[shorter].append(name)
    found: dict[str, str] = {}
    for names in near.values():
        for rare in names:
            right = [one for one in names if counts[one] >= RARER * max(counts[rare], 1) and one_slip(rare, one)]
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
