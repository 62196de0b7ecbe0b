"""Public fields are settings; private attributes are state; methods say what it does."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails, core_schema

from tunewright.core.errors import BadConfig, Problem, nearest, short


class Config(BaseModel):
    """Frozen, typed, and closed: a key that is not a field is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _truth_is_no_number(cls, values: Any) -> Any:
        """``true`` where only a number is wanted is a mistake like any word; pydantic alone would take it for 1."""
        if not isinstance(values, Mapping):
            return values
        numbers = {name for name, field in cls.model_fields.items() if isinstance(values.get(name), bool) and _is_number(field.annotation)}
        return {name: str(value).lower() if name in numbers else value for name, value in values.items()}

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

    @classmethod
    def meanings(cls) -> dict[str, str]:
        """Setting -> what the text below it says of it; one without such a text is left out.

        Read from the source when it is asked for: to do so whenever a class is made would take a third of what a refused recipe takes.
        """
        found: dict[str, str] = {}
        for owner in reversed(cls.__mro__):
            if issubclass(owner, Config) and owner is not Config:
                found |= _texts_below(owner)
        return {name: found[name] for name in cls.model_fields if name in found}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        made = handler(schema)
        properties = handler.resolve_ref_schema(made).get("properties", {})
        for name, meaning in cls.meanings().items():
            properties[name].setdefault("description", meaning)
        return made

    def state(self) -> dict[str, Any]:
        """What a checkpoint must keep: the private attributes, by name."""
        return {name: getattr(self, name) for name in self.__private_attributes__}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put back what ``state`` gave."""
        for name in self.__private_attributes__:
            setattr(self, name, state[name])


def _is_number(annotation: Any) -> bool:
    """Whether a field takes numbers, and neither truths nor anything."""
    kinds, left = set[Any](), [annotation]
    while left:
        kinds.add(one := left.pop())
        if get_origin(one) in (Union, types.UnionType, Annotated):
            left += get_args(one)
    return bool(kinds & {int, float}) and not kinds & {bool, Any}


@cache
def _texts_below(owner: type[Config]) -> dict[str, str]:
    """Field of this very class -> the text that stands below it in the source."""
    import ast
    import inspect
    import textwrap

    (made,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(made, ast.ClassDef)
    found = {}
    for field, below in zip(made.body, made.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
    return found


WHOLE = "(recipe)"
"""The path of a problem that belongs to no single key."""


WANTED = {
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_parsing", "float_type", "finite_number"), "a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "true or false"),
    **dict.fromkeys(("string_type", "string_sub_type"), "a text"),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "mapping_type"), "a section with keys of its own"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list"),
    "too_short": "a list of {min_length} at least",
    "too_long": "a list of {max_length} at most",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number from {ge:g} up",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of {le:g} at most",
}
"""What pydantic calls a mistake -> what was wanted instead, in our words."""
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""What a run or a dataset may be called: its folder has the same name."""
LANGUAGE = r"^[a-z]{2,3}$"
FORMS = {
    NAME: "a name of letters, digits, '.', '_' and '-' that begins with a letter or a digit",
    LANGUAGE: "a code of two or three letters, as en,",
}
"""Pattern of a text -> the same in words."""


def _problems(error: ValidationError, owner: type[BaseModel]) -> Iterator[Problem]:
    told, wanted, got = dict[str, list[str]](), dict[str, list[str]](), dict[str, str]()
    for item in error.errors():
        path = ".".join(_without_tags(item["loc"], owner)) or WHOLE
        inner = item.get("ctx", {}).get("error")
        if isinstance(inner, BadConfig):
            for problem in inner.problems:
                below = "" if problem.path == WHOLE else f".{problem.path}"
                told.setdefault(path + below, []).append(problem.message)
        elif one := wanted_instead(item):
            wanted.setdefault(path, []).append(one)
            told.setdefault(path, [])
            got[path] = short(item["input"])
        else:
            told.setdefault(path, []).append(_message(item, owner, inner))
    for path, messages in told.items():
        if path in wanted:
            messages = [f"{' or '.join(dict.fromkeys(wanted[path]))} was wanted (got {got[path]})", *messages]
        yield Problem(path, "; or: ".join(dict.fromkeys(messages)))


def wanted_instead(item: ErrorDetails) -> str:
    """What a value should have been, where that is a kind of value; empty where more must be said."""
    context = item.get("ctx", {})
    if item["type"] == "literal_error":
        return str(context["expected"]).replace("'", "")  # pydantic: 'auto', 'fp32' or 'bf16'
    if item["type"] == "string_pattern_mismatch":
        return FORMS.get(context["pattern"], f"a text of the form {context['pattern']}")
    return WANTED.get(item["type"], "").format_map(context)


def _message(item: ErrorDetails, owner: type[BaseModel], inner: object) -> str:
    kind, got = item["type"], f" (got {short(item['input'])})"
    if kind == "missing":
        return "this key is needed"
    if kind == "extra_forbidden":
        return _unknown_key(item["loc"], owner)
    return item["msg"].removeprefix("Value error, ") + ("" if inner else got)


def _without_tags(loc: tuple[int | str, ...], owner: Any) -> Iterator[str]:
    """The parts of a path that stand in the file: pydantic names the branch of a union that it tried as well."""
    here: Any = owner
    for part in loc:
        branches = _branches(here)
        if len(branches) > 1:  # this part is the branch; the value stands under the key before it
            here = next((one for one in branches if part == getattr(one, "__name__", None)), None)
            continue
        yield str(part)
        here = _below(branches[0] if branches else None, part)


def _branches(annotation: Any) -> list[Any]:
    """What a value may be, ``None`` left out and ``Annotated`` taken off."""
    if get_origin(annotation) is Annotated:
        return _branches(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [branch for one in get_args(annotation) if one is not type(None) for branch in _branches(one)]
    return [annotation]


def _below(annotation: Any, part: int | str) -> Any:
    """The annotation one step down a path."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return field.annotation if field else None
    inside = [one for one in get_args(annotation) if one is not Ellipsis]
    return inside[-1] if inside else None  # the element of a list, the value of a mapping


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
    if get_origin(annotation) in (Annotated, Union, types.UnionType, tuple, list, dict):
        return next((model for part in get_args(annotation) if (model := _model_in(part))), None)
    return None
