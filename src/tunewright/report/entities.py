"""What page and card say of found entities: each type, texts with what was wanted and found, what is taken for what, what was missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tunewright.core.schema import Score
from tunewright.report import figures
from tunewright.report.entity_mistakes import KINDS, Compared, Mistake, Place, compared
from tunewright.report.evidence import NotMeasured
from tunewright.report.facts import Facts
from tunewright.report.task_parts import Section, TaskPart
from tunewright.report.verdict import worst_labels
from tunewright.report.words import breakable, count, edged, joined, percent, plural, signed

EXAMPLES, PER_PAIR = 12, 2
"""Texts that are shown, and how many of them at most for one mistake of the same kind between the same types."""
FOLDED = 5
"""Examples that are open; the others are folded away."""
PAIRS = 12
MISSES = 10
AROUND = 90
"""Characters that are shown before and behind the mistakes of a text."""
SHOWN_TYPES = 12
SNIPPET = """from transformers import pipeline

find = pipeline("token-classification", model="{name}/model", aggregation_strategy="first")
print(find(["{text}"]))"""


def part(facts: Facts) -> TaskPart:
    """What a recogniser of entities adds to page and card."""
    rows = _rows(facts.run)
    found = [compared(row) for row in rows] if not isinstance(rows, NotMeasured) else []
    types = plural(len(facts.labels), "type") if facts.labels else "a closed list of types"
    worst = worst_labels(facts.metrics.test) if isinstance(facts.metrics.test, dict) else []
    weak = [f"{name} (F1 {signed(score.value)})" for name, score in worst[:3]]
    limits = [f"Weakest on {joined(weak)}."] if weak else []
    limits += [f"Most often wrong: {told}." for told in _mostly(found)]
    limits.append("Entities do not overlap: of nested ones it finds one.")
    limits.append(
        "Scored are the answers of `tunewright predict`, whose tags make whole entities. The pipeline of Transformers takes the tag of "
        "each word by itself, and may break an entity in two."
    )
    return TaskPart(
        kind=f"entities of {types}",
        sections=(
            Section("classes", "Types", "Type by type, the weakest first", _types(facts)),
            Section("examples", "Examples", "Texts with their entities", _if_read(rows, lambda: _examples(found))),
            Section("mistakes", "Mistakes", "What goes wrong most often", _if_read(rows, lambda: _mistakes(found))),
        ),
        hints=tuple((f"Most often wrong: {told}", "mistakes") for told in _mostly(found)),
        pipeline_tag="token-classification",
        task_name="Token classification",
        metrics={"f1": "f1", "precision": "precision", "recall": "recall"},
        what=f"A recogniser of entities of {types}",
        answers="Give it texts of the kind it was trained on; it answers with the entities in them: start and end in characters, the type, "
        "and how sure it is. Texts longer than a window are read window by window.",
        limits=tuple(limits),
        snippet=SNIPPET.format(name=facts.name, text="a text of the kind it was trained on"),
        windows=True,
    )


def _rows(run: Path) -> list[dict[str, Any]] | NotMeasured:
    """The answers on the test split where it was scored, else on the validation split."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = next((one for split in ("test", "validation") if (one := run / "predictions" / f"{split}.parquet").exists()), None)
    if path is None:
        return NotMeasured(not_measured="predictions/ holds neither test.parquet nor validation.parquet")
    try:
        table = pq.read_table(path, columns=["_file", "_row", "text", "wanted", "spans"])
        rows: list[dict[str, Any]] = table.to_pylist()
    except (pa.ArrowException, OSError) as error:
        return NotMeasured(not_measured=f"{path.name} cannot be read ({' '.join(str(error).split())[:200]})")
    return rows


def _if_read(rows: Any, show: Any) -> Markup:
    if isinstance(rows, NotMeasured):
        return Markup('<p class="absent">Not measured: {}.</p>').format(rows.not_measured)
    found: Markup = show()
    return found


def _types(facts: Facts) -> Markup:
    """Each type with its scores and counts."""
    test = facts.metrics.test
    if isinstance(test, NotMeasured) or not (scored := worst_labels(test)):
        why = test.not_measured if isinstance(test, NotMeasured) else "metrics.json holds no scores of single types"
        return Markup('<p class="absent">Not measured: {}.</p>').format(why)
    counts = facts.metrics.entities if isinstance(facts.metrics.entities, dict) else {}
    axis = figures.axis_of([score for _, score in scored], 3)
    lines = [_type_line(name, f1, test, counts.get(name, {}), axis) for name, f1 in scored]
    head = Markup(
        '<thead><tr><th>Type</th><th class="wide">F1 with its interval</th><th class="n">F1</th><th class="n">Precision</th>'
        '<th class="n">Recall</th><th class="n">Wanted</th><th class="n">Found</th><th class="n">Right</th></tr></thead>'
    )
    foot = Markup('<tfoot aria-hidden="true"><tr><td></td><td class="wide">{}</td><td colspan="6"></td></tr></tfoot>').format(
        figures.scale(axis)
    )
    tables = [_table("Scores of each type", "classes", head, lines[:SHOWN_TYPES], foot)]
    if len(lines) > SHOWN_TYPES:
        rest = _table("Scores of the other types", "classes", head, lines[SHOWN_TYPES:], foot)
        tables.append(Markup("<details><summary>{}</summary>{}</details>").format(plural(len(lines) - SHOWN_TYPES, "more type"), rest))
    note = (
        "Right: start, end and type are those that were wanted; every score here counts these alone. Types with few entities have wide "
        "intervals: read those first."
    )
    return Markup("").join([*tables, Markup('<p class="note">{}</p>').format(note)])


