"""Writes the reference pages that the code can tell better than a person: the recipe, the commands, the audit rules, the guards.

Run it with ``make docs``. A test compares the pages with what this file makes of the code.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import WithJsonSchema
from pydantic.fields import FieldInfo

from tunewright.cli import app
from tunewright.core.config import Config
from tunewright.core.registry import Member, Registry
from tunewright.data.audit import RULES
from tunewright.data.audit.base import Rule
from tunewright.data.audit.on_the_fly import REMEMBERING
from tunewright.metrics import FAMILIES
from tunewright.model.methods import METHODS
from tunewright.pipeline.recipe import Recipe
from tunewright.tasks import TASKS
from tunewright.train import ENGINES
from tunewright.train.callbacks import TRACKERS
from tunewright.train.criteria import CRITERIA
from tunewright.train.guards import GUARDS
from tunewright.train.guards.base import Guard
from tunewright.train.optimizers import OPTIMIZERS
from tunewright.train.schedules import SCHEDULES

HERE = Path(__file__).parent
NOTE = "<!-- Made by docs/reference/generate.py (make docs). Changes belong into the code's docstrings. -->\n"
WORDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Any": "any value", "NoneType": "null"}
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
KINDS: tuple[tuple[str, Registry[Any], str], ...] = (
    ("Tasks", TASKS, "task"),
    ("Methods", METHODS, "method"),
    ("Criteria", CRITERIA, "criterion"),
    ("Optimizers", OPTIMIZERS, "train.optimizer"),
    ("Schedules", SCHEDULES, "train.schedule"),
    ("Trackers", TRACKERS, "trackers"),
)


STREAMS = {
    "row": "each row is judged by itself, as in a whole table",
    "block": "rows are compared within a block",
    "first": "it looks at the first rows alone",
}


def recipe_page() -> str:
    """Every key of a recipe, and the settings of everything that a recipe can name."""
    sections: list[tuple[str, str, type[Config]]] = []
    plain: list[tuple[str, FieldInfo, str]] = []
    for name, field in Recipe.model_fields.items():
        if inner := _section(field.annotation):
            sections.append((name, Recipe.meanings()[name], inner))
        else:
            plain.append((name, field, Recipe.meanings()[name]))
    text = [
        "# The recipe",
        "",
        NOTE,
        "A recipe is one YAML file. Only `task`, `data.source` and `model.base` are needed; everything else has a default.",
        "An unknown key is refused, with the nearest name. Any key can be set from the command line: `--set train.epochs=5`.",
        "After a run, `runs/<name>/recipe.yaml` shows every key with the value that was used and where it came from.",
        "",
        "A part with settings of its own is written as a name, or as a name with settings:",
        "",
        "```yaml",
        "method: lora",
        "```",
        "",
        "```yaml",
        "method: {name: lora, rank: 8}",
        "```",
        "",
        "## At the top",
        "",
        *_table(plain),
    ]
    for name, meaning, inner in sections:
        text += ["", f"## `{name}`", "", _prose(meaning), "", *_table(_fields(inner, f"{name}."))]
    for title, registry, key in KINDS:
        text += ["", f"## {title}", "", f"Named in the recipe's `{key}`."]
        for name in sorted(registry.places()):
            member = registry.get(name)
            text += ["", f"### `{name}`", "", _first_sentence(member.__doc__), "", *(_table(_fields(member, "")) or ["No settings."])]
    text += ["", "## Engines", "", "Named in `train.engine`: " + ", ".join(f"`{name}`" for name in sorted(ENGINES)) + "."]
    text += ["", "## Metrics", "", "Named in `evaluate.metrics`; a function of your own is written `file.py:function`.", ""]
    for family, (names, takes) in FAMILIES.items():
        text += [f"For {family}; a function of your own takes `({', '.join(takes)})`:", "", "| name | what it is |", "| --- | --- |"]
        text += [*(f"| `{name}` | {_prose(_meaning(place))} |" for name, place in sorted(names.items())), ""]
    text.pop()
    return "\n".join(text) + "\n"


def commands_page() -> str:
    """Every command with its arguments and options."""
    group = typer.main.get_command(app)
    text = ["# The commands", "", NOTE, _prose(str(group.help or "")), ""]
    text += [
        "Results go to standard output, words and progress bars to standard error. Exit status: 0 done, 1 a bug of ours,",
        "2 your input, recipe or code, 3 data refused by a policy, 4 training diverged, 5 an artefact refused, 130 interrupted,",
        "143 terminated.",
    ]
    for path, command in _commands(group, "tunewright"):
        text += ["", f"## `{path}`", "", *_help(command), "", "```text", _usage(path, command), "```", ""]
        shown = [param for param in command.params if param.name != "help" and not getattr(param, "hidden", False)]
        if shown:
            text += ["| argument or option | what it is | default |", "| --- | --- | --- |"]
            text += [f"| {_option(param)} | {_prose(getattr(param, 'help', None) or '')} | {_option_default(param)} |" for param in shown]
    return "\n".join(text).rstrip() + "\n"


def rules_page() -> str:
    """Every audit rule: what it finds, what is done by default, what a recipe may ask for, and its settings."""
    text = [
        "# The audit rules",
        "",
        NOTE,
        "Each rule looks at the rows in this order, each at what the ones before it left. It tells what it found; the recipe decides:",
        "`keep` tells only, `drop` moves the rows to `quarantine.parquet` with a reason, `fix` repairs them, `refuse` stops with status 3.",
        "Rows of a test split that the source names are never dropped or changed, except by a rule that says so below.",
        "",
        "```yaml",
        "data: {policy: {label-variant: fix, conflicting-label: drop}}",
        "```",
        "",
        "A rule is left out with `data.rules: {<rule>: false}`; one that is off by default is switched on with `true`. Settings stand in",
        "the place of these words. [Clean the data](../how-to/clean-data.md) says how to use the rules,",
        "[a rule of your own](../how-to/your-own-data-rule.md) how to add one.",
        "",
        "| rule | finds | looks at | severity | default | can |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    rules = {name: RULES.get(name) for name in RULES.places()}
    text += [
        f"| [`{name}`](#{name}) | {_short(_finds(rule))} | {', '.join(rule.looks_at)} | {rule.severity} | {_usual(rule)} | "
        f"{', '.join(rule.policies)} |"
        for name, rule in rules.items()
    ]
    for name, rule in rules.items():
        text += ["", f"## `{name}`", "", _prose(_finds(rule)), "", *_rule_facts(name, rule)]
        text += _settings_of(name, rule)
    return "\n".join(text) + "\n"


def _rule_facts(name: str, rule: type[Rule]) -> Iterator[str]:
    yield f"- Looks at: {' or '.join(rule.looks_at)}, {'after' if rule.when == 'split' else 'before'} missing splits are made."
    if rule.tasks:
        yield f"- Serves: {', '.join(rule.tasks)}."
    policies = [f"{one} (default)" if one == rule.default else one for one in rule.policies]
    yield f"- Severity: {rule.severity}. Policies: {', '.join(policies)}."
    if not _on(rule):
        yield "- Off by default."
    yield f"- Costs: {_prose(rule.cost)}."
    yield f"- Remedy: {_prose(rule.remedy)}."
    if rule.recipe:
        yield f"- In a recipe: `{rule.recipe}`"
    yield f"- In a stream: {'what it needs of earlier rows is remembered' if name in REMEMBERING else STREAMS[rule.streams]}."
    if rule.reaches_test:
        yield "- Reaches a given test split too: such rows cannot be scored; they are counted beside the score."


def _settings_of(name: str, rule: type[Rule]) -> list[str]:
    """The settings of a rule, as ``data.rules`` takes them."""
    lines = _table(one for one in _fields(rule, "") if one[0] != "enabled")
    return ["", f"Settings, written `data.rules: {{{name}: {{<key>: <value>}}}}`:", "", *lines] if lines else []


def _finds(rule: type[Rule] | type[Guard]) -> str:
    return " ".join((rule.__doc__ or "").split())


def _short(text: str) -> str:
    """What a rule finds, without the further sentences and without what stands behind a colon."""
    return _prose(re.split(r"(?<=[a-z`)])[.:;] ", text)[0].rstrip("."))


def _usual(rule: type[Rule]) -> str:
    return rule.default if _on(rule) else "off"


def _on(rule: type[Rule]) -> bool:
    return bool(rule.model_fields["enabled"].default)


def guards_page() -> str:
    """Every guard: its symptom, what that may mean, what to do, what it does when it may adjust, and its settings."""
    text = [
        "# The guards",
        "",
        NOTE,
        "Guards look at each step after its gradients and before its update, and at each look at the validation rows, in this order.",
        "What they see stands in `events.jsonl` and in the report, and on the screen with its remedy. Their `action` says what they do:",
        "`tell` it, `adjust` the run as the table says, or `stop` it. The first that acts on a step decides what becomes of it.",
        "",
        "```yaml",
        "guards: {overfitting: {action: stop}, exploding-gradients: {action: adjust, factor: 20}, slow: false}",
        "```",
        "",
        "All are on; `false` leaves one out. [Watch a training](../how-to/watch-a-training.md) says how to use them.",
        "",
        "| guard | symptom | what it may mean | remedy | `action` | `adjust` |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    guards = {name: GUARDS.get(name) for name in GUARDS.places()}
    text += [
        f"| [`{name}`](#{name}) | {_prose(guard.symptom)} | {_prose(guard.means)} | {_prose(guard.remedy)} | "
        f"`{guard.model_fields['action'].default}` | {_prose(guard.adjusts or 'refused: it knows no cure')} |"
        for name, guard in guards.items()
    ]
    text += ["", "## Every guard", "", "Settings that all have:", "", *_table(_fields(Guard, ""))]
    for name, guard in guards.items():
        usual = Guard.meanings()
        own = [(path, field, meaning) for path, field, meaning in _fields(guard, "") if usual.get(path) != meaning]
        text += ["", f"## `{name}`", "", _finds(guard), "", *(_table(own) or ["No settings of its own."])]
    return "\n".join(text) + "\n"


PAGES = {"recipe.md": recipe_page, "commands.md": commands_page, "rules.md": rules_page, "guards.md": guards_page}


def _section(annotation: Any) -> type[Config] | None:
    """The class of a section with keys of its own; None for a value or a member of a registry."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, Config) and annotation not in _kinds() else None


