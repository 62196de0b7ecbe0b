"""Keys, tokens and passwords: by the form that their makers give them, or by the words before them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

MAYBE_CREDENTIALS = (
    r"AKIA|ASIA|gh[oprsu]_|github_pat_|glpat-|xox[abeoprs]-|hooks\.slack\.com|[rs]k_(?:live|test)_|whsec_|AIza|ya29\.|sk-|hf_|npm_|pypi-|SG\.|eyJ|AccountKey="
    r"|PRIVATE KEY|dop_v1_|shpat_|\d:AA|://[^\s/@]+:[^\s/@]+@"
    r"|(?i:key|token|secret|passw(?:or)?d|passwort|pwd|credentials?|bearer|basic)[\"'\]]?\s*(?:[:=]|=>|is\b)|(?i:bearer|basic)\s+\S{16}"
)
"""What a text must hold, as a regular expression of Arrow (RE2), before it is worth a closer look."""
_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA)[A-Z0-9]{16}|gh[oprsu]_[A-Za-z0-9]{30,}|github_pat_\w{22,}|glpat-[\w-]{20,}|xox[abeoprs]-[A-Za-z0-9-]{10,}"
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9]{16,}|AIza[\w-]{35}|ya29\.[\w-]{20,}|sk-(?:proj-|ant-|svcacct-|or-)?[\w-]{20,}|hf_[A-Za-z0-9]{30,}"
    r"|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}|SG\.[\w-]{16,}\.[\w-]{16,}|dop_v1_[a-f0-9]{64}|shpat_[a-fA-F0-9]{32}|\d{8,10}:AA[\w-]{33}"
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,})(?![A-Za-z0-9])"
)
_HOOK = re.compile(r"hooks\.slack\.com/(?:services|workflows)/(?P<value>[\w/]{20,})")
_PEM = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:[\s\S]{0,9000}?-----END [A-Z0-9 ]+-----|(?:\s*[A-Za-z0-9+/=]{16,})*)"
)
_IN_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s/@:]{1,64}:(?P<value>[^\s/@]{1,200})@", re.IGNORECASE)
_NAMES = (
    r"api[ _-]?key|access[ _-]?key|account[ _-]?key|secret[ _-]?key|private[ _-]?key|auth[ _-]?key|key|token|secret|passw(?:or)?d|passwort"
    r"|mot de passe|contraseña|pwd|credentials?"
)
_GIVEN = re.compile(
    rf"(?P<name>{_NAMES})[\"'\]]?\s{{0,2}}(?::=|=>|[:=]|\bis\b:?|\blautet\b)\s{{0,2}}[\"'`]?(?P<value>[^\s\"'`,;<>]{{8,}})",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(?:bearer|basic)\s+(?P<value>[\w.~+/=-]{16,})", re.IGNORECASE)
_STAND_IN = re.compile(
    r"(?i)^(?:x{4,}|\*{3,}|\.{3,}|your|my[_-]|example|changeme|placeholder|redacted|null|none|undefined|true|false|\$|%|\{|\[|https?:|www\.)|\*{4}|\.{3}"
)


def credentials(text: str, before: str = "") -> Iterator[tuple[int, int]]:
    """Where keys, tokens, passwords and private keys stand: (start, end).

    Args:
        text: any.
        before: what stands before the text, as the name of its column.
    """
    yield from (match.span() for pattern in (_PEM, _KEYS) for match in pattern.finditer(text))
    yield from (
        match.span("value") for pattern in (_HOOK, _IN_ADDRESS) for match in pattern.finditer(text) if not _STAND_IN.search(match["value"])
    )
    given = f"{before}: " if before else ""
    for pattern in (_GIVEN, _BEARER):
        for match in pattern.finditer(given + text):
            value = match["value"].rstrip(".!?)]}")
            start = match.start("value") - len(given)
            if start >= 0 and _looks_made(value, match.groupdict().get("name", "")):
                yield start, start + len(value)


def names_credentials(words: str) -> bool:
    """Whether these words, as the name of a column, announce keys or passwords."""
    return bool(re.search(rf"(?i)\b(?:{_NAMES})s?$", words))


def _looks_made(value: str, name: str) -> bool:
    """Whether a value is no word: letters and digits mixed, without much order; of a password, any digit among letters is enough."""
    if _STAND_IN.search(value) or not re.search(r"\d", value) or not re.search(r"[A-Za-z]", value):
        return False
    if re.search(r"(?i)pass|pwd|mot de|contra", name):
        return not re.fullmatch(r"\d[\d./:-]*[a-z]{0,3}", value, re.IGNORECASE)
    return len(value) >= 12 and entropy(value) >= 3.0 and len(re.findall(r"[a-z]+|[A-Z]+|\d+", value)) >= 5


def entropy(value: str) -> float:
    """Shannon entropy of the characters of a value, in bits a character.

    >>> entropy("aaaa"), entropy("abcd")
    (-0.0, 2.0)
    """
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())
