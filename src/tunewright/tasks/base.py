"""The contract of a task. ``docs/decisions/0002-the-contract-of-tasks-and-engines.md`` walks it through the tasks to come."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from tunewright.core.config import Config
from tunewright.core.schema import Row
from tunewright.tasks.collate import Collate, Piece

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from torch import Tensor, nn

    from tunewright.metrics.intervals import Outcome

Answer = Mapping[str, Any]
"""What the model says of one row, in the words of the table: for a classifier ``{"label": ..., "probabilities": {name: p}}``."""


Kind = Literal["text", "label", "labels", "number", "spans", "answers"]
"""What the values of a role are in a prepared dataset: a string; a label name; a list of label names; a float64; a list of records of
``start, end, label``; a list of records of ``start, text``, empty where there is no answer."""


@dataclass(frozen=True)
class Role:
    """A part that a column of the table plays."""

    name: str
    kind: Kind
    meaning: str
    needed: bool = True
    separator: str | None = None
    """Of labels: what stands between several in one cell; left out, it is found out."""
    beside: str | None = None
    """The role whose column must be read too, to read this one: that of the text, for places in it."""
    listed: bool = False
    """Of a text: whether a cell may hold the list of its tokens, which become a text with single blanks between them."""


@dataclass(frozen=True)
class Encoded:
    """One row as the model sees it: one piece, or several where a task cuts long rows into windows.

    Each piece maps the name of a model input to its values; ``labels`` stands among them when the row has its label.
    ``tokens`` counts the whole row, ``cut`` those of it that no piece holds.
    """

    pieces: tuple[Mapping[str, Any], ...]
    tokens: int
    cut: int
    beside: tuple[Mapping[str, Any], ...] = ()
    """Parallel to ``pieces``: what ``decode`` needs and no model reads, as character offsets. Empty when there is nothing."""


def text_of(cell: Any) -> str:
    """What a model reads of a cell: nothing where it is empty; U+FFFD for half a letter (a lone surrogate), which no tokenizer takes."""
    return "" if cell is None else re.sub("[\ud800-\udfff]", "\ufffd", str(cell))


class Task(Config):
    """One kind of problem, from the columns of a table to the numbers of a report."""

    head: ClassVar[str]
    """The transformers auto class whose architecture ends in the head that this task needs."""
    criterion: ClassVar[str]
    """The criterion when the recipe names none."""
    labels_pad: ClassVar[int | None] = None
    """What fills the labels of a shorter row in a batch; None when labels have one shape for every row."""
    windows: ClassVar[bool] = False
    """Whether a long row is cut into windows, so that nothing of it is lost: ``model.max_tokens`` is then the length of one."""
    gold: ClassVar[str] = "label"
    """The role that holds what is wanted of a row."""
    baselines: ClassVar[tuple[str, ...]]
    """The baselines that it is held against when the recipe names none (``evaluate.baselines``)."""
    proof: ClassVar[str]
    """How ``model/proof_child.py`` asks the saved model in a process without our code, by the name of a function there."""
    watched: ClassVar[bool] = False
    """Whether ``watch`` tells what a step makes of each training row; a row is then one piece."""
    scores: ClassVar[str] = ""
    """The family of scores that a recipe may ask for by name (``metrics.FAMILIES``); empty: functions of the user's own alone."""

    def roles(self) -> tuple[Role, ...]:
        """The parts that columns play here, text roles first."""
        raise NotImplementedError

    def default_criterion(self) -> str:
        """The criterion when the recipe names none."""
        return self.criterion

    def criteria(self) -> tuple[str, ...]:
        """The criteria that can train it, the default first."""
        return (self.default_criterion(),)

    def best_by(self) -> str:
        """The score that chooses the best checkpoint when the recipe names none."""
        raise NotImplementedError

    def learn(self, rows: Sequence[Row]) -> Self:
        """What must be known from the training rows (label names, for a classifier), as settings of a new task.

        Raises:
            UserError: the rows cannot be learned from, as when they all have one label.
        """
        raise NotImplementedError

    def head_settings(self) -> dict[str, Any]:
        """What the configuration of the model must say: number and names of labels, kind of problem."""
        raise NotImplementedError

    def encode(self, rows: Sequence[Row], tokenizer: Any, max_tokens: int) -> list[Encoded]:
        """Rows -> model inputs. Rows without a label get no ``labels``; they can be predicted but not trained on."""
        raise NotImplementedError

    def collate(self, tokenizer: Any) -> Callable[[Sequence[Piece]], dict[str, Tensor]]:
        """Pieces in, one batch out. The default pads token numbers."""
        return Collate(tokenizer, self.labels_pad)

    def forward(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """What the criterion compares with ``batch["labels"]``: for a classifier, logits of shape (batch, classes)."""
        logits: Tensor = model(**{name: values for name, values in batch.items() if name != "labels"}).logits
        return logits

    def watch(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Loss and margin of each row of a training batch, where ``watched``.

        Args:
            outputs: what ``forward`` gave.
            labels: of the batch.

        Returns:
            (rows, 2): the loss in nats, and how far the logit of the label is above the best other one.
        """
        raise NotImplementedError

    def infer(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Sequence[Any]:
        """What ``decode`` needs, one item per piece. A task whose answer is generated asks the model for it here."""
        found: np.ndarray = self.forward(model, batch).float().cpu().numpy()
        return list(found)

    def decode(self, row: Row, inferred: Sequence[Any], encoded: Encoded, tokenizer: Any) -> Answer:
        """What ``infer`` gave for the pieces of one row -> an answer in the words of the table."""
        raise NotImplementedError

    def outcome(self, rows: Sequence[Row], answers: Sequence[Answer]) -> Outcome:
        """Wanted and answered side by side, ready to be measured and resampled."""
        raise NotImplementedError

    def same_rows(self, one: Any, other: Any) -> bool:
        """Whether two outcomes are over the same rows in the same order, as far as what they wanted tells."""
        raise NotImplementedError

    def measure(self, outcome: Any) -> dict[str, float]:
        """Every score of an outcome, by name."""
        raise NotImplementedError

    def rows_behind(self, outcome: Any) -> dict[str, int]:
        """How many rows stand behind each score that is not over all of them, by its name."""
        return {}

    def tuned(self, outcome: Any) -> Self:
        """The task with what is chosen on validation rows (decision thresholds); never called with test rows."""
        return self

    def settled(self, model: nn.Module) -> Self:
        """The task as it is saved beside the trained model, which may be changed in place for it: what was learned on a scale of its own
        goes into the weights. Called once, before anything is saved."""
        return self

    def details(self, outcome: Any) -> dict[str, Any]:
        """What ``metrics.json`` tells of the test rows beside the scores, in plain values: a confusion matrix, counts."""
        return {}

    def names_in(self, row: Row) -> list[str]:
        """Under which names a row is counted where rows are counted by name: its labels. None for a task without names."""
        return []

    def wanted_of(self, row: Row) -> Any:
        """What is wanted of a row, as ``predictions/`` keeps it."""
        return row.get(self.gold)

    def columns_of(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """Answers as the columns of ``predictions/``, each parallel to the answers."""
        return {name: [answer[name] for answer in answers] for name in self.answer_schema().names}

    def answers_in(self, columns: Mapping[str, Sequence[Any]]) -> list[Answer]:
        """Answers out of the columns that ``columns_of`` made."""
        names = self.answer_schema().names
        return [dict(zip(names, values, strict=True)) for values in zip(*(columns[name] for name in names), strict=True)]

    def answer_schema(self) -> pa.Schema:
        """The columns of an answer where it is written for others; they follow from the task alone."""
        raise NotImplementedError

    def line(self, answer: Answer) -> dict[str, Any]:
        """An answer under the names of ``answer_schema``."""
        return {name: answer[name] for name in self.answer_schema().names}

    def cells(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """A line as the cells of a CSV, by column, each text or a number; what is missing in the line is None. The columns do not depend
        on the line."""
        return {name: line.get(name) for name in self.answer_schema().names}

    def agrees(self, one: Answer, other: Answer) -> bool:
        """Whether two answers to one row say the same to its reader."""
        raise NotImplementedError

    def difference(self, one: Answer, other: Answer) -> float:
        """How far two answers to one row are apart, in the unit that the proof bounds (a probability): 0 for the same, inf for answers
        that cannot be compared."""
        raise NotImplementedError

    def asked(self, rows: Sequence[Row], max_tokens: int) -> dict[str, Any]:
        """What ``model/proof_child.py`` is told of some rows, in plain values of JSON."""
        raise NotImplementedError

    def heard(self, told: Any, row: Row, encoded: Encoded, tokenizer: Any) -> Answer:
        """What ``model/proof_child.py`` answered to a row, as an answer of ours."""
        raise NotImplementedError
