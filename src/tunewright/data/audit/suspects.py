"""Which texts are worth a closer look for private values: asked of all of them at once, in Arrow."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.data.audit.credentials import MAYBE_CREDENTIALS, names_credentials
from tunewright.data.audit.private import Kind

_GAP = r"[ .\-/()\x{a0}\x{2010}-\x{2013}]"
_MAYBE: dict[Kind, str] = {
    "email": r"[\w%+'-]@[\pL\pN]|(?i:[\[({] ?at ?[\])}])",
    "phone": rf"\d(?:{_GAP}{{0,3}}\d){{6}}",
    "card": r"\d(?:[ -]?\d){11}",
    "iban": r"(?i:[a-z]{2}\d{2}[ \x{a0}-]?[a-z0-9]{4}[ \x{a0}-]?[a-z0-9]{4})",
    "id": (
        r"\d{3}-\d{2}-\d{4}|(?:\d{8}|[XYZxyz][ -]?\d{7})[ -]?[A-Za-z]|[12](?: ?[\dAB]){14}"
        r"|[A-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D]|\d(?:[ ./-]?\d){8}"
    ),
    "secret": MAYBE_CREDENTIALS,
    "name": r"\pL{2}",
}
"""What a text must hold, as a regular expression of RE2."""
_PHONE_DATES = r"\b(?:(?:19|20)\d\d[-./][01]?\d[-./][0-3]?\d|[0-3]?\d[-./][0-3]?\d[-./](?:19|20)\d\d)"
_PHONE_FORMED = rf"[+(] ?\(?\d|(?:^|\D)0?0[1-9]|\d{_GAP}{{1,3}}\d"
_PHONE_LONG = rf"\d(?:{_GAP}{{0,3}}\d){{8}}|\+ ?\(?\d(?:{_GAP}{{0,3}}\d){{6}}"
_PHONE_SAID = (
    r"(?i)tel|tél|phon|mob|cell|handy|móvil|celular|portable|whatsapp|viber|signal|sms|fax|\bph\b|hotline|helpline|voicemail|ruf|erreich|appel|joi|llam"
    r"|\bbel|chiam|call|ring|dial|te?xt|reach|contact|landline|number|nummer|numéro|número"
)
_ID_FORMED = r"\d{3}-\d{2}-\d{4}|(?:\d{8}|[XYZxyz][ -]?\d{7})[ -]?[A-Za-z]|[12](?: ?[\dAB]){14}|[A-Z]{2} \d\d \d\d \d\d [A-D]"
_ID_SAID = r"(?i)ssn|social|soc|itin|tax|nino|\bni\b|insurance|n\.i|bsn|burger|sofi|citizen|steuer|id-?nr|identifi|\btin"
_NAMES_VALUES = re.compile(
    r"\b(?:phone|telephone|tel|telefon|mobile|mobil|cell|fax|whatsapp|handy|card|pan|ssn|social security|bsn|nino|tax id|steuer\w*)\b",
    re.IGNORECASE,
)


def suspects(texts: pa.Array, kind: Kind, before: str = "") -> np.ndarray:
    """(texts,) bool: the text may hold a value of this kind. No text that holds one is passed over.

    Args:
        texts: strings.
        kind: what is looked for.
        before: what stands before each text, as the name of its column.
    """
    if kind == "secret" and names_credentials(before):
        return np.asarray(pc.is_valid(texts))
    flags = _match(texts, _MAYBE[kind])
    if kind in {"phone", "id"} and not names_values(before) and flags.any():
        some = texts.filter(pa.array(flags))
        flags[flags] = _may_be_phone(some) if kind == "phone" else _match(some, _ID_FORMED) | _match(some, _ID_SAID)
    return flags


def names_values(words: str) -> bool:
    """Whether these words, as the name of a column, announce telephone, card or personal numbers."""
    return bool(_NAMES_VALUES.search(words))


def _may_be_phone(texts: pa.Array) -> np.ndarray:
    """Whether digits are grouped as those of telephone numbers are and as many, or some word speaks of telephones; dates do not count."""
    bare = pc.replace_substring_regex(texts, _PHONE_DATES, "~")
    flags: np.ndarray = (_match(bare, _PHONE_FORMED) & _match(bare, _PHONE_LONG)) | (
        _match(bare, _PHONE_SAID) & _match(bare, _MAYBE["phone"])
    )
    return flags


def _match(texts: pa.Array, pattern: str) -> np.ndarray:
    return np.array(pc.match_substring_regex(texts, pattern).fill_null(False))
