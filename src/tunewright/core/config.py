"""Public fields are settings; private attributes are state; methods say what it does."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from tunewright.core.errors import BadConfig, Problem, nearest


class Config(BaseModel):
    """Frozen, typed, and closed: a key that is not a field is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Build from parsed YAML.

        Raises:
            BadConfig: naming every problem at once, each with its path and, for an unknown key, the nearest known one.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise BadConfig(list(_problems(error, cls))) from None

    def state(self) -> dict[str, Any]:
        """What a checkpoint must keep: the private attributes, by name."""
        return {name: getattr(self, name) for name in self.__private_attributes__}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put back what ``state`` gave."""
        for name in self.__private_attributes__:
            setattr(self, name, state[name])


def _problems(error: ValidationError, owner: type[BaseModel]) -> Iterator[Problem]:
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"]) or "(recipe)"
        inner = item.get("ctx", {}).get("error")
        if isinstance(inner, BadConfig):
            yield from (Problem(f"{path}.{problem.path}", problem.message) for problem in inner.problems)
        elif item["type"] == "extra_forbidden":
            yield Problem(path, _unknown_key(item["loc"], owner))
        elif item["type"] in {"model_type", "model_attributes_type", "dict_type"}:
            yield Problem(path, f"a section with keys of its own was wanted (got {item['input']!r})")
        else:
            got = "" if inner or item["type"] == "missing" else f" (got {_short(item['input'])})"
            message = "this key is needed" if item["type"] == "missing" else item["msg"].removeprefix("Value error, ")
            yield Problem(path, message + got)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _unknown_key(loc: tuple[int | str, ...], owner: Any) -> str:
    for part in loc[:-1]:
        if isinstance(part, str) and (field := getattr(owner, "model_fields", {}).get(part)):
            owner = _model_in(field.annotation)
    fields = getattr(owner, "model_fields", {})
    near = nearest(str(loc[-1]), fields)
    known = f"; known here: {', '.join(fields)}" if fields and not near else ""
    return "unknown key" + (f"; did you mean {near!r}?" if near else known)


def _model_in(annotation: Any) -> Any:
    """The model class inside Annotated, Optional, a tuple or a union, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Annotated, Union, types.UnionType, tuple, list):
        return next((model for part in get_args(annotation) if (model := _model_in(part))), None)
    return None
