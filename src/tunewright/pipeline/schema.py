"""The verb ``schema``: the recipe's grammar as JSON Schema, so that an editor completes and checks a recipe while it is written."""

from __future__ import annotations

from typing import Any

from tunewright.core.registry import Registry
from tunewright.pipeline.recipe import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a recipe; what only several keys together say (``check`` knows it) is not in it."""
    from tunewright.data.audit import RULES
    from tunewright.train import ENGINES
    from tunewright.train.guards import GUARDS

    found = Recipe.model_json_schema()
    sections = found["$defs"]
    data = sections["DataSettings"]["properties"]
    policy, own = data["policy"], ":"  # a rule of the user's own has an import path in the place of a name
    rules = {name: RULES.get(name) for name in RULES.places()}
    policy["properties"] = {
        name: {"enum": list(rule.policies), "default": rule.default, "description": rule.remedy} for name, rule in rules.items()
    }
    policy["patternProperties"] = {own: policy["additionalProperties"]}
    policy["additionalProperties"] = False
    data["rules"] = _switches(data["rules"], RULES, own)
    found["properties"]["guards"] = _switches(found["properties"]["guards"], GUARDS)
    sections["TrainSettings"]["properties"]["engine"]["enum"] = sorted(ENGINES)
    title = {"$schema": DIALECT, "title": "A tunewright recipe"}
    return {**title, **{name: value for name, value in _plain(found).items() if name != "title"}}


def _switches(section: dict[str, Any], registry: Registry[Any], own: str | None = None) -> dict[str, Any]:
    """A section that switches members of a registry off and on, with their names and settings; ``own``: what other names match."""
    members = {name: registry.get(name).model_json_schema() for name in registry.places()}
    named = {name: {"anyOf": [{"type": "boolean"}, one], "description": one["description"]} for name, one in members.items()}
    others = {"patternProperties": {own: section["additionalProperties"]}} if own else {}
    return {**section, "properties": named, **others, "additionalProperties": False}


def _plain(value: Any) -> Any:
    """Without the titles that pydantic makes of the names of fields, and with descriptions on one line."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, one in value.items():
        if name == "title" and isinstance(one, str):
            continue
        found[name] = " ".join(one.split()) if name == "description" and isinstance(one, str) else _plain(one)
    return found
