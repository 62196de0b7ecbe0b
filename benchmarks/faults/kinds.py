"""Every kind of fault: the rule that is to find it, how it is planted, and which other rules may rightly name its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.faults import copies, labels, personal, texts
from benchmarks.faults.planting import Planting
from benchmarks.faults.table import Planted, Row

FEWEST = 30
"""Faults of each kind, at least."""
LABELS = ("label-noise", "rare-label", "label-never-trained", "label-variant", "conflicting-label")
ALWAYS = ("covariate-shift", "imbalance", "semantic-duplicate")
"""Rules that judge a table as a whole, or by meaning: their rows are not counted against them here."""


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Args:
        rule: the rule that is to name the rows; empty for a decoy, which no rule may name.
        plant: (bed, number) -> None.
        share: of the clean rows, by default.
        also: other rules that are right to name the rows.
    """

    rule: str
    plant: Callable[[Planting, int], None]
    share: float = 0.004
    also: tuple[str, ...] = ()


SAME = ("near-duplicate", "label-noise")
KINDS: Mapping[str, Kind] = {
    # What needs rows of a certain kind comes first.
    "shortcut-token": Kind("shortcut", labels.shortcut_token, also=("near-duplicate", "leak-near", "label-noise")),
    "truncated-text": Kind("truncated-text", texts.truncated, also=("label-noise",)),
    "near-duplicate": Kind("near-duplicate", copies.near_duplicates, 0.01, also=("label-noise",)),
    "leak-near": Kind("leak-near", copies.leaked_nearly, 0.006, also=("label-noise",)),
    "near-miss": Kind("", copies.near_misses, 0.006, also=("label-noise",)),
    "normalised-duplicate": Kind("normalised-duplicate", copies.normalised, 0.006, also=SAME),
    "conflicting-label": Kind("conflicting-label", copies.conflicting, 0.006, also=SAME),
    "leak-exact": Kind("leak-exact", copies.leaked, 0.006, also=("leak-near", *SAME)),
    "exact-duplicate": Kind("exact-duplicate", copies.exact, 0.006, also=SAME),
    "leak-group": Kind("leak-group", copies.leaked_by_group),
    "leak-time": Kind("leak-time", copies.leaked_by_time),
    "e-mail": Kind("personal-data", personal.given_away("e-mail")),
    "phone": Kind("personal-data", personal.given_away("phone"), 0.008),
    "card": Kind("personal-data", personal.given_away("card")),
    "iban": Kind("personal-data", personal.given_away("iban")),
    "key": Kind("secret", personal.given_away("key"), 0.006, also=("personal-data",)),
    "not-personal": Kind("", personal.decoys, 0.012, also=("label-noise",)),
    "mojibake": Kind("mojibake", texts.mojibake, also=("control-characters", "label-noise")),
    "accents": Kind("", texts.accents, also=("label-noise",)),
    "control-characters": Kind("control-characters", texts.control, also=("mojibake", "label-noise")),
    "over-long": Kind("over-long", texts.over_long, 0.003, also=("label-noise",)),
    "unreadable-row": Kind("unreadable-row", texts.ragged, 0.003),
    "empty-text": Kind("empty-text", texts.empty, also=("too-short", "control-characters")),
    "too-short": Kind("too-short", texts.too_short, also=("label-noise", "wrong-language")),
    "markup-only": Kind("markup-only", texts.markup, also=("label-noise", "near-duplicate", "leak-near", "too-short", "empty-text")),
    "wrong-language": Kind("wrong-language", texts.foreign, also=("label-noise",)),
    "missing-label": Kind("missing-label", labels.missing),
    "null-label": Kind("missing-label", labels.null_like),
    "label-variant": Kind("label-variant", labels.variant, also=LABELS),
    "rare-label": Kind("rare-label", labels.rare, 0.001, also=LABELS),
    "label-flip": Kind("label-noise", labels.flipped, 0.01),
    "label-flip-similar": Kind("label-noise", labels.flipped_to_similar, 0.01),
    "constant-column": Kind("constant-column", labels.constant_columns),
    "shortcut": Kind("shortcut", labels.shortcut_columns),
}
"""In the order in which they are planted. Kinds without a rule are decoys."""


def plant(rows: Sequence[Row], seed: int, shingles: str, foreign: Sequence[str] = (), rates: Mapping[str, float] | None = None) -> Planted:
    """A clean table with faults of every kind in ``rates``; nothing else in it is touched.

    Args:
        rows: a table with a train and a test split, as ``laid_out`` gives it.
        seed: with the other arguments it decides everything.
        shingles: a name of ``SHINGLES``: how near-duplicates are measured.
        foreign: sentences in other languages; without them no row gets one.
        rates: kind -> share of the rows; left out, every kind at its own.

    Raises:
        ValueError: a kind has too few rows to fit in, or is unknown.
    """
    wanted = {name: kind.share for name, kind in KINDS.items()} if rates is None else dict(rates)
    if strange := [name for name in wanted if name not in KINDS]:
        raise ValueError(f"no kind of fault is called {strange[0]!r}; there are: {', '.join(KINDS)}")
    bed = Planting(rows, seed, shingles, foreign)
    for name, kind in KINDS.items():
        if name in wanted and not (name == "wrong-language" and not foreign):
            bed.begin(name)
            try:
                kind.plant(bed, max(FEWEST, round(wanted[name] * len(rows))))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
    return Planted(bed.sorted_rows(), bed.faults)
