"""Words and progress bars on standard error: quiet when it is no terminal, silent when asked."""

from __future__ import annotations

import logging
import os
import warnings
from typing import TYPE_CHECKING

from tunewright.core import launch

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_quiet = launch.number() > 0
_console: Console | None = None


def set_quiet(quiet: bool) -> None:
    """Say nothing from now on but errors (or say it again); of processes that run together, the first alone speaks."""
    global _quiet
    _quiet = quiet or launch.number() > 0


def console() -> Console:
    """The one console for people, on standard error."""
    global _console
    if _console is None:
        from rich.console import Console

        _console = Console(stderr=True, highlight=False, soft_wrap=True)
    return _console


def say(text: str) -> None:
    """A line for the person who watches; results go to standard output instead."""
    if not _quiet:
        console().print(text, markup=False, emoji=False)


def progress() -> Progress:
    """A bar with time left, drawn only on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console(), transient=True, disable=_quiet or not console().is_terminal)


def calm_libraries() -> None:
    """Keep Hugging Face from drawing bars and reports of its own, and from looking for anything on the network that nobody asked for; and
    bitsandbytes, which PEFT loads, from telling what it lacks on this machine, and at every product that it rounds."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from transformers.utils import logging as of_transformers

    of_transformers.set_verbosity_error()  # type: ignore[no-untyped-call]
    of_transformers.disable_progress_bar()  # type: ignore[no-untyped-call]
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")  # what libraries tell each other of their next release
