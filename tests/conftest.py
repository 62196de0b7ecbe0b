"""Shared runs: what needs a trained model uses one that was trained once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunewright.core import log

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers: the tests of a file go to one, which makes their fixtures once; so do the files that share the trained run."""
    shared = "trained_run"
    sharing = {item.path for item in items if shared in getattr(item, "fixturenames", ())}
    for item in items:
        item.add_marker(pytest.mark.xdist_group(shared if item.path in sharing else item.path.stem))


@pytest.fixture(autouse=True)
def loud() -> Iterator[None]:
    """Every test begins with a tool that speaks, and speaks to the standard error of that test."""
    log._console = None
    yield
    log.set_quiet(False)
    log._console = None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public data sets; where the variable is set, a set that is missing is a failure."""
    place = os.environ.get("TUNEWRIGHT_DATA")
    if not place:
        pytest.skip("TUNEWRIGHT_DATA is not set: no public data sets here")
    folder = Path(place)
    assert folder.is_dir(), f"TUNEWRIGHT_DATA names {folder}, which is no folder"
    return folder


@pytest.fixture(scope="session")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a generated tickets.csv and planted.json."""
    from tunewright.demo.tickets import Tickets

    folder = tmp_path_factory.mktemp("tickets")
    Tickets(rows=400, seed=3).write(folder)
    return folder


@pytest.fixture(scope="session")
def trained_run(tickets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole road on generated tickets: a run folder with its report, trained in seconds."""
    from tunewright.pipeline.recipe import build
    from tunewright.pipeline.run import run

    out = tmp_path_factory.mktemp("out")
    recipe = build({
        "task": "text-classification",
        "data": {"source": str(tickets / "tickets.csv"), "columns": {"text": "body", "label": "queue"}, "policy": {"label-variant": "fix"}},
        "model": {"base": "embedded", "max_tokens": 32},
        "train": {"max_steps": 16, "evaluate_every": 8},
        "evaluate": {"resamples": 200},
        "trackers": ["tensorboard"],
        "output_dir": str(out),
    })  # fmt: skip
    folder, _ = run(recipe, tickets, "tickets", "tunewright run tickets.yaml")
    return folder
