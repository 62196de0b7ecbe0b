"""``tunewright schema``: what an editor is told of a recipe agrees with what the recipe itself accepts."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from typer.testing import CliRunner

from tunewright.cli import app
from tunewright.core.errors import BadConfig
from tunewright.data.audit import RULES
from tunewright.pipeline.recipe import Recipe, build
from tunewright.pipeline.schema import DIALECT, schema
from tunewright.train.guards import GUARDS

RECIPE: dict[str, Any] = {"task": "text-classification", "data": {"source": "a.csv"}, "model": {"base": "embedded"}}
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list, "null": type(None)}


def problems(value: Any, rule: dict[str, Any], whole: dict[str, Any], path: str = "") -> list[str]:
    """What a JSON Schema finds wrong: the keywords that ours uses, and an assertion that it uses no other."""
    if "$ref" in rule:
        rule = {**whole["$defs"][rule["$ref"].removeprefix("#/$defs/")], **{key: one for key, one in rule.items() if key != "$ref"}}
    known = {
        "$schema",
        "$defs",
        "title",
        "description",
        "default",
        "examples",
        "type",
        "enum",
        "const",
        "anyOf",
        "properties",
        "patternProperties",
        "required",
        "items",
        "additionalProperties",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "minItems",
        "pattern",
    }
    assert set(rule) <= known, f"{path}: the schema uses {set(rule) - known}, which this test does not check"
    found = []
    if "anyOf" in rule and not any(problems(value, one, whole, path) == [] for one in rule["anyOf"]):
        found.append(f"{path}: none of the choices")
    types = rule.get("type", [])
    names = [types] if isinstance(types, str) else types
    if names and not any(isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool)) for name in names):
        return [*found, f"{path}: not {types}"]
    if ("enum" in rule and value not in rule["enum"]) or ("const" in rule and value != rule["const"]):
        found.append(f"{path}: not one of the names")
    if isinstance(value, (int, float)):
        found += [f"{path}: {key}" for key, wrong in _bounds(value) if key in rule and wrong(rule[key])]
    if isinstance(value, str) and (("pattern" in rule and not re.search(rule["pattern"], value)) or len(value) < rule.get("minLength", 0)):
        found.append(f"{path}: pattern or length")
    if isinstance(value, list):
        found += [f"{path}: too few"] if len(value) < rule.get("minItems", 0) else []
        found += [one for at, item in enumerate(value) for one in problems(item, rule.get("items", {}), whole, f"{path}.{at}")]
    if isinstance(value, dict):
        found += [f"{path}: {name} lacks" for name in rule.get("required", []) if name not in value]
        more = rule.get("additionalProperties", True)
        for name, one in value.items():
            if name in rule.get("properties", {}):
                found += problems(one, rule["properties"][name], whole, f"{path}.{name}")
            elif matching := [more for pattern, more in rule.get("patternProperties", {}).items() if re.search(pattern, name)]:
                found += [told for pattern in matching for told in problems(one, pattern, whole, f"{path}.{name}")]
            elif more is False:
                found.append(f"{path}.{name}: unknown")
            elif isinstance(more, dict):
                found += problems(one, more, whole, f"{path}.{name}")
    return found


def _bounds(value: float) -> list[tuple[str, Any]]:
    return [
        ("minimum", lambda bound: value < bound),
        ("maximum", lambda bound: value > bound),
        ("exclusiveMinimum", lambda bound: value <= bound),
        ("exclusiveMaximum", lambda bound: value >= bound),
    ]


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return schema()


GOOD = [
    {},
    {"task": {"name": "text-classification", "multi_label": True, "separator": ";"}, "method": {"name": "lora", "rank": 8}},
    {
        "data": {
            "source": {"train": "a.jsonl", "test": ["b.jsonl", "c.jsonl"]},
            "columns": {"text": "body"},
            "policy": {"conflicting-label": "drop"},
        }
    },
    {
        "train": {"epochs": 1.5, "learning_rate": 1e-4, "max_steps": None, "arguments": {"neftune_noise_alpha": 5.0}},
        "trackers": ["tensorboard"],
        "seed": 3,
    },
    {"train": {"optimizer": {"name": "adamw", "beta1": 0.8}, "schedule": "torch.optim.lr_scheduler:StepLR", "no_decay": ["*norm*"]}},
    {
        "train": {
            "optimizer": {"name": "torch.optim:Adagrad", "lr_decay": 0.1},
            "callbacks": ["own.py:Watch", {"name": "a.b:C", "limit": 3}],
        }
    },
    {"data": {"source": "a.csv", "rules": {"label-noise": {"sure": 0.95}, "imbalance": False, "over-long": {"enabled": True}}}},
    {"guards": {"overfitting": {"action": "stop", "looks": 3}, "slow": False}},
]
BROKEN = [
    {"data": {"source": "a.csv", "rules": {"label-noize": False}}},
    {"data": {"source": "a.csv", "rules": {"label-noise": {"sure": 2}}}},
    {"data": {"source": "a.csv", "rules": {"label-noise": {"shure": 0.9}}}},
    {"guards": {"overfiting": False}},
    {"guards": {"overfitting": {"action": "shout"}}},
    {"train": {"optimizer": {"name": "adamw", "beta1": 2}}},
    {"train": {"callbacks": ["Watch"]}},
    {"modell": {}},
    {"model": {}},
    {"method": "loraa"},
    {"method": {"name": "lora", "rank": 0}},
    {"criterion": "cross-entropi"},
    {"train": {"epochs": 0}},
    {"train": {"engine": "steam"}},
    {"train": {"schedule": "square"}},
    {"data": {"source": "a.csv", "policy": {"empty-text": "forget"}}},
    {"data": {"source": "a.csv", "policy": {"empty-txt": "drop"}}},
    {"data": {"source": {"test": "b.jsonl"}}},
    {"seed": -1},
    {"name": "a/b"},
]


@pytest.mark.parametrize("change", GOOD)
def test_what_the_recipe_accepts_the_schema_accepts(change, whole):
    build(RECIPE | change)
    assert problems(RECIPE | change, whole, whole) == []


@pytest.mark.parametrize("change", BROKEN)
def test_what_the_schema_finds_wrong_the_recipe_refuses(change, whole):
    assert problems(RECIPE | change, whole, whole), "the editor would not notice"
    with pytest.raises(BadConfig):
        build(RECIPE | change)


def test_every_key_and_every_section_is_described(whole):
    assert set(whole["properties"]) == set(Recipe.model_fields)
    sections = {"recipe": whole, **whole["$defs"]}
    lacking = [
        f"{section}.{key}" for section, one in sections.items() for key, rule in one["properties"].items() if "description" not in rule
    ]
    assert len(sections) >= 6 and not lacking


def test_every_audit_rule_is_offered_with_its_own_policies(whole):
    offered = whole["$defs"]["DataSettings"]["properties"]["policy"]["properties"]
    assert set(offered) == set(RULES.places()) and len(offered) >= 12
    assert offered["missing-label"]["enum"] == list(RULES.get("missing-label").policies)


def test_rules_and_guards_are_offered_by_name_and_a_rule_of_ones_own_by_its_path(whole):
    rules = whole["$defs"]["DataSettings"]["properties"]["rules"]
    assert set(rules["properties"]) == set(RULES.places()) and set(whole["properties"]["guards"]["properties"]) == set(GUARDS.places())
    own = {"data": {"source": "a.csv", "rules": {"mine.py:Shouting": {"loud": 3}}, "policy": {"mine.py:Shouting": "drop"}}}
    assert problems(RECIPE | own, whole, whole) == []


def test_the_dialect_is_2020_12_and_the_command_writes_it(whole, tmp_path):
    assert whole["$schema"] == DIALECT == "https://json-schema.org/draft/2020-12/schema"
    said = CliRunner().invoke(app, ["schema", "--out", str(tmp_path / "recipe.schema.json")])
    assert said.exit_code == 0 and "yaml-language-server: $schema=" in said.stdout
    assert json.loads((tmp_path / "recipe.schema.json").read_text()) == whole
    assert json.loads(CliRunner().invoke(app, ["schema"]).stdout) == whole
    assert "yaml-language-server: $schema=" in CliRunner().invoke(app, ["schema", "--help"]).stdout


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    said = CliRunner().invoke(app, ["schema", "--out", str(tmp_path / "file" / "schema.json")])
    assert "cannot be written" in str(said.exception)
