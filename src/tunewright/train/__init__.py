"""Training: what a run is, the engines that drive it, and what can be plugged into it. Knows nothing of tables or files of rows."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunewright.train.run import Job, Run

ENGINES: dict[str, str] = {
    "trainer": "tunewright.train.hf:fit",
    "loop": "tunewright.train.loop:fit",
}
"""Name in a recipe -> the function that drives a ``Job`` to its end."""


def engine(name: str) -> Callable[[Job], Run]:
    """The function behind the name of an engine, loaded when asked for."""
    module, _, attribute = ENGINES[name].partition(":")
    found: Callable[[Job], Run] = getattr(import_module(module), attribute)
    return found
