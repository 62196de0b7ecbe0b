"""Plants faults into clean tickets and writes down each one."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from tunewright.core.chance import generator
from tunewright.core.errors import UserError
from tunewright.demo import phrases
from tunewright.demo.compose import Letter, footer, story
from tunewright.demo.personal import SENTENCES
from tunewright.perturb.typos import typos

OVER_LONG_WORDS = 500


@dataclass(frozen=True)
class Mark:
    """A fault of a ticket, before the tickets have row numbers."""

    kind: str
    detail: str
    other: Ticket | None = None
    before: str | None = None


@dataclass
class Ticket:
    """One ticket on its way into the table."""

    place: float
    """Where it stands among the others: tickets are sorted by this number."""
    when: datetime
    customer: str
    channel: str
    subject: str
    letter: Letter
    queue: str
    """What the ticket is about, in truth."""
    label: str
    """What stands in the file's column ``queue``."""
    priority: str
    marks: list[Mark] = field(default_factory=list)

    def mark(self, kind: str, detail: str, before: str | None = None) -> None:
        self.marks.append(Mark(kind, detail, None, before))


def plant(tickets: list[Ticket], counts: Mapping[str, int], seed: int) -> list[Ticket]:
    """The tickets with so many faults of each kind; copies are new tickets, some places after what they copy.

    Typos and mail footers fall on any ticket. Every other fault takes a ticket of its own, and what was copied stays as it was.

    Args:
        tickets: clean ones; they are changed in place.
        counts: a number for each key of ``KINDS``.

    Raises:
        UserError: too few tickets can carry a kind of fault.
    """
    free, planted = list(tickets), list(tickets)
    for kind, fault in KINDS.items():
        rng = generator(seed, f"demo {kind}")
        chosen = [ticket for ticket in rng.sample(free, len(free)) if fault.fits(ticket)][: counts[kind]]
        if len(chosen) < counts[kind]:
            raise UserError(
                f"only {len(chosen)} tickets can carry the fault {kind}, {counts[kind]} were wanted",
                "",
                "Ask for more rows or fewer faults",
            )
        planted += [copy for ticket in chosen if (copy := fault.apply(ticket, rng)) is not None]
        if fault.exclusive:
            taken = {id(ticket) for ticket in chosen}
            free = [ticket for ticket in free if id(ticket) not in taken]
    return sorted(planted, key=lambda ticket: ticket.place)


def _mistype(ticket: Ticket, rng: random.Random) -> None:
    before = ticket.letter.text
    rate = rng.choice((0.005, 0.01, 0.02))
    while ticket.letter.text == before:
        ticket.letter.main = typos(ticket.letter.main, rng, rate)[0]
    ticket.mark("typo", f"typing mistakes, about {rate:.1%} of the letters", before)


def _add_footer(ticket: Ticket, rng: random.Random) -> None:
    ticket.letter.tail = f"{ticket.letter.tail}\n\n{footer(rng, ticket.when)}".lstrip()
    ticket.letter.glue = ticket.letter.glue.replace(" ", "\n")
    ticket.mark("mail-footer", "the tail of a mail was left in the text")


def _lengthen(ticket: Ticket, rng: random.Random) -> None:
    before = ticket.letter.text
    ticket.letter.main += "\n" + story(rng, ticket.when, OVER_LONG_WORDS + rng.randint(0, 120))
    ticket.mark("over-long", f"{len(ticket.letter.text.split())} words", before)


def _give_away(ticket: Ticket, rng: random.Random) -> None:
    before = ticket.letter.text
    what, make, sentences = rng.choice(SENTENCES)
    value = make(rng)
    ticket.letter.main += " " + rng.choice(sentences).format(value)
    ticket.mark("personal-data", f"{what}: {value}", before)


def _mislabel(ticket: Ticket, rng: random.Random) -> None:
    ticket.label = rng.choice(phrases.CONFUSED[ticket.queue])
    ticket.mark("label-noise", f"{ticket.queue!r} was changed to {ticket.label!r}", ticket.queue)


def _vary_label(ticket: Ticket, rng: random.Random) -> None:
    name = ticket.queue
    ticket.label = rng.choice((name.capitalize(), name.upper(), name + " ", " " + name, phrases.QUEUES[name].misspelt))
    ticket.mark("label-variant", f"{name!r} is written {ticket.label!r}", name)


def _lose_label(ticket: Ticket, rng: random.Random) -> None:
    ticket.label = rng.choice(("", "", "", "", "", "N/A", "none"))
    ticket.mark("missing-label", f"the queue is {ticket.label!r}", ticket.queue)


def _empty(ticket: Ticket, rng: random.Random) -> None:
    before = ticket.letter.text
    ticket.letter = Letter("", rng.choice(("", "", "", " ", "   ", "\n", "\t", "\u00a0")), "", "")
    ticket.mark("empty-text", f"the text is {ticket.letter.text!r}", before)


def _garble(ticket: Ticket, rng: random.Random) -> None:
    before = ticket.letter.text
    ticket.letter.map(garbled)
    ticket.mark("mojibake", "UTF-8 was read as Windows-1252", before)


