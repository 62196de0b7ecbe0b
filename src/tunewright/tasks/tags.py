"""Tags of tokens (BIO, BIOES, BILOU, IOB1, or bare types) and the entities that they mark."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

OUTSIDE = "O"
MARKED = re.compile(r"([BIESLUM])[-_](\S.*)", re.DOTALL)
"""A tag that says where in an entity its token stands, and the type: begin, inside, end (last), single (unit), middle."""
SINGLE, LAST = "SU", "ESLU"

Entity = tuple[int, int, str]
"""First token, the one behind the last, and the type."""


def parts(tag: str, bare: bool = False) -> tuple[str, str]:
    """Place and type of a tag; ``("O", "")`` outside of entities. A bare type counts as inside.

    >>> parts("B-PER"), parts("O"), parts("PER", bare=True)
    (('B', 'PER'), ('O', ''), ('I', 'PER'))
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    found = None if bare else MARKED.fullmatch(tag)
    return ("I" if found is None or found[1] == "M" else found[1], tag if found is None else found[2])


def are_bare(tags: Iterable[str]) -> bool:
    """Whether tags are types alone, without a place in the entity: some tag that is not ``O`` has none."""
    return any(tag != OUTSIDE and not MARKED.fullmatch(tag) for tag in tags)


def entities(tags: Sequence[str], bare: bool = False) -> list[Entity]:
    """The entities that tags mark, in their order.

    Every scheme is read by the same rules, which are those of conlleval and seqeval: an entity begins at B, S and U, and wherever a tag
    does not go on what stands before it; so IOB1, and a tag I behind O, are read too.

    Args:
        tags: of the tokens of one text.
        bare: tags are types alone; neighbours of one type are one entity.

    >>> entities(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"])
    [(0, 2, 'PER'), (3, 4, 'LOC'), (4, 5, 'LOC')]
    """
    found: list[Entity] = []
    before, kind, start = OUTSIDE, "", 0
    for at, tag in enumerate([*tags, OUTSIDE]):
        place, label = parts(tag, bare)
        goes_on = before != OUTSIDE and before not in LAST and place in "IEL" and label == kind
        if not goes_on:
            if before != OUTSIDE:
                found.append((start, at, kind))
            start = at
        before, kind = place, label
    return found


def out_of_order(tags: Sequence[str]) -> list[tuple[int, str]]:
    """Tags that go on with an entity which does not stand before them: the number of the token, and what is wrong.

    In IOB1 an entity begins with I; whether that is meant is seen from all tags of a table, not from those of one text.

    >>> out_of_order(["O", "I-LOC", "B-PER", "I-LOC"])
    [(1, 'I-LOC behind O'), (3, 'I-LOC behind B-PER')]
    """
    found, before = [], OUTSIDE
    for at, tag in enumerate(tags):
        (place, label), (last, kind) = parts(tag), parts(before)
        if place in "IEL" and (last == OUTSIDE or last in LAST or kind != label):
            found.append((at, f"{tag} behind {before if at else 'nothing'}"))
        before = tag
    return found


def is_iob1(lists: Iterable[Sequence[str]]) -> bool:
    """Whether tags are written in IOB1: B stands only between two entities of one type that touch; and some entity begins with I."""
    begun = False
    for tags in lists:
        before = OUTSIDE
        for tag in tags:
            (place, label), (last, kind) = parts(tag), parts(before)
            if place not in "OBI" or (place == "B" and (last == OUTSIDE or kind != label)):
                return False
            begun = begun or (place == "I" and last == OUTSIDE)
            before = tag
    return begun
