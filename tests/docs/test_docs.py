"""Every block of code on the pages runs, every link leads somewhere, every claim names a test that is there."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tunewright.core.errors import UserError

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.M)
SECTIONS = ["Question", "What others do", "Choice", "What would change our mind"]
LANGUAGES = {"python", "yaml", "sh", "toml", "text"}
RECIPE: dict[str, Any] = {
    "task": "text-classification",
    "data": {"source": "tickets.csv", "columns": {"text": "body", "label": "queue"}},
    "model": {"base": "embedded"},
}


@dataclass(frozen=True)
class Block:
    """A block of code on a page."""

    page: str
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}, {self.language} block {self.number}"


def words_of(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def blocks(language: str) -> list[Block]:
    found = []
    for page in PAGES:
        for number, (kind, text) in enumerate(FENCE.findall(page.read_text(encoding="utf-8"))):
            if kind == language:
                found.append(Block(str(page.relative_to(ROOT)), number, language, text))
    return found


PYTHON = {block.page: [other for other in blocks("python") if other.page == block.page] for block in blocks("python")}


def test_every_block_says_its_language_and_none_is_forgotten() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = FENCE.findall(text)
        assert len(found) * 2 == len(re.findall(r"^```", text, re.M)), f"{page}: a block is not closed"
        assert {kind for kind, _ in found} <= LANGUAGES, page
    assert len(blocks("python")) >= 12 and len(blocks("yaml")) >= 16 and len(blocks("sh")) >= 25 and len(blocks("toml")) >= 1


# Python: the blocks of a page are one program, from top to bottom.


@pytest.fixture(scope="session")
def place(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the pages take it for granted: a (small) table, its recipe, a trained run, and a model with mean pooling."""
    from tunewright.demo.tickets import Tickets

    folder = tmp_path_factory.mktemp("pages")
    _shorten(Tickets(rows=120).write(folder), "body")
    (folder / "tickets.yaml").write_text(yaml.safe_dump(RECIPE))
    (folder / "runs").mkdir()
    (folder / "runs" / "tickets-1").symlink_to(trained_run, target_is_directory=True)
    _mean_pooled(folder / "runs" / "mean-1" / "model")
    return folder


def _shorten(table: Path, column: str) -> None:
    """Cut the texts of a table, so that a run on it takes seconds."""
    with table.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**row, column: (row[column] or "")[:60]} for row in rows)


def _mean_pooled(folder: Path) -> None:
    from tunewright.model.base import find
    from tunewright.model.build import build, save
    from tunewright.model.methods import METHODS
    from tunewright.model.settings import ModelSettings
    from tunewright.tasks import TASKS
    from tunewright.tasks.text_classification import TextClassification

    settings, task = ModelSettings(base="embedded", pooling="mean"), TextClassification(labels=("billing", "delivery"))
    base = find(settings, task.head)
    model = build(base, settings, task, METHODS.build("full"), 0).model
    save(model, folder, base.tokenizer, task, TASKS.spec(task), settings, 32)


@pytest.mark.slow
@pytest.mark.parametrize("page", PYTHON)
def test_the_python_of_a_page_runs(page: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    together: dict[str, Any] = {"__name__": "page"}
    for block in PYTHON[page]:
        exec(compile(block.text, str(block), "exec", dont_inherit=True), together)


# Recipes.


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_recipe_on_a_page_is_a_recipe(block: Block) -> None:
    from tunewright.pipeline.recipe import build

    values = yaml.safe_load(block.text)
    whole = "task" in values
    recipe = build(values if whole else {**RECIPE, **{key: _over(RECIPE.get(key), value) for key, value in values.items()}}, str(block))
    assert recipe.model.base


def _over(below: Any, above: Any) -> Any:
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return {**below, **{key: _over(below.get(key), value) for key, value in above.items()}}
    return above


# Commands.


def commands() -> Iterator[tuple[Block, list[str]]]:
    """Every command of the shell blocks, pipes taken apart."""
    for block in blocks("sh"):
        for line in block.text.splitlines():
            for part in line.split(" | "):
                yield block, shlex.split(part)


OURS = [(block, words[1:]) for block, words in commands() if words[0] == "tunewright"]


@pytest.mark.parametrize(("block", "words"), OURS, ids=lambda one: " ".join(one) if isinstance(one, list) else str(one))
def test_a_command_on_a_page_is_one_that_we_have(block: Block, words: list[str]) -> None:
    assert parse(words), f"{block}: tunewright {' '.join(words)}"


def parse(words: list[str]) -> dict[str, Any]:
    """The values of a command's arguments and options, as the command line itself reads them; runs nothing."""
    import typer

    from tunewright.cli import app
    from tunewright.pipeline.recipe import build, parse_settings

    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    values: dict[str, Any] = command.make_context("tunewright", list(words)).params
    for key, value in parse_settings(values.get("set_") or []).items():
        inner = value
        for name in reversed(key.split(".")):
            inner = {name: inner}
        build({**RECIPE, **{name: _over(RECIPE.get(name), one) for name, one in inner.items()}})
    return {"": command, **values}


def test_the_parser_refuses_what_is_wrong() -> None:
    with pytest.raises(KeyError):
        parse(["trian", "tickets.yaml"])
    with pytest.raises(Exception, match="No such option"):
        parse(["train", "tickets.yaml", "--epochs", "3"])
    with pytest.raises(UserError, match="epochs"):
        parse(["train", "tickets.yaml", "--set", "train.epoch=3"])


def test_every_other_line_of_a_shell_block_can_be_given() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    others = [(block, words) for block, words in commands() if words[0] != "tunewright"]
    assert len(others) >= 8 and len(OURS) >= 25
    for block, words in others:
        if words[0] == "make":
            assert set(words[1:]) <= targets, block
        elif words[:2] == ["pip", "install"]:
            wanted = {name for word in words for found in re.findall(r"tunewright\[(.*)\]", word) for name in found.split(",")}
            assert wanted <= extras, block
        else:
            assert words[0] == "cat", f"{block}: {words[0]} is neither ours nor make, pip or cat"


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml_on_a_page_can_be_read(block: Block) -> None:
    groups = tomllib.loads(block.text)["project"]["entry-points"]
    assert [group.split(".")[0] for group in groups] == ["tunewright"]


# Links, claims, decisions, generated pages.


def anchors(page: Path) -> set[str]:
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(words_of(page))}


