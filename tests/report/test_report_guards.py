from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from run_folders import change, single

from tunewright.report import card, page
from tunewright.report.facts import read
from tunewright.report.guards import acted, guards_part

NAMES = ["not-finite", "exploding-gradients", "slow"]


def sighting(guard: str, step: int, verdict: str = "go", rows: tuple[str, ...] = (), message: str = "it is wrong") -> dict[str, Any]:
    line = {"guard": guard, "step": step, "message": message, "remedy": "Mend it", "verdict": verdict, "factor": 1.0, "rows": list(rows)}
    return {"event": "guard", **line}


def run_with(folder: Path, *lines: dict[str, Any]) -> Path:
    run = single(folder)
    change(run, "manifest.json", guards=NAMES)
    with (run / "events.jsonl").open("a") as stream:
        stream.write("".join(json.dumps(line) + "\n" for line in lines))
    return run


def test_a_run_in_which_nothing_was_seen_says_how_many_watched(tmp_path: Path) -> None:
    part = guards_part(read(run_with(tmp_path / "run")))
    assert (part.sentence, part.seen) == ("3 guards watched every step; none saw anything wrong.", [])
    assert "none saw anything wrong" in page.write(tmp_path / "run").read_text()


def test_sightings_of_a_guard_are_told_together_those_that_acted_first(tmp_path: Path) -> None:
    told = [sighting("slow", at) for at in (40, 60, 900)]
    bad = [sighting("not-finite", 5, "skip", ("a.csv row 3", "a.csv row 4")), sighting("not-finite", 6, "skip", ("a.csv row 3",))]
    run = run_with(tmp_path / "run", *told, *bad, sighting("not-finite", 7, "restore"))
    part = guards_part(read(run))
    assert part.sentence == "3 guards watched every step; 2 saw something, 1 acted."
    one, other = part.seen
    assert (one.guard, one.when, one.acted) == ("not-finite", "3 times, steps 5 to 7", True)
    assert one.done == "update left out 2 times and taken back to the last checkpoint"
    assert one.rows == [("a.csv row 3", 2), ("a.csv row 4", 1)]
    assert (other.guard, other.when, other.done, other.acted) == ("slow", "3 times, steps 40 to 900", "told", False)
    text = page.write(run).read_text()
    assert text.index("What the guards saw") < text.index("a.csv row 3") < text.index("Mend it.", text.index("slow"))
    assert "Step 40: guard" not in text, "not among the other events as well"


def test_the_card_tells_what_guards_did_and_not_what_they_only_told(tmp_path: Path) -> None:
    quiet, loud = run_with(tmp_path / "quiet", sighting("slow", 3)), run_with(tmp_path / "loud", sighting("not-finite", 3, "skip"))
    assert acted(read(quiet)) == "" and "Guards stepped in" not in card.write(quiet).read_text()
    assert "Guards stepped in while it was trained: not-finite (update left out)." in card.write(loud).read_text()


def test_what_a_guard_says_is_text_and_no_markup(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", sighting("slow", 3, rows=("<i>x</i>.csv row 1",), message="<script>alert(1)</script>"))
    text = page.write(run).read_text()
    assert "<script>alert" not in text and "<i>x" not in text and "&lt;i&gt;x" in text


def test_a_run_without_names_of_guards_says_that_they_were_not_recorded(tmp_path: Path) -> None:
    assert "is not recorded; none told something" in guards_part(read(single(tmp_path / "run"))).sentence
