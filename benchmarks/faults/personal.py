"""Personal data and secrets that look real and belong to nobody, and decoys that look a little like them."""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from collections.abc import Callable, Mapping

from benchmarks.faults.planting import Planting
from benchmarks.faults.texts import wordy

FIRST = ("anna", "liam", "chloe", "omar", "yuki", "pavel", "ines", "noah", "mei", "jonas", "fatima", "ravi")
LAST = ("meyer", "okafor", "silva", "novak", "tanaka", "larsen", "rossi", "garcia", "dubois", "khan", "walsh", "kim")
HEX, ALNUM, URL_SAFE = "0123456789abcdef", string.ascii_letters + string.digits, string.ascii_letters + string.digits + "-_"


def _digits(rng: random.Random, number: int) -> str:
    return "".join(rng.choices(string.digits, k=number))


def email(rng: random.Random) -> tuple[str, str]:
    """An address under a domain that is reserved for documentation. Source: RFC 2606."""
    first, last = rng.choice(FIRST), rng.choice(LAST)
    name = rng.choice((f"{first}.{last}", f"{first[0]}{last}{rng.randint(1, 99)}", f"{first}_{last}", f"{first}+shop", f"{first}-{last}"))
    host = rng.choice(("example.com", "example.org", "mail.example.net", "post.example.co.uk", "example.io"))
    return rng.choice((("plain", f"{name}@{host}"), ("capitals", f"{name}@{host}".title()), ("in brackets", f"<{name}@{host}>"),
                       ("mailto", f"mailto:{name}@{host}")))  # fmt: skip


def phone(rng: random.Random) -> tuple[str, str]:
    """A number in one of the ways in which people of some countries write theirs."""
    area, three, four = rng.randint(201, 989), rng.randint(200, 999), _digits(rng, 4)
    last = f"{rng.randint(0, 999):03}"
    ways = {
        "US (212) 555-0123": f"({area}) {three}-{four}",
        "US 212-555-0123": f"{area}-{three}-{four}",
        "US 212.555.0123": f"{area}.{three}.{four}",
        "US +1 212 555 0123": f"+1 {area} {three} {four}",
        "US +12125550123": f"+1{area}{three}{four}",
        "UK 07700 900123": f"07700 900{last}",
        "UK +44 7700 900123": f"+44 7700 900{last}",
        "UK 020 7946 0123": f"020 7946 0{last}",
        "DE +49 30 901820": f"+49 30 {rng.randint(20, 99)} {_digits(rng, 2)} {_digits(rng, 2)} {_digits(rng, 2)}",
        "DE 030/901820": f"030/{rng.randint(20, 99)}{_digits(rng, 6)}",
        "DE 0171 1234567": f"0171 {rng.randint(2, 9)}{_digits(rng, 6)}",
        "FR 06 12 34 56 78": f"06 {rng.randint(10, 79)} {_digits(rng, 2)} {_digits(rng, 2)} {_digits(rng, 2)}",
        "FR +33 6 12 34 56 78": f"+33 6 {rng.randint(10, 79)} {_digits(rng, 2)} {_digits(rng, 2)} {_digits(rng, 2)}",
        "00 49 30 901820": f"0049 30 {rng.randint(20, 99)}{_digits(rng, 6)}",
    }
    return rng.choice(list(ways.items()))


def card(rng: random.Random) -> tuple[str, str]:
    """A card number with a right check digit. Source: ISO/IEC 7812-1, annex B."""
    make, head, size, parts = rng.choice((("Visa", "4", 16, (4, 4, 4, 4)), ("Mastercard", str(rng.randint(51, 55)), 16, (4, 4, 4, 4)),
                                          ("Amex", "37", 15, (4, 6, 5))))  # fmt: skip
    digits = head + _digits(rng, size - 1 - len(head))
    return make, _parted(digits + luhn_digit(digits), parts, rng.choice((" ", "-", "")))


