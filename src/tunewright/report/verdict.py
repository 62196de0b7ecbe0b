"""What to say first: how good, against what, worth it or not, proved or not, and where to look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tunewright.core.schema import Score
from tunewright.report.evidence import Baseline, Baselines, BatchOfOne, Data, Metrics, NotMeasured, Proof, RowCount, Truncation
from tunewright.report.facts import Facts
from tunewright.report.task_parts import part_of
from tunewright.report.words import MODELS, SPACE, joined, lower_is_better, percent, plural, score_name, sentence, short, signed, within

INTERVAL = f"95{SPACE}% interval"
FEW_ROWS = 200
"""Below this many rows an interval of accuracy is wider than about 10 points at 85 %."""
MUCH_CUT = 0.05
MOST_HINTS = 6

Answer = Literal["yes", "no", "not measured"]


@dataclass(frozen=True)
class Hint:
    """Something to look at, and the part of the page that shows it."""

    text: str
    anchor: str


@dataclass(frozen=True)
class Verdict:
    """The first screen of the page."""

    sentence: str
    gains: tuple[str, ...]
    """The distance to each baseline."""
    against: str
    worth_it: Answer
    proof: str
    proved: Answer
    hints: tuple[Hint, ...]


def verdict(facts: Facts) -> Verdict:
    """The verdict on a run, from its evidence alone."""
    worth, gains, against = _against(facts)
    proved, proof = _proof(facts.metrics.proof)
    return Verdict(f"{_says(facts)}{_worth(facts, worth)}.", gains, against, worth, proof, proved, tuple(hints(facts))[:MOST_HINTS])


def quoted(facts: Facts) -> tuple[str, str, Score] | NotMeasured:
    """The split, the name and the value of the score to quote: the test split if it was scored, accuracy if there is one."""
    splits = (("test", facts.metrics.test), ("validation", facts.metrics.validation))
    for split, scores in splits:
        found = {name: one for name, one in scores.items() if isinstance(one, Score)} if isinstance(scores, dict) else {}
        if name := _main(facts, list(found)):
            return split, name, found[name]
    return facts.metrics.test if isinstance(facts.metrics.test, NotMeasured) else NotMeasured(not_measured="metrics.json holds no score")


def _main(facts: Facts, names: list[str]) -> str | None:
    served = facts.manifest.served
    by = [served.by] if not isinstance(served, NotMeasured) and isinstance(served.by, str) else []
    wishes = [*([] if facts.multi_label else ["accuracy"]), *by, "f1_micro", "f1_macro", "accuracy"]
    good = [name for name in wishes if name in names and not lower_is_better(name)]
    return next(iter(good or [name for name in names if "/" not in name] or names), None)


def _says(facts: Facts) -> str:
    found = quoted(facts)
    if isinstance(found, NotMeasured):
        return f"How good this model is was not measured ({found.not_measured})"
    split, name, score = found
    if name == "accuracy" and not facts.multi_label:
        interval = f"{INTERVAL} {signed(100 * score.low, 1)} to {percent(score.high)}"
        where = "it never saw" if split == "test" else "of the validation split, which also chose the checkpoint"
        return f"This model gives the right label to {percent(score.value)} of {plural(score.rows, 'row')} {where} ({interval})"
    interval = f"{INTERVAL} {signed(score.low)} to {signed(score.high)}"
    where = "it never saw" if split == "test" else "of the validation split, which also chose the checkpoint"
    return f"This model reaches {signed(score.value)} in {within(score_name(name))} on {plural(score.rows, 'row')} {where} ({interval})"


def _worth(facts: Facts, worth: Answer) -> str:
    if isinstance(quoted(facts), NotMeasured):
        return ""
    compared = not isinstance(facts.metrics.baselines, NotMeasured)
    words = {"yes": ": fine-tuning is worth it here", "no": ": fine-tuning is not worth it here"}
    unsure = (
        ": it is not proven that fine-tuning is worth it here" if compared else "; no baseline tells whether fine-tuning is worth it here"
    )
    return _stands(facts) + words.get(worth, unsure)


def _stands(facts: Facts) -> str:
    """How far above or below the best baseline the quoted score stands; empty when that was not measured."""
    found, baselines = quoted(facts), facts.metrics.baselines
    if isinstance(found, NotMeasured) or isinstance(baselines, NotMeasured) or found[0] != "test":
        return ""
    gaps = [one for _, one in _gaps(baselines, found[1])]
    if not gaps:
        return ""
    least = min(gaps, key=lambda one: one.value)
    size = f"{signed(100 * abs(least.value), 1)} points" if found[1] == "accuracy" else signed(abs(least.value))
    return f", {size} {'above' if least.value >= 0 else 'below'} the best simple baseline"


def _against(facts: Facts) -> tuple[Answer, tuple[str, ...], str]:
    baselines, found = facts.metrics.baselines, quoted(facts)
    if isinstance(baselines, NotMeasured):
        return "not measured", (), f"No baseline stands beside it ({baselines.not_measured})."
    worth: Answer = "not measured" if baselines.worth_it is None else "yes" if baselines.worth_it else "no"
    gains = () if isinstance(found, NotMeasured) else tuple(_gain(found[1], key, gap) for key, gap in _gaps(baselines, found[1]))
    said = sentence(baselines.verdict)
    return worth, gains, said if gains or said else "No difference to a baseline was measured."


def _gaps(baselines: Baselines, name: str) -> Iterator[tuple[str, Score]]:
    """Ours minus theirs in one score, by baseline."""
    for key in MODELS:
        scores = baselines.difference.get(key)
        gap = scores.get(name) if isinstance(scores, dict) else None
        if isinstance(gap, Score):
            yield key, gap


def _gain(name: str, key: str, gap: Score) -> str:
    factor, digits, unit = (100, 1, " points") if name == "accuracy" else (1, 3, f" in {within(score_name(name))}")
    value, low, high = (signed(factor * one, digits, plus=True) for one in (gap.value, gap.low, gap.high))
    return f"{value}{unit} over “{within(MODELS[key])}” ({INTERVAL} {low} to {high})"


def baseline_rows(baselines: Baselines | NotMeasured) -> dict[str, Baseline]:
    """The baselines that were measured, by key."""
    if isinstance(baselines, NotMeasured):
        return {}
    return {key: one for key in MODELS if isinstance(one := baselines.models.get(key), Baseline)}


def _proof(proof: Proof | NotMeasured) -> tuple[Answer, str]:
    if isinstance(proof, NotMeasured):
        return "not measured", f"The saved model was not proved ({proof.not_measured})."
    how = f", loaded again with {proof.loaded_with}," if isinstance(proof.loaded_with, str) else ""
    same = (
        f"the same answer to {proof.same_labels} of {plural(proof.rows, 'row')}"
        if isinstance(proof.rows, int)
        else "answers that were compared"
    )
    gap = f", largest difference {short(proof.largest_difference)}" if isinstance(proof.largest_difference, float) else ""
    if isinstance(alone := proof.batch_of_one, BatchOfOne):
        gap += f"; {plural(alone.rows, 'row')} answered one at a time differ by at most {short(alone.largest_difference)}"
    if proof.ok:
        return "yes", f"Proof passed: the saved model{how} gave {same}{gap}."
    return "no", f"Proof failed: the saved model{how} gave {same}{gap}. Do not use it before this is understood."


def hints(facts: Facts) -> Iterator[Hint]:
    """What to look at first, gravest first."""
    if isinstance(facts.metrics.proof, Proof) and not facts.metrics.proof.ok:
        yield Hint("The saved model does not answer as the trained one did.", "proof")
    if facts.missing:
        yield Hint(f"{plural(len(facts.missing), 'part')} of the run folder cannot be read, so this page is not whole.", "missing")
    yield from _about_data(facts.data)
    yield from _about_scores(facts.metrics)
    own = part_of(facts)
    yield from (Hint(text, anchor) for text, anchor in (own.hints if own else ()))
    if isinstance(facts.looks, list) and len(facts.looks) > 1:
        yield Hint(
            f"The test split was looked at {len(facts.looks)} times; each look that leads to a change makes its score flatter.", "looks"
        )
    yield from _about_cuts(facts.data.truncation)


def _about_data(data: Data) -> Iterator[Hint]:
    if isinstance(data.rows, RowCount) and not data.rows.adds_up:
        yield Hint("The rows read are not the rows kept and quarantined: the accounting does not add up.", "data")
    if isinstance(data.findings, list):
        still = sorted(
            (one for one in data.findings if one.is_open),
            key=lambda one: (not one.rule.startswith("leak-"), one.severity != "error", -one.rows),
        )
        for one in still[:2]:
            yield Hint(f"{one.rule}, {plural(one.rows, 'row')}: {sentence(one.message)}", "findings")
        if len(still) > 2:
            yield Hint(f"{plural(len(still) - 2, 'more finding')} left as found: {joined([one.rule for one in still[2:]], 4)}.", "findings")
    if isinstance(data.never_trained, dict) and data.never_trained:
        yield Hint(f"Labels in the test split that were never trained: {joined(list(data.never_trained), 3)}.", "data")


def _about_scores(metrics: Metrics) -> Iterator[Hint]:
    if isinstance(metrics.test, dict):
        labels = worst_labels(metrics.test)
        if labels and labels[0][1].value < 0.9:
            name, score = labels[0]
            yield Hint(f"“{name}” is the weakest label: F1 {signed(score.value)} ({signed(score.low)} to {signed(score.high)}).", "classes")
        rows = next((one.rows for name, one in metrics.test.items() if isinstance(one, Score) and "/" not in name), FEW_ROWS)
        if rows < FEW_ROWS:
            yield Hint(f"The test split has only {plural(rows, 'row')}: read the intervals, not the points.", "scores")
    if not isinstance(metrics.confusion, NotMeasured) and (pairs := metrics.confusion.pairs()):
        wanted, given, rows, whole = pairs[0]
        yield Hint(f"“{wanted}” is taken for “{given}” most often: {rows} of its {plural(whole, 'row')}.", "confusion")


def _about_cuts(truncation: Truncation | NotMeasured) -> Iterator[Hint]:
    if isinstance(truncation, Truncation):
        rows, cut = sum(one.rows for one in truncation.splits.values()), sum(one.rows_cut for one in truncation.splits.values())
        if rows and cut / rows >= MUCH_CUT:
            yield Hint(
                f"{percent(cut / rows)} of the rows are longer than the {truncation.max_tokens} tokens the model reads.", "truncation"
            )


def worst_labels(scores: dict[str, Score | NotMeasured]) -> list[tuple[str, Score]]:
    """Each label and its F1, the lowest first."""
    found = [(name.removeprefix("f1/"), one) for name, one in scores.items() if name.startswith("f1/") and isinstance(one, Score)]
    return sorted(found, key=lambda pair: (pair[1].value, pair[0]))