def garbled(text: str) -> str:
    """UTF-8 read as Windows-1252; the plain apostrophe is first made a curly one, as a phone types it."""
    return text.replace("'", "’").encode().decode("cp1252")


def _tear(ticket: Ticket, rng: random.Random) -> None:
    ticket.mark("ragged-row", f"the commas of the text are not quoted: {ticket.letter.text.count(',')} field(s) too many")


def _copy(ticket: Ticket, rng: random.Random, kind: str, detail: str) -> Ticket:
    """A new ticket with the same words, some sixty places later on average."""
    place = ticket.place + 0.01 + rng.expovariate(1 / 60)
    return replace(ticket, place=place, letter=replace(ticket.letter), marks=[Mark(kind, detail, ticket)])


def _repeat(ticket: Ticket, rng: random.Random) -> Ticket:
    return _copy(ticket, rng, "exact-duplicate", "the same text with the same queue")


def _conflict(ticket: Ticket, rng: random.Random) -> Ticket:
    label = rng.choice(phrases.CONFUSED[ticket.queue])
    copy = _copy(ticket, rng, "conflicting-label", f"the same text is {ticket.label!r} there and {label!r} here")
    copy.label = label
    return copy


_DRESSES: dict[str, Callable[[str], str]] = {
    "in capitals": str.upper,
    "in lower case": str.lower,
    "with wider blanks": lambda text: text.replace(" ", "  "),
    "with other ends of sentences": lambda text: text.replace(". ", "! "),
    "without commas and full stops": lambda text: text.replace(", ", " ").replace(". ", " ").rstrip("."),
}


def _dress(ticket: Ticket, rng: random.Random) -> Ticket:
    names = rng.sample(list(_DRESSES), len(_DRESSES))
    name = next(one for one in names if _DRESSES[one](ticket.letter.main) != ticket.letter.main)
    copy = _copy(ticket, rng, "normalised-duplicate", f"the same text {name}")
    copy.letter.map(_DRESSES[name])
    return copy


def _retell(ticket: Ticket, rng: random.Random) -> Ticket:
    words = ticket.letter.main.split(" ")
    places = [place for place, word in enumerate(words) if word in phrases.SYNONYMS]
    lead = rng.choice(phrases.SECOND_LETTERS) if rng.random() < 0.4 else ""
    changes = [f"{lead!r} was put in front"] if lead else []
    for place in rng.sample(places, 1 if lead else min(len(places), 2)):
        changes.append(f"{words[place]!r} became {phrases.SYNONYMS[words[place]]!r}")
        words[place] = phrases.SYNONYMS[words[place]]
    main = f"{lead} {' '.join(words)}".lstrip()
    copy = _copy(ticket, rng, "near-duplicate", ", ".join(changes))
    copy.letter.main = main
    return copy


def _unmarked(ticket: Ticket) -> bool:
    return not ticket.marks


def _long_mail(ticket: Ticket) -> bool:
    return ticket.channel == "e-mail" and len(ticket.letter.main.split()) >= 30


def _retellable(ticket: Ticket) -> bool:
    words = ticket.letter.main.split(" ")
    return not ticket.marks and len(words) >= 50 and any(word in phrases.SYNONYMS for word in words)


def _garblable(ticket: Ticket) -> bool:
    return garbled(ticket.letter.text) != ticket.letter.text


def _one_line_with_commas(ticket: Ticket) -> bool:
    return "," in ticket.letter.text and not {"\n", '"'} & set(ticket.letter.text)


def _any(ticket: Ticket) -> bool:
    return True


@dataclass(frozen=True)
class _Kind:
    apply: Callable[[Ticket, random.Random], Ticket | None]
    fits: Callable[[Ticket], bool] = _any
    exclusive: bool = True


# What is copied or emptied carries no mark: the copy would carry it unwritten, the empty text would not show it.
KINDS: dict[str, _Kind] = {
    "typo": _Kind(_mistype, exclusive=False),
    "mail-footer": _Kind(_add_footer, _long_mail, exclusive=False),
    "near-duplicate": _Kind(_retell, _retellable),
    "exact-duplicate": _Kind(_repeat, _unmarked),
    "normalised-duplicate": _Kind(_dress, _unmarked),
    "conflicting-label": _Kind(_conflict, _unmarked),
    "ragged-row": _Kind(_tear, _one_line_with_commas),
    "mojibake": _Kind(_garble, _garblable),
    "over-long": _Kind(_lengthen),
    "personal-data": _Kind(_give_away),
    "label-noise": _Kind(_mislabel),
    "label-variant": _Kind(_vary_label),
    "missing-label": _Kind(_lose_label),
    "empty-text": _Kind(_empty, _unmarked),
}
"""The planted kinds, in the order in which they are planted. ``typo`` and ``mail-footer`` are no faults to find, the others are."""

COPIES = ("near-duplicate", "exact-duplicate", "normalised-duplicate", "conflicting-label")
"""The kinds that add a row."""
