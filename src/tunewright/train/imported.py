"""Registries that are open: a part may also be named by where it stands, ``package.module:name`` or ``file.py:name``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import core_schema

from tunewright.core.config import Config
from tunewright.core.errors import UnknownName, UserError, hint
from tunewright.core.own_code import load, quoted
from tunewright.core.registry import Member, Registry, UserErrorValue

T = TypeVar("T", bound=Config)


class Imported(Config):
    """A part that is no member of a registry: where it stands, and what it is called with."""

    place: str
    """``package.module:name``, or ``file.py:name`` relative to the recipe."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What it is called with, by name."""

    def found(self, key: str, wanted: str) -> Any:
        """What stands at ``place``.

        Raises:
            UserError: the module, the file or the name does not exist; the nearest is told.
        """
        module, name = load(key, self.place, Path(), wanted), self.place.rpartition(":")[2]
        if not callable(getattr(module, name, None)):
            known = [one for one, value in vars(module).items() if callable(value) and not one.startswith("_")]
            raise UserError(f"{key}: {self.place!r} names nothing that can be called", wanted, hint(name, known))
        return getattr(module, name)

    def made(self, key: str, wanted: str, *parts: Any, **named: Any) -> Any:
        """What stands at ``place``, called with ``parts`` and the settings.

        Raises:
            UserError: it does not exist, or raises; its own words and line are told.
        """
        found = self.found(key, wanted)
        try:
            return found(*parts, **named, **self.settings)
        except Exception as error:
            raise UserError(f"{key}: {self.place!r} raised {quoted(error, '')}", wanted, f"Correct its settings below {key}") from error


class OpenRegistry(Registry[T]):
    """A registry whose members may be named by import path as well.

    Args:
        kind: what its members are.
        table: name -> ``"module:Class"``.
        imported: the class, an ``Imported``, that stands for what a path names.
    """

    def __init__(self, kind: str, table: Mapping[str, str], imported: str) -> None:
        super().__init__(kind, table)
        self._imported = Registry[T](kind, {"imported": imported})

    def build(self, spec: str | Mapping[str, Any] | T) -> T:
        name = spec.get("name") if isinstance(spec, Mapping) else spec
        if not isinstance(name, str) or ":" not in name:
            try:
                return super().build(spec)
            except UnknownName as error:
                raise UserErrorValue(f"{error} Any other is named by where it stands: package.module:Name or file.py:Name") from None
        settings = {key: value for key, value in spec.items() if key != "name"} if isinstance(spec, Mapping) else {}
        return self._imported.get("imported").read({"place": name, "settings": settings})

    def name_of(self, member: T) -> str:
        return member.place if isinstance(member, Imported) else super().name_of(member)

    def spec(self, member: T) -> dict[str, Any]:
        return {"name": member.place, **member.settings} if isinstance(member, Imported) else super().spec(member)


class OpenMember(Member):
    """Annotates a recipe field whose value is a member of an open registry."""

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        path = {"type": "string", "pattern": ".:."}
        named = {"type": "object", "properties": {"name": path}, "required": ["name"]}
        inner = super().__get_pydantic_json_schema__(schema, handler)
        return {"anyOf": [*inner["anyOf"], path, named]}


def beside(member: Any, folder: Path) -> Any:
    """The same part, with the whole path of the file that it names, if it names one relative to ``folder``."""
    if not isinstance(member, Imported) or ".py:" not in member.place or Path(member.place).is_absolute():
        return member
    return member.model_copy(update={"place": str(folder.resolve() / member.place)})
