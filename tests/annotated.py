"""Annotated texts as tools and taggers write them."""

from __future__ import annotations

import json
from typing import Any

TEXT = "Anna flew to Paris with ACME on Monday."
WANTED = [(0, 4, "PER"), (13, 18, "LOC"), (24, 28, "ORG")]
PLACES = [{"start": start, "end": end, "label": label} for start, end, label in WANTED]
TOKENS = ["Anna", "flew", "to", "Paris", "with", "ACME", "."]
TAGS = ["B-PER", "O", "O", "B-LOC", "O", "B-ORG", "O"]


def many(make: Any, count: int = 30) -> list[Any]:
    return [make(f"{TEXT} {number}") for number in range(count)]


TOOLS: dict[str, tuple[Any, dict[str, str]]] = {
    "doccano": (lambda text: {"id": 1, "text": text, "label": [[a, b, name] for a, b, name in WANTED]}, {"spans": "label"}),
    "doccano with relations": (
        lambda text: {
            "text": text,
            "entities": [{"id": 3, "label": n, "start_offset": a, "end_offset": b} for a, b, n in WANTED],
            "relations": [],
        },
        {"spans": "entities"},
    ),
    "spacy": (lambda text: {"text": text, "entities": [[a, b, name] for a, b, name in WANTED]}, {"spans": "entities"}),
    "prodigy": (
        lambda text: {
            "text": text,
            "tokens": [{"text": "Anna", "start": 0, "end": 4, "id": 0}],
            "spans": [{**one, "token_start": 0, "token_end": 0} for one in PLACES],
            "answer": "accept",
        },
        {},
    ),
    "label studio": (
        lambda text: {
            "id": 7,
            "data": {"text": text},
            "annotations": [
                {
                    "result": [
                        *({"value": {"start": a, "end": b, "text": text[a:b], "labels": [n]}, "type": "labels"} for a, b, n in WANTED),
                        {"value": {"choices": ["good"]}, "type": "choices"},
                    ]
                }
            ],
        },
        {"spans": "annotations"},
    ),
    "a list as text": (lambda text: {"text": text, "spans": json.dumps([[a, b, name] for a, b, name in WANTED])}, {}),
    "a list as Python writes it": (lambda text: {"text": text, "spans": str(PLACES)}, {}),
    "a record": (lambda text: {"text": text, "found": {"entities": PLACES}}, {"spans": "found"}),
}


SCHEMES = {
    "bio": ["B-PER", "I-PER", "O", "B-LOC", "B-LOC"],
    "iob1": ["I-PER", "I-PER", "O", "I-LOC", "B-LOC"],
    "bioes": ["B-PER", "E-PER", "O", "S-LOC", "S-LOC"],
    "bilou": ["B-PER", "L-PER", "O", "U-LOC", "U-LOC"],
    "underscores": ["B_PER", "I_PER", "O", "B_LOC", "B_LOC"],
}


CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O
German JJ B-NP B-MISC
call NN I-NP O

# sent_id = 7
Peter NNP B-NP B-PER
# NN O O
Blackburn NNP I-NP B-PER

-DOCSTART- -X- -X- O

BRUSSELS NNP B-NP B-LOC
"""
