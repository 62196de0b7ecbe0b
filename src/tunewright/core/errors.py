"""Errors a user can act on: what was found, what was wanted, what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import ClassVar


class UserError(Exception):
    """Base of every error that the user can mend. The command line prints it without a traceback.

    Args:
        found: what was met, with its file, row or key.
        wanted: what would have been right.
        next_step: what to do now.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, found: str, wanted: str = "", next_step: str = "") -> None:
        self.found, self.wanted, self.next_step = found, wanted, next_step
        super().__init__(" ".join(_sentence(part) for part in (found, wanted, next_step) if part))


class DataRefused(UserError):
    """A policy of the recipe says ``refuse`` and the data has such rows."""

    exit_code = 3


class Diverged(UserError):
    """Training left the finite numbers."""

    exit_code = 4


class ProofFailed(UserError):
    """A saved artefact does not answer as the trained model did."""

    exit_code = 5


class Interrupted(UserError):
    """The user pressed Ctrl-C; what was done is saved and the message says how to go on."""

    exit_code = 130


class Terminated(UserError):
    """The process was asked to end (SIGTERM); what was done is saved and the message says how to go on."""

    exit_code = 143


class DiskFull(UserError):
    """There is no room left where something was to be written."""


class MissingExtra(UserError):
    """A part of tunewright needs packages that were not installed with it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs packages that are not installed", "", f"Install them: pip install 'tunewright[{extra}]'")


class UnknownName(UserError, ValueError):
    """A name that no member of a registry answers to."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no {kind} is called {name!r}", hint(name, known))


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a configuration, and where it stands in the file."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class BadConfig(UserError, ValueError):
    """Every problem of a configuration at once, so that one edit can mend them all."""

    def __init__(self, problems: Sequence[Problem], where: str = "the recipe") -> None:
        self.problems = list(problems)
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{len(problems)} problem{'s' * (len(problems) != 1)} in {where}:\n{lines}")


class SeveralErrors(UserError):
    """Errors that were found side by side, told at once."""

    def __init__(self, errors: Sequence[UserError]) -> None:
        self.errors = list(errors)
        lines = "\n".join(f"  {' '.join(str(error).split())}" for error in errors)
        super().__init__(f"{len(errors)} things are in the way:\n{lines}")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was meant for: one slip away, three quarters alike, or begun; None when none comes close.

    >>> nearest("lable", ["text", "label"])
    'label'
    """
    by_lower = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[found[0]] if found and _near(name.lower(), found[0]) else None


def _near(one: str, other: str) -> bool:
    alike = SequenceMatcher(None, other, one).ratio()
    odd_letters = round((1 - alike) * (len(one) + len(other)))  # a letter for another, or two that changed places: two
    return alike >= 0.75 or odd_letters <= 2 or one.startswith(other) or other.startswith(one)


def hint(name: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known name, or the first twelve of them."""
    known = sorted(known)
    near = nearest(name, known)
    shown = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
    return f"Did you mean {near!r}?" if near else f"Known: {shown or 'none'}."


def first_line(error: BaseException) -> str:
    """The first line of what another library's error says, up to 200 characters; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def memory_failed(error: Exception) -> bool:
    """Whether an error says that there is no memory left, on whatever device."""
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, MemoryError) or should_reduce_batch_size(error)


def short(value: object) -> str:
    """A value as Python writes it, up to 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _sentence(part: str) -> str:
    part = part.strip()
    return part if part.endswith((".", "?", "!", ":", "\n")) or "\n" in part else part + "."
