"""Telephone numbers in running text: by their country code, by their form, or by the words around them.

Order numbers, dates, amounts and coordinates have as many digits: a bare run of digits is a telephone number only where the text says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tunewright.data.audit import checksums

_CODES = {
    (6, 6): "247 298 299 672 687",
    (6, 7): "597 688 690",
    (6, 8): "386",
    (6, 9): "40 252 355 376 421 508 681 689",
    (6, 10): "27 48 53 64 95 98 685 880",
    (6, 11): "31 352 375 595 852",
    (6, 12): "39 46 61 358 359 381 971",
    (6, 13): "43 49 63 82 598",
    (7, 7): "238 239 246 248 269 291 297 592 673 674 676 677 678 680 683 691 692",
    (7, 8): "241 599 670 675 853 961 965 975",
    (7, 9): "220 231 245 265 354 385 423 967 968",
    (7, 10): "44 84 230 243 254 263 267 353 372 960",
    (7, 11): "501 503 507 679 886 974",
    (7, 12): "62 86 882 972",
    (7, 13): "90",
    (8, 8): ("45 47 216 222 223 226 227 228 232 235 236 253 257 266 350 356 357 370 371 373 374 389 505 509 686 800 808 973 993"),
    (8, 9): "32 36 51 213 224 233 237 250 258 264 268 377 382 387 591 962 963",
    (8, 10): "20 60 378 506 850 855 856 964 970 976",
    (8, 11): "55 57 65 502 504 593 977",
    (8, 12): "81 92 383 883",
    (8, 13): "66 91",
    (9, 9): "33 34 93 94 211 212 218 221 240 242 244 249 251 255 256 260 261 262 351 590 594 596 979 992 994 995 998",
    (9, 10): "380 881 966 996",
    (9, 11): "56",
    (9, 12): "41 420 870",
    (10, 10): "1 52 58 225 229",
    (10, 11): "54",
    (10, 12): "7 30 234",
    (11, 11): "888",
    (12, 12): "878",
}
NATIONAL_DIGITS = {int(code): digits for digits, codes in _CODES.items() for code in codes.split()}
"""Country code -> least and most digits behind it, short codes left out. Source: ITU-T E.164 and the national numbering plans."""

_GAP = r"[ .\-/()\u00a0\u2010-\u2013]"
_BEFORE = r"(?<![\w@#$€£¥₹&=%+])(?<!\d[,.])(?<![^\W\d][/_-])(?<!\d[_-])(?:(?<!\w\.)|(?<=[bhlnx]\.))"
_AFTER = r"(?![\w@])(?![.:-]\d)(?!-\w)"
_EXTENSION = r"(?:,?\s?(?:x|ext\.?|extension|dw|durchwahl)\s?\d{1,6})?"
_INTERNATIONAL = re.compile(
    rf"(?<![\w@#$€£¥₹&=%+])(?<!\d\.)(?<!\w[_-])\(?(?P<lead>\+[ ]?|00[ ]?|011[ -])\(?(?P<rest>[1-9](?:{_GAP}{{0,3}}\d){{6,16}}){_EXTENSION}"
)
_FORMS = tuple(
    re.compile(_BEFORE + form + _EXTENSION + _AFTER, re.IGNORECASE)
    for form in (
        rf"(?:1{_GAP}?)?\((?!19\d\d|20\d\d)0?\d{{2,5}}\)[ -]?\d{{2,8}}(?:[ .\-\u2010-\u2013]\d{{2,5}}){{0,3}}",
        r"(?:1(?P<gap>[.\-]))?\d{3}(?P<sep>[.\-])\d{3}(?P=sep)\d{4}",
        r"(?:1 )?[2-9]\d\d[ ][2-9]\d\d[ \-]\d{4}",
        r"8[ ]\d{3}[ ]\d{3}[ \-]\d\d[ \-]\d\d",
        r"[1-9]\d (?!(?:19|20)\d\d-(?:19|20)\d\d)9?\d{4}-\d{4}",
        r"(?!\d{5}-\d{4}(?!\d))(?:\(?0[1-9]\d{0,4}\)?)(?:[ .\-/\u00a0]{1,3}\d{2,9}){1,5}",
        r"0[1-9]\d{8,9}",
    )
)
_BARE = re.compile(
    rf"{_BEFORE}\(?\d(?:{_GAP}{{0,2}}\d){{6,14}}(?!\w|[.:,-]?\d|@|-\w|\s?(?:[€$£%]|(?:eur|usd|gbp|chf|kr|kg|km|ms|mb|kb)\b))", re.IGNORECASE
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_DATE = re.compile(
    rf"\(?(?:(?:19|20)\d\d[-./ ](?:0?[1-9]|1[0-2])[-./ ]{_DAY}|{_DAY}([-./]){_DAY}\1(?:(?:19|20)\d\d|\d\d(?!\1\d))"
    r"|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{4}|\d{6})?(?: \d{6})?$|(?:19|20)\d\d[-–](?:19|20)?\d\d$)(?!\d)"
)
_DECIMAL = re.compile(r"^-?\d{1,4}\.\d{3,}(?:$|[\s/-])")

_LINK = (
    r"(?:[\s:.,;=#'\"()\[\]–-]|\b(?:no|nr|num|numbers?|nummer|numéro|numero|número|n°|is|are|was|ist|lautet|est|es|é|the|my|our|new|old|direct|work|home|"
    r"office|me|us|him|her|them|mich|uns|moi|nous|back|now|free|at|on|under|via|to|or|and|und|oder|ou|au|al|unter|op|line|landline)\b)"
)
_SAYS_PHONE = re.compile(
    r"(?:\b(?:tel|telephone|telefon\w*|tél|téléphone|teléfono|telefone|telefoon|telefono|phone|phoned|mobile?|mob|mobil\w*|cell|cellphone|handy\w*|handphone|"
    r"móvil|celular|cellulare|portable|whatsapp|viber|signal|sms|fax|ph|hotline|helpline|voicemail|rufnummer|anrufen|ruf\w*|erreich\w*|appelez|appeler|"
    r"joindre|joignable|llámame|llamar|llame|bellen|bel|chiamare|call|calls|called|calling|ring|dial|txt|text|reach|contact|landline)"
    rf"|\b(?:my|our|his|her|their|your|meine|mon|mi|mijn)\s(?:new\s|old\s|direct\s|own\s)?(?:number|nummer|numéro|número)){_LINK}{{0,8}}$",
    re.IGNORECASE,
)
_OTHER = (
    r"order|orders|purchase|invoice|receipt|ref|reference|ticket|tickets|case|track|tracking|parcel|shipment|consignment|id|"
    r"ids|uid|uuid|serial|s/n|version|ver|build|release|revision|commit|hash|isbn|issn|ean|upc|gtin|sku|imei|article|item|"
    r"part|model|batch|lot|account|acct|a/c|sort|routing|customer|client|member|membership|booking|reservation|confirmation|"
    r"transaction|transfer|payment|policy|contract|claim|po|p\.o|po box|job|task|issue|row|rows|record|page|bestell\w*|"
    r"auftrag\w*|rechnung\w*|kunden\w*|vertrag\w*|vorgang\w*|sendung\w*|artikel\w*|konto\w*|commande|facture|dossier|pedido|"
    r"factura|ordine|fattura|factuur\w*|coordinates?|lat|latitude|lon|lng|longitude|gps|position|total|amount|sum|price|cost|"
    r"eur|usd|gbp|chf|postal|zip|plz|pin|code|otp|port|timestamp|epoch|date|barcode|patent|doi|sample|sensor|meter|licence|"
    r"license|vat|vin|number|nummer|numéro|número"
)
_SAYS_OTHER = re.compile(
    rf"(?:\b(?:{_OTHER})"
    r"|\b(?:order|invoice|ticket|tracking|customer|serial|reference|case|parcel|part|model|account|item)[ _-]?(?:no|nr|num|number|id|code))"
    r"(?:[\s:.,=#'\"(\[–-]|\b(?:no|nr|num|number|numbers|nummer|code|id|is|was|are|ist|lautet|est|es|the|of)\b){0,6}$",
    re.IGNORECASE,
)
_SAYS_PHONE_BEHIND = re.compile(
    r"^\s?(?:[(\[]\s?|is\s|ist\s)(?:(?:my|our|the|meine?)\s)?(?:mobile|cell|phone|tel\b|landline|whatsapp|handy|fax|work number)",
    re.IGNORECASE,
)
_GROUP_BEFORE = re.compile(r"(?:[A-Za-z]{2}\d\d|(?<!\d)(?!19|20)\d{4})[ -]$")
_THOUSANDS_BEFORE = re.compile(r"(?<!\d)\d{1,3}[ .]$")
_CLUSTER = re.compile(rf"\d(?:{_GAP}{{0,3}}\d){{6,40}}")
_NEAR = 48
WHOLE, AROUND = 600, 80
"""Characters up to which a text is read as a whole, and characters around digits that are read of a longer one."""


def phones(text: str, before: str = "") -> Iterator[tuple[int, int]]:
    """Where telephone numbers stand: (start, end), ascending, none overlapping.

    Args:
        text: any.
        before: what stands before the text, as the name of its column.
    """
    for start, end in _windows(text):
        for first, last in _phones(text[start:end], "" if start else before):
            yield start + first, start + last


def _windows(text: str) -> Iterator[tuple[int, int]]:
    """The parts of a text that have enough digits, with the words around them; a short text is one part."""
    if len(text) <= WHOLE:
        yield 0, len(text)
        return
    start, end = 0, -1
    for cluster in _CLUSTER.finditer(text):
        if cluster.start() - AROUND > end:
            if end > 0:
                yield start, end
            start = max(0, cluster.start() - AROUND)
        end = cluster.end() + AROUND
    if end > 0:
        yield start, end


def _phones(text: str, before: str) -> list[tuple[int, int]]:
    taken: list[tuple[int, int]] = []
    for start, end in (*_international(text, before), *_formed(text, before), *_bare(text, before)):
        _take(taken, start, end)
    for number in {text[start:end] for start, end in taken}:
        at = text.find(number)
        while at >= 0:
            if not text[at - 1 : at].isalnum() and not text[at + len(number) : at + len(number) + 1].isalnum():
                _take(taken, at, at + len(number))
            at = text.find(number, at + len(number))
    return sorted(taken)


def _take(taken: list[tuple[int, int]], start: int, end: int) -> None:
    if not any(start < other_end and other_start < end for other_start, other_end in taken):
        taken.append((start, end))


def says_other(before: str) -> bool:
    """Whether the words before a number say that it counts orders, tickets or anything else that is nobody's."""
    return bool(_SAYS_OTHER.search(before)) and not _SAYS_PHONE.search(before)


