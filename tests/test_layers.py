"""The import table is the architecture: every import of ours keeps to it, at the top of a module and inside functions alike."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tunewright

ROOT = Path(tunewright.__file__).parent
STAGES = {"train", "tasks", "data", "model", "serve", "evaluate", "review", "report", "demo", "metrics", "perturb"}
MAY_IMPORT = {
    "core": set(),
    "metrics": {"core"},
    "perturb": {"core"},
    "report": {"core"},
    "train": {"core", "metrics", "perturb"},
    "tasks": {"core", "metrics"},
    "data": {"core", "tasks"},
    "model": {"core", "tasks"},
    "serve": {"core", "tasks", "model"},
    "evaluate": {"core", "metrics", "perturb", "tasks", "data", "model"},
    "review": {"core", "metrics"},
    "demo": {"core", "perturb"},
    "pipeline": {"core", *STAGES},
    "cli": {"core", "pipeline"},
    "__init__": {"core", "pipeline"},
    "__main__": {"cli"},
}


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path, source: str | None = None) -> Iterator[tuple[str, bool]]:
    """Every module of ours that a file names in an import, and whether the import runs when the file is loaded."""
    tree = ast.parse(source or path.read_text())
    lazy: set[ast.AST] = set()
    for node in ast.walk(tree):
        kept_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or kept_for_types:
            lazy |= set(ast.walk(node))
    package = ["tunewright", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            whole = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{whole}.{one.name}" for one in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and isinstance(node.args[0], ast.Constant):
            names = [str(node.args[0].value)]
        for name in names:
            if name == "tunewright" or name.startswith("tunewright."):
                yield name, node not in lazy


def edges() -> list[tuple[str, str, str]]:
    return [
        (str(path.relative_to(ROOT)), room(path), ([*name.split("."), "__init__"])[1])
        for path in sorted(ROOT.rglob("*.py"))
        for name, _ in imports(path)
    ]


def test_every_import_keeps_to_the_table() -> None:
    seen = [edge for edge in edges() if edge[1] != edge[2]]
    assert len(seen) >= 150, "hardly any import was found: is ROOT right?"
    # ``from tunewright import __version__``-like names resolve to the face, which may be read by nobody below it
    wrong = [edge for edge in seen if edge[2] not in MAY_IMPORT[edge[1]]]
    assert not wrong, wrong


def test_every_room_stands_in_the_table() -> None:
    rooms = {room(path) for path in ROOT.rglob("*.py")}
    assert len(rooms) >= 10
    assert rooms <= set(MAY_IMPORT), rooms - set(MAY_IMPORT)


def test_registries_and_engines_point_into_their_own_room() -> None:
    pointers = [
        (path, node.value)
        for path in ROOT.rglob("__init__.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("tunewright.") and ":" in node.value
    ]
    assert len(pointers) >= 15
    for path, pointer in pointers:
        assert pointer.split(".")[1] == room(path), f"{path} points to {pointer}"


@pytest.mark.parametrize(
    "line",
    [
        "from tunewright.model.build import build",
        "import tunewright.model.build",
        "from tunewright import model",
        "def later():\n    from tunewright.model import build",
        "from ..model import build",
        "from .. import model",
        "from importlib import import_module\nimport_module('tunewright.model.build')",
    ],
)
def test_each_way_to_write_an_import_is_seen(line: str) -> None:
    found = [name for name, _ in imports(ROOT / "data" / "somewhere.py", line)]
    assert [name.split(".")[1] for name in found] == ["model"]
    assert "model" not in MAY_IMPORT["data"]


def modules() -> dict[str, Path]:
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(["tunewright", *(parts[:-1] if parts[-1] == "__init__" else parts)])] = path
    return found


def test_no_module_imports_itself_in_a_circle() -> None:
    known = modules()
    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        named = [one for one, at_once in imports(path) if at_once]
        graph[name] = {one if one in known else one.rpartition(".")[0] for one in named} - {name}
    assert len(graph) >= 80 and sum(map(len, graph.values())) >= 150
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"a circle: {' -> '.join([*above[above.index(name) :], name])}"
        if name not in done:
            for one in sorted(graph.get(name, ())):
                visit(one, (*above, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())