def _type_line(name: str, f1: Score, test: Any, counts: dict[str, int], axis: Sequence[float]) -> Markup:
    cells = [f1, test.get(f"precision/{name}"), test.get(f"recall/{name}")]
    numbers = [Markup('<td class="n">{}</td>').format(count(counts[key]) if key in counts else "–") for key in ("wanted", "found", "right")]
    return Markup('<tr><th scope="row">{}</th><td class="wide">{}</td>{}{}</tr>').format(
        _name(name), figures.track(f1, axis), Markup("").join(map(_score, cells)), Markup("").join(numbers)
    )


def _score(score: Any) -> Markup:
    if not isinstance(score, Score):
        return Markup('<td class="n"><span class="absent">–</span></td>')
    return Markup('<td class="n"><b class="value">{}</b> <span class="range">{} to {}</span></td>').format(
        signed(score.value), signed(score.low), signed(score.high)
    )


def _table(label: str, kind: str, head: Markup, lines: Sequence[Markup], foot: Markup = Markup("")) -> Markup:
    table = Markup('<table class="{}">{}<tbody>{}</tbody>{}</table>').format(kind, head, Markup("").join(lines), foot)
    return Markup('<div class="scroll" tabindex="0" role="region" aria-label="{}">{}</div>').format(label, table)


def _name(name: str) -> Markup:
    return Markup("<bdi>{}</bdi>").format(breakable(edged(name)))


def _examples(found: Sequence[Compared]) -> Markup:
    """Texts with mistakes, the surest wrong answers first, and no more than a few of the same mistake."""
    wrong, whole = [one for one in found if one.mistakes], sum(not one.mistakes for one in found)
    legend = Markup(
        '<ul class="legend"><li><mark class="entity right">as wanted</mark></li><li><mark class="entity missed">wanted, not found so'
        "</mark></li>"
        '<li><mark class="entity invented">found, not wanted so</mark></li></ul>'
    )
    lead = Markup(
        "<p>{} of {} are wholly right. Of the others, those where the model was surest, of every kind of mistake some.</p>"
    ).format(count(whole), plural(len(found), "row"))
    chosen = list(_chosen(wrong))
    if not chosen:
        return Markup("<p>Every entity of every row was found, and nothing else.</p>")
    items = [Markup("<li>{}</li>").format(_example(one)) for one in chosen]
    listed = Markup('<ol class="mistakes entities">{}</ol>').format(Markup("").join(items[:FOLDED]))
    if len(items) > FOLDED:
        more = Markup('<ol class="mistakes entities">{}</ol>').format(Markup("").join(items[FOLDED:]))
        listed += Markup("<details><summary>{}</summary>{}</details>").format(plural(len(items) - FOLDED, "more text"), more)
    return lead + legend + listed


def _chosen(wrong: Sequence[Compared]) -> Iterator[Compared]:
    seen: Counter[Any] = Counter()
    shown = 0
    for one in sorted(wrong, key=lambda row: -row.surest):
        pairs = [(mistake.kind, mistake.wanted_label, mistake.found_label) for mistake in one.mistakes]
        if shown < EXAMPLES and any(seen[pair] < PER_PAIR for pair in pairs):
            seen.update(pairs)
            shown += 1
            yield one


def _example(one: Compared) -> Markup:
    """A text twice: with what was wanted, and with what was found."""
    low, high = one.shown(AROUND)
    lines = [
        Markup('<p class="marked"><span class="role">{}</span> <span dir="auto">{}</span></p>').format(role, _marked(one, spans, low, high))
        for role, spans in (("wanted", one.wanted), ("found", one.found))
    ]
    where = Markup('<span class="place"><bdi>{}</bdi>, row {}</span>').format(one.file, one.row)
    return Markup("").join([*lines, where])