def _kinds() -> set[Any]:
    return {registry.get(next(iter(registry.places()))).__mro__[1] for _, registry, _ in KINDS}


def _fields(owner: type[Config], prefix: str) -> Iterator[tuple[str, FieldInfo, str]]:
    """Every key below ``owner`` with what it says of itself, sections within it opened."""
    for name, field in owner.model_fields.items():
        inner = _section(field.annotation)
        if inner:
            yield from _fields(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field, owner.meanings().get(name, "")
            for one in get_args(field.annotation):  # settings, or true or false
                yield from _fields(one, f"{prefix}{name}.") if isinstance(one, type) and issubclass(one, Config) else ()


def _table(fields: Iterable[tuple[str, FieldInfo, str]]) -> list[str]:
    lines = [f"| `{path}` | {_type(field)} | {_default(field)} | {_prose(meaning)} |" for path, field, meaning in fields]
    return ["| key | type | default | what it is |", "| --- | --- | --- | --- |", *lines] if lines else []


def _type(field: FieldInfo) -> str:
    members = [found for one in (*field.metadata, *_metadata(field.annotation)) if isinstance(one, Member) for found in [one.registry]]
    if any(isinstance(one, WithJsonSchema) for one in field.metadata):
        return "text, list of texts, or mapping of splits to these"
    if members:
        text = f"a {members[0].kind}"
        if get_origin(field.annotation) is tuple:
            text = f"list of {members[0].kind}s"
    else:
        text = _named(field.annotation)
    bounds = [
        f"{word} {getattr(one, key):g}" for one in field.metadata for key, word in BOUNDS.items() if getattr(one, key, None) is not None
    ]
    optional = " or null" if type(None) in get_args(field.annotation) else ""
    return text + (f", {' and '.join(bounds)}" if bounds else "") + (optional if optional not in text else "")


def _metadata(annotation: Any) -> tuple[Any, ...]:
    found = getattr(annotation, "__metadata__", ())
    return (*found, *(more for part in get_args(annotation) for more in _metadata(part)))


def _named(annotation: Any) -> str:
    """A type in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _named(parts[0])
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(_named(part) for part in parts)
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return "settings"
    if origin is tuple:
        return f"list of {_named(parts[0])}"
    if origin is dict:
        return f"mapping of {_named(parts[0])} to {_named(parts[1])}"
    return WORDS.get(getattr(annotation, "__name__", ""), str(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True, validated_data={})
    registry = next((registry for _, registry, _ in KINDS if type(value) in {registry.get(name) for name in registry.places()}), None)
    if registry:
        return f"`{registry.name_of(value)}`"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (tuple, dict)):
        return f"`[{', '.join(map(str, value))}]`" if isinstance(value, tuple) else "`{}`"
    return f"`{value}`"


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, inner in getattr(command, "commands", {}).items():
        if getattr(inner, "commands", None):
            yield from _commands(inner, f"{path} {name}")
        else:
            yield f"{path} {name}", inner


def _help(command: Any) -> list[str]:
    """The help of a command; its example stands in a block of its own."""
    text, _, example = str(command.help or "").partition(" Example: ")
    example, _, more = example.partition("\n")
    lines = [_prose(text)]
    lines += ["", "```sh", example.strip(), "```"] if example else []
    return lines + (["", _prose(more)] if more.strip() else [])


def _usage(path: str, command: Any) -> str:
    words = [_metavar(param) for param in command.params if param.param_type_name == "argument"]
    options = [""] if any(param.param_type_name == "option" and param.name != "help" for param in command.params) else []
    return " ".join([path, *("[OPTIONS]" for _ in options), *words])


def _metavar(param: Any) -> str:
    name = str(param.metavar or param.name).upper()
    return name if param.required else f"[{name}]"


def _option(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{_metavar(param)}`"
    names = ", ".join(f"`{name}`" for name in param.opts)
    return names + (f" {param.metavar}" if param.metavar and not param.is_flag else "")


def _option_default(param: Any) -> str:
    if param.required:
        return "needed"
    if getattr(param, "is_flag", False) or param.default in (None, ()):
        return ""
    return f"`{param.default}`"


def _meaning(place: str) -> str:
    module, _, attribute = place.partition(":")
    from importlib import import_module

    return _first_sentence(getattr(import_module(module), attribute).__doc__)


def _first_sentence(doc: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return _prose(" ".join((doc or "").strip().split("\n\n")[0].split()))


def _prose(text: str) -> str:
    """A docstring's words as they stand on a page, ready for a cell of a table."""
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
