from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Annotated, Any

import pytest
from pydantic import Field

from tunewright.core import registry
from tunewright.core.config import Config
from tunewright.core.errors import BadConfig, UnknownName, UserError
from tunewright.core.registry import Member, Registry


class Ours(Config):
    """One of ours."""

    strength: int = Field(1, ge=0)
    """How strong."""


class Theirs(Ours):
    """One of theirs."""


HERE = __name__
TABLE: Registry[Ours] = Registry("colour", {"ours": f"{HERE}:Ours"})


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    points: list[EntryPoint] = []
    monkeypatch.setattr(registry, "entry_points", lambda group: [point for point in points if point.group == group])
    registry._plugins.cache_clear()
    yield points
    registry._plugins.cache_clear()


def point(name: str, value: str, group: str = "tunewright.colour") -> EntryPoint:
    return EntryPoint(name=name, value=value, group=group)


def test_a_plug_in_adds_a_name(plugins: list[EntryPoint]) -> None:
    plugins += [point("theirs", f"{HERE}:Theirs"), point("other", f"{HERE}:Theirs", "tunewright.task")]
    assert TABLE.get("theirs") is Theirs
    assert set(TABLE.places()) == {"ours", "theirs"}
    assert TABLE.spec(Theirs(strength=2)) == {"name": "theirs", "strength": 2}


def test_a_plug_in_never_replaces_one_of_ours(plugins: list[EntryPoint]) -> None:
    plugins.append(point("ours", f"{HERE}:Theirs"))
    assert TABLE.get("ours") is Ours


def test_a_plug_in_that_gives_one_of_ours_a_second_name_does_not_change_what_a_recipe_says(plugins: list[EntryPoint]) -> None:
    plugins.append(point("alias", f"{HERE}:Ours"))
    assert TABLE.name_of(Ours()) == "ours"


@pytest.mark.parametrize("value", ["no_such_module:Theirs", f"{HERE}:NoSuchClass"])
def test_a_plug_in_that_cannot_be_loaded_is_told(plugins: list[EntryPoint], value: str) -> None:
    plugins.append(point("broken", value))
    with pytest.raises(UserError, match=r"the colour 'broken' comes from a plug-in that cannot be loaded.*Install that package again"):
        TABLE.get("broken")


def test_a_bug_in_one_of_ours_is_no_error_of_the_user() -> None:
    with pytest.raises(AttributeError):
        Registry("colour", {"broken": f"{HERE}:NoSuchClass"}).get("broken")


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"no colour is called 'our'. Did you mean 'ours'?"):
        TABLE.build("our")


def test_a_name_or_a_mapping_or_an_object_becomes_an_object() -> None:
    made = Ours(strength=4)
    assert TABLE.build("ours") == Ours()
    assert TABLE.build({"name": "ours", "strength": 3}) == Ours(strength=3)
    assert TABLE.build(made) is made


def test_what_is_built_is_not_changed() -> None:
    spec: dict[str, Any] = {"name": "ours", "strength": 3}
    TABLE.build(spec)
    assert spec == {"name": "ours", "strength": 3}


@pytest.mark.parametrize("spec", [5, None, ["ours"], True])
def test_what_is_neither_is_told_how_to_write_it(spec: Any) -> None:
    with pytest.raises(UserError, match=r"a colour is written as a name or as {name: ..., setting: ...}"):
        TABLE.build(spec)


@pytest.mark.parametrize("spec", [{}, {"strength": 1}, {"name": 3}])
def test_a_mapping_without_a_name_is_told_the_names(spec: Any) -> None:
    with pytest.raises(UserError, match="which colour\\? Give its name, one of: ours"):
        TABLE.build(spec)


def test_wrong_settings_are_told_together() -> None:
    with pytest.raises(BadConfig) as caught:
        TABLE.build({"name": "ours", "strength": -1, "strenght": 1})
    assert {problem.path for problem in caught.value.problems} == {"strength", "strenght"}


def test_a_class_that_is_not_registered_has_no_name() -> None:
    with pytest.raises(UserError, match=r"Theirs is no registered colour"):
        TABLE.spec(Theirs())


def test_a_field_that_holds_a_member_is_written_and_described_by_name() -> None:
    class Holder(Config):
        colour: Annotated[Ours, Member(TABLE)]

    holder = Holder.read({"colour": "ours"})
    assert holder.model_dump(mode="json") == {"colour": {"name": "ours", "strength": 1}}
    names, whole = Holder.model_json_schema()["properties"]["colour"]["anyOf"]
    assert names == {"enum": ["ours"]}
    assert whole["properties"]["name"] == {"const": "ours"}
    assert whole["properties"]["strength"]["description"] == "How strong."
    assert whole["required"] == ["name"]
