"""Numbers and names as people read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

NAMES = {
    "accuracy": ("Accuracy", "share of rows with the right label"),
    "balanced_accuracy": ("Balanced accuracy", "the same, with every label counting equally"),
    "f1_micro": ("F1 (all labels together)", "balance of precision and recall over every label given"),
    "f1_macro": ("F1 (mean over labels)", "balance of precision and recall, every label counting equally"),
    "f1_weighted": ("F1 (weighted)", "the mean over labels, frequent labels counting more"),
    "f1_samples": ("F1 (mean over rows)", "balance of precision and recall within each row"),
    "precision_micro": ("Precision (all labels together)", "share of the labels given that are right"),
    "recall_micro": ("Recall (all labels together)", "share of the labels wanted that are given"),
    "precision_macro": ("Precision (mean over labels)", "share of the labels given that are right"),
    "recall_macro": ("Recall (mean over labels)", "share of the labels wanted that are given"),
    "f1": ("F1", "balance of precision and recall: over all entities, or over the words of each answer"),
    "precision": ("Precision of entities", "share of the found ones that are right"),
    "recall": ("Recall of entities", "share of the wanted ones that are found"),
    "f1_partial": ("F1 of touched entities", "the same where an overlap with one of the right type is enough"),
    "precision_partial": ("Precision of touched entities", "share of the found ones that overlap with a wanted one of their type"),
    "recall_partial": ("Recall of touched entities", "share of the wanted ones that overlap with a found one of their type"),
    "exact_rows": ("Rows wholly right", "share of rows where all entities are found and nothing else"),
    "subset_accuracy": ("Exact match", "share of rows whose labels are all right"),
    "hamming_loss": ("Hamming loss", "share of single decisions that are wrong; lower is better"),
    "mcc": ("Matthews correlation", "agreement beyond chance, -1 to 1"),
    "log_loss": ("Log loss", "how badly the probabilities miss, in nats; lower is better"),
    "brier": ("Brier score", "squared miss of the probabilities; lower is better"),
    "ece": ("Calibration error", "gap between sureness and being right; lower is better"),
    "pearson": ("Pearson correlation", "how well given and wanted numbers lie on one line, −1 to 1"),
    "spearman": ("Spearman correlation", "how well the order of the rows is met, −1 to 1"),
    "r2": ("Variance explained (r²)", "1 is perfect, 0 is no better than always the mean"),
    "exact_match": ("Exact match", "share of answers that are right but for case, punctuation and articles"),
    "answered_exact_match": ("Exact match, questions with an answer", "the same, over those that have an answer"),
    "answered_f1": ("F1, questions with an answer", "the same, over those that have an answer"),
    "no_answer_accuracy": ("Right about no answer", "share of the questions without an answer that got none"),
    "mean_absolute_error": ("Mean absolute error", "mean distance from what was wanted, in its unit; lower is better"),
    "root_mean_squared_error": ("Root mean squared error", "the same, wide misses counting more; lower is better"),
    "loss": ("Loss", "what training makes small; lower is better"),
}
MODELS = {
    "tfidf": "Linear model on TF-IDF",
    "majority": "Always the most frequent label",
    "mean": "Always the mean",
    "no-answer": "Always no answer",
    "first-sentence": "The first sentence",
    "overlap": "Words beside those of the question",
    "lookup": "Most frequent tag of each known word",
    "nothing": "Finding nothing",
}

PEOPLE = ("Matthews", "Pearson", "Spearman")

SPACE = "\u00a0"
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_TURNING = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


def score_name(name: str) -> str:
    """A score's name in a table."""
    return NAMES[name][0] if name in NAMES else name.replace("_", " ")


def within(name: str) -> str:
    """A name in the middle of a sentence.

    >>> within("Balanced accuracy"), within("F1 (weighted)"), within("Pearson correlation")
    ('balanced accuracy', 'F1 (weighted)', 'Pearson correlation')
    """
    return name if name[1:2].isupper() or name[1:2].isdigit() or name.startswith(PEOPLE) else name[:1].lower() + name[1:]


def score_meaning(name: str) -> str:
    """What a score says, in a few words; empty for one that is not known here."""
    return NAMES[name][1] if name in NAMES else ""


