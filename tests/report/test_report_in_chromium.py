"""The page as a browser draws it: at a desk, on a telephone, on paper, in the dark, without script, and under attack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Chromium
from hostile import hostile
from run_folders import SEVENTY_SEVEN, change, several, single
from tunewright.report import page

KINDS = ("four", "seventy-seven", "several", "parts-missing", "hostile")

MEASURE = r"""(() => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const wide = innerWidth, found = {width: wide, scroll: document.documentElement.scrollWidth, texts: 0, drawn: 0, hidden: [], outside: [], small: [], over: [], pale: [], piled: []};
  const say = (one) => `${one.tagName}.${one.getAttribute("class") || ""} ${one.textContent.slice(0, 40)}`;
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const seen = new Map();
  const rgba = (color) => {
    if (!seen.has(color)) {
      canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
      seen.set(color, [...canvas.getImageData(0, 0, 1, 1).data]);
    }
    return seen.get(color);
  };
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const c = rgba(getComputedStyle(at).backgroundColor);
      if (c[3] > 250 && !(at instanceof SVGElement)) return c;
    }
    return [255, 255, 255, 255];
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), svg = [];
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const one = node.parentElement, style = getComputedStyle(one), range = document.createRange();
    if (!node.data.trim() || ["SCRIPT", "STYLE", "title"].includes(one.tagName) || style.visibility === "hidden" || one.closest(".skip")) continue;
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (!box.width) continue;
    found.texts += 1;
    const drawn = one instanceof SVGTextContentElement;
    const size = parseFloat(style.fontSize) * (drawn ? one.getScreenCTM().a : 1);
    if (size < 10) found.small.push(`${size} ${say(one)}`);
    const inner = one.closest(".scroll, pre");
    if (!inner && (box.left < -1 || box.right > wide + 1)) found.outside.push(say(one));
    const [a, b] = [light(rgba(drawn ? style.fill : style.color)), light(ground(one))];
    if (!one.closest("[aria-hidden]") && !one.classList.contains("zero") && (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5) found.pale.push(say(one));
    if (drawn) { found.drawn += 1; svg.push([one.getBoundingClientRect(), one]); }
    for (let at = one; at && at !== document.body; at = at.parentElement) {
      const clip = getComputedStyle(at);
      if ((clip.overflowX === "hidden" || clip.overflowX === "clip" || clip.overflowY === "hidden") && (at.scrollWidth > at.clientWidth + 1 || at.scrollHeight > at.clientHeight + 1)) found.hidden.push(say(at));
    }
  }
  svg.forEach(([a, one], i) => svg.slice(i + 1).forEach(([b, other]) => {
    if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) found.over.push(`${say(one)} / ${say(other)}`);
  }));
  for (const parent of document.querySelectorAll("header, section, article, .claim, figure, .group, li, .tracks, tbody, .facts, .hashes")) {
    const blocks = [...parent.children].filter((one) => !["inline", "inline-block", "none"].includes(getComputedStyle(one).display) && one.getBoundingClientRect().height);
    blocks.slice(1).forEach((one, i) => {
      const [above, below] = [blocks[i].getBoundingClientRect(), one.getBoundingClientRect()];
      const apart = below.top >= above.bottom - 1 || below.left >= above.right - 1 || below.right <= above.left + 1;
      if (!apart) found.piled.push(`${say(blocks[i])} / ${say(one)}`);
    });
  }
  return found;
})()"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("runs")
    runs = {
        "four": single(root / "four"),
        "seventy-seven": single(root / "seventy-seven", SEVENTY_SEVEN, 1200, 0.86, 3),
        "several": several(root / "several"),
        "parts-missing": single(root / "parts-missing"),
        "hostile": hostile(root / "hostile"),
    }
    for name in ("events.jsonl", "recipe.yaml", "predictions/test.parquet"):
        (runs["parts-missing"] / name).unlink()
    change(
        runs["parts-missing"], "metrics.json", baselines=None, confusion=None, proof={"not_measured": "no model was saved"}, efficiency=None
    )
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


@pytest.mark.parametrize("kind", ["four", "seventy-seven", "several"])
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
        "<meta name=viewport content='width=device-width'><body style='background:#fff'><section><p style='overflow:hidden;height:5px'>cut short</p>"
        "<p style='color:#ccc'>pale</p><p style='font-size:7px'>small</p><p style='margin-top:-30px'>piled</p><p style='white-space:nowrap'>"
        + "wide " * 300
        + "</p><svg width=300 height=50><text y=20>one</text><text x=5 y=20>two</text></svg></section>",
        encoding="utf-8",
    )
    browser.open(bad, 390)
    measured = browser.run(MEASURE)
    assert measured["scroll"] > 390
    assert set(faults(measured)) == {"hidden", "outside", "small", "over", "pale", "piled"}
