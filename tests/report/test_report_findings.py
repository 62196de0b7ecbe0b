"""The data section of the report: why rows went, and every finding with what a reader needs to act on it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from run_folders import change, single

from tests import dirty
from tunewright.report import page
from tunewright.report.facts import read
from tunewright.report.findings import findings_part, removed


def dirty_run(folder: Path) -> Path:
    run = single(folder / "run")
    change(run, "data.json", **dirty.summary())
    return run


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).replace("\xa0", " ").split())


def article(html: str, rule: str) -> str:
    html = html.replace("<wbr>", "")
    return next(one for one in re.findall(r"<article.*?</article>", html, re.S) if f"</span> <bdi>{rule}</bdi>" in one)


def test_findings_are_read_the_gravest_first_and_what_is_left_before_what_is_done(tmp_path: Path) -> None:
    found = findings_part(read(dirty_run(tmp_path))).found
    assert [one.number for one in found] == list(range(1, 23))
    assert [one.fact.rule for one in found][:5] == ["leak-group", "leak-exact", "secret", "own-rule-failed", "unreadable-row"]
    warnings = [(one.done, one.fact.rows) for one in found if one.severity == "warning"]
    assert warnings[0] == ("left as found", 911) and warnings[-1] == ("removed", 31)
    assert [rows for done, rows in warnings if done == "left as found"] == [911, 640, 240, 212, 58, 19, 11, 7]
    assert {one.fact.rule: one.done for one in found if not one.fact.rows} == dict.fromkeys(
        ("own-rule-failed", "encoding", "imbalance"), "told"
    )


def test_shares_are_of_all_rows_read(tmp_path: Path) -> None:
    facts = read(dirty_run(tmp_path))
    shares = {one.fact.rule: one.share.replace("\xa0", " ") for one in findings_part(facts).found}
    assert (shares["shortcut"], shares["secret"], shares["encoding"]) == ("7.3 %", "<0.1 %", "")
    gone = removed(facts.data.rows)  # type: ignore[arg-type]
    assert [(one.rule, one.rows) for one in gone] == [
        ("exact-duplicate", 190),
        ("missing-label", 88),
        ("empty-text", 31),
        ("unreadable-row", 14),
    ]
    assert gone[0].share.replace("\xa0", " ") == "1.5 %" and 'width="100.00%"' in gone[0].bar and 'width="46.32%"' in gone[1].bar


def test_a_finding_has_its_message_remedy_recipe_line_and_folded_rows(tmp_path: Path) -> None:
    html = page.write(dirty_run(tmp_path)).read_text(encoding="utf-8")
    one = article(html, "conflicting-label")
    said = words(one)
    assert "warning conflicting-label 58 rows (0.5 %), left as found" in said
    assert "27 texts have different labels in 58 rows (rows 17, 247, 477, 707 and 937" in said
    assert "<code>data.policy.conflicting-label: drop</code>" in one
    assert re.search(r"<details><summary>The first 5 rows</summary>.*My parcel was due on Tuesday.*</details>", one, re.S)
    assert "<code>" not in article(html, "markup-only"), "a rule without a recipe line has none on the page"
    assert "22 findings: 5 errors, 12 warnings and 5 for information. 11 of them concern rows that are left as found." in words(html)


def test_a_label_that_is_probably_wrong_stands_beside_the_one_that_is_suggested(tmp_path: Path) -> None:
    html = page.write(dirty_run(tmp_path)).read_text(encoding="utf-8")
    assert words(article(html, "label-noise")).count("row 17 billing rather technical problem") == 1
    assert html.count(">rather<") == 5


def test_few_findings_have_no_overview_and_none_is_said(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    html = page.write(run).read_text(encoding="utf-8")
    assert "What was wrong" not in html and "2 findings: 1 warning and 1 for information. One of them concerns rows" in words(html)
    change(run, "data.json", findings=[], rows={"read": 6000, "kept": 6000, "quarantined": 0, "by_rule": {}})
    html = page.write(run).read_text(encoding="utf-8")
    assert "The audit reported nothing." in html and "Why rows were removed" not in html


def test_the_data_section_says_how_often_the_test_split_was_looked_at(tmp_path: Path) -> None:
    run = dirty_run(tmp_path)
    assert "The test split was looked at once ." in words(page.write(run).read_text(encoding="utf-8"))
    looks = run / "looks.jsonl"
    looks.write_text(
        looks.read_text() + json.dumps({"when": "2026-11-24", "command": "tunewright evaluate run", "model": "ab", "rows": 600}) + "\n"
    )
    assert "The test split was looked at 2 times ." in words(page.write(run).read_text(encoding="utf-8"))


def test_how_the_splits_were_made_is_told_with_groups_times_and_notes(tmp_path: Path) -> None:
    run = dirty_run(tmp_path)
    plan = {"by": "time", "made": ["validation", "test"], "given": [], "seed": 0, "group": "customer", "time": "created"}
    change(run, "data.json", split=plan | {"notes": ["9 rows have no time"]})
    seen = words(page.write(run).read_text(encoding="utf-8"))
    assert "made from train, the oldest rows to train, the newest to test (created), seed 0. Rows with the same customer stand in" in seen
    assert "9 rows have no time. The test split was looked at" in seen


def test_labels_that_differ_in_blanks_alone_can_be_told_apart(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    change(run, "data.json", splits={"train": {"rows": 3, "labels": {"Billing": 2, "Billing ": 1}}}, never_trained={" Billing": 4})
    seen = words(page.write(run).read_text(encoding="utf-8"))
    assert "Billing␣ 1" in seen and "␣Billing (4 rows)" in seen