def lower_is_better(name: str) -> bool:
    """Whether less of a score is better; a name that ends in ``loss`` or ``error`` says so, whoever defined it."""
    return name.split("/")[0].rsplit("_", 1)[-1] in {"loss", "error", "brier", "ece"}


def clean(text: str) -> str:
    """A text without what a page cannot hold or what would turn the text around it: shown as a replacement sign.

    >>> clean("a\\x00b\\u202ec")
    'a\\ufffdb\\ufffdc'
    """
    return _TURNING.sub("\ufffd", _HIDDEN.sub("\ufffd", text.replace("\r\n", "\n")))


def edged(name: str) -> str:
    """A label with the blanks that could not be seen: at its edges, or several in a row.

    >>> edged("new order"), edged("new order "), edged("new  order")
    ('new order', 'new order␣', 'new␣␣order')
    """
    return re.sub(r"^\s+|\s+$|\s{2,}", lambda blanks: "␣" * len(blanks[0]), name)


def fold(text: str, characters: int) -> tuple[str, str]:
    """The beginning of a text, cut at a space where one is near, and the rest (empty when it is short enough).

    A text is not folded for a few characters.

    >>> fold("one two three", 8)
    ('one two', ' three')
    """
    if len(text) <= characters * 4 // 3:
        return text, ""
    at = text.rfind(" ", characters * 2 // 3, characters + 1)
    at = characters if at < 0 else at
    return text[:at], text[at:]


def breakable(text: Any) -> Any:
    """A name that may be long, with places where it may go on in a new line."""
    from markupsafe import Markup, escape

    marked = str(escape(str(text)))
    for sign in "_/-":
        marked = marked.replace(sign, f"{sign}<wbr>")
    return Markup(marked)


def sentence(text: str) -> str:
    """A text that ends as a sentence does."""
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?")) else text + "."


def count(number: float) -> str:
    """1240 -> 1,240."""
    return f"{number:,.0f}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "row"), plural(1240, "row")
    ('1 row', '1,240 rows')
    """
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def percent(share: float, digits: int = 1) -> str:
    """0.9324 -> 93.2 %."""
    return f"{signed(100 * share, digits)}{SPACE}%"


def signed(value: float, digits: int = 3, plus: bool = False) -> str:
    """A number with a true minus sign, and a plus sign where asked for."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("−" if value < 0 else "+" if plus else "") + text


def short(value: float) -> str:
    """A number in few characters: 12000 -> 12k, 0.00002 -> 2e-5."""
    if value == 0:
        return "0"
    if abs(value) < 0.001:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e−{abs(int(exponent))}".replace("-", "−")
    if abs(value) >= 10_000:
        unit, letter = (1e6, "M") if abs(value) >= 1e6 else (1e3, "k")
        return f"{value / unit:.4g}{letter}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def duration(seconds: float) -> str:
    """Seconds in the two units that matter.

    >>> duration(0.25), duration(12.3), duration(192), duration(7500)
    ('0.25 s', '12 s', '3 min 12 s', '2 h 5 min')
    """
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def size(number: float) -> str:
    """Bytes in decimal units: 267844872 -> 268 MB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.3g} TB"


def parameters(number: int) -> str:
    """66958086 -> 67 million."""
    if number >= 1e9:
        return f"{number / 1e9:.3g} billion"
    return f"{number / 1e6:.3g} million" if number >= 1e6 else count(number)


def day(moment: str) -> str:
    """An ISO time as a day and an hour; as it is when it is not one.

    >>> day("2026-11-23T14:05:09+00:00"), day("soon")
    ('23 November 2026, 14:05 UTC', 'soon')
    """
    try:
        when = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    zone = f" {when.tzname()}" if when.tzinfo else ""
    return f"{when.day} {when:%B %Y, %H:%M}{zone}"


def joined(names: Sequence[str], most: int = 5) -> str:
    """Names in a sentence, the first few of many.

    >>> joined(["a", "b", "c"]), joined(list("abcdefgh"), 3)
    ('a, b and c', 'a, b, c and 5 more')
    """
    shown = list(names[:most]) + ([f"{len(names) - most} more"] if len(names) > most else [])
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1] if shown else "none"
