"""Personal data that look real and belong to nobody: reserved mail domains, numbers set aside for films, test cards, an invented bank."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable

from tunewright.demo.phrases import FIRST_NAMES, LAST_NAMES


def email(rng: random.Random) -> str:
    """An address under a domain that is reserved for documentation. Source: RFC 2606, section 3."""
    name = f"{rng.choice(FIRST_NAMES)}.{rng.choice(LAST_NAMES)}".lower().replace("’", "").replace("ø", "o")
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return f"{plain}{rng.choice(('', str(rng.randint(2, 99))))}@example.{rng.choice(('com', 'org', 'net'))}"


def phone(rng: random.Random) -> str:
    """A British number that Ofcom keeps for drama: 07700 900000 to 900999 or 020 7946 0000 to 0999."""
    last = f"{rng.randint(0, 999):03}"
    return rng.choice((f"07700 900{last}", f"+44 7700 900{last}", f"020 7946 0{last}", f"+44 20 7946 0{last}"))


def card(rng: random.Random) -> str:
    """A 16-digit card number in the range that payment services use for tests, 400000, with a valid check digit."""
    digits = "400000" + "".join(rng.choices("0123456789", k=9))
    digits += luhn_digit(digits)
    return rng.choice((" ", "-", "")).join(digits[start : start + 4] for start in range(0, 16, 4))


def luhn_digit(digits: str) -> str:
    """The digit that makes a card number valid when put at its end. Source: ISO/IEC 7812-1, annex B.

    >>> luhn_digit("7992739871")
    '3'
    """
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits))]
    return str(-sum(number // 10 + number % 10 for number in doubled) % 10)


def iban(rng: random.Random) -> str:
    """A British IBAN at the bank "WEST", which does not exist, with valid check digits. Source: ISO 13616-1."""
    account = "WEST" + "".join(rng.choices("0123456789", k=14))
    as_number = "".join(str(int(letter, 36)) for letter in account + "GB00")
    whole = f"GB{98 - int(as_number) % 97:02}{account}"
    return " ".join(whole[start : start + 4] for start in range(0, len(whole), 4))


SENTENCES: tuple[tuple[str, Callable[[random.Random], str], tuple[str, ...]], ...] = (
    ("e-mail address", email, ("You can reach me at {}.", "Please answer to {}.", "My other address is {}.", "The account runs under {}.")),
    ("phone number", phone, ("My number is {}.", "Please call {} after six.", "You can ring me on {}.", "Mobile: {}.")),
    ("card number", card, ("The card is {}.", "I paid with {}.", "Card number {}, if you need it.")),
    ("IBAN", iban, ("My IBAN is {}.", "Please send the money to {}.", "Bank details: {}.")),
)
"""What a customer gives away: the kind, how it is made, and the sentences that hold it."""
