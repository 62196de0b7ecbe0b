from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from tunewright.core.cells import listed
from tunewright.core.errors import UserError, hint
from tunewright.core.schema import Row
from tunewright.tasks.base import Answer, Encoded, Role, Task
from tunewright.tasks.texts import read, text_roles, texts_and_pairs

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from torch import Tensor

    from tunewright.metrics.classes import ClassOutcome


MOST_LABELS, MOST_NUMBERS = 0.9, 0.3
"""Labels for each training row from which on they are none; and where all of them are numbers, some with fractions."""


class TextClassification(Task):
    """One text, or a pair of texts, and its label out of a closed list; or several labels (``multi_label``)."""

    head: ClassVar = "AutoModelForSequenceClassification"
    criterion: ClassVar = "cross-entropy"
    baselines: ClassVar = ("majority", "tfidf")
    proof: ClassVar = "classes"
    watched: ClassVar = True
    scores: ClassVar = "classes"

    labels: tuple[str, ...] | None = None
    """The label names in the order of their ids. Left out, they are learned from the training rows, sorted by name."""
    multi_label: bool = False
    """Whether a row may have several labels, or none."""
    separator: str | None = Field(None, min_length=1)
    """What stands between labels where a cell holds several as text; left out, a list is expected (as text: in JSON or Python), or one of
    ``; | ,``."""
    thresholds: tuple[Annotated[float, Field(ge=0, le=1)], ...] | None = None
    """Multi-label: the probability from which each label is given, parallel to ``labels``; left out, they are tuned on the
    validation rows."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.labels is not None and len(set(self.labels)) != len(self.labels):
            raise ValueError("a label name stands twice in labels")
        if self.labels is not None and len(self.labels) < 2 and not self.multi_label:
            raise ValueError("labels needs two names or more")
        if not self.multi_label and (self.thresholds is not None or self.separator is not None):
            raise ValueError("thresholds and separator belong to multi_label: true")
        if self.thresholds is not None and len(self.thresholds) != len(self.labels or ()):
            raise ValueError("thresholds needs one number per name in labels")
        return self

    def roles(self) -> tuple[Role, ...]:
        several = Role("label", "labels", "the label names", separator=self.separator)
        label = several if self.multi_label else Role("label", "label", "the label")
        return *text_roles("the text to classify", "a second text, when a pair is classified"), label

    def default_criterion(self) -> str:
        return "binary-cross-entropy" if self.multi_label else self.criterion

    def best_by(self) -> str:
        return "f1_micro" if self.multi_label else "accuracy"

    def learn(self, rows: Sequence[Row]) -> Self:
        seen: dict[str, int] = {}
        for row in rows:
            for name in self.wanted_labels(row):
                seen[name] = seen.get(name, 0) + 1
        if self.labels is None and len(seen) < (1 if self.multi_label else 2):
            only = f"all {len(rows)} training rows have the label {next(iter(seen))!r}" if seen else "no training row has a label"
            raise UserError(only, "A classifier needs rows of at least two labels", "Check data.columns.label: is it the right column?")
        if self.labels is None and not self.multi_label:
            _several_rows_each(list(seen), len(rows))
        if self.labels is not None:
            unknown = sorted(set(seen) - set(self.labels))
            if unknown:
                raise UserError(
                    f"the training rows have labels that task.labels does not name: {', '.join(map(repr, unknown[:10]))}",
                    hint(unknown[0], self.labels),
                    "Add them to task.labels, correct the rows, or leave task.labels out",
                )
            return self
        return self.model_copy(update={"labels": tuple(sorted(seen))})

    def head_settings(self) -> dict[str, Any]:
        names = self.labels or ()
        return {
            "num_labels": len(names),
            "id2label": dict(enumerate(names)),
            "label2id": {name: index for index, name in enumerate(names)},
            "problem_type": "multi_label_classification" if self.multi_label else "single_label_classification",
        }

    def wanted_labels(self, row: Row) -> list[str]:
        """The label names that stand in a row: one, or several where the task is multi-label; none when it has no label."""
        value = row.get("label")
        if not self.multi_label:
            return [] if value is None else [str(value)]
        if value is None:
            return []
        if not isinstance(value, str):
            return [str(one) for one in value]
        return split_labels(value, self.separator)

    def encode(self, rows: Sequence[Row], tokenizer: Any, max_tokens: int) -> list[Encoded]:
        ids = {name: index for index, name in enumerate(self.labels or ())}
        encoded = []
        for row, one in zip(rows, read(rows, tokenizer, max_tokens), strict=True):
            label = self._label_of(row, ids)
            encoded.append(Encoded((one.piece if label is None else {**one.piece, "labels": label},), one.tokens, one.cut))
        return encoded

    def _label_of(self, row: Row, ids: dict[str, int]) -> int | list[float] | None:
        """The class id, or a 0/1 list for multi-label; None without a label, or with one that was never trained."""
        if row.get("label") is None:
            return None
        names = self.wanted_labels(row)
        if self.multi_label:
            wanted = set(names)
            return [float(name in wanted) for name in ids]
        return ids.get(names[0])

    def watch(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """As in ``Task``; of several labels the loss is the mean over them, and the margin that of the one that is most wrong.
        A row whose label is masked has neither: NaN."""
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

        logits = outputs.float()
        if self.multi_label:
            losses = binary_cross_entropy_with_logits(logits, labels.float(), reduction="none").mean(-1)
            return torch.stack([losses, torch.where(labels > 0, logits, -logits).amin(-1)], -1)
        label = labels.clamp(min=0)[:, None]
        margins = logits.gather(-1, label)[:, 0] - logits.scatter(-1, label, -torch.inf).amax(-1)
        told = torch.stack([cross_entropy(logits, label[:, 0], reduction="none"), margins], -1)
        return told.masked_fill(labels[:, None] < 0, torch.nan)

    def decode(self, row: Row, inferred: Sequence[Any], encoded: Encoded, tokenizer: Any) -> Answer:
        import numpy as np

        logits = np.asarray(inferred[0], dtype=np.float64)
        names = self.labels or ()
        if self.multi_label:
            probabilities = 1 / (1 + np.exp(-logits))
            given = probabilities >= np.asarray(self.thresholds or [0.5] * len(names))
            label: Any = [name for name, yes in zip(names, given, strict=True) if yes]
        else:
            odds = np.exp(logits - logits.max())
            probabilities = odds / odds.sum()
            label = names[int(probabilities.argmax())]
        return {"label": label, "probabilities": dict(zip(names, probabilities.tolist(), strict=True))}

    def outcome(self, rows: Sequence[Row], answers: Sequence[Answer]) -> ClassOutcome:
        import numpy as np

        from tunewright.metrics.classes import ClassOutcome

        names = list(self.labels or ())
        if self.multi_label:  # a label that was never trained gets a column of its own: wanted there, never given
            names += sorted({name for row in rows for name in self.wanted_labels(row)} - set(names))
        ids = {name: index for index, name in enumerate(names)}
        probabilities = np.array([[answer["probabilities"].get(name, 0.0) for name in names] for answer in answers]).reshape(
            len(answers), len(names)
        )
        wanted = self.wanted(rows, names)
        if self.multi_label:
            given = [set(answer["label"]) for answer in answers]
            predicted: np.ndarray = np.array([[name in one for name in names] for one in given], dtype=bool).reshape(-1, len(names))
        else:
            predicted = np.array([ids[answer["label"]] for answer in answers], dtype=np.int64)
        return ClassOutcome(tuple(names), wanted, predicted, probabilities)

    def wanted(self, rows: Sequence[Row], names: Sequence[str]) -> np.ndarray:
        """The labels of rows: (rows,) class ids, -1 for one that ``names`` does not have; multi-label: (rows, classes) bool."""
        import numpy as np

        ids = {name: index for index, name in enumerate(names)}
        found = [self._label_of(row, ids) for row in rows]
        if self.multi_label:
            return np.array([one or [0.0] * len(ids) for one in found], dtype=bool).reshape(-1, len(ids))
        return np.array([-1 if one is None else one for one in found], dtype=np.int64)

    def same_rows(self, one: ClassOutcome, other: ClassOutcome) -> bool:
        import numpy as np

        return one.names == other.names and np.array_equal(one.wanted, other.wanted)

    def measure(self, outcome: ClassOutcome) -> dict[str, float]:
        from tunewright.metrics.classes import measure

        return measure(outcome)

    def rows_behind(self, outcome: ClassOutcome) -> dict[str, int]:
        from tunewright.metrics.classes import rows_behind

        return dict(rows_behind(outcome))

    def tuned(self, outcome: ClassOutcome) -> Self:
        if not self.multi_label or self.thresholds is not None or len(outcome) == 0:
            return self
        from tunewright.metrics.classes import best_thresholds

        found = best_thresholds(outcome.wanted, outcome.probabilities)
        return self.model_copy(update={"thresholds": tuple(float(one) for one in found)})

    def details(self, outcome: ClassOutcome) -> dict[str, Any]:
        from tunewright.metrics.classes import NEVER_TRAINED, confusion, counts

        found: dict[str, Any] = {"support": {name: int(number) for name, number in counts(outcome).items()}}
        if self.multi_label:
            return {**found, "thresholds": dict(zip(self.labels or (), self.thresholds or [0.5] * len(self.labels or ()), strict=True))}
        matrix, names = confusion(outcome), list(outcome.names)
        return {**found, "confusion": {"labels": names + [NEVER_TRAINED] * (len(matrix) - len(names)), "matrix": matrix.tolist()}}

    def names_in(self, row: Row) -> list[str]:
        return self.wanted_labels(row)

    def columns_of(self, answers: Sequence[Answer]) -> dict[str, Any]:
        lists = [list(answer["probabilities"].values()) for answer in answers]
        return {
            "label": [answer["label"] for answer in answers],
            "probability": [probability_of(answer) for answer in answers],
            "probabilities": lists,
        }

    def answers_in(self, columns: Mapping[str, Sequence[Any]]) -> list[Answer]:
        both = zip(columns["label"], columns["probabilities"], strict=True)
        return [{"label": label, "probabilities": dict(zip(self.labels or (), shares, strict=True))} for label, shares in both]

    def answer_schema(self) -> pa.Schema:
        import pyarrow as pa

        label = pa.list_(pa.string()) if self.multi_label else pa.string()
        shares = pa.struct([(name, pa.float64()) for name in self.labels or ()])
        return pa.schema([("label", label), ("probability", pa.float64()), ("probabilities", shares)])

    def line(self, answer: Answer) -> dict[str, Any]:
        return {"label": answer["label"], "probability": probability_of(answer), "probabilities": dict(answer["probabilities"])}

    def cells(self, line: Mapping[str, Any]) -> dict[str, Any]:
        label, shares = line.get("label"), line.get("probabilities") or {}
        told = {"label": ";".join(label) if isinstance(label, list) else label, "probability": line.get("probability")}
        return told | {f"probability of {name}": shares.get(name) for name in self.labels or ()}

    def agrees(self, one: Answer, other: Answer) -> bool:
        first, second = (max(answer["probabilities"], key=answer["probabilities"].__getitem__) for answer in (one, other))
        return bool(first == second)

    def difference(self, one: Answer, other: Answer) -> float:
        first, second = one["probabilities"], other["probabilities"]
        if set(first) != set(second):
            return math.inf
        gaps = [abs(first[name] - second[name]) for name in first]
        return max((gap if math.isfinite(gap) else math.inf for gap in gaps), default=0.0)

    def asked(self, rows: Sequence[Row], max_tokens: int) -> dict[str, Any]:
        texts, pairs = texts_and_pairs(rows)
        return {"texts": texts, "pairs": pairs, "multi_label": self.multi_label}

    def heard(self, told: Any, row: Row, encoded: Encoded, tokenizer: Any) -> Answer:
        return {"probabilities": told}


def probability_of(answer: Answer) -> float:
    """How sure the model is of what it answered; with several labels, of the least sure one given, or that none is right.

    >>> probability_of({"label": "late", "probabilities": {"late": 0.75, "damaged": 0.25}})
    0.75
    >>> probability_of({"label": [], "probabilities": {"late": 0.25, "damaged": 0.125}})
    0.75
    """
    probabilities, label = answer["probabilities"], answer["label"]
    if isinstance(label, str):
        return float(probabilities[label])
    return float(min((probabilities[name] for name in label), default=1 - max(probabilities.values(), default=0.0)))


def _several_rows_each(labels: Sequence[str], rows: int) -> None:
    """Refuse a label column in which nearly every row has a label of its own, and say what it may be instead.

    Raises:
        UserError: nothing could be learned from so few rows for each label.
    """
    fractions = [name for name in labels if _is_fraction(name)]
    numbers = bool(fractions) and all(_is_number(name) for name in labels)
    if rows < 4 or len(labels) < (MOST_NUMBERS if numbers else MOST_LABELS) * rows:
        return
    many, of = ("each of", "") if len(labels) == rows else ("nearly each of", f" ({len(labels):,} labels)")
    what = f", and the labels are numbers with fractions ({', '.join(fractions[:3])}...)" if numbers else ""
    raise UserError(
        f"{many} the {rows:,} training rows has a label of its own{of}{what}",
        "A classifier needs several rows per label",
        "For numbers write task: regression and data.columns: {number: ...}, or check data.columns.label: is it the right column?"
        if numbers
        else "Check data.columns.label: an id or a text may have been taken for the label",
    )


def _is_number(name: str) -> bool:
    try:
        return math.isfinite(float(name))
    except ValueError:
        return False


def _is_fraction(name: str) -> bool:
    return _is_number(name) and not float(name).is_integer()


def split_labels(cell: str, separator: str | None = None) -> list[str]:
    """The label names in a cell that holds several as text.

    >>> split_labels('["late", "damaged"]'), split_labels("late; damaged"), split_labels("")
    (['late', 'damaged'], ['late', 'damaged'], [])
    """
    if separator is None:
        if (names := listed(cell)) is not None:
            return names
        separator = next((one for one in ";|," if one in cell), ";")
    return [name for part in cell.split(separator) if (name := part.strip())]