def luhn_digit(digits: str) -> str:
    """The digit that makes a number right when put at its end.

    >>> luhn_digit("7992739871")
    '3'
    """
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits))]
    return str(-sum(number // 10 + number % 10 for number in doubled) % 10)


def _parted(digits: str, sizes: tuple[int, ...], glue: str) -> str:
    parts, at = [], 0
    for size in sizes:
        parts.append(digits[at : at + size])
        at += size
    return glue.join(parts)


def iban(rng: random.Random) -> tuple[str, str]:
    """An account number with right check digits. Source: ISO 13616-1."""
    country, bank, more = rng.choice(
        (("DE", "", 18), ("GB", "WEST", 14), ("FR", "", 23), ("NL", "TEST", 10), ("ES", "", 20), ("AT", "", 16), ("CH", "", 17))
    )
    account = bank + _digits(rng, more)
    whole = f"{country}{iban_check(country, account):02}{account}"
    if rng.random() < 0.5:
        return country, whole
    return country, " ".join(whole[start : start + 4] for start in range(0, len(whole), 4))


def iban_check(country: str, account: str) -> int:
    """The two check digits.

    >>> iban_check("GB", "WEST12345698765432")
    82
    """
    return 98 - int("".join(str(int(letter, 36)) for letter in f"{account}{country}00")) % 97


def key(rng: random.Random) -> tuple[str, str]:
    """An access key of a well-known service, by the prefix that it gives its keys."""
    token = base64.urlsafe_b64encode(json.dumps({"sub": _digits(rng, 10), "name": rng.choice(FIRST)}).encode()).decode().rstrip("=")
    ways = {
        "AWS": "AKIA" + "".join(rng.choices(string.ascii_uppercase + "234567", k=16)),
        "GitHub": "ghp_" + "".join(rng.choices(ALNUM, k=36)),
        "GitLab": "glpat-" + "".join(rng.choices(URL_SAFE, k=20)),
        "OpenAI": "sk-proj-" + "".join(rng.choices(ALNUM, k=48)),
        "Stripe": "sk_live_" + "".join(rng.choices(ALNUM, k=24)),
        "Slack": f"xoxb-{_digits(rng, 11)}-{_digits(rng, 11)}-" + "".join(rng.choices(ALNUM, k=24)),
        "Google": "AIza" + "".join(rng.choices(URL_SAFE, k=35)),
        "Hugging Face": "hf_" + "".join(rng.choices(string.ascii_letters, k=34)),
        "web token": f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{token}." + "".join(rng.choices(URL_SAFE, k=43)),
        "private key": "-----BEGIN PRIVATE KEY----- MII" + "".join(rng.choices(ALNUM, k=80)) + " -----END PRIVATE KEY-----",
        "assignment": f'api_key = "{"".join(rng.choices(ALNUM, k=32))}"',
    }
    return rng.choice(list(ways.items()))


def _wrong_card(rng: random.Random) -> str:
    digits = f"4{_digits(rng, 14)}"
    wrong = str((int(luhn_digit(digits)) + rng.randint(1, 9)) % 10)
    return _parted(digits + wrong, (4, 4, 4, 4), rng.choice((" ", "-", "")))


def _wrong_iban(rng: random.Random) -> str:
    account = _digits(rng, 18)
    return f"DE{(iban_check('DE', account) + rng.randint(1, 90)) % 97:02}{account}"


DECOYS: Mapping[str, Callable[[random.Random], str]] = {
    "number of 16 digits, check digit wrong": lambda rng: f"The order is {_wrong_card(rng)}.",
    "IBAN, check digits wrong": lambda rng: f"It says {_wrong_iban(rng)}.",
    "date and time": lambda rng: (
        f"It was on 20{rng.randint(10, 25)}-0{rng.randint(1, 9)}-{rng.randint(10, 28)} {rng.randint(10, 23)}:{rng.randint(10, 59)}."
    ),
    "date": lambda rng: f"Since {rng.randint(1, 28):02}.{rng.randint(1, 12):02}.20{rng.randint(10, 25)}.",
    "years": lambda rng: f"In {rng.randint(1980, 1999)}-{rng.randint(2000, 2024)}.",
    "money": lambda rng: f"It cost ${rng.randint(1, 9)},{rng.randint(100, 999)},{rng.randint(100, 999)}.{rng.randint(10, 99)}.",
    "version": lambda rng: f"On version {rng.randint(1, 9)}.{rng.randint(0, 20)}.{rng.randint(0, 20)}.{rng.randint(1000, 9999)}.",
    "handle": lambda rng: f"Thanks @{rng.choice(FIRST)}_{rng.choice(LAST)}!",
    "at sign": lambda rng: f"We sold {rng.randint(2, 90)} @ {rng.randint(2, 90)} each.",
    "parcel": lambda rng: f"Parcel 1Z999AA1{_digits(rng, 10)}.",
    "order": lambda rng: f"Order number {rng.randint(100_000, 999_999)}.",
    "ticket": lambda rng: f"Ticket INC{_digits(rng, 7)}.",
    "book": lambda rng: "The book is ISBN 978-3-16-148410-0.",
    "identifier": lambda rng: f"Session {uuid.UUID(int=rng.getrandbits(128), version=4)}.",
    "commit": lambda rng: f"Fixed in {''.join(rng.choices(HEX, k=40))}.",
    "place": lambda rng: f"At {rng.randint(10, 60)}.{_digits(rng, 4)}, {rng.randint(10, 60)}.{_digits(rng, 4)}.",
    "score": lambda rng: f"They won {rng.randint(1, 9)}-{rng.randint(0, 9)}, {rng.randint(1, 9)}-{rng.randint(0, 9)}.",
    "flight": lambda rng: f"Flight LH {rng.randint(1000, 9999)}, seat {rng.randint(1, 40)}A.",
    "share": lambda rng: f"Up {rng.randint(1, 99)}.{rng.randint(1, 99)} % to {rng.randint(1000, 99_999)} points.",
    "package": lambda rng: rng.choice(
        ("Install sk-learn and hf_transfer.", "Set sk_test_mode to true.", "Ask for an api key: see the manual.")
    ),
    "short number": lambda rng: f"Text {rng.randint(60_000, 89_999)} to join.",
}

SENTENCES: Mapping[str, tuple[str, ...]] = {
    "e-mail": ("You can reach me at {}.", "Please answer to {} today", "My address: {}"),
    "phone": ("My number is {}.", "Please call {} after six.", "tel {}", "Phone: {}, thanks."),
    "card": ("The card is {}.", "I paid with {} yesterday.", "card no {}"),
    "iban": ("My IBAN is {}.", "Please send the money to {}.", "account {} please"),
    "key": ("I used {} for it.", "The token is {}.", "{}"),
}
MAKERS: Mapping[str, Callable[[random.Random], tuple[str, str]]] = {"e-mail": email, "phone": phone, "card": card, "iban": iban, "key": key}


def given_away(what: str) -> Callable[[Planting, int], None]:
    """Plants one kind of personal data or secret at either end of a text of words alone."""

    def plant(planting: Planting, number: int) -> None:
        for row in planting.take(number, wordy):
            variant, value = MAKERS[what](planting.rng)
            before, sentence = row.text, planting.rng.choice(SENTENCES[what]).format(value)
            row.text = f"{sentence} {row.text}" if planting.rng.random() < 0.3 else f"{row.text} {sentence}"
            planting.mark(what, [row], variant, value, before)

    return plant


def decoys(planting: Planting, number: int) -> None:
    """Numbers, names and codes that are no personal data and no secret."""
    for at, row in enumerate(planting.take(number, wordy)):
        what = list(DECOYS)[at % len(DECOYS)]
        before, row.text = row.text, f"{row.text} {DECOYS[what](planting.rng)}"
        planting.mark("not-personal", [row], what, before=before)
