"""Work that is done apart, in a thread of its own."""

from __future__ import annotations

import threading

import pytest

from tunewright.core.errors import UserError
from tunewright.model.device import apart


def test_what_is_done_apart_gives_its_value_or_its_error() -> None:
    assert apart(lambda: threading.current_thread() is not threading.main_thread())

    def refused() -> None:
        raise UserError("no such table")

    with pytest.raises(UserError, match="no such table"):
        apart(refused)
