"""A registry is a table that can be read: the name in a recipe, and where it lives."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from tunewright.core.config import Config
from tunewright.core.errors import UnknownName, UserError, hint

T = TypeVar("T", bound=Config)


class Registry(Generic[T]):
    """Maps names to ``"module:Class"``, imported only when asked for.

    Other packages add names through the entry-point group ``tunewright.<kind>``; a plug-in can
    add a name but never replace one of ours.
    """

    def __init__(self, kind: str, table: Mapping[str, str]) -> None:
        self.kind = kind
        self._ours = dict(table)

    def places(self) -> dict[str, str]:
        """Every known name and where it lives, plug-ins included."""
        return _plugins(f"tunewright.{self.kind}") | self._ours

    def get(self, name: str) -> type[T]:
        """The class behind a name.

        Raises:
            UnknownName: with the nearest known name.
        """
        place = self._ours.get(name) or self.places().get(name)  # what is installed beside us is read for names that are not ours alone
        if place is None:
            raise UnknownName(self.kind, name, self.places())
        module, _, attribute = place.partition(":")
        try:
            found: type[T] = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            if name in self._ours:
                raise
            raise UserError(
                f"the {self.kind} {name!r} comes from a plug-in that cannot be loaded from {place} ({error})",
                "",
                "Install that package again, or remove it",
            ) from error
        return found

    def name_of(self, member: T) -> str:
        """The name under which the class of ``member`` is registered."""
        place = f"{type(member).__module__}:{type(member).__qualname__}"
        name = _named(place, self._ours) or _named(place, self.places())
        if name is not None:
            return name
        raise UserError(
            f"{place} is no registered {self.kind}", hint(type(member).__name__, self.places()), "Name it through an entry point"
        )

    def build(self, spec: str | Mapping[str, Any] | T) -> T:
        """``"lora"`` or ``{name: lora, rank: 16}`` becomes an object.

        Raises:
            UnknownName: no member has this name.
            BadConfig: its settings are wrong; every problem at once.
        """
        if isinstance(spec, Config):
            return spec
        if not isinstance(spec, (str, Mapping)):
            raise UserErrorValue(f"a {self.kind} is written as a name or as {{name: ..., setting: ...}}, not {spec!r}")
        options = {"name": spec} if isinstance(spec, str) else dict(spec)
        name = options.pop("name", None)
        if not isinstance(name, str):
            raise UserErrorValue(f"which {self.kind}? Give its name, one of: {', '.join(sorted(self.places()))}")
        return self.get(name).read(options)

    def spec(self, member: T) -> dict[str, Any]:
        """The object as it would stand in a recipe: its name and every setting."""
        return {"name": self.name_of(member), **member.model_dump(mode="json")}


class Member:
    """Annotates a recipe field whose value is a member of a registry: ``Annotated[Task, Member(TASKS)]``."""

    def __init__(self, registry: Registry[Any]) -> None:
        self.registry = registry

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.registry.build,
            serialization=core_schema.plain_serializer_function_ser_schema(self.registry.spec),
        )

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        names = sorted(self.registry.places())
        return {"anyOf": [{"enum": names}, *(self._object(name) for name in names)]}

    def _object(self, name: str) -> dict[str, Any]:
        schema = self.registry.get(name).model_json_schema()
        return {
            **schema,
            "properties": {"name": {"const": name}, **schema.get("properties", {})},
            "required": ["name", *schema.get("required", [])],
        }


class UserErrorValue(UserError, ValueError):
    """A UserError that pydantic collects with the other problems of a recipe."""


def _named(place: str, places: Mapping[str, str]) -> str | None:
    return next((name for name, where in places.items() if where == place), None)


@cache
def _plugins(group: str) -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=group)}
