from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import tiny
from tunewright.train.callbacks.journal import Journal
from tunewright.train.callbacks.signals import Signals
from tunewright.train.checkpoint import is_whole, latest, step_of
from tunewright.train.hf import fit
from tunewright.train.run import Callback, Run


class Raise(Callback):
    """Sends a signal to this very process, in the middle of a run."""

    number: int
    step: int
    times: int = 1

    def step_end(self, run: Run) -> None:
        if run.step == self.step:
            for _ in range(self.times):
                signal.raise_signal(self.number)  # to this thread: two that the kernel keeps for any thread count as one


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.base_folder(tmp_path_factory.mktemp("base"))


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_signal_ends_the_run_after_its_step_with_a_checkpoint_and_puts_the_handlers_back(
    base: Path, tmp_path: Path, number: int, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    callbacks = [Raise(number=number, step=2), Signals(), Journal(path=tmp_path / "events.jsonl")]
    run = fit(tiny.job(tmp_path, base, tiny.rows(16), batch_size=4, callbacks=callbacks))
    assert (run.step, run.stop, run.failed) == (2, word, False)
    folder = latest(tmp_path)
    assert step_of(folder) == 2 and is_whole(folder)
    assert {one: signal.getsignal(one) for one in before} == before
    assert "Ending after this step, with a checkpoint" in capsys.readouterr().err
    assert f'"why": "{word}"' in (tmp_path / "events.jsonl").read_text()


def test_what_was_asked_of_one_process_is_not_asked_of_the_next(base: Path, tmp_path: Path) -> None:
    some, quiet = tiny.rows(16), Raise(number=signal.SIGINT, step=-1)
    fit(tiny.job(tmp_path, base, some, batch_size=4, callbacks=[Raise(number=signal.SIGINT, step=2), Signals()]))
    again = fit(tiny.job(tmp_path, base, some, batch_size=4, callbacks=[quiet, Signals()], resume=latest(tmp_path)))
    assert (again.step, again.stop) == (4, "")


def test_a_second_ctrl_c_ends_at_once(base: Path, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background, Ctrl-C is ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(tiny.job(tmp_path, base, tiny.rows(16), batch_size=4, callbacks=[Signals(), Raise(number=signal.SIGINT, step=2, times=2)]))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_error_in_the_run_puts_the_handlers_back_too(base: Path, tmp_path: Path) -> None:
    def broken(model: Any) -> dict[str, float]:
        raise ZeroDivisionError

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError):
        fit(tiny.job(tmp_path, base, tiny.rows(4), callbacks=[Signals()], evaluate=broken))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_in_another_thread_leaves_the_signals_alone() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def start() -> None:
        callback = Signals()
        callback.fit_start(Run(torch.nn.Linear(1, 1)))
        seen.append(signal.getsignal(signal.SIGINT))
        callback.fit_end(Run(torch.nn.Linear(1, 1)))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert seen == [before]
