"""Texts that say nothing: markup, addresses and standing phrases, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tunewright.data.audit.base import Hit, Looked, Rule, rows_word
from tunewright.data.audit.pieces import flags_of

_PHRASES = (
    r"sent from my [^\n.!?]{2,40}|von meinem [^\n.!?]{2,30} gesendet|get outlook for (?:ios|android)"
    r"|this is an automated (?:message|e-?mail|reply|response)"
    r"|please do not reply to this (?:message|e-?mail)|view (?:this (?:e-?mail|message) )?in (?:your )?browser"
    r"|to unsubscribe,? click[^\n]{0,80}"
    r"|no (?:text|content|subject|message|body)|message deleted|this message was deleted|see attached|see attachment"
)
_MARKUP = (
    r"(?:<(?:script|style)\b[^>]*>(?s:.*?)</(?:script|style)>|<!--(?s:.*?)-->|</?[a-zA-Z!?][^<>]*>|&(?:[a-z]{2,8}|#(?:160|34|38|39|60|62|x?a0|8203));"
    r"|(?:https?|ftp)://[^\s<>]+|www\.[^\s<>]+|[\w.+-]+@[\w-]+\.[\w.-]+|@\w+|\[(?:image|cid|attachment|inline)\b[^\]\n]{0,80}\]|"
    r"(?m:^)--[ ]?\n[^\n]{1,50}(?:\n[^\n]{0,50}){0,3}"
    r"|!\[[^\]\n]{0,80}\]\([^()\n]{0,300}\)|\]\([^()\s]{1,300}(?:\s\"[^\"\n]*\")?\)"
    rf"|\b(?:{_PHRASES})\b[.!]?)"
)
_BETWEEN = r"[\s\pZ\pC\pP|=+~^$<>`]*"
_ONLY_MARKUP = rf"(?i)^{_BETWEEN}(?:{_MARKUP}{_BETWEEN})+$"
_MOST = 0.5
"""Share of the rows from which on it is what the table is about, as addresses of web pages that are to be told apart."""


class MarkupOnly(Rule):
    """Texts in which nothing is said once tags, addresses, mentions and standing phrases such as ``Sent from my phone`` are taken away."""

    streams: ClassVar = "block"
    remedy: ClassVar = "Fill in what was said, or let the rows go: nothing in them tells their label"
    recipe: ClassVar = "data.policy.markup-only: drop"

    def look(self, looked: Looked) -> Iterator[Hit]:
        flags = [flags_of(looked.rows[role], _only_markup, bool) for role in looked.text_roles]
        rows = np.flatnonzero(np.any(flags, axis=0))
        if 0 < len(rows) <= _MOST * len(looked):
            yield Hit(
                f"{rows_word(len(rows))} in which nothing is said but markup, addresses or standing phrases",
                rows,
                "the text is only markup or boilerplate",
            )


def _only_markup(piece: pa.Array) -> np.ndarray:
    flags: np.ndarray = pc.match_substring_regex(piece, _ONLY_MARKUP).fill_null(False).to_numpy(zero_copy_only=False)
    return flags
