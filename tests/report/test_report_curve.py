from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright.core.errors import UserError
from tunewright.report import card, figures, page, words
from tunewright.report.curve import read_curve
from tunewright.report.figures import Line, chart, ticks
from tunewright.report.learning import notes


def journal(path: Path, *lines: object) -> Path:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines), encoding="utf-8")
    return path


def step(number: int, loss: float | None) -> dict[str, object]:
    return {"event": "step", "step": number, "loss": loss, "lr": 0.1}


def test_after_a_resume_the_last_word_on_a_step_counts(tmp_path: Path) -> None:
    curve = read_curve(journal(tmp_path / "e", step(1, 3.0), step(2, 9.0), {"event": "resumed", "step": 1}, step(2, 2.0), step(3, 1.0)))
    assert (curve.steps, curve.loss) == ([1, 2, 3], [3.0, 2.0, 1.0])
    assert [one["event"] for one in curve.events] == ["resumed"]


def test_steps_without_a_finite_loss_and_lost_lines_are_counted_and_told(tmp_path: Path) -> None:
    curve = read_curve(journal(tmp_path / "e", step(1, 3.0), step(2, None), step(3, 1.0), "{broken", step(4, 1.0)))
    assert (curve.steps, curve.without_loss, curve.lines_lost) == ([1, 3, 4], 1, 1)
    said = " ".join(notes(curve))
    assert "1 step had no finite loss" in said and "1 line of events.jsonl could not be read" in said and "No evaluation" in said


def test_that_memory_failed_is_told_once(tmp_path: Path) -> None:
    split = {"event": "split", "step": 2, "cells": 64, "seconds": 1.0}
    curve = read_curve(journal(tmp_path / "e", step(1, 3.0), split, {**split, "cells": 32}, step(2, 2.0)))
    assert curve.split_at == 2 and curve.events == []
    assert sum("Memory failed in step 2" in one for one in notes(curve)) == 1


def test_a_validation_loss_that_rises_again_is_told(tmp_path: Path) -> None:
    evaluated = [{"event": "evaluated", "step": at, "scores": {"loss": loss}} for at, loss in ((1, 1.0), (2, 0.5), (3, 0.6))]
    assert "ended 20\u00a0% above its lowest" in notes(read_curve(journal(tmp_path / "e", step(1, 1.0), *evaluated)))[0]


def test_a_missing_journal_is_an_error_that_names_its_maker(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="tunewright run"):
        read_curve(tmp_path / "events.jsonl")


def test_smoothing_starts_at_the_first_loss_and_keeps_a_constant(tmp_path: Path) -> None:
    assert read_curve(journal(tmp_path / "e", *(step(n, 2.0) for n in range(1, 300)))).smoothed() == pytest.approx([2.0] * 299)


def test_a_spike_among_ten_thousand_steps_is_still_drawn() -> None:
    y = [1.0] * 10_000
    y[7_321] = 50.0
    drawn = chart([Line("loss", range(10_000), y, "raw")], "Loss")
    points = drawn.split('points="')[1].split('"')[0].split()
    assert len(points) <= figures.MOST_POINTS
    assert min(float(point.split(",")[1]) for point in points) < figures.HEIGHT / 4, "the spike stands near the top"


@given(st.floats(-1e6, 1e6), st.floats(1e-9, 1e6), st.integers(2, 6))
def test_ticks_hold_what_is_drawn_and_are_few(low: float, span: float, most: int) -> None:
    found = ticks(low, low + span, most)
    slack = 1e-6 * max(span, abs(low) * 1e-6, 1e-9)
    assert found[0] <= low + slack and found[-1] >= low + span - slack
    assert 2 <= len(found) <= most + 1 and found == sorted(found)


@pytest.mark.parametrize("module", [words, figures, page, card])
def test_what_the_docstrings_show_is_true(module: object) -> None:
    failed, tried = doctest.testmod(module)  # type: ignore[arg-type]
    assert tried >= 1 and not failed
