"""The dataset card and its pictures: valid for the Hub, true to the numbers, and not to be broken by what stands in the rows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests import dirty
from tunewright.core.errors import BadConfig
from tunewright.data.card import card
from tunewright.data.pictures import pictures
from tunewright.data.prepare import prepare
from tunewright.data.settings import DataSettings
from tunewright.demo.tickets import Tickets
from tunewright.tasks import TASKS

TASK = TASKS.build("text-classification")
SVG = "{http://www.w3.org/2000/svg}"
EVIL = "praise | <script>alert(1)</script> `x` [a](b) *c* ![d](e) \x00\u202e"


def made(**keys: Any) -> str:
    return card("tickets", "3f9a1c", dirty.summary() | keys)


def metadata(text: str) -> dict[str, Any]:
    from huggingface_hub import DatasetCard

    found: dict[str, Any] = DatasetCard(text, ignore_metadata_errors=False).data.to_dict()
    return found


def shown(text: str) -> str:
    """The body as a Markdown reader shows it."""
    from markdown_it import MarkdownIt

    return MarkdownIt("gfm-like", {"linkify": False}).render(text.split("---\n", 2)[2])


def tables(text: str) -> list[list[list[str]]]:
    """The tables of the body as a Markdown reader sees them: rows of cells."""
    found = re.findall(r"<table>(.*?)</table>", shown(text), re.S)
    return [[re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in re.findall(r"<tr>(.*?)</tr>", one, re.S)] for one in found]


def drawn(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def words(picture: ElementTree.Element) -> list[str]:
    return [one.text or "" for one in picture.iter(f"{SVG}text")]


def test_the_hub_knows_every_key_of_the_metadata() -> None:
    from huggingface_hub import DatasetCardData

    found = metadata(made(card={"license": "cc-by-4.0", "language": ["en", "de"], "source_url": None}))
    assert set(found) <= set(vars(DatasetCardData())) | {"tags", "configs"}
    assert found["license"] == "cc-by-4.0" and found["language"] == ["en", "de"]
    assert found["task_categories"] == ["text-classification"] and found["size_categories"] == ["10K<n<100K"]
    assert [one["path"] for one in found["configs"][0]["data_files"]] == ["train.parquet", "validation.parquet", "test.parquet"]


def test_what_is_not_known_is_left_out_of_the_metadata_and_said_in_words() -> None:
    text = made()
    assert not {"license", "language"} & set(metadata(text))
    assert (
        "Licence: not known." in text and "Not known to the tool: `data.card.license`, `data.card.language`, `data.card.source_url`" in text
    )
    told = made(card={"license": "other", "language": ["en"], "source_url": "the help desk of 2026"})
    assert "Licence: other." in told and "Origin: the help desk of 2026" in told and "Not known to the tool" not in told


def test_a_task_of_the_users_own_is_a_tag_and_no_category_of_the_hub() -> None:
    found = metadata(made(task="my_task.py:Triage"))
    assert "task_categories" not in found and found["tags"] == ["tunewright", "my_task.py:Triage"]


def test_the_first_table_tells_what_was_wrong_errors_first() -> None:
    head, *lines = tables(made())[0]
    assert head == ["severity", "rule", "rows", "share", "rows are"] and len(lines) == 22
    assert lines[0] == ["<strong>error</strong>", "leak-group", "331", "2.7 %", "refused"]
    assert [line[0] for line in lines] == ["<strong>error</strong>"] * 5 + ["warning"] * 12 + ["info"] * 5
    assert lines[4][4] == "removed" and lines[3][2:] == ["", "", ""]
    assert ["warning", "rare-label", "11", "&lt;0.1 %", "left as found"] in lines
    assert "22 findings: 5 errors, 12 warnings, 5 info." in made()


def test_cleaning_findings_and_limits_are_told() -> None:
    text = made()
    assert text.index("- exact-duplicate: 190") < text.index("- missing-label: 88") < text.index("- unreadable-row: 14")
    assert "- label-variant: 145 rows concerned, repaired" in text
    assert "- **conflicting-label** (warning, left as found): 27 texts have different labels in 58 rows" in text
    assert "`data.policy.conflicting-label: drop`" in text
    limits = text.split("## Known limits")[1]
    assert "test shares 48 of its 1,240 rows" in limits and "14 rows could not be read" not in limits


def test_sizes_wanted_and_reached_groups_and_times_are_told() -> None:
    plan = {"by": "time", "made": ["validation", "test"], "given": [], "seed": 0, "group": "customer", "time": "created"}
    sizes = {"wanted": {"train": 9_725, "validation": 1_240, "test": 1_192}, "notes": ["9 rows have no time"]}
    text = made(split=plan | sizes)
    assert tables(text)[1] == [
        ["split", "rows", "origin", "rows wanted"],
        ["train", "9,677", "made, time, seed 0", "9,725 (-48)"],
        ["validation", "1,240", "made, time, seed 0", "1,240"],
        ["test", "1,240", "made, time, seed 0", "1,192 (+48)"],
    ]
    for told in ("Rows with the same `customer` stand in one split.", "By `created`: train has the oldest rows", "9 rows have no time."):
        assert told in text
    assert len(tables(made())[1][0]) == 3, "sizes that are not known take no column"


def test_lengths_are_told_where_they_are_known() -> None:
    assert "## Lengths" not in made()
    text = made(lengths={"text": {"median": 310, "p95": 1204, "longest": 9866}})
    assert ["text", "310", "1,204", "9,866"] in [row for table in tables(text) for row in table]


def test_names_and_messages_of_the_rows_cannot_break_the_card_or_its_pictures() -> None:
    summary = dirty.summary()
    for split in summary["splits"].values():
        split["labels"][EVIL] = 7
    summary["rows"]["by_rule"] = {EVIL: 3}
    summary["findings"] = [one | {"rule": EVIL, "message": EVIL, "remedy": EVIL, "recipe": EVIL} for one in summary["findings"]]
    text = card(EVIL, "3f9a1c", summary)
    for table in tables(text):
        assert len({len(row) for row in table}) == 1, "a name made cells of its own"
    html = shown(text)
    assert "<script" not in html and html.count("<img") == 2 and "<a " not in html and "<em>" not in html
    assert not re.search("[\\x00\\u202e]", text)
    for picture in pictures(summary).values():
        assert not list(drawn(picture).iter(f"{SVG}script")) and "<script" not in picture


def test_the_card_refers_to_the_pictures_that_are_drawn_and_to_no_other() -> None:
    for summary in (dirty.summary(), without_labels()):
        text = card("tickets", "3f9a1c", summary)
        assert set(re.findall(r"!\[.*?\]\((.*?)\)", text)) == set(pictures(summary))


def without_labels() -> dict[str, Any]:
    summary = dirty.summary()
    return summary | {"splits": {name: one | {"labels": {}} for name, one in summary["splits"].items()}}


def test_the_picture_of_the_rows_shows_what_was_kept_and_why_the_rest_went() -> None:
    picture = drawn(pictures(dirty.summary())["rows.svg"])
    told = words(picture)
    assert told[0] == "12,480 rows read: 12,157 kept, 323 removed"
    assert {"train 9,677", "test 1,240", "removed 323", "exact-duplicate", "190"} <= set(told)
    bars = [float(one.attrib["width"]) for one in picture.iter(f"{SVG}rect") if one.attrib.get("height") == "13"]
    assert len(bars) == 4 and bars[1] / bars[0] == pytest.approx(88 / 190, abs=0.01)
    whole = [float(one.attrib["width"]) for one in picture.iter(f"{SVG}rect") if one.attrib.get("height") == "20"]
    assert whole[0] / sum(whole) == pytest.approx(9_677 / 12_480, abs=0.005)


def test_few_labels_are_bars_and_many_a_skyline_each_with_its_name() -> None:
    few = drawn(pictures(dirty.summary())["labels.svg"])
    assert {"billing", "4,983", "praise | <b>"} <= set(words(few)) and "returns and refunds of…" in words(few)
    summary = dirty.summary()
    for split in summary["splits"].values():
        split["labels"] = {f"label {at}": 1_000 // (at + 1) for at in range(77)}
    many = drawn(pictures(summary)["labels.svg"])
    assert words(many)[0] == "Rows of 77 labels, most rows first"
    assert len([one.text for one in many.iter(f"{SVG}title")]) == 77
    assert "<summary>All 77 labels</summary>" in card("tickets", "1", summary)


def test_labels_that_differ_in_blanks_alone_can_be_told_apart() -> None:
    summary = dirty.summary()
    summary["splits"]["train"]["labels"]["billing "] = 3
    assert "| billing␣ | 3 | 0 | 0 |" in card("tickets", "1", summary) and "billing␣" in pictures(summary)["labels.svg"]


def test_a_dirty_table_prepared_tells_its_faults_in_the_card(tmp_path: Path) -> None:
    Tickets(rows=400, seed=5, label_variant=0.05, missing_label=0.05, exact_duplicate=0.08, mojibake=0.04, ragged_row=0.02).write(tmp_path)
    settings = DataSettings.read(
        {"source": "tickets.csv", "columns": {"text": "body", "label": "queue"}, "card": {"license": "mit", "language": ["en"]}}
    )
    dataset = prepare(settings, TASK, 0, tmp_path, tmp_path / "out")
    text = (dataset.folder / "README.md").read_text(encoding="utf-8")
    planted = json.loads((tmp_path / "planted.json").read_text())
    assert metadata(text)["license"] == "mit" and "Licence: mit." in text
    lines = {row[1]: row for row in tables(text)[0][1:]}
    assert lines["missing-label"][2] == str(len(planted["missing-label"])) and lines["missing-label"][4] == "removed"
    assert lines["unreadable-row"][0] == "<strong>error</strong>"
    copies, gone = lines["exact-duplicate"], dataset.summary()["rows"]["by_rule"]["exact-duplicate"]
    assert copies[4] == f"{gone} of them removed" and gone < int(copies[2])
    (conflicts,) = [one for one in dataset.summary()["findings"] if one["rule"] == "conflicting-label"]
    assert len({one["label"] for one in conflicts["shown"] if one["group"] == 0}) > 1, "what conflicts is shown"
    (unreadable,) = [one for one in dataset.summary()["findings"] if one["rule"] == "unreadable-row"]
    assert {one["label"] for one in unreadable["shown"]} == {""}, "a line that could not be read has no label"
    assert set(re.findall(r"!\[.*?\]\((.*?)\)", text)) == {"rows.svg", "labels.svg"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [({"license": "All rights reserved"}, "license"), ({"language": ["english"]}, "language"), ({"licence": "mit"}, "licence")],
)
def test_metadata_that_the_hub_would_refuse_is_refused_here(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadConfig, match=f"card.{problem}"):
        DataSettings.read({"source": "a.csv", "card": given})


def test_what_people_know_of_the_rows_belongs_to_the_version(tmp_path: Path) -> None:
    rows = [{"text": f"parcel {at} is late", "label": "ab"[at % 2]} for at in range(40)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    one, other = (
        prepare(DataSettings.read({"source": "a.jsonl", "card": card}), TASK, 0, tmp_path, tmp_path / "out")
        for card in ({}, {"license": "mit"})
    )
    assert one.version != other.version and one.rows("test") == other.rows("test")
