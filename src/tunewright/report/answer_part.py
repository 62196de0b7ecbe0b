"""What page and card say of a model that answers questions out of a text: how it errs, and where its answers stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from tunewright.core.errors import UserError
from tunewright.core.folder import read_json
from tunewright.report import figures, quoted
from tunewright.report.evidence import NotMeasured
from tunewright.report.facts import Facts
from tunewright.report.mistakes import SHOWN, answers_table
from tunewright.report.task_parts import Section, TaskPart
from tunewright.report.words import count, percent, plural

AROUND = 140
"""Characters of a context that are shown before and behind what is marked."""
KINDS = {
    "right": "the answer that was wanted",
    "near": "an answer that shares the place of the wanted one, with more or fewer words",
    "elsewhere": "an answer from another place",
    "missed": "no answer, where there is one",
    "invented": "an answer, where there is none",
}
"""What can become of a question, best first."""


@dataclass(frozen=True)
class Asked:
    """One row.

    Args:
        kind: what became of it, out of ``KINDS``.
        wanted: where the wanted answers stand in the context: start and end of each; of those that stand there.
        given: where the given answer stands; None where there is none.
    """

    kind: str
    row: dict[str, Any]
    wanted: tuple[tuple[int, int], ...]
    given: tuple[int, int] | None


@dataclass(frozen=True)
class Answers:
    """The answers on one split."""

    split: str
    rows: tuple[Asked, ...]

    def of(self, kind: str) -> list[Asked]:
        """Those of one kind, the surest first."""
        return sorted((one for one in self.rows if one.kind == kind), key=lambda one: -float(one.row["probability"] or 0))


def part(facts: Facts) -> TaskPart:
    """What extractive question answering adds to page and card."""
    answers, told = _answers(facts), _told(facts)
    none = bool(told.get("no_answer"))
    return TaskPart(
        kind="answers out of a text" + (", or none" if none else ""),
        sections=_sections(answers, told),
        hints=_hints(answers),
        pipeline_tag="question-answering",
        task_name="Question answering",
        metrics={"exact_match": "exact_match", "f1": "f1"},
        what="A model that answers a question with a piece of a given text" + (", or says that it has none" if none else ""),
        answers=_how(none),
        limits=_limits(answers),
        snippet=_snippet(facts),
    )


def _answers(facts: Facts) -> Answers | NotMeasured:
    try:
        split, table = answers_table(facts.run / "predictions", ("question", "context", "wanted", "answer", "start", "end", "probability"))
    except UserError as error:
        return NotMeasured(not_measured=error.found.replace(f"{facts.run}/", ""))
    rows = tuple(asked(row) for row in table.to_pylist())
    return Answers(split, rows) if rows else NotMeasured(not_measured=f"no row of the {split} split was answered")


def asked(row: dict[str, Any]) -> Asked:
    """A row of ``predictions/`` with what became of it."""
    context, golds = str(row["context"]), [str(one) for one in row["wanted"] or ()]
    places = tuple((at, at + len(one)) for one in golds if (at := _find(context, one, row["start"])) >= 0)
    given = (int(row["start"]), int(row["end"])) if row["answer"] and row["start"] is not None else None
    return Asked(_kind(str(row["answer"]), golds, places, given), row, places, given)


def _find(context: str, text: str, near: int | None) -> int:
    """Where a text stands in its context: where the given answer begins, if it does there; else the first place."""
    return near if near is not None and context.startswith(text, near) else context.find(text)


def _kind(answer: str, golds: Sequence[str], places: Sequence[tuple[int, int]], given: tuple[int, int] | None) -> str:
    if not golds:
        return "invented" if answer else "right"
    if not answer:
        return "missed"
    if any(" ".join(answer.lower().split()) == " ".join(one.lower().split()) for one in golds):
        return "right"
    return "near" if given and any(first < given[1] and given[0] < last for first, last in places) else "elsewhere"


def _told(facts: Facts) -> dict[str, Any]:
    try:
        found = read_json(facts.run / "metrics.json").get("answers")
    except (UserError, OSError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def _sections(answers: Answers | NotMeasured, told: dict[str, Any]) -> tuple[Section, ...]:
    if isinstance(answers, NotMeasured):
        return (Section("answers", "Answers", "What became of the questions", quoted.absent(answers.not_measured)),)
    wrong = [one for kind in ("elsewhere", "invented", "missed", "near") for one in answers.of(kind)[: SHOWN // 4]]
    lead = Markup(
        '<p>The surest of each kind. <mark class="wanted">Wanted</mark>, <mark class="given">given</mark>, '
        '<mark class="both">both</mark>. Look for answers that are wrong in the data before blaming the model.</p>'
    )
    shown = lead + quoted.items(_shown(one) for one in wrong) if wrong else Markup("<p>Every answer was right.</p>")
    right = [one for one in answers.of("right") if one.given][:5]
    if right:
        more = quoted.items(_shown(one) for one in right)
        shown += Markup("<details><summary>{} that were right</summary>{}</details>").format(plural(len(right), "answer"), more)
    return (
        Section("answers", "Answers", "What became of the questions", _counts(answers, told)),
        Section("mistakes", "Mistakes", "Wrong answers in their contexts", shown),
    )


def _counts(answers: Answers, told: dict[str, Any]) -> Markup:
    counts = {kind: sum(one.kind == kind for one in answers.rows) for kind in KINDS}
    most, rows = max(counts.values()), len(answers.rows)
    lines = Markup("").join(
        Markup('<tr><th scope="row">{}</th><td class="n">{}</td><td class="n">{}</td><td class="wide">{}</td></tr>').format(
            KINDS[kind], count(number), percent(number / rows), figures.bar(number, most)
        )
        for kind, number in counts.items()
    )
    table = Markup(
        '<table><thead><tr><th>Given</th><th class="n">Rows</th><th class="n">Share</th><th class="wide"></th></tr></thead>'
        "<tbody>{}</tbody></table>"
    ).format(lines)
    threshold = told.get("threshold")
    chosen = (
        f" “No answer” is given where it outscores the best span by {threshold:.2f}, chosen on the validation split." if threshold else ""
    )
    note = Markup('<p class="note">{} of the {} split.{}</p>').format(plural(rows, "question"), answers.split, chosen)
    return quoted.scroll("What became of the questions", table) + note


def _shown(one: Asked) -> Markup:
    """A question, the wanted and the given answer, and both in the context."""
    row = one.row
    golds = [str(text) for text in row["wanted"] or ()]
    wanted = Markup("").join(Markup('<span class="chip">{}</span> ').format(text) for text in golds[:3]) or _none()
    kind = "chip" if one.kind == "right" else "chip wrong"
    given = Markup('<span class="{}">{}</span>').format(kind, row["answer"]) if row["answer"] else _none()
    head = Markup(
        '<p class="pair"><span class="part"><span class="role">wanted</span> <span class="chips">{}</span></span>'
        '<span class="part"><span class="role">given</span> <span class="chips">{}</span></span><span class="sure">{}</span></p>'
        '<p class="question"><strong dir="auto">{}</strong></p>'
    ).format(wanted, given, percent(float(row["probability"] or 0)), str(row["question"]))
    return head + marked(str(row["context"]), one.wanted, one.given) + quoted.place(str(row["_file"]), int(row["_row"]))


def _none() -> Markup:
    return Markup('<span class="chip none">no answer</span>')


def marked(context: str, wanted: Sequence[tuple[int, int]], given: tuple[int, int] | None) -> Markup:
    """A context with the wanted and the given answer marked; what lies far from both is left out, with a word where."""
    spans = [*wanted, *([given] if given else [])]
    if not spans:
        return quoted.folded(context, 2 * AROUND)
    keep = _around(spans, len(context))
    edges = sorted({0, len(context), *(edge for span in (*spans, *keep) for edge in span)})
    parts = Markup("")
    for first, last in pairwise(edges):
        if not any(start <= first and last <= end for start, end in keep):
            parts += Markup(' <span class="role">[{} characters left out]</span> ').format(count(last - first))
            continue
        is_wanted = any(start <= first and last <= end for start, end in wanted)
        is_given = given is not None and given[0] <= first and last <= given[1]
        kind = "both" if is_wanted and is_given else "wanted" if is_wanted else "given" if is_given else ""
        parts += Markup('<mark class="{}">{}</mark>').format(kind, context[first:last]) if kind else context[first:last]
    return Markup('<q class="context" dir="auto">{}</q>').format(parts)


def _around(spans: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """What is shown of a context: spans with what is around them, those that meet joined; a short rest is shown too."""
    found: list[tuple[int, int]] = []
    for start, end in sorted((max(0, first - AROUND), min(length, last + AROUND)) for first, last in spans):
        start, end = (0 if start < AROUND else start), (length if length - end < AROUND else end)
        if found and start <= found[-1][1] + AROUND // 2:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _hints(answers: Answers | NotMeasured) -> tuple[tuple[str, str], ...]:
    if isinstance(answers, NotMeasured):
        return ()
    counts = {kind: sum(one.kind == kind for one in answers.rows) for kind in KINDS if kind != "right"}
    kind = max(counts, key=lambda one: counts[one])
    if not counts[kind]:
        return ()
    share = percent(counts[kind] / len(answers.rows))
    return ((f"The most frequent mistake is {KINDS[kind]}: {plural(counts[kind], 'question')} ({share}).", "mistakes"),)


def _how(none: bool) -> str:
    or_none = ", or with nothing where the text has no answer" if none else ", also where the text does not answer the question"
    return f"Give it a question and a text; it answers with a piece of that text, word for word{or_none}. It invents no words of its own."


def _limits(answers: Answers | NotMeasured) -> tuple[str, ...]:
    if isinstance(answers, NotMeasured):
        return ()
    counts = {kind: sum(one.kind == kind for one in answers.rows) for kind in ("elsewhere", "invented", "missed")}
    told = [f"{plural(number, 'question')} got {KINDS[kind]}" for kind, number in counts.items() if number]
    return (f"Of {plural(len(answers.rows), f'{answers.split} question')}, {'; '.join(told)}.",) if told else ()


def _snippet(facts: Facts) -> str:
    model = facts.manifest.model
    cut = f", max_length={model.max_tokens}" if not isinstance(model, NotMeasured) and isinstance(model.max_tokens, int) else ""
    return (
        "import torch\nfrom transformers import AutoModelForQuestionAnswering, AutoTokenizer\n\n"
        'tokenizer, model = AutoTokenizer.from_pretrained("model"), AutoModelForQuestionAnswering.from_pretrained("model")\n'
        f'inputs = tokenizer("a question", "a text", return_tensors="pt", truncation="only_second"{cut})\n'
        "with torch.inference_mode():\n    told = model(**inputs)\n"
        "first, last = told.start_logits.argmax().item(), told.end_logits.argmax().item()\n"
        'print(tokenizer.decode(inputs["input_ids"][0][first : last + 1], skip_special_tokens=True))'
    )
