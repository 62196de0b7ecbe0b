"""The page as a browser draws it: at a desk, on a telephone, on paper, in the dark, without script, and under attack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Chromium
from entity_runs import entities, hostile_entities
from hostile import hostile
from run_folders import SEVENTY_SEVEN, change, questions, rated, several, single

from tests import dirty
from tunewright.report import page

KINDS = ("four", "seventy-seven", "several", "numbers", "questions", "parts-missing", "dirty", "hostile", "entities", "hostile-entities")

MEASURE = (Path(__file__).parent / "measure.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("runs")
    runs = {
        "four": single(root / "four"),
        "seventy-seven": single(root / "seventy-seven", SEVENTY_SEVEN, 1200, 0.86, 3),
        "several": several(root / "several"),
        "numbers": rated(root / "numbers"),
        "questions": questions(root / "questions"),
        "parts-missing": single(root / "parts-missing"),
        "dirty": single(root / "dirty"),
        "hostile": hostile(root / "hostile"),
        "entities": entities(root / "entities"),
        "hostile-entities": hostile_entities(root / "hostile-entities"),
    }
    for name in ("events.jsonl", "recipe.yaml", "predictions/test.parquet"):
        (runs["parts-missing"] / name).unlink()
    change(
        runs["parts-missing"], "metrics.json", baselines=None, confusion=None, proof={"not_measured": "no model was saved"}, efficiency=None
    )
    change(runs["dirty"], "data.json", **dirty.summary())
    change(runs["parts-missing"], "data.json", findings=None, truncation=None, rows=None, sources=None)
    return {name: page.write(run) for name, run in runs.items()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as one:
        yield one


def faults(measured: dict[str, Any]) -> dict[str, Any]:
    return {name: measured[name][:5] for name in ("hidden", "outside", "small", "over", "pale", "piled") if measured[name]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_nothing_is_cut_piled_up_pale_or_too_small(browser: Chromium, pages: dict[str, Path], kind: str, width: int, scheme: str) -> None:
    browser.open(pages[kind], width, scheme=scheme)
    measured = browser.run(MEASURE)
    assert measured["width"] == width
    assert measured["texts"] > 150 and measured["drawn"] >= 10, "hardly any text was measured: is the page drawn?"
    assert measured["scroll"] <= width
    assert not faults(measured)


@pytest.mark.parametrize("kind", ["four", "seventy-seven", "several", "numbers", "questions", "dirty"])
def test_paper_of_a4_holds_the_whole_page_with_every_fold_open(
    browser: Chromium, pages: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    browser.open(pages[kind], 680, scheme="dark", media="print")
    measured = browser.run(MEASURE)
    assert measured["scroll"] <= 680
    assert not faults(measured)
    assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.paper(tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(("width", "screens"), [(1280, 1), (390, 1.7)])
def test_what_was_wrong_with_a_dirty_table_is_seen_at_a_glance(
    browser: Chromium, pages: dict[str, Path], width: int, screens: float
) -> None:
    browser.open(pages["dirty"], width)
    glance = "[...document.querySelectorAll('.glance.found li')]"
    assert browser.run(f"{glance}.map((one) => one.querySelector('.tag').textContent)") == ["error"] * 5 + ["warning"] * 12 + ["info"] * 5
    top, bottom = (
        browser.run(f"{glance}.map((one) => one.getBoundingClientRect().top)[0]"),
        browser.run(f"{glance}.map((one) => one.getBoundingClientRect().bottom).at(-1)"),
    )
    assert bottom - top < screens * 800, "a reader has to turn pages to see what was wrong"
    longest = browser.run(f"{glance}.map((one) => one.querySelector('rect').getBoundingClientRect().width)")
    rows = browser.run(f"{glance}.map((one) => Number((one.querySelector('b') || {{}}).textContent || 0))")
    assert max(longest) == longest[rows.index(911)] and longest[rows.index(331)] == pytest.approx(max(longest) * 331 / 911, rel=0.02)
    assert browser.run(f"{glance}.every((one) => document.querySelector(one.querySelector('a').hash))"), "a line leads to no finding"
    colour = f"{glance}.map((one) => getComputedStyle(one.querySelector('rect')).fill)"
    seen = dict(zip(browser.run(f"{glance}.map((one) => one.querySelector('.rule').textContent)"), browser.run(colour), strict=True))
    assert seen["personal-data"] == seen["leak-exact"] != seen["label-variant"] == seen["exact-duplicate"]


def test_without_script_the_page_says_the_same_and_paper_has_no_folds(browser: Chromium, pages: dict[str, Path]) -> None:
    browser.open(pages["seventy-seven"], 1280)
    with_script = browser.run("document.querySelector('main').textContent")
    browser.open(pages["seventy-seven"], 1280, script=False, media="print")
    assert browser.run("document.querySelector('main').textContent") == with_script
    assert browser.run("document.querySelectorAll('details:not([open]) table').length") == 2
    assert browser.run("[...document.querySelectorAll('details table')].every((one) => one.checkVisibility({contentVisibilityAuto: true}))")
    assert browser.run("document.querySelector('details table').getBoundingClientRect().height") > 500


def test_no_text_can_run_load_or_turn_anything(browser: Chromium, pages: dict[str, Path]) -> None:
    browser.requested.clear()
    browser.complaints.clear()
    browser.open(pages["hostile"], 1280)
    browser.run("document.querySelectorAll('*').forEach((one) => one.dispatchEvent(new MouseEvent('mouseover')))")
    assert browser.run("window.broken") is None
    assert browser.run("document.scripts.length") == 1
    assert browser.run("document.querySelectorAll('img, iframe, link, object, [onmouseover], [onload], [onerror], b > b').length") == 0
    assert browser.run("document.querySelector('main').textContent.includes('<script>window.broken=1</script>')")
    assert browser.run("/[\\u202e\\u0000\\u0007]/.test(document.documentElement.outerHTML)") is False
    assert set(browser.requested) == {pages["hostile"].resolve().as_uri()}
    assert not browser.complaints


def test_the_measure_sees_faults_when_there_are_some(browser: Chromium, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<meta name=viewport content='width=device-width'><body style='background:#fff'><section>"
        "<p style='overflow:hidden;height:5px'>cut short</p><p style='color:#ccc'>pale</p><p style='font-size:7px'>small</p>"
        "<p style='margin-top:-30px'>piled</p><p style='white-space:nowrap'>"
        + "wide " * 300
        + "</p><svg width=300 height=50><text y=20>one</text><text x=5 y=20>two</text></svg></section>",
        encoding="utf-8",
    )
    browser.open(bad, 390)
    measured = browser.run(MEASURE)
    assert measured["scroll"] > 390
    assert set(faults(measured)) == {"hidden", "outside", "small", "over", "pale", "piled"}
