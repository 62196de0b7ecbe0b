"""The file of a recipe: YAML in which no key is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tunewright.core.errors import Problem, UserError, nearest

MERGE = "tag:yaml.org,2002:merge"
"""Of the key ``<<``, which may stand several times."""


def read_yaml(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """A YAML file that holds a mapping, and each key that stands in it twice.

    Raises:
        UserError: it is missing, no YAML, or something else than a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        near = nearest(path.name, [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else [])
        raise UserError(
            f"the recipe {path} does not exist",
            f"Did you mean {path.parent / near}?" if near else "",
            "Write one for your data: tunewright new DATA",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the recipe {path} cannot be read ({error})", "A YAML file in UTF-8 is wanted", "Write one for your data: tunewright new DATA"
        ) from None
    try:
        values, twice = _loaded(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(
            f"{path} is not valid YAML{place} ({getattr(error, 'problem', None) or error})",
            "A recipe is lines of 'key: value', indented by spaces",
            f"Mend that line, then: tunewright check {path}",
        ) from None
    if not isinstance(values, dict):
        raise UserError(
            f"{path} holds {'nothing' if values is None else f'a {type(values).__name__}'}, no recipe",
            "A recipe has the keys task, data and model",
            "Write one for your data: tunewright new DATA",
        )
    return values, twice


def _loaded(text: str) -> tuple[Any, list[Problem]]:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        twice = list(_twice(node, "", set())) if node else []
        return (loader.construct_document(node) if node else None), twice
    finally:
        loader.dispose()


def _twice(node: yaml.Node, above: str, seen: set[int]) -> Iterator[Problem]:
    """Each key that stands twice in one mapping: YAML would take the last, and lose the first without a word."""
    if id(node) in seen:  # an alias may lead back to where it stands
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, one in enumerate(node.value):
            yield from _twice(one, f"{above}{number}.", seen)
    if isinstance(node, yaml.MappingNode):
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                first = lines.get((key.tag, key.value))
                if first and key.tag != MERGE:
                    yield Problem(
                        above + key.value,
                        f"stands in line {first} and again in line {line}: put both into one, for the last alone would count",
                    )
                lines[key.tag, key.value] = line
                yield from _twice(value, f"{above}{key.value}.", seen)
