"""A table of support tickets as a help desk would export it, with known faults."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from tunewright.core.chance import generator
from tunewright.core.config import Config
from tunewright.core.folder import write_bytes, write_json
from tunewright.demo.compose import compose
from tunewright.demo.distinct import Distinct
from tunewright.demo.phrases import QUEUES
from tunewright.demo.plant import COPIES, KINDS, Ticket, plant

COLUMNS = ("ticket_id", "created", "customer", "channel", "subject", "body", "queue", "priority")

_CHANNELS = {"e-mail": 45, "web form": 30, "chat": 18, "phone": 7}
_PRIORITIES = {"low": 15, "normal": 62, "high": 18, "urgent": 5}
_FIRST_DAY, _DAYS = datetime(2026, 1, 5, 6), 200
_MOST_ALIKE = 0.6

Share = Annotated[float, Field(ge=0, le=0.5)]


@dataclass(frozen=True)
class Fault:
    """One planted fault."""

    kind: str
    """A rule's name where a rule can find it, else ``typo`` or ``mail-footer``."""
    row: int
    """The row's number in the file's data, from 0; ragged lines count."""
    detail: str
    other_row: int | None = None
    """The row that this one copies."""
    before: str | None = None
    """The text or the queue as it was without the fault; None where nothing was changed or the other row shows it."""


@dataclass(frozen=True)
class Planted:
    """The rows in file order, and what was planted in them."""

    rows: list[dict[str, str]]
    faults: list[Fault]


class Tickets(Config):
    """Makes support tickets over eight queues, with faults; each share is named after the fault, and is a share of ``rows`` in [0, 0.5]."""

    rows: int = Field(3000, ge=100, le=10_000)
    """How many rows the file has, copies and ragged lines included."""
    seed: int = Field(0, ge=0)
    typo: Share = 0.25
    """Rows with typing mistakes: natural, not a fault to find."""
    mail_footer: Share = 0.06
    """Rows that end in a quoted mail or a notice: natural as well."""
    exact_duplicate: Share = 0.02
    normalised_duplicate: Share = 0.01
    near_duplicate: Share = 0.015
    conflicting_label: Share = 0.008
    label_noise: Share = 0.03
    label_variant: Share = 0.012
    missing_label: Share = 0.008
    empty_text: Share = 0.006
    mojibake: Share = 0.01
    personal_data: Share = 0.02
    over_long: Share = 0.004
    ragged_row: Share = 0.002

    @model_validator(mode="after")
    def _room_for_all(self) -> Self:
        counts = self.counts()
        used = sum(number for kind, number in counts.items() if KINDS[kind].exclusive) + sum(counts[kind] for kind in COPIES)
        if used > 0.7 * self.rows:
            raise ValueError(f"the faults take {used} of {self.rows} rows (a copy takes two); leave at least 30 % of the rows clean")
        return self

    def counts(self) -> dict[str, int]:
        """How many rows get each kind of fault."""
        return {kind: round(getattr(self, kind.replace("-", "_")) * self.rows) for kind in KINDS}

    def generate(self) -> Planted:
        """Make the rows and say what was planted; the same settings always give the same rows.

        Raises:
            UserError: too few rows can carry a kind of fault.
        """
        counts = self.counts()
        clean = self._clean(self.rows - sum(counts[kind] for kind in COPIES))
        tickets = plant(clean, counts, self.seed)
        row_of = {id(ticket): row for row, ticket in enumerate(tickets)}
        faults = [
            Fault(mark.kind, row, mark.detail, row_of[id(mark.other)] if mark.other else None, mark.before)
            for row, ticket in enumerate(tickets)
            for mark in ticket.marks
        ]
        return Planted(self._rows(tickets), faults)

    def write(self, folder: Path) -> Path:
        """Write ``tickets.csv`` as a spreadsheet does (UTF-8 with its mark, commas, CRLF) and ``planted.json`` beside it.

        Returns:
            The path of the CSV file. ``planted.json`` holds for each kind a list of its faults, in row order.

        Raises:
            UserError: the folder cannot be written.
        """
        planted = self.generate()
        by_kind: dict[str, list[dict[str, object]]] = defaultdict(list)
        for fault in planted.faults:
            entry = {name: value for name, value in asdict(fault).items() if value is not None}
            by_kind[entry.pop("kind")].append(entry)
        path = write_bytes(folder / "tickets.csv", _csv(planted).encode("utf-8-sig"))
        write_json(folder / "planted.json", by_kind)
        return path

    def _clean(self, number: int) -> list[Ticket]:
        rng = generator(self.seed, "demo tickets")
        distinct = Distinct(_MOST_ALIKE)
        queues = rng.choices(list(QUEUES), [queue.weight for queue in QUEUES.values()], k=number)
        return [self._one(rng, distinct, place, queue) for place, queue in enumerate(queues)]

    def _one(self, rng: random.Random, distinct: Distinct, place: int, queue: str) -> Ticket:
        when = _FIRST_DAY + timedelta(days=place / self.rows * _DAYS)
        channel, priority = _drawn(rng, _CHANNELS), _drawn(rng, _PRIORITIES)
        customer = f"C-{10_000 + rng.randrange(self.rows * 2)}"
        subject, letter = compose(rng, queue, channel, when)
        while not distinct.admit(letter.text):
            subject, letter = compose(rng, queue, channel, when)
        return Ticket(place, when, customer, channel, subject, letter, queue, queue, priority)

    def _rows(self, tickets: list[Ticket]) -> list[dict[str, str]]:
        rng = generator(self.seed, "demo export")
        moments = sorted(
            _FIRST_DAY + timedelta(days=rng.randrange(_DAYS), minutes=int(rng.triangular(0, 17 * 60, 5 * 60))) for _ in tickets
        )
        number = 48_000
        rows = []
        for ticket, moment in zip(tickets, moments, strict=True):
            number += rng.randint(1, 4)
            values = (
                f"T-{number}",
                f"{moment:%Y-%m-%d %H:%M}",
                ticket.customer,
                ticket.channel,
                ticket.subject,
                ticket.letter.text,
                ticket.label,
                ticket.priority,
            )
            rows.append(dict(zip(COLUMNS, values, strict=True)))
        return rows


def _drawn(rng: random.Random, weights: dict[str, int]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def _csv(planted: Planted) -> str:
    torn = {fault.row for fault in planted.faults if fault.kind == "ragged-row"}
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for number, row in enumerate(planted.rows):
        if number in torn:
            text.write(",".join(row.values()) + "\r\n")
        else:
            writer.writerow(row)
    return text.getvalue()