def goes_on(before: str, number: str = "") -> bool:
    """Whether a group of digits such as those of cards, accounts and large amounts stands before a number, so that this is a part of it."""
    amount = re.fullmatch(r"\d{3}(?:[ .]\d{3})+", number) and _THOUSANDS_BEFORE.search(before)
    return bool(amount or _GROUP_BEFORE.search(before))


def context(text: str, start: int, before: str = "") -> str:
    """The words before a place in a text."""
    near = text[max(0, start - _NEAR) : start]
    return f"{before}: {near}" if before and start < _NEAR else near


def _international(text: str, before: str) -> Iterator[tuple[int, int]]:
    for match in _INTERNATIONAL.finditer(text):
        rest, lead = match["rest"], match["lead"].strip()
        ends = [run.end() for run in re.finditer(r"\d+", rest)]
        for end in reversed(ends):
            behind = text[match.start("rest") + end :]
            digits = re.sub(r"\D", "", rest[:end].replace("(0)", ""))
            whole = end == ends[-1]
            if (
                _country_fits(digits)
                and (lead == "+" or _dialled(digits, rest))
                and not re.match(r"[^\W\d]|[.,]\d", behind if not whole else text[match.end() :])
            ):
                around = context(text, match.start(), before)
                if lead == "+" or not (says_other(around) or goes_on(around)):
                    yield match.start(), match.end() if whole else match.start("rest") + end
                break