def test_every_link_leads_somewhere() -> None:
    links = [(page, link) for page in PAGES for link in LINK.findall(words_of(page))]
    assert len(links) >= 80
    for page, link in links:
        assert not link.startswith("http"), f"{page} leads out of the repository: {link}"
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.relative_to(ROOT)}: {link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{page.relative_to(ROOT)}: {link} names no heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        waiting += [
            (page.parent / link.partition("#")[0]).resolve()
            for link in LINK.findall(page.read_text(encoding="utf-8"))
            if not link.startswith("#")
        ]
    assert {page.resolve() for page in PAGES} <= {page.resolve() for page in reached}


def test_every_claim_of_the_readme_is_shown_by_a_test_that_is_there() -> None:
    table = re.search(r"\| shown by \|\n(.*?)\n\n", (ROOT / "README.md").read_text(), re.S)
    assert table
    lines = table[1].splitlines()[1:]
    assert len(lines) >= 12
    for line in lines:
        shown_by = re.findall(r"`([^`]+)`", line.rsplit("|", 2)[1])
        assert shown_by, f"nothing shows this claim: {line}"
        for one in shown_by:
            _is_there(one)


def test_every_path_of_ours_that_a_page_names_is_there() -> None:
    named = [
        (page, path)
        for page in PAGES
        for path in re.findall(r"`((?:tests|src|docs|benchmarks)/[^`\s]+)`", page.read_text(encoding="utf-8"))
    ]
    assert len(named) >= 40
    for page, path in named:
        if "<" not in path:
            assert (ROOT / path.partition("::")[0]).exists(), f"{page.relative_to(ROOT)} names {path}, which is not there"


def _is_there(where: str) -> None:
    file, _, test = where.partition("::")
    assert (ROOT / file).is_file(), f"{where}: no such file"
    if test:
        assert re.search(rf"^def {test}\(", (ROOT / file).read_text(), re.M), f"{where}: no such test"


def test_a_decision_says_question_others_choice_and_what_would_change_our_mind() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1)) and len(pages) >= 9
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    for page in pages:
        text = page.read_text()
        assert text.startswith(f"# {page.name[:4]}: "), page
        assert re.findall(r"^## (.+)$", text, re.M) == SECTIONS, page
        assert page.name in index, page


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "reference" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["recipe.md", "commands.md", "rules.md", "guards.md"])
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    made = generator().PAGES
    assert set(made) == {"commands.md", "guards.md", "recipe.md", "rules.md"}
    assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == made[name](), "the code has changed: make docs"


def test_reference_pages_hold_every_key_command_and_rule() -> None:
    from tunewright.data.audit import RULES
    from tunewright.pipeline.recipe import build
    from tunewright.pipeline.resolve import flat

    parts = ("task.", "method.", "data.columns.", "train.optimizer.", "train.schedule.")  # their settings stand in tables of their own
    recipe, rules = ((ROOT / "docs" / "reference" / name).read_text() for name in ("recipe.md", "rules.md"))
    keys = [key for key in flat(build(RECIPE).model_dump(mode="json")) if not key.startswith(parts)]
    assert len(keys) >= 40
    assert not [key for key in keys if f"| `{key}` |" not in recipe]
    assert not [name for name in RULES.places() if f"## `{name}`" not in rules]


def test_the_files_of_a_run_are_those_of_the_reference_page(trained_run: Path) -> None:
    page = (ROOT / "docs" / "reference" / "run-folder.md").read_text()
    there = {path.name + ("/" if path.is_dir() else "") for path in trained_run.iterdir()} - {"tensorboard/"}
    told = set(re.findall(r"^  ([\w./]+) ", FENCE.findall(page)[0][1], re.M))
    assert there <= told and told - there == {"adapter/", "model.unproved/", "stream/"}
    for file, heading in (("manifest.json", "manifest.json"), ("data.json", "data.json"), ("metrics.json", "metrics.json")):
        keys = set(json.loads((trained_run / file).read_text()))
        section = page.split(f"## {heading}\n")[1].split("\n## ")[0]
        unknown = keys - set(re.findall(r"`(\w+)`", section))
        assert unknown <= {"tunewright", "recipe_folder", "thresholds"}, f"{file} has keys that the page does not tell: {unknown}"


def test_the_changelog_knows_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_hooks_run_from_the_virtual_environment_and_fetch_nothing() -> None:
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    hooks = repos[0]["hooks"]
    assert {hook["id"] for hook in hooks} == {"ruff-format", "ruff-check", "mypy"}
    assert all(hook["language"] == "system" and hook["entry"].startswith(".venv/bin/") for hook in hooks)
