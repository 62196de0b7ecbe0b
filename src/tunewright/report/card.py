"""``README.md``: the model card, with metadata that the Hugging Face Hub reads. What is not known is left out, never guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from tunewright.core.folder import write_text
from tunewright.core.schema import Score
from tunewright.report.beside import put_together, sentence_encoder
from tunewright.report.checklist import checklist
from tunewright.report.evidence import NotMeasured, RowCount, Served, Truncation
from tunewright.report.facts import Facts, read
from tunewright.report.guards import acted
from tunewright.report.task_parts import TaskPart, part_of
from tunewright.report.verdict import verdict, worst_labels
from tunewright.report.view import view_of
from tunewright.report.words import clean, count, duration, joined, parameters, percent, plural, score_name, signed, size

HUB_METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "f1_macro": "f1",
    "f1_micro": "f1",
    "f1_weighted": "f1",
    "f1_samples": "f1",
    "mcc": "matthews_correlation",
}
"""Our scores and the Hub's word for them."""

HUB_NAME = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
PACKAGED = "the packaged encoder all-MiniLM-L6-v2 (`embedded`)"
MOST_WORST = 5
MOST_LABELS_IN_SNIPPET = 12
MAIN_SETTINGS = (
    "engine",
    "epochs",
    "max_steps",
    "batch_size",
    "batch_tokens",
    "learning_rate",
    "accumulate",
    "precision",
    "schedule",
    "warmup",
    "weight_decay",
)


def write(run: Path) -> Path:
    """Write ``README.md`` into a run folder, from what the folder holds.

    Returns:
        The path of the card.

    Raises:
        UserError: ``run`` is not a run folder, or cannot be written.
    """
    facts = read(run)
    return write_text(run / "README.md", _tidy(_template().render(**_parts(facts))))


def _parts(facts: Facts) -> dict[str, Any]:
    view, scores = view_of(facts), facts.metrics.test
    own = view.own
    support = facts.metrics.support if isinstance(facts.metrics.support, dict) else {}
    worst = worst_labels(scores)[:MOST_WORST] if isinstance(scores, dict) else []
    return {
        "f": facts,
        "v": verdict(facts),
        "items": checklist(facts),
        "labels": facts.labels,
        "what": _what(facts, own),
        "answers": own.answers if own else _answers(facts),
        "limits": [*(own.limits if own else _limits_of_labels(facts)), *_limits(facts, bool(own and own.windows))],
        "snippet": own.snippet if own else snippet(facts),
        "threshold_note": _threshold_note(facts) if facts.multi_label and not own else "",
        "score_columns": view.scores.columns,
        "score_rows": view.scores.rows,
        "score_note": view.scores.note,
        "no_scores": scores.not_measured if isinstance(scores, NotMeasured) else "metrics.json holds no score",
        "worst": [(name, score, support.get(name, "–")) for name, score in worst],
        "data_lines": list(_data_lines(facts)),
        "training_lines": list(_training_lines(facts)),
        "origin_lines": [f"{title}: {value}" for title, value in view.origin],
        "metadata": _yaml(metadata(facts)),
    }


def metadata(facts: Facts) -> dict[str, Any]:
    """The front matter of the card. Language and licence are not in a run folder, so they are not in here."""
    model, data = facts.manifest.model, facts.manifest.data
    base = model.base if not isinstance(model, NotMeasured) and isinstance(model.base, str) else ""
    own = part_of(facts)
    tag, name = (own.pipeline_tag, own.task_name) if own else ("text-classification", "Text classification")
    found: dict[str, Any] = {"library_name": _library(facts), "pipeline_tag": tag}
    if hub_id(base):
        found["base_model"] = base
    found["tags"] = ["tunewright", tag, *(["multi-label"] if facts.multi_label else [])]
    if not isinstance(data, NotMeasured) and isinstance(data.name, str):
        found["datasets"] = [clean(data.name)]
    results = _results(facts, own.metrics if own else HUB_METRICS)
    if results:
        found["metrics"] = list(dict.fromkeys(one["type"] for one in results))
        dataset = found.get("datasets", ["not recorded"])[0]
        found["model-index"] = [
            {
                "name": clean(facts.name),
                "results": [
                    {
                        "task": {"type": tag, "name": name},
                        "dataset": {"name": dataset, "type": dataset, "split": "test"},
                        "metrics": results,
                    }
                ],
            }
        ]
    return found


def _results(facts: Facts, words: dict[str, str]) -> list[dict[str, Any]]:
    scores = facts.metrics.test
    if isinstance(scores, NotMeasured):
        return []
    return [
        {
            "type": words[name],
            "value": one.value,
            "name": f"{score_name(name)} (95 % interval {one.low:.4f} to {one.high:.4f}, {one.rows} rows)",
        }
        for name, one in scores.items()
        if name in words and isinstance(one, Score)
    ]