def _dialled(digits: str, rest: str) -> bool:
    """Whether digits behind 00 are as many as whole numbers have, and no product's."""
    return len(digits) >= 10 and not (rest.isdigit() and checksums.is_ean(f"00{digits}"))


def _country_fits(digits: str) -> bool:
    """Whether a known country code begins this, with as many digits behind it as numbers have there."""
    for length in (1, 2, 3):
        least, most = NATIONAL_DIGITS.get(int(digits[:length]), (99, 0))
        behind = len(digits) - length
        trunk = digits[length : length + 1] == "0"
        if least <= behind <= most or (trunk and least <= behind - 1 <= most):
            return True
    return False


def _formed(text: str, before: str) -> Iterator[tuple[int, int]]:
    """Numbers whose groups tell what they are: an area code in brackets, 3-3-4, a leading zero."""
    for form in _FORMS:
        for match in form.finditer(text):
            digits = sum(map(str.isdigit, match[0]))
            around = context(text, match.start(), before)
            if 9 <= digits <= 18 and not _is_other(match[0]) and not says_other(around) and not goes_on(around, match[0]):
                yield match.span()


def _bare(text: str, before: str) -> Iterator[tuple[int, int]]:
    """Runs of digits that the words around them call telephone numbers."""
    for match in _BARE.finditer(text):
        around = context(text, match.start(), before)
        if not _is_other(match[0]) and (
            _SAYS_PHONE.search(around) or (_SAYS_PHONE_BEHIND.match(text[match.end() : match.end() + _NEAR]) and not says_other(around))
        ):
            yield match.span()


def _is_other(number: str) -> bool:
    """Whether it reads as a date or a decimal fraction, or repeats one digit."""
    return bool(_DATE.match(number) or _DECIMAL.search(number)) or len(set(re.sub(r"\D", "", number))) == 1
