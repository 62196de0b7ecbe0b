"""Names of people in a text, by a spaCy pipeline that the user has: a name has no form by which a pattern could know it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tunewright.core.errors import UserError

PERSON = frozenset({"PERSON", "PER", "per"})
"""What pipelines call a person; ``PER`` those that were trained on Wikipedia."""


@cache
def pipeline(name: str) -> Any:
    """The spaCy pipeline of an installed package, or of a folder.

    Raises:
        UserError: spaCy is not installed, there is no such pipeline, or it cannot tell entities.
    """
    try:
        import spacy
    except ImportError as error:
        raise UserError(
            "data.rules.personal-data.names needs spaCy, which is not installed", "", "Install it: pip install 'tunewright[names]'"
        ) from error
    try:
        found = spacy.load(name)
    except (OSError, ValueError) as error:
        raise UserError(
            f"data.rules.personal-data.names: {name!r} cannot be loaded as a spaCy pipeline",
            "An installed package such as en_core_web_sm, or a folder that nlp.to_disk wrote, is wanted",
            "Install the package, or correct the path; tunewright downloads none",
        ) from error
    if not {"ner", "entity_ruler", "span_ruler"} & {*found.pipe_names} and not any("ner" in one for one in found.pipe_names):
        raise UserError(
            f"data.rules.personal-data.names: the pipeline {name!r} has no part that tells entities",
            f"Its parts: {', '.join(found.pipe_names) or 'none'}",
            "Name one with ner or an entity_ruler",
        )
    return found


def identity(name: str) -> str:
    """What a pipeline is, wherever it lies: its language, name and version."""
    meta = pipeline(name).meta
    return f"{meta['lang']}_{meta['name']} {meta['version']}"


def beside(name: str, folder: Path) -> str:
    """The pipeline as it is loaded: a folder beside the recipe if there is one of this name, else the name itself."""
    return str(folder / name) if (folder / name).is_dir() else name


def people(text: str, name: str) -> Iterator[tuple[int, int]]:
    """Where names of people stand in a text: first and last character, the last one behind it.

    Args:
        text: any; a very long one is read in parts.
        name: of the pipeline.
    """
    known = pipeline(name)
    for start in range(0, len(text), known.max_length):
        for entity in known(text[start : start + known.max_length]).ents:
            if entity.label_ in PERSON:
                yield start + entity.start_char, start + entity.end_char
