"""Personal data and secrets in the texts, and in the columns that are kept beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, PrivateAttr

from tunewright.core.schema import Policy
from tunewright.data.audit.base import Hit, Looked, Rule, rows_word
from tunewright.data.audit.people import beside, identity, pipeline
from tunewright.data.audit.pieces import Later, pieces_of
from tunewright.data.audit.private import OF_A_FORM, TOLD, Kind
from tunewright.data.audit.redaction import Redaction, Style, found_in, redact, redacted, words_of


class Redacts(Rule):
    """A rule whose ``fix`` puts placeholders where private values stand, in every split: the model never sees them."""

    looks_at: ClassVar = ("text", "label", "labels")
    cost: ClassVar = "one pass over all columns of text in Arrow; about 0.1 milliseconds for a text that may hold such a value"
    policies: ClassVar = ("keep", "drop", "fix", "refuse")
    streams: ClassVar = "row"
    reaches_test: ClassVar[bool] = True
    vital: ClassVar[bool] = True

    placeholder: Style = "typed"
    """``typed`` writes ``[EMAIL_1]``, with the same number wherever the same value stands; ``mask`` a ``*`` for each letter and digit."""
    _numbers: dict[Kind, dict[str, int]] = PrivateAttr(default_factory=dict)
    _each_text: bool = PrivateAttr(False)

    def finds(self) -> tuple[Kind, ...]:
        """The kinds of value that this rule looks for."""
        raise NotImplementedError

    def recogniser(self) -> str:
        """The spaCy pipeline that tells names of people; empty where they are not looked for."""
        return ""

    def redaction(self) -> Redaction:
        """What ``fix`` does, with the numbers that values have been given so far."""
        return Redaction(self.finds(), self.placeholder, self._numbers, self._each_text, self.recogniser())

    def with_memory(self, memory: object) -> Self:
        """The rule as it looks at a stream: it numbers values anew in every text, so that a resumed run writes what it wrote before."""
        self._each_text = True
        return self

    def look(self, looked: Looked) -> Iterator[Hit]:
        self._numbers.clear()
        kinds, looked_through = self.finds(), {*looked.text_roles, *looked.own_columns}
        flags, totals = np.zeros((len(looked), len(kinds)), dtype=bool), np.zeros(len(kinds), dtype=np.int64)
        holding: dict[str, int] = {}
        for name in (name for name in looked.rows.column_names if name in looked_through):
            found = _counts(looked, name, kinds, self.recogniser())
            if found.any():
                flags |= found > 0
                totals += found.sum(axis=0, dtype=np.int64)
                holding[name] = int(found.any(axis=1).sum())
        rows = np.flatnonzero(flags.any(axis=1))
        if len(rows):
            columns, redaction = {name: looked.rows[name] for name in holding}, self.redaction()
            fixed = Later(columns, rows, lambda name, piece: redact(piece, redaction, _before(looked, name)))
            message = f"{rows_word(len(rows))} with {self._what()}: {_told(kinds, totals)}{_beside(looked, holding)}{_locked(looked, rows)}"
            yield Hit(
                message,
                rows,
                _reasons(flags[rows], kinds),
                removable=~looked.locked[rows],
                fixed=fixed,
                numbers=dict(zip(kinds, totals.tolist(), strict=True)),
            )

    def _what(self) -> str:
        raise NotImplementedError


class PersonalData(Redacts):
    """E-mail addresses, telephone, card and account numbers and personal id numbers. ``fix`` puts placeholders in their place."""

    remedy: ClassVar = "Have the values replaced by placeholders, or let the rows go; a model can repeat what it was trained on"
    recipe: ClassVar = "data.policy.personal-data: fix"

    kinds: tuple[Literal["email", "phone", "card", "iban", "id"], ...] = Field(("email", "phone", "card", "iban", "id"), min_length=1)
    """What counts; ``id`` are national numbers: US SSN, British NINO, Spanish DNI and NIE, French NIR, Dutch BSN, German tax id."""

    names: str | None = None
    """A spaCy pipeline that tells names of people, which then count too: an installed package such as ``en_core_web_sm``, or a folder,
    looked for beside the recipe first. Needs ``pip install 'tunewright[names]'`` and a pipeline of your own: none is downloaded. It reads
    every text, some milliseconds each, and misses names that it does not know."""
    _pipeline: str = PrivateAttr("")

    def finds(self) -> tuple[Kind, ...]:
        return (*self.kinds, "name") if self.names else self.kinds

    def recogniser(self) -> str:
        return self._pipeline or self.names or ""

    def stands_for(self) -> dict[str, Any]:
        """The pipeline by what it is, not by where it lies."""
        return {**super().stands_for(), "names": identity(self.recogniser()) if self.names else None}

    def beside(self, folder: Path) -> Self:
        if self.names is None:
            return self
        other = self.model_copy()
        other._pipeline = beside(self.names, folder)
        pipeline(other._pipeline)
        return other

    def _what(self) -> str:
        return "personal data"


class Secret(Redacts):
    """API keys, tokens, passwords and private keys: whoever reads the table, or the model, can use them."""

    severity: ClassVar = "error"
    remedy: ClassVar = "Withdraw the keys where they were given out, and have them replaced by placeholders here"
    recipe: ClassVar = "data.policy.secret: fix"

    def finds(self) -> tuple[Kind, ...]:
        return ("secret",)

    def _what(self) -> str:
        return "a secret"


def redactions(rules: Mapping[str, Rule], policy: Mapping[str, Policy]) -> tuple[Redaction, ...]:
    """What the recipe has redacted: one for each rule whose policy is ``fix``; empty when nothing is."""
    return tuple(rule.redaction() for name, rule in rules.items() if isinstance(rule, Redacts) and policy[name] == "fix")


def without_private(table: pa.Table, redactions: Sequence[Redaction], spare: Collection[str] = ()) -> pa.Table:
    """A table in which no column holds what the recipe has redacted: for rows as read, before they are shown or set aside.

    Args:
        table: any columns.
        redactions: what ``redactions`` gave; asked after the rules have looked, values keep the numbers that they have in the dataset.
        spare: columns that stay, as that of the label.
    """
    for one in redactions:
        table = redacted(table, one, spare)
    return table


def recogniser(rules: Mapping[str, Rule]) -> str:
    """The spaCy pipeline by which the recipe has names of people looked for; empty where it has not."""
    return next((rule.recogniser() for rule in rules.values() if isinstance(rule, Redacts) and rule.recogniser()), "")


def shown(texts: Sequence[str], names: str = "") -> list[str]:
    """Texts for a message or a report, with all personal data and secrets masked, whatever the policies are.

    Args:
        texts: any.
        names: the spaCy pipeline that tells names of people; without one they stay.
    """
    kinds: tuple[Kind, ...] = (*OF_A_FORM, "name") if names else OF_A_FORM
    masked = redact(pa.array(texts, pa.string()), Redaction(kinds, "mask", names=names))
    return [text or "" for text in masked.to_pylist()]


def _before(looked: Looked, name: str) -> str:
    """What the name of a column says of its values; of a text it says nothing."""
    return "" if name in looked.text_roles else words_of(name)


def _counts(looked: Looked, name: str, kinds: Sequence[Kind], names: str) -> np.ndarray:
    """(rows, kinds): how many values of each kind stand in a column."""
    parts = [found_in(piece, kinds, _before(looked, name), names) for piece in pieces_of(looked.rows[name])]
    return np.concatenate(parts) if parts else np.zeros((0, len(kinds)), dtype=np.int32)


def _told(kinds: Sequence[Kind], totals: np.ndarray) -> str:
    return ", ".join(f"{total:,} {TOLD[kind][total != 1]}" for kind, total in zip(kinds, totals.tolist(), strict=True) if total)


def _beside(looked: Looked, holding: Mapping[str, int]) -> str:
    others = [f"{name!r} ({rows_word(count)})" for name, count in holding.items() if name not in looked.text_roles]
    return f"; beside the text in {', '.join(others)}" if others else ""


def _locked(looked: Looked, rows: np.ndarray) -> str:
    count = int(looked.locked[rows].sum())
    return f"; {count:,} of them in the test split of the source, from which fix redacts and drop takes nothing" if count else ""


def _reasons(flags: np.ndarray, kinds: Sequence[Kind]) -> list[str]:
    """Why each row may go: the kinds that stand in it, never the values."""
    known = {
        tuple(one): _sentence([kind for kind, there in zip(kinds, one, strict=True) if there]) for one in np.unique(flags, axis=0).tolist()
    }
    return [known[tuple(one)] for one in flags.tolist()]


def _sentence(kinds: Sequence[Kind]) -> str:
    named = [TOLD[kind][0] for kind in kinds]
    return "the row holds " + " and ".join(f"{'an' if name[0] in 'eI' else 'a'} {name}" for name in named)