def hub_id(base: str) -> bool:
    """Whether the name of a base model is one of the Hub, and not a folder here or the packaged encoder."""
    return base != "embedded" and len(base) <= 96 and HUB_NAME.fullmatch(base) is not None and not Path(base).exists()


def snippet(facts: Facts) -> str:
    """How to load the model without tunewright."""
    if _library(facts) == "sentence-transformers":
        return _sentence_snippet(facts)
    model = facts.manifest.model
    cut = f", max_length={model.max_tokens}" if not isinstance(model, NotMeasured) and isinstance(model.max_tokens, int) else ""
    every = ', top_k=None, function_to_apply="sigmoid"' if facts.multi_label else ""
    asked = '[{"text": "the first text", "text_pair": "the second text"}]' if _pair(facts) else '["a text"]'
    together = put_together(facts, "AutoModelForSequenceClassification")
    begun = f"{together}\n" if together else ""
    given = "model=model, tokenizer=tokenizer" if together else 'model="model"'
    return (
        f'{begun}from transformers import pipeline\n\nclassify = pipeline("text-classification", {given}{every})\n'
        f"print(classify({asked}, truncation=True{cut}))"
    )


def _sentence_snippet(facts: Facts) -> str:
    few = len(facts.labels) <= MOST_LABELS_IN_SNIPPET
    labels = json.dumps([clean(name) for name in facts.labels]) if few else 'json.load(open("data.json", encoding="utf-8"))["labels"]'
    asked = '[("the first text", "the second text")]' if _pair(facts) else '["a text"]'
    choice = "dict(zip(labels, 1 / (1 + numpy.exp(-logits[0]))))" if facts.multi_label else "labels[logits[0].argmax()]"
    imports = ("" if few else "import json\n\n") + ("import numpy\n" if facts.multi_label else "")
    begun, encoder = "from sentence_transformers import SentenceTransformer\n", 'SentenceTransformer("model")'
    if together := sentence_encoder(facts):
        begun, encoder = together, "encoder"
    return f"{imports}{begun}\nlabels = {labels}\nlogits = {encoder}.encode({asked})\nprint({choice})"


def _threshold_note(facts: Facts) -> str:
    if isinstance(facts.thresholds, NotMeasured):
        return f"From which probability a label is given: not measured ({facts.thresholds.not_measured})."
    return (
        "A label is given from its own probability upwards: "
        + ", ".join(f"{name} {value:.2f}" for name, value in facts.thresholds.items())
        + "."
    )


def _library(facts: Facts) -> str:
    model = facts.manifest.model
    return "sentence-transformers" if not isinstance(model, NotMeasured) and model.pooling == "mean" else "transformers"


def _pair(facts: Facts) -> bool:
    return isinstance(facts.data.columns, dict) and "text_pair" in facts.data.columns


def _answers(facts: Facts) -> str:
    given = "any number of its labels, or none" if facts.multi_label else "one of its labels"
    asked = "pairs of texts" if _pair(facts) else "texts"
    return f"Give it {asked} of the kind it was trained on; it answers with {given}, also for a text that fits none of them."


def _what(facts: Facts, own: TaskPart | None) -> str:
    model = facts.manifest.model
    labels = plural(len(facts.labels), "label") if facts.labels else "a closed list of labels"
    several = ", several of which may be given to one text" if facts.multi_label else ""
    kind = own.what if own else f"A text classifier with {labels}{several}"
    if isinstance(model, NotMeasured):
        return f"{kind}. What it was made from: not measured ({model.not_measured})."
    weights = f", {parameters(model.parameters)} parameters" if isinstance(model.parameters, int) else ""
    trained = f", {parameters(model.trainable)} of them trained" if isinstance(model.trainable, int) else ""
    base = PACKAGED if model.base == "embedded" else model.base
    return f"{kind}, fine-tuned from {base} (method: {model.method}{weights}{trained})."


def _limits_of_labels(facts: Facts) -> Iterator[str]:
    metrics, data = facts.metrics, facts.data
    if isinstance(metrics.test, dict):
        weak = [
            f"{name} (F1 {signed(score.value)}, {signed(score.low)} to {signed(score.high)})"
            for name, score in worst_labels(metrics.test)[:3]
        ]
        if weak:
            yield f"Weakest on {joined(weak)}."
    if not isinstance(metrics.confusion, NotMeasured) and (pairs := metrics.confusion.pairs()):
        yield (
            "Most often confused: "
            + "; ".join(f"{wanted} is taken for {given} ({rows} of {count(whole)} rows)" for wanted, given, rows, whole in pairs[:3])
            + "."
        )
    if isinstance(data.never_trained, dict) and data.never_trained:
        yield f"Cannot give {joined(list(data.never_trained))}: such rows stood in the test split, but not in training."


