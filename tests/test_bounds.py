"""The releases that are tested are those that the package admits: the oldest at its bounds, the newest not below them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
TOOLS = "dev"
"""The extra of those who work on the package: no release of a tool is promised."""


def bounds() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *(some for extra, some in project["optional-dependencies"].items() if extra != TOOLS)]
    found = [Requirement(line) for group in groups for line in group]
    return {one.name.lower(): one for one in found if not one.name.startswith("tunewright")}


def pinned(name: str) -> dict[str, Version]:
    lines = [line.split("==") for line in (ROOT / name).read_text().splitlines() if "==" in line and not line.startswith("#")]
    return {package.strip().lower(): Version(version.split()[0]) for package, version in lines}


@pytest.mark.parametrize("name", sorted(bounds()))
def test_the_oldest_release_that_is_admitted_is_the_one_tested(name: str) -> None:
    (bound,) = bounds()[name].specifier
    assert bound.operator == ">=", "lower bounds only"
    assert pinned("constraints-lowest.txt")[name] == Version(bound.version)
    assert pinned("constraints.txt")[name] >= Version(bound.version)
