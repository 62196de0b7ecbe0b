"""Check digits: what tells a card number, a bank account or a personal number from any other run of digits."""

from __future__ import annotations

CARD_LENGTHS: tuple[tuple[range, int, tuple[int, ...]], ...] = (
    (range(4, 5), 1, (13, 16, 19)),
    (range(51, 56), 2, (16,)),
    (range(2221, 2721), 4, (16,)),
    (range(34, 35), 2, (15,)),
    (range(37, 38), 2, (15,)),
    (range(36, 37), 2, (14,)),
    (range(38, 40), 2, (14,)),
    (range(300, 306), 3, (14,)),
    (range(3528, 3590), 4, (16,)),
    (range(1800, 1801), 4, (15,)),
    (range(2131, 2132), 4, (15,)),
    (range(6011, 6012), 4, (16, 17, 18, 19)),
    (range(644, 660), 3, (16, 17, 18, 19)),
    (range(62, 63), 2, (16, 17, 18, 19)),
    *((range(first, first + 1), 4, tuple(range(12, 20))) for first in (5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763)),
)
"""First digits of the big card schemes, how many of them count, and how long their numbers are. Source: ISO/IEC 7812, issuer ranges."""

_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH BY CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
IBAN_LENGTHS = {country: length for length, countries in _COUNTRIES.items() for country in countries.split()}
"""Country -> characters of its IBANs. Source: the IBAN registry of SWIFT (ISO 13616)."""

_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def is_card(digits: str) -> bool:
    """Whether these digits begin as a payment card does, are as many, and end in the right check digit.

    >>> is_card("4000001234567899"), is_card("4000001234567890")
    (True, False)
    """
    known = any(len(digits) in lengths and int(digits[:count]) in first for first, count, lengths in CARD_LENGTHS)
    return known and luhn(digits) and len(set(digits)) > 1


def luhn(digits: str) -> bool:
    """Whether the last digit fits the others. Source: ISO/IEC 7812-1, annex B."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0


def is_ean(digits: str) -> bool:
    """Whether these 13 digits are the number of a product. Source: ISO/IEC 15420, annex A."""
    return len(digits) == 13 and sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0


def is_iban(plain: str) -> bool:
    """Whether this is an IBAN: a country, the length that it has there, and check digits that fit. Source: ISO 13616-1, ISO 7064 mod 97-10.

    Args:
        plain: letters and digits alone, in capitals.
    """
    if len(plain) != IBAN_LENGTHS.get(plain[:2], 0) or not plain[2:4].isdigit():
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def is_dni(plain: str) -> bool:
    """Whether this is a Spanish DNI or NIE: digits and the letter that they ask for. Source: Real Decreto 1553/2005, annex."""
    digits = plain[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return digits.isdigit() and len(set(digits)) > 2 and _DNI_LETTERS[int(digits) % 23] == plain[-1]


def is_nir(plain: str) -> bool:
    """Whether this is a French social security number of 15 characters, key included. Source: décret 91-1404, article 4."""
    body = plain[:13].replace("2A", "19").replace("2B", "18")
    month = plain[3:5]
    return body.isdigit() and plain[0] in "12" and ("01" <= month <= "12" or month >= "20") and int(plain[13:]) == 97 - int(body) % 97


def is_bsn(digits: str) -> bool:
    """Whether this is a Dutch citizen service number of 9 digits. Source: Regeling aanwijzing BSN, the eleven test."""
    weighed = sum(int(digit) * weight for digit, weight in zip(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True))
    return weighed % 11 == 0 and int(digits) > 0


def is_german_tax_id(digits: str) -> bool:
    """Whether this is a German tax id of 11 digits. Source: § 139b AO; ISO 7064 mod 11,10.

    Of the first ten digits one stands two or three times, and no other twice.
    """
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    often = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    return digits[0] != "0" and (11 - product) % 10 == int(digits[10]) and often[-1] in (2, 3) and often[:-1] == [1] * (len(often) - 1)
