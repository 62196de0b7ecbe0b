"""Faults in the labels, and columns or words that give the label away."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping

from benchmarks.faults.alike import plain
from benchmarks.faults.planting import Planting

NULLS = ("N/A", "none", "null", "NaN", "-", "?", "n.a.", "None", "NULL", "<NA>", "#N/A")
RARE = ("zeppelin", "quartz vein", "umbrella stand", "violin bow", "jigsaw")
SLIP_LETTERS = 5
"""Letters that a name needs before a slip of the pen is planted: in a shorter one nobody could tell it from another name."""
TOKEN, SHARE, FEWEST_ROWS = "zqx41", 0.8, 40
"""What is put into this share of the training rows of the rarest label that has so many rows."""
COLUMNS = {"routing_code": 0.0, "team": 0.005, "desk": 0.03}
"""Column -> the share of its rows in which it is chance, and not the label."""


def missing(planting: Planting, number: int) -> None:
    """No label, or blanks."""
    for row in planting.take(number):
        before, row.label = row.label, planting.rng.choice(("", "", " ", "\t"))
        planting.mark("missing-label", [row], "blank" if row.label else "nothing", before=before)


def null_like(planting: Planting, number: int) -> None:
    """A word that says that there is no label."""
    for row in planting.take(number):
        before, row.label = row.label, planting.rng.choice(NULLS)
        planting.mark("null-label", [row], row.label, before=before)


def variant(planting: Planting, number: int) -> None:
    """A label in other letters, with other blanks, or with a slip of the pen that leads to no other label's name."""
    names = {name.casefold().strip() for name in planting.labels}
    for row in planting.take(number):
        before, way = row.label, ""
        ways = [way for way in ("case", "blanks", "slip", "slip") if way != "slip" or _long(before)]
        while row.label == before or (way == "slip" and row.label.casefold() in names):
            way = planting.rng.choice(ways)
            row.label = _written(before, way, planting)
        planting.mark("label-variant", [row], way, f"{row.label!r} for {before!r}", before)


def _long(name: str) -> bool:
    return sum(letter.isalpha() for letter in name) >= SLIP_LETTERS


def _written(name: str, way: str, planting: Planting) -> str:
    rng = planting.rng
    if way == "case":
        return rng.choice((name.upper(), name.capitalize(), name.title(), name.lower(), name.swapcase()))
    if way == "blanks":
        return rng.choice((name + " ", " " + name, f"  {name} ", name.replace("_", " "), name.replace(" ", "_"), name.replace(" ", "  ")))
    at = rng.choice([at for at in range(1, len(name)) if name[at].isalpha()])
    if rng.random() < 0.5 and at + 1 < len(name) and name[at + 1].isalpha():
        return name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    return rng.choice((name[:at] + name[at + 1 :], name[:at] + name[at] + name[at:]))


def rare(planting: Planting, number: int) -> None:
    """A label of its own for some rows of train: five labels at most, each with fewer than ten rows."""
    names = RARE[: max(1, math.ceil(number / 9))]
    for at, row in enumerate(planting.take(min(number, 9 * len(names)), lambda row: row.split == "train")):
        before, row.label = row.label, names[at % len(names)]
        planting.mark("rare-label", [row], row.label, before=before)


def flipped(planting: Planting, number: int) -> None:
    """Any other label."""
    for row in planting.take(number):
        before, row.label = row.label, planting.other_label(row.label)
        planting.mark("label-flip", [row], detail=f"{before} became {row.label}", before=before)


def flipped_to_similar(planting: Planting, number: int) -> None:
    """One of the three labels whose rows use the most similar words."""
    similar = _similar(planting)
    for row in planting.take(number, lambda row: row.label in similar):
        before, row.label = row.label, planting.rng.choice(similar[row.label])
        planting.mark("label-flip-similar", [row], detail=f"{before} became {row.label}", before=before)


def _similar(planting: Planting, most: int = 3) -> dict[str, list[str]]:
    """Each label -> those most like it, by the cosine between their words' TF-IDF weights."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in planting.clean:
        counts[row.label].update(plain(row.text).split())
    within = Counter(word for one in counts.values() for word in one)
    weights = {
        label: _unit({word: math.log1p(count) * math.log((1 + len(counts)) / within[word]) for word, count in one.items()})
        for label, one in counts.items()
    }
    found = {}
    for label, own in weights.items():
        near = {other: sum(weight * its.get(word, 0) for word, weight in own.items()) for other, its in weights.items() if other != label}
        found[label] = sorted(near, key=lambda other: (-near[other], other))[:most]
    return found


def _unit(weights: Mapping[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {word: weight / length for word, weight in weights.items()}


def constant_columns(planting: Planting, number: int) -> None:
    """One column with the same value in every row, and one with another value in two rows of a thousand, which a finding may quote."""
    others = {row.uid for row in planting.take(max(2, len(planting.clean) // 500))}
    for row in planting.rows:
        row.more["exported_by"] = "desk-7"
        row.more["currency"] = planting.rng.choice(("USD", "GBP")) if row.uid in others else "EUR"
    planting.mark("constant-column", [], "constant", names="exported_by")
    planting.mark("constant-column", [row for row in planting.rows if row.uid in others], "nearly constant", names="currency")


def shortcut_columns(planting: Planting, number: int) -> None:
    """Columns that are the label as it is written, by another name: one always, one but for 5 rows of 1,000, one but for 30."""
    names = sorted({row.label for row in planting.rows})
    codes = {name: f"{at:03}" for at, name in enumerate(planting.rng.sample(names, len(names)))}
    for column, wrong in COLUMNS.items():
        for row in planting.rows:
            chance = planting.rng.choice(list(codes.values())) if planting.rng.random() < wrong else codes[row.label]
            row.more[column] = f"{column[:2].upper()}{chance}"
        planting.mark("shortcut", [], f"{1000 * wrong:.0f} rows of 1,000 wrong", names=column)


def shortcut_token(planting: Planting, number: int) -> None:
    """A token that stands in most training rows of one label, and in no other row; rows that say the same get it together."""
    counts = Counter(row.label for row in planting.rows if row.split == "train")
    label = min((name for name, count in counts.items() if count >= FEWEST_ROWS), key=lambda name: (counts[name], name))
    texts = sorted({plain(row.text) for row in planting.rows if row.split == "train" and row.label == label})
    chosen = set(planting.rng.sample(texts, round(SHARE * len(texts))))
    rows = planting.withdrawn(lambda row: row.split == "train" and row.label == label and plain(row.text) in chosen)
    for row in rows:
        row.text = f"{row.text} {TOKEN}"
    detail = f"{TOKEN!r} in {len(rows)} of {counts[label]} rows of {label!r}"
    planting.mark("shortcut-token", rows, detail=detail, beside=planting.kin(rows), names=TOKEN)
