from __future__ import annotations

import pytest

from tunewright.core import log


def test_words_go_to_standard_error_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    text = "label [bold]x[/bold] :smile: " + "long " * 60 + "end"
    log.say(text)
    told = capsys.readouterr()
    assert told.err == text + "\n", "no markup, no emoji, no line breaks of its own"
    assert told.out == ""


def test_quiet_says_nothing_and_can_be_lifted(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_quiet(True)
    log.say("hidden")
    with log.progress() as bar:
        bar.add_task("hidden", total=1)
    log.set_quiet(False)
    log.say("shown")
    assert capsys.readouterr().err == "shown\n"


def test_a_bar_draws_nothing_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with log.progress() as bar:
        bar.update(bar.add_task("training", total=3), advance=2)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")


def test_libraries_are_kept_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    import logging as of_libraries

    from transformers.utils import logging

    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    logging.set_verbosity_info()
    log.calm_libraries()
    assert logging.get_verbosity() == logging.ERROR
    assert not logging.is_progress_bar_enabled()
    assert not of_libraries.getLogger("bitsandbytes.backends.cpu.ops").isEnabledFor(of_libraries.WARNING)
    import os

    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert os.environ["TOKENIZERS_PARALLELISM"] == "false"