def _limits(facts: Facts, windows: bool) -> Iterator[str]:
    data = facts.data
    if windows and isinstance(cuts := data.truncation, Truncation):
        yield f"Reads texts in windows of {cuts.max_tokens} tokens: what lies farther away does not help it."
    elif isinstance(cuts := data.truncation, Truncation):
        rows, cut = sum(one.rows for one in cuts.splits.values()), sum(one.rows_cut for one in cuts.splits.values())
        share = percent(cut / rows if rows else 0)
        yield f"Reads the first {cuts.max_tokens} tokens of a text; {count(cut)} of {plural(rows, 'row')} were longer ({share})."
    if isinstance(data.findings, list) and (still := [one for one in data.findings if one.is_open]):
        names = [f"{one.rule} ({plural(one.rows, 'row')})" for one in still]
        yield f"Left as found in the data: {joined(names)}."
    if stepped_in := acted(facts):
        yield stepped_in
    changed, sheets = data.corrected
    if sheets:
        yield f"{plural(changed, 'label')} were corrected by hand; its outputs were not reviewed by people, as far as this run records."
    else:
        yield "Rows and outputs were not reviewed by people, as far as this run records."
    yield "Its scores speak for rows like those it was tested on, and for no others."


def _data_lines(facts: Facts) -> Iterator[str]:
    data = facts.data
    if isinstance(data.rows, RowCount):
        why = ", ".join(f"{rule} {count(rows)}" for rule, rows in data.rows.by_rule.items())
        gone = f"{count(data.rows.quarantined)} in quarantine" + (f" ({why})" if why else "")
        yield f"{plural(data.rows.read, 'row')} read, {count(data.rows.kept)} kept, {gone}"
    else:
        yield f"Rows read and kept: {data.rows}"
    if isinstance(data.sources, list):
        yield "Read from " + "; ".join(f"{one.name} ({one.format}, SHA-256 {str(one.sha256)[:16]})" for one in data.sources)
    if isinstance(data.splits, dict):
        yield "Splits: " + ", ".join(f"{name} {plural(split.rows, 'row')}" for name, split in data.splits.items())
    else:
        yield f"Splits: {data.splits}"


def _training_lines(facts: Facts) -> Iterator[str]:
    settings = facts.recipe.get("train")
    shown = {key: settings[key] for key in MAIN_SETTINGS if settings.get(key) is not None} if isinstance(settings, dict) else {}
    if shown:
        yield ", ".join(f"{key}: {value}" for key, value in shown.items()) + " (every setting: recipe.yaml)"
    else:
        yield "Settings: " + (str(facts.recipe_text) if isinstance(facts.recipe_text, NotMeasured) else "recipe.yaml")
    if isinstance(served := facts.manifest.served, Served):
        yield f"The model is the one of step {served.step}, chosen by {served.by} on the validation split"
    if isinstance(found := facts.metrics.efficiency, dict):
        said = {"train_seconds": ("trained in", duration), "peak_memory_bytes": ("most memory in use", size), "model_bytes": ("size", size)}
        parts = [f"{word} {say(value)}" for key, (word, say) in said.items() if isinstance(value := found.get(key), float)]
        if parts:
            yield ", ".join(parts)
    if isinstance(versions := facts.manifest.versions, dict):
        yield "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items())
    else:
        yield f"Versions: {versions}"


def _yaml(found: dict[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=120)
    return text


def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"md": plain, "cell": _cell}
    return environment.from_string(files("tunewright.report").joinpath("card.md").read_text(encoding="utf-8"))


def plain(value: object) -> str:
    """Text that Markdown shows as it is, in one line: no markup, no table border, no HTML.

    >>> plain("a_b | <script>")
    'a\\\\_b \\\\| &lt;script&gt;'
    """
    text = " ".join(clean(str(value)).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#~$!])", r"\\\1", text)


def _cell(score: Score | NotMeasured | None) -> str:
    if isinstance(score, Score):
        return f"{signed(score.value)} ({signed(score.low)} to {signed(score.high)})"
    return "–" if score is None else "not measured"


def _tidy(text: str) -> str:
    """One empty line between paragraphs, none within a table."""
    text = re.sub(r"[ \t]+\n", "\n", text)
    text = re.sub(r"\|\n{2,}(?=\|)", "|\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"
