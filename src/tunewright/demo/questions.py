"""Questions on generated paragraphs, in the layout of SQuAD 2.0, with real dirt: the offline data of extractive question answering.

Usage: python -m tunewright.demo.questions FOLDER [QUESTIONS] [SEED]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random
from typing import Any

from pydantic import Field

from tunewright.core.chance import generator
from tunewright.core.config import Config
from tunewright.core.folder import write_text
from tunewright.core.log import say

FIRST = [
    "Ada",
    "Bruno",
    "Clara",
    "Dmitri",
    "Elena",
    "Farid",
    "Greta",
    "Hiro",
    "Inés",
    "José",
    "Karin",
    "Luís",
    "Mei",
    "Nadia",
    "Oskar",
    "Priya",
    "Quentin",
    "Rosa",
    "Søren",
    "Tomás",
]
LAST = [
    "Almeida",
    "Brandt",
    "Castro",
    "Dvořák",
    "Eriksen",
    "Fontaine",
    "Grünwald",
    "Hoffmann",
    "Ivanova",
    "Jensen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Novák",
    "Okafor",
    "Petrov",
]
CITIES = [
    "Aarhus",
    "Bergen",
    "Coimbra",
    "Dresden",
    "Évora",
    "Florence",
    "Ghent",
    "Heidelberg",
    "Innsbruck",
    "Jena",
    "Kraków",
    "Lyon",
    "Málaga",
    "Nantes",
    "Oulu",
    "Porto",
    "Tromsø",
]
MAKES = ("glass bottles", "bicycle frames", "violin strings", "solar lamps", "wool blankets", "garden tools", "paper maps", "sea salt",
         "wooden toys", "measuring instruments", "oat biscuits", "fishing nets")  # fmt: skip
NAMES = [
    "Norvik",
    "Altera",
    "Brisa",
    "Calden",
    "Dorval",
    "Estrella",
    "Fjordland",
    "Gavota",
    "Helix",
    "Isolde",
    "Juniper",
    "Kestrel",
    "Lumen",
    "Marisol",
    "Nimbus",
    "Orla",
]
KINDS = ("place", "spelling", "absent", "empty")
"""Faults: a wrong place, another spelling, an answer that does not stand there, no question."""
ENDS = ("Works", "& Sons", "Brothers", "Company", "Workshop", "Mills")
REASONS = ("a fire had destroyed the old one", "the rent had doubled", "the river had flooded it twice", "the railway came to town")
AWARDS = ("the Golden Lathe", "the Prize of Guilds", "the Silver Anchor", "the Medal of Crafts")

FACTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "founder": (
        (
            "{name} was founded by {founder}.",
            "It was {founder} who founded {name}.",
            "The founder of {name}, {founder}, began with one bench.",
        ),
        ("Who founded {name}?", "Who was the founder of {name}?", "By whom was {name} founded?"),
    ),
    "year": (
        ("The doors opened in {year}.", "Work began in the spring of {year}.", "Since {year} the firm has been in business."),
        ("In which year did {name} begin?", "When did the doors of {name} open?", "Since when has {name} been in business?"),
    ),
    "city": (
        ("Its first workshop stood in {city}.", "The founders chose {city} for their first workshop."),
        ("Where did the first workshop of {name} stand?", "In which town was the first workshop of {name}?"),
    ),
    "product": (
        (
            "Today it makes {product} for customers in {count} countries.",
            "Most people know it for its {product}, sold in {count} countries.",
        ),
        ("What does {name} make?", "What is {name} known for?"),
    ),
    "people": (
        ("Some {people} people work there.", "The firm employs {people} people, most of them trained in house."),
        ("How many people work at {name}?", "How many people does {name} employ?"),
    ),
    "reason": (
        ("It moved in {moved} because {reason}.", "In {moved} the workshop was given up, as {reason}."),
        ("Why did {name} move?", "For what reason was the workshop of {name} given up?"),
    ),
    "award": (
        ("In {won} it was given {award}.", "The jury of {won} gave it {award}."),
        ("Which award was {name} given?", "What did the jury give to {name}?"),
    ),
}
ANSWERS = {
    "founder": "founder",
    "year": "year",
    "city": "city",
    "product": "product",
    "people": "people",
    "reason": "reason",
    "award": "award",
}
"""Fact -> the slot that answers its questions."""
FILLERS = (
    "Visitors are welcome on the last Sunday of each month.", "The archive holds letters, ledgers and a few photographs.",
    "Neighbours still speak of the smell of varnish and warm oil.", "A small museum shows the oldest machines, one of which still runs.",
    "Apprentices spend their first year with drawing and measuring alone.", "Orders are packed by hand and leave by train.",
    "The books of the early years were lost, and much of what is told is hearsay.",
)  # fmt: skip


class Questions(Config):
    """A generator of paragraphs with questions; the same for the same settings."""

    questions: int = Field(1200, ge=10)
    """How many, about."""
    none: float = Field(0.25, ge=0, lt=1)
    """Share of the questions that their paragraph does not answer."""
    dirt: float = Field(0.06, ge=0, lt=1)
    """Share of the questions with a fault: a wrong place, another spelling, an answer that does not stand there, no question."""
    long: float = Field(0.15, ge=0, le=1)
    """Share of the paragraphs that are several times as long as the others."""
    seed: int = Field(0, ge=0)
    """Where chance comes from."""

    def document(self) -> tuple[dict[str, Any], dict[str, list[str]]]:
        """The document, and the ids of the questions with each kind of fault."""
        rng, articles, count = generator(self.seed, "questions"), list[dict[str, Any]](), 0
        planted: dict[str, list[str]] = {}
        while count < self.questions:
            context, facts, about = _paragraph(rng, rng.random() < self.long)
            qas = []
            for fact, slots in facts.items():
                asked = self._asked(rng, f"q{count}", fact, context, about["name"], slots)
                if rng.random() < self.dirt and asked["answers"]:
                    spelled = asked["answers"][0]["text"].upper() != asked["answers"][0]["text"]
                    kind = rng.choice(KINDS if spelled else [one for one in KINDS if one != "spelling"])
                    planted.setdefault(kind, []).append(asked["id"])
                    _spoil(rng, asked, kind)
                qas.append(asked)
                count += 1
            articles.append({"title": about["name"], "paragraphs": [{"context": context, "qas": qas}]})
        return {"version": "v2.0", "data": articles}, planted

    def _asked(self, rng: Random, number: str, fact: str, context: str, name: str, text: str) -> dict[str, Any]:
        if rng.random() < self.none:
            fact = rng.choice([one for one in FACTS if FACTS[one] is not None and not _told(one, context)] or [fact])
        question = rng.choice(FACTS[fact][1]).format(name=name)
        if not _told(fact, context):
            return {"id": number, "question": question, "answers": [], "is_impossible": True}
        return {
            "id": number,
            "question": question,
            "answers": [{"text": text, "answer_start": context.index(text)}],
            "is_impossible": False,
        }

    def write(self, folder: Path) -> Path:
        """Write ``questions.json`` and ``planted.json`` into a folder."""
        document, planted = self.document()
        write_text(folder / "planted.json", json.dumps(planted, indent=1))
        return write_text(folder / "questions.json", json.dumps(document, ensure_ascii=False))


_MARKS: dict[str, tuple[str, ...]] = {
    "founder": ("founded", "The founder of"),
    "year": ("doors opened", "Work began", "in business"),
    "city": ("first workshop",),
    "product": ("it makes", "know it for"),
    "people": ("people",),
    "reason": ("It moved", "given up"),
    "award": ("it was given", "The jury"),
}
"""Words that only the sentences of a fact have."""


def _told(fact: str, context: str) -> bool:
    return any(mark in context for mark in _MARKS[fact])


def _paragraph(rng: Random, long: bool) -> tuple[str, dict[str, str], dict[str, str]]:
    """A paragraph, the facts that it tells with their answers, and what it is about."""
    slots = {
        "name": f"{rng.choice(NAMES)} {rng.choice(ENDS)}",
        "founder": f"{rng.choice(FIRST)} {rng.choice(LAST)}",
        "year": str(rng.randint(1790, 1890)),
        "city": rng.choice(CITIES),
        "product": rng.choice(MAKES),
        "count": str(rng.randint(3, 60)),
        "people": str(rng.randint(12, 980)),
        "moved": str(rng.randint(1900, 1949)),
        "reason": rng.choice(REASONS),
        "won": str(rng.randint(1950, 1999)),
        "award": rng.choice(AWARDS),
    }
    told = rng.sample(sorted(FACTS), rng.randint(3, 5))
    parts = [rng.choice(FACTS[fact][0]).format(**slots) for fact in told]
    parts += rng.sample(FILLERS, rng.randint(0, 2)) if not long else [rng.choice(FILLERS) for _ in range(rng.randint(14, 24))]
    rng.shuffle(parts)
    context = " ".join([f"{slots['name']} is a firm with a long history.", *parts])
    return context, {fact: slots[ANSWERS[fact]] for fact in told}, slots


def _spoil(rng: Random, asked: dict[str, Any], kind: str) -> None:
    answer = asked["answers"][0]
    if kind == "place":
        answer["answer_start"] += rng.choice((-2, -1, 1, 3))
    elif kind == "spelling":
        answer["text"] = answer["text"].upper()
    elif kind == "absent":
        answer["text"] = f"{answer['text']} or thereabouts"
    else:
        asked["question"] = rng.choice(("", "  "))


def main(folder: str, questions: str = "1200", seed: str = "0") -> None:
    """Write the data into a folder."""
    say(f"Written: {Questions(questions=int(questions), seed=int(seed)).write(Path(folder))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
