"""The questions a careful reader asks of any fine-tuned model, answered from the evidence in the folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tunewright.report.curve import Curve
from tunewright.report.evidence import NotMeasured, Truncation
from tunewright.report.facts import Facts
from tunewright.report.verdict import Answer, verdict
from tunewright.report.words import count, day, joined, percent, plural, sentence


@dataclass(frozen=True)
class Item:
    """One question, its answer and what the answer rests on."""

    question: str
    answer: Answer
    evidence: str


def checklist(facts: Facts) -> list[Item]:
    """Every question with its answer; what no file tells is ``not measured``, never ``yes``."""
    said = verdict(facts)
    return [
        _clean(facts),
        _labelled(facts),
        _versioned(facts),
        _apart(facts),
        _read_whole(facts),
        Item("Better than simple baselines?", said.worth_it, " ".join([*map(sentence, said.gains), said.against])),
        _tracked(facts),
        _saved(facts),
        Item("Saved model proved to answer as the trained one?", said.proved, said.proof),
        _looked_once(facts),
        _rows_reviewed(facts),
        Item("Outputs reviewed by people?", "no", "Not yet: this folder holds no record that anyone read its answers."),
        _reproducible(facts),
    ]


def _clean(facts: Facts) -> Item:
    question, rows, findings = "Is the data clean?", facts.data.rows, facts.data.findings
    if isinstance(rows, NotMeasured) or isinstance(findings, NotMeasured):
        return Item(question, "not measured", str(rows if isinstance(rows, NotMeasured) else findings))
    if not rows.adds_up:
        return Item(question, "no", f"{count(rows.read)} rows read, but {count(rows.kept)} kept and {count(rows.quarantined)} quarantined.")
    still = [f"{one.rule} ({plural(one.rows, 'row')})" for one in findings if one.is_open]
    account = f"{plural(rows.read, 'row')} read, {count(rows.quarantined)} removed, each listed with its reason"
    if still:
        return Item(question, "no", f"{account}; left as found: {joined(still)}.")
    return Item(question, "yes", f"{account}; no warning is left open.")


def _labelled(facts: Facts) -> Item:
    question, data = "Does every row have a label the model was taught?", facts.data
    if isinstance(data.test_without_label, NotMeasured) or isinstance(data.never_trained, NotMeasured):
        return Item(
            question,
            "not measured",
            str(data.test_without_label if isinstance(data.test_without_label, NotMeasured) else data.never_trained),
        )
    faults = [f"{plural(data.test_without_label, 'test row')} without a label"] if data.test_without_label else []
    faults += [f"{plural(rows, 'test row')} with “{name}”, never trained" for name, rows in data.never_trained.items()]
    if isinstance(data.findings, list):
        faults += [
            f"{one.rule} ({plural(one.rows, 'row')})" for one in data.findings if one.rule == "missing-label" and one.action == "keep"
        ]
    if faults:
        return Item(question, "no", f"{joined(faults)}.")
    if not facts.labels:
        return Item("Does every row have what is wanted of it?", "yes", "Nothing is missing in the test split.")
    return Item(question, "yes", f"{plural(len(facts.labels), 'label')}; none is missing in the test split and all were trained.")


def _versioned(facts: Facts) -> Item:
    data = facts.manifest.data
    if isinstance(data, NotMeasured):
        return Item("Is the data versioned?", "not measured", str(data))
    if isinstance(data.version, NotMeasured) or isinstance(data.fingerprint, NotMeasured):
        return Item("Is the data versioned?", "no", "The manifest names no version or no fingerprint of the data.")
    return Item("Is the data versioned?", "yes", f"{data.name}, version {data.version}, fingerprint {data.fingerprint[:16]}.")


def _apart(facts: Facts) -> Item:
    question, findings = "Are the splits free of overlap?", facts.data.findings
    if isinstance(findings, NotMeasured) or isinstance(facts.data.splits, NotMeasured):
        return Item(question, "not measured", str(findings if isinstance(findings, NotMeasured) else facts.data.splits))
    leaks = [one for one in findings if one.rule.startswith("leak-") and one.rows]
    left = [f"{one.rule} ({plural(one.rows, 'row')})" for one in leaks if one.action == "keep"]
    if left:
        return Item(question, "no", f"The audit found rows on both sides: {joined(left)}.")
    if leaks:
        return Item(question, "yes", f"What the audit found was removed: {joined([f'{one.rule} ({one.rows})' for one in leaks])}.")
    if isinstance(facts.data.rules, NotMeasured):
        return Item(question, "not measured", str(facts.data.rules))
    looked = [name for name in facts.data.rules if name.startswith("leak-")]
    if not looked:
        return Item(question, "not measured", "No rule looked for rows that stand in two splits.")
    return Item(question, "yes", f"The audit looked ({joined(looked)}) and found no row on both sides.")


def _read_whole(facts: Facts) -> Item:
    question, truncation = "Does the model read the texts whole?", facts.data.truncation
    if not isinstance(truncation, Truncation):
        return Item(question, "not measured", str(truncation))
    rows, cut = sum(one.rows for one in truncation.splits.values()), sum(one.rows_cut for one in truncation.splits.values())
    if unknown := sum(one.rows_unknown for one in truncation.splits.values()):
        told = f"Of {plural(unknown, 'row')} of {count(rows)} the model knows less than half of the tokens"
        return Item(question, "no", f"{told}{f'; {count(cut)} cut at {truncation.max_tokens} tokens' if cut else ''}.")
    if cut:
        return Item(question, "no", f"{plural(cut, 'row')} of {count(rows)} ({percent(cut / rows)}) cut at {truncation.max_tokens} tokens.")
    return Item(question, "yes", f"No row of {count(rows)} is longer than {truncation.max_tokens} tokens.")


def _tracked(facts: Facts) -> Item:
    curve = facts.curve
    if not isinstance(curve, Curve):
        return Item("Was the training tracked?", "not measured", str(curve))
    words = f"{plural(len(curve.steps), 'step')} and {plural(len(curve.evaluated), 'evaluation')} in events.jsonl"
    lost = f"; {plural(curve.lines_lost, 'line')} could not be read" if curve.lines_lost else ""
    return Item("Was the training tracked?", "yes" if curve.steps and not curve.lines_lost else "no", f"{words}{lost}.")


def _saved(facts: Facts) -> Item:
    question, files = "Is what was trained saved and recorded?", facts.manifest.files
    if isinstance(files, NotMeasured):
        return Item(question, "not measured", str(files))
    weights = [name for name in files if name.endswith(".safetensors")]
    gone = [name for name in files if not (facts.run / name).exists()]
    if not weights or gone:
        return Item(question, "no", f"Recorded but no longer here: {joined(gone)}." if gone else "The manifest records no weights.")
    return Item(question, "yes", f"{plural(len(files), 'file')} with SHA-256 in manifest.json, among them {joined(weights, 2)}.")


def _looked_once(facts: Facts) -> Item:
    question, looks = "Was the test split kept locked?", facts.looks
    if isinstance(looks, NotMeasured) or not looks:
        return Item(question, "not measured", "looks.jsonl records no look at the test split.")
    if len(looks) == 1:
        return Item(question, "yes", f"It was looked at once, on {day(looks[0].when) or 'an unrecorded day'}.")
    models = len({one.model for one in looks})
    return Item(question, "no", f"It was looked at {len(looks)} times, with {plural(models, 'model')}; each look stands in looks.jsonl.")


def _rows_reviewed(facts: Facts) -> Item:
    question, data = "Rows reviewed by people?", facts.data
    if isinstance(data.history, NotMeasured):
        return Item(question, "not measured", str(data.history))
    changed, sheets = data.corrected
    if not sheets:
        return Item(question, "no", "Not yet: the dataset holds no label that a person corrected.")
    return Item(question, "yes", f"{plural(changed, 'label')} corrected by hand, on {plural(sheets, 'sheet')} of the most doubtful rows.")


def _reproducible(facts: Facts) -> Item:
    manifest = facts.manifest
    lacking = list(_lacking(facts))
    if lacking:
        return Item("Can it be made again?", "no", f"Not recorded: {joined(lacking)}.")
    return Item(
        "Can it be made again?",
        "yes",
        f"Seed {manifest.seed}, versions, command, settings, and hashes of the data and the weights are recorded.",
    )


def _lacking(facts: Facts) -> Iterator[str]:
    manifest = facts.manifest
    parts = {
        "the seed": manifest.seed,
        "the versions": manifest.versions,
        "the command": manifest.command,
        "the file hashes": manifest.files,
    }
    yield from (name for name, value in parts.items() if isinstance(value, NotMeasured))
    if isinstance(facts.recipe_text, NotMeasured):
        yield "the settings"
    if isinstance(manifest.data, NotMeasured) or isinstance(manifest.data.fingerprint, NotMeasured):
        yield "the fingerprint of the data"
    if isinstance(manifest.served, NotMeasured) or isinstance(manifest.served.sha256, NotMeasured):
        yield "the hash of the weights"
