"""Every member of every registry, those of plug-ins included: found through the tables, so that a new one is covered from its first day."""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import tunewright
from tunewright.core.config import Config
from tunewright.core.errors import BadConfig, UnknownName
from tunewright.core.registry import Registry


def registries() -> dict[str, Registry[Any]]:
    found = {}
    for module in pkgutil.walk_packages(tunewright.__path__, "tunewright."):
        if module.ispkg:
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, Registry):
                    found[value.kind] = value
    return found


REGISTRIES = registries()
MEMBERS = [(kind, name) for kind, registry in sorted(REGISTRIES.items()) for name in sorted(registry.places())]
NEEDED: dict[tuple[str, str], dict[str, Any]] = {}
"""Settings that a member cannot be built without."""


def test_the_contract_is_not_empty() -> None:
    assert {"task", "method", "criterion", "tracker", "optimizer", "schedule"} <= set(REGISTRIES)
    assert len(REGISTRIES) >= 7
    assert len(MEMBERS) >= 24


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_it_loads_and_says_what_it_is(kind: str, name: str) -> None:
    member = REGISTRIES[kind].get(name)
    assert issubclass(member, Config)
    said = member.__dict__.get("__doc__")
    assert said and said.strip() and said != member.__mro__[1].__doc__
    assert said.strip().split("\n\n")[0].rstrip().endswith((".", "?", ")")) or "." in said


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_every_setting_says_what_it_does(kind: str, name: str) -> None:
    member = REGISTRIES[kind].get(name)
    silent = [field for field in member.model_fields if not member.meanings().get(field, "").strip()]
    assert not silent, f"{kind} {name} does not say what {silent} do"


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_what_it_is_can_be_written_and_built_again(kind: str, name: str) -> None:
    registry = REGISTRIES[kind]
    member = registry.build({"name": name, **NEEDED.get((kind, name), {})})
    spec = registry.spec(member)
    assert spec["name"] == name
    assert registry.build(json.loads(json.dumps(spec))) == member


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_its_schema_can_be_built_and_refuses_unknown_keys(kind: str, name: str) -> None:
    registry = REGISTRIES[kind]
    schema = json.loads(json.dumps(registry.get(name).model_json_schema()))
    assert schema["additionalProperties"] is False
    with pytest.raises(BadConfig, match="no_such_setting: unknown key"):
        registry.build({"name": name, **NEEDED.get((kind, name), {}), "no_such_setting": 1})


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_a_slip_of_the_finger_is_told_its_name(kind: str, name: str) -> None:
    with pytest.raises(UnknownName, match="Did you mean"):
        REGISTRIES[kind].get(name[:-1] + "#")


@pytest.mark.parametrize("kind", sorted(REGISTRIES))
def test_a_name_unlike_any_other_is_told_all_of_them(kind: str) -> None:
    with pytest.raises(UnknownName, match=f"no {kind} is called 'qqqqqq'. Known: "):
        REGISTRIES[kind].get("qqqqqq")


def test_each_setting_of_a_recipe_says_what_it_does() -> None:
    from tunewright.pipeline.recipe import Recipe

    silent, seen = [], 0

    def look(owner: type[Config], path: str) -> None:
        nonlocal seen
        for name, info in owner.model_fields.items():
            seen += 1
            if not owner.meanings().get(name, "").strip():
                silent.append(f"{path}{name}")
            if isinstance(info.annotation, type) and issubclass(info.annotation, Config):
                look(info.annotation, f"{path}{name}.")

    look(Recipe, "")
    assert seen >= 45
    assert not silent


WRONG: tuple[Any, ...] = ("no such thing", -1, 10**9, 0.5, float("nan"), float("inf"), None, [], [{}], {}, {"x": []}, b"x", Path())
PYDANTIC = ("should be", "should have", "should match", "valid ", "instance of", "type=", "Value error", "Assertion")


def test_whatever_stands_behind_a_key_is_told_in_words_of_ours() -> None:
    from tunewright.pipeline.recipe import Recipe

    owners, told = [Recipe, *(REGISTRIES[kind].get(name) for kind, name in MEMBERS)], []
    for owner in owners:
        for name, info in owner.model_fields.items():
            if isinstance(info.annotation, type) and issubclass(info.annotation, Config) and info.annotation not in owners:
                owners.append(info.annotation)
            for value in WRONG:
                try:
                    owner.read({name: value})
                except BadConfig as error:
                    told += [problem for problem in error.problems if problem.message != "this key is needed"]
    assert len(told) > 800, "values are wrong almost everywhere"
    assert not [str(one) for one in told if any(word in one.message for word in PYDANTIC)]