def _marked(one: Compared, spans: Sequence[Place], low: int, high: int) -> Markup:
    """A part of a text with its entities marked; of those that overlap, the first."""
    parts, at = [Markup("… ") if low else Markup("")], low
    for span in sorted(spans):
        start, end = max(span.start, at), min(span.end, high)
        if start < end:
            kind = "right" if span in one.right else "missed" if spans is one.wanted else "invented"
            sure = "" if span.probability is None else Markup(' <span class="sure">{}</span>').format(percent(span.probability, 0))
            parts.append(Markup('{}<mark class="entity {}">{}<span class="type">{}{}</span></mark>').format(
                one.text[at:start], kind, one.text[start:end], edged(span.label), sure))  # fmt: skip
            at = end
    parts += [Markup("{}").format(one.text[at:high]), Markup(" …") if high < len(one.text) else Markup("")]
    return Markup("").join(parts)


def _mistakes(found: Sequence[Compared]) -> Markup:
    """What became of all wanted entities; which types are taken for which; and the longest that were missed."""
    every = [mistake for one in found for mistake in one.mistakes]
    right = sum(len(one.right) for one in found)
    kinds = Counter(mistake.kind for mistake in every)
    if not every:
        return Markup("<p>Nothing went wrong.</p>")
    shares = [("train", right), *((look, kinds[kind]) for kind, (look, _, _) in KINDS.items())]
    bar = figures.shares(shares, "What became of the entities")
    legend = [("train", "right", right), *((look, name, kinds[kind]) for kind, (look, name, _) in KINDS.items())]
    keys = [
        Markup('<li><span class="key {}"></span>{} <b>{}</b></li>').format(look, name, count(number))
        for look, name, number in legend
        if number
    ]
    meanings = [Markup("<dt>{}</dt><dd>{}</dd>").format(name, meaning) for kind, (_, name, meaning) in KINDS.items() if kinds[kind]]
    told = Markup('{}<ul class="legend">{}</ul><dl class="facts">{}</dl>').format(
        bar, Markup("").join(keys), Markup("").join(Markup("<div>{}</div>").format(one) for one in meanings)
    )
    return told + _pairs(every) + _misses(found)


def _pairs(every: Sequence[Mistake]) -> Markup:
    pairs = Counter((one.kind, one.wanted_label, one.found_label) for one in every).most_common()
    most = pairs[0][1]
    head = Markup(
        '<thead><tr><th>Wanted</th><th>Found</th><th>What is wrong</th><th class="wide">Times</th><th class="n"></th>'
        "<th>As</th></tr></thead>"
    )
    lines = []
    for (kind, wanted, given), number in pairs[:PAIRS]:
        example = next(one for one in every if (one.kind, one.wanted_label, one.found_label) == (kind, wanted, given))
        sides = [Markup('<span class="absent">nothing</span>') if one is None else _name(one) for one in (wanted, given)]
        lines.append(Markup('<tr><th scope="row">{}</th><td class="name">{}</td><td class="name">{}</td><td class="wide">{}</td>'
                            '<td class="n">{}</td>'
                            '<td class="name"><q dir="auto">{}</q></td></tr>').format(
            *sides, KINDS[kind][1], figures.bar(number, most), count(number), example.quote))  # fmt: skip
    rest = (
        Markup('<p class="note">{} with fewer.</p>').format(plural(len(pairs) - PAIRS, "more pair")) if len(pairs) > PAIRS else Markup("")
    )
    return Markup("<h3>Taken for each other most often</h3>") + _table("Mistakes by type", "pairs", head, lines) + rest


def _misses(found: Sequence[Compared]) -> Markup:
    missed = [(one, mistake) for one in found for mistake in one.mistakes if mistake.kind == "missed"]
    longest = sorted(missed, key=lambda pair: (-len(pair[1].quote), pair[0].row))[:MISSES]
    if not longest:
        return Markup("")
    items = [
        Markup('<li><span class="chip wrong">{}</span> <q dir="auto">{}</q> <span class="place"><bdi>{}</bdi>, row {}</span></li>').format(
            edged(mistake.wanted_label or ""), mistake.quote, one.file, one.row
        )
        for one, mistake in longest
    ]
    return Markup(
        '<h3>The longest that were missed <span class="quiet">nothing was found where they stand</span></h3><ul class="rows">{}</ul>'
    ).format(Markup("").join(items))


def _mostly(found: Sequence[Compared]) -> Iterator[str]:
    """The most frequent mistake in words, if there is one."""
    pairs = Counter((mistake.kind, mistake.wanted_label, mistake.found_label) for one in found for mistake in one.mistakes)
    if pairs:
        (kind, wanted, given), number = pairs.most_common(1)[0]
        if kind == "invented":
            told = f"{given} is found where nothing is wanted"
        elif kind == "missed":
            told = f"{wanted} is missed"
        else:
            told = f"{wanted} is found as {given}" if wanted != given else f"{wanted} is found with another border"
        yield f"{told} ({plural(number, 'time')})"
