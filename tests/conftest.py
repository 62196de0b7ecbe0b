"""Shared runs: what needs a trained model uses one that was trained once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests import tiny
from tunewright.core import log

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests come first, so that no process is left with one of them when the others are done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


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


def made_once(name: str, make: Callable[[Path], object], factory: pytest.TempPathFactory) -> Path:
    """A folder that one of the processes that test has made, whichever came first."""
    root = factory.getbasetemp()
    place = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / f"once-{name}"
    done = place.with_suffix(".done")
    with FileLock(place.with_suffix(".lock")):
        if not done.exists():
            place.mkdir()
            make(place)
            done.touch()
    return place


@pytest.fixture(scope="session")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a generated tickets.csv and planted.json."""
    from tunewright.demo.tickets import Tickets

    return made_once("tickets", lambda folder: Tickets(rows=400, seed=3).write(folder), tmp_path_factory)


@pytest.fixture(scope="session")
def trained_run(tickets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole road on generated tickets: a run folder with its report, trained in seconds, in an output folder of this process."""
    from tunewright.pipeline.recipe import build
    from tunewright.pipeline.run import run

    recipe = {
        "task": "text-classification",
        "data": {"source": str(tickets / "tickets.csv"), "columns": {"text": "body", "label": "queue"}, "policy": {"label-variant": "fix"}},
        "model": {"base": "embedded", "max_tokens": 32},
        "train": {"max_steps": 16, "evaluate_every": 8},
        "evaluate": {"resamples": 200},
        "trackers": ["tensorboard"],
    }  # fmt: skip

    def make(folder: Path) -> None:
        run(build({**recipe, "output_dir": str(folder)}), tickets, "tickets", "tunewright run tickets.yaml")

    whole = made_once("trained", make, tmp_path_factory)
    mine = tmp_path_factory.mktemp("out") / "trained"
    shutil.copytree(whole, mine)
    return mine / "runs" / "tickets-1"


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT without dropout: the same rows give the same gradients, however they are cut into batches."""
    return tiny.base_folder(tmp_path_factory.mktemp("still"), **tiny.STILL)


@pytest.fixture(scope="session")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with dropout: every forward pass draws from the stream of chance."""
    return tiny.base_folder(tmp_path_factory.mktemp("moving"))
