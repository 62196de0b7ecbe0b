"""Values in a text that tell who somebody is, or that open something: where each stands and what it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from tunewright.data.audit import checksums
from tunewright.data.audit.credentials import credentials
from tunewright.data.audit.people import people
from tunewright.data.audit.phones import context, goes_on, phones, says_other

Kind = Literal["email", "phone", "card", "iban", "id", "secret", "name"]
TOLD: dict[Kind, tuple[str, str]] = {
    "email": ("e-mail address", "e-mail addresses"),
    "phone": ("phone number", "phone numbers"),
    "card": ("card number", "card numbers"),
    "iban": ("IBAN", "IBANs"),
    "id": ("personal id number", "personal id numbers"),
    "secret": ("key or password", "keys or passwords"),
    "name": ("name of a person", "names of people"),
}
"""What each kind is called in a message: one, several."""


@dataclass(frozen=True)
class Value:
    """A value and where it stands: characters ``start`` to ``end`` of a text."""

    start: int
    end: int
    kind: Kind


def private_values(text: str, kinds: Sequence[Kind], before: str = "", names: str = "") -> list[Value]:
    """The values of these kinds in a text, ascending, none overlapping; of two that overlap the surer kind is taken.

    Args:
        text: any.
        kinds: what is looked for.
        before: what stands before the text, as the name of its column.
        names: the spaCy pipeline that tells names of people, where the kind ``name`` is asked for.
    """
    found: list[Value] = []
    for kind in (one for one in _SUREST_FIRST if one in kinds):
        for start, end in people(text, names) if kind == "name" else _FINDERS[kind](text, before):
            if not any(start < other.end and other.start < end for other in found):
                found.append(Value(start, end, kind))
    return sorted(found, key=lambda value: value.start)


def same_value(kind: Kind, value: str) -> str:
    """A value without what may differ between two ways to write it: case, blanks, country code."""
    if kind == "email":
        return re.sub(
            r"\s", "", re.sub(r"(?i)\s?[\[({]\s?(at|dot)\s?[\])}]\s?", lambda way: "@" if way[1].lower() == "at" else ".", value)
        ).lower()
    if kind == "phone":
        return re.sub(r"\D", "", re.split(r"(?i)x|ext|dw|durch", value)[0])[-9:]
    return value if kind == "secret" else re.sub(r"[\W_]", "", value).upper()


_LOCAL = re.compile(r"(?<![\w.+%&'/-])(?<!:/)[^\W_](?:[\w.+%&'-]{0,62}[\w+-])?$")
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+(?P<end>[^\W\d_]{2,18}|xn--[a-z0-9-]+)(?![\w@-])")
_SENTENCE_BEHIND = re.compile(r"(?<=[a-z])\.[A-Z][a-z]+$")
_EMAIL_IN_WORDS = re.compile(
    r"(?<![\w.+-])[a-z0-9][\w.+-]{0,62}\s?[\[({]\s?at\s?[\])}]\s?[a-z0-9-]+(?:(?:\.|\s?[\[({]\s?dot\s?[\])}]\s?)[a-z0-9-]+)*"
    r"(?:\.|\s?[\[({]\s?dot\s?[\])}]\s?)[a-z]{2,12}\b",
    re.IGNORECASE,
)
_MAYBE_IN_WORDS = re.compile(r"[\[({]\s?at\s?[\])}]", re.IGNORECASE)
_FILE_END = re.compile(
    r"png|jpe?g|gif|svg|webp|bmp|ico|pdf|docx?|xlsx?|csv|txt|md|json|ya?ml|xml|html?|[jt]s|css|py|java|exe|dll|zip|gz", re.IGNORECASE
)
_LONGEST_LOCAL, _LONGEST_DOMAIN = 64, 255


def _emails(text: str, before: str) -> Iterator[tuple[int, int]]:
    for sign in re.finditer("@", text):
        local = _LOCAL.search(text[max(0, sign.start() - _LONGEST_LOCAL - 2) : sign.start()])
        domain = _DOMAIN.match(text, sign.end(), sign.end() + _LONGEST_DOMAIN) if local else None
        if not local or not domain or _FILE_END.fullmatch(domain["end"]):
            continue
        start, end = sign.start() - len(local[0]), domain.end()
        sentence = _SENTENCE_BEHIND.search(domain[0])
        end -= len(sentence[0]) if sentence and domain[0][: sentence.start()].islower() else 0
        remote = local[0] in {"git", "hg", "svn"} and text[end : end + 1] in {":", "/"}
        in_address = re.search(r"://[^\s/]*$", text[max(0, start - 40) : start])
        if "." in text[sign.end() : end] and not remote and not in_address:
            yield start, end
    if _MAYBE_IN_WORDS.search(text):
        yield from (match.span() for match in _EMAIL_IN_WORDS.finditer(text))


_CARD = re.compile(r"(?<![\w.-])(?=(\d{4}([ -])\d{4}\2\d{4}\2\d{4}(?:\2\d{3})?|\d{4}([ -])\d{6}\3\d{4,5}|\d{12,19})(?!\w)(?![.,-]\d))")


_SAYS_CARD = re.compile(
    r"\b(?:card|visa|master ?card|amex|american express|maestro|kreditkarte\w*|karte\w*|carte|tarjeta|carta|kaart"
    r"|paid (?:with|by)|pay (?:with|by)|charged)\b[^\d]{0,24}$",
    re.IGNORECASE,
)

_USUAL = frozenset({14, 15, 16, 19})
"""Digits of a card number that is taken for one without a word that says so."""


def _cards(text: str, before: str) -> Iterator[tuple[int, int]]:
    for match in _CARD.finditer(text):
        number, grouped, around = match[1], bool(match[2] or match[3]), context(text, match.start(), before)
        digits, said = re.sub(r"\D", "", number), bool(_SAYS_CARD.search(around))
        doubtful = not grouped and (says_other(around) or len(digits) not in _USUAL)
        fits = checksums.luhn(digits) and len(set(digits)) > 1 if said else checksums.is_card(digits) and not doubtful
        if fits and not goes_on(around):
            yield match.start(1), match.end(1)


_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?=[ \u00a0-]?[A-Za-z0-9]{4})")


def _ibans(text: str, before: str) -> Iterator[tuple[int, int]]:
    for match in _IBAN_START.finditer(text):
        length = checksums.IBAN_LENGTHS.get(match[0][:2].upper())
        whole = _iban_of(length).match(text, match.start()) if length else None
        if whole and checksums.is_iban(re.sub(r"[^A-Za-z0-9]", "", whole[0]).upper()):
            yield match.start(), match.start() + len(whole[0].rstrip(" -\u00a0"))


@cache
def _iban_of(length: int) -> re.Pattern[str]:
    return re.compile(rf"(?:[A-Za-z0-9](?:[ \u00a0-]{{1,2}}(?=[A-Za-z0-9]))?){{{length}}}(?![A-Za-z0-9])")


def _said(words: str) -> Callable[[str], bool]:
    says = re.compile(
        rf"(?:^|[^\w])(?:{words})\w{{0,4}}[^\w]{{0,4}}(?:(?:no|nr|num|number|nummer|is|was|lautet|ist|are)\W{{0,4}}){{0,3}}$", re.IGNORECASE
    )
    return lambda around: bool(says.search(around))


_SSN_SAID = _said(r"ssn|social security|social|soc\.? sec\.?|itin|tax ?payer id\w*")
_NINO_SAID = _said(r"nino|ni|national insurance|n\.i\.")
_BSN_SAID = _said(r"bsn|burgerservice\w*|sofi\w*|citizen service")
_TAX_SAID = _said(r"steuer\w*(?:[ -]?id\w*)?|idnr|id-nr|identifikations\w*|tax[ -]?id\w*|tin|steueridentifikations\w*")

_IDS: tuple[tuple[re.Pattern[str], Callable[[str], bool], Callable[[str], bool] | None], ...] = (
    (re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])"), lambda plain: True, None),
    (re.compile(r"(?<![\w.-])(?!000|666|9)\d{3} ?(?!00)\d{2} ?(?!0000)\d{4}(?![\w-])"), lambda plain: True, _SSN_SAID),
    (
        re.compile(r"(?<![\w-])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] \d\d \d\d \d\d [A-D](?![\w-])"),
        lambda plain: True,
        None,
    ),
    (
        re.compile(r"(?<![\w-])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D](?![\w-])"),
        lambda plain: True,
        _NINO_SAID,
    ),
    (re.compile(r"(?<![\w.-])(?:\d{8}|[XYZxyz][ -]?\d{7})[ -]?[A-Za-z](?![\w-])"), checksums.is_dni, None),
    (re.compile(r"(?<![\w.-])[12] ?\d\d ?\d\d ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d(?![\w-])"), checksums.is_nir, None),
    (re.compile(r"(?<![\w.-])\d{3}[ .]?\d{3}[ .]?\d{3}(?![\w-])|(?<![\w.-])\d{4}\.\d{2}\.\d{3}(?![\w-])"), checksums.is_bsn, _BSN_SAID),
    (re.compile(r"(?<![\w.-])\d{2}[ ]?\d{3}[ ]?\d{3}[ ]?\d{3}(?![\w-])"), checksums.is_german_tax_id, _TAX_SAID),
)
"""Form, check digit, and the words that must stand before it where form and check digit alone are too weak: US SSN, UK national insurance,
Spanish DNI and NIE, French NIR, Dutch BSN, German tax id."""


def _ids(text: str, before: str) -> Iterator[tuple[int, int]]:
    for form, fits, said in _IDS:
        for match in form.finditer(text):
            around = context(text, match.start(), before)
            if (said(around) if said else not says_other(around)) and fits(re.sub(r"\W", "", match[0]).upper()):
                yield match.span()


_SUREST_FIRST: tuple[Kind, ...] = ("secret", "iban", "card", "email", "id", "phone", "name")
_FINDERS: dict[Kind, Callable[[str, str], Iterator[tuple[int, int]]]] = {
    "secret": credentials,
    "iban": _ibans,
    "card": _cards,
    "email": _emails,
    "id": _ids,
    "phone": phones,
}
OF_A_FORM: tuple[Kind, ...] = tuple(_FINDERS)
"""The kinds that are known by their form alone, without a pipeline."""
