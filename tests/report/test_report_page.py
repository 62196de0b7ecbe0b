from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hostile import LONG, SCRIPT, hostile
from run_folders import FOUR, SEVENTY_SEVEN, change, put, score, several, single

from tunewright.core.errors import UserError
from tunewright.report import card, page
from tunewright.report.checklist import checklist
from tunewright.report.facts import read
from tunewright.report.verdict import verdict


def words(path: Path) -> str:
    """What a reader sees, in one line."""
    text = re.sub(r"<style>.*?</style>|<script>.*?</script>|<wbr>|</?bdi>", "", path.read_text(encoding="utf-8"), flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).replace("\u00a0", " ").split())


def metrics(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return found


def answers(run: Path) -> dict[str, str]:
    return {item.question: item.answer for item in checklist(read(run))}


def test_the_verdict_is_one_sentence_with_score_interval_rows_and_baseline(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    test = metrics(run)["test"]["accuracy"]
    said = verdict(read(run)).sentence.replace("\u00a0", " ")
    assert said == (
        f"This model gives the right label to {100 * test['value']:.1f} % of 600 rows it never saw (95 % interval "
        f"{100 * test['low']:.1f} to {100 * test['high']:.1f} %), 6.0 points above the best simple baseline: fine-tuning is worth it here."
    )
    assert words(page.write(run)).index(said) < 500


@pytest.mark.parametrize(
    ("worth", "ending"),
    [(False, ": fine-tuning is not worth it here."), (None, ": it is not proven that fine-tuning is worth it here.")],
)
def test_a_model_that_is_not_worth_it_is_said_to_be_so(tmp_path: Path, worth: bool | None, ending: str) -> None:
    run = single(tmp_path / "run")
    baselines = metrics(run)["baselines"]
    lost = {"value": -0.031, "low": -0.05, "high": -0.01, "rows": 600}
    change(run, "metrics.json", baselines=baselines | {"worth_it": worth, "difference": {"tfidf": {"accuracy": lost}}})
    said = verdict(read(run)).sentence
    assert said.endswith(f", 3.1 points below the best simple baseline{ending}")


def test_without_a_test_split_the_validation_score_is_quoted_as_what_it_is(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    change(run, "metrics.json", test={"not_measured": "the test split has no labels"})
    seen = words(page.write(run))
    assert "300 rows of the validation split, which also chose the checkpoint" in seen
    assert "The test split was not scored: the test split has no labels." in seen


def test_a_proof_that_failed_is_the_first_thing_to_look_at(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    change(
        run,
        "metrics.json",
        proof={"ok": False, "rows": 64, "same_labels": 61, "largest_difference": 0.4, "loaded_with": "transformers.pipeline"},
    )
    said = verdict(read(run))
    assert said.proof.startswith(
        "Proof failed: the saved model, loaded again with transformers.pipeline, gave the same answer to 61 of 64 rows"
    )
    assert said.hints[0].anchor == "proof"


def test_hints_come_gravest_first_and_lead_to_parts_that_are_there(tmp_path: Path) -> None:
    run = single(tmp_path / "run", rows=150, right=0.8)
    finding = {"severity": "warning", "message": "seen", "action": "keep"}
    change(run, "data.json", findings=[finding | {"rule": "mojibake", "rows": 90}, finding | {"rule": "leak-exact", "rows": 3}])
    (run / "events.jsonl").unlink()
    hints = verdict(read(run)).hints
    assert [hint.anchor for hint in hints] == ["missing", "findings", "findings", "classes", "scores", "confusion"]
    assert hints[1].text == "leak-exact, 3 rows: seen."
    text = page.write(run).read_text(encoding="utf-8")
    assert all(f'id="{hint.anchor}"' in text for hint in hints)


def test_every_file_that_is_missing_or_broken_is_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    (run / "manifest.json").write_text("{half", encoding="utf-8")
    (run / "events.jsonl").unlink()
    (run / "predictions" / "test.parquet").write_bytes(b"PAR1 no")
    seen = words(page.write(run))
    for said in (
        "manifest.json is not valid JSON",
        "events.jsonl is missing",
        "predictions/test.parquet cannot be read",
        "3 parts of the run folder",
    ):
        assert said in seen
    assert "6,052 rows read from 1 file; 6,000 kept, 52 put in quarantine." in seen


def test_a_value_of_the_wrong_kind_is_said_not_shown(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    change(run, "data.json", rows={"read": 10, "kept": "many", "quarantined": 1})
    change(run, "metrics.json", test=metrics(run)["test"] | {"mcc": {"value": 0.9, "low": 0.95, "high": 0.99, "rows": 3}})
    facts = read(run)
    assert "kept: a whole number was wanted, not 'many'" in str(facts.data.rows)
    assert isinstance(facts.metrics.test, dict)
    assert "outside its own interval" in str(facts.metrics.test["mcc"])
    seen = words(page.write(run))
    assert "kept: a whole number was wanted, not 'many'" in seen and "not measured" in seen


def test_hashes_are_of_what_is_not_written_with_the_page(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    change(run, "manifest.json", files={"data.json": "cd" * 32, "report.html": "12" * 32, "model/README.md": "34" * 32})
    seen = page.write(run).read_text()
    assert "SHA-256 of 1 file" in seen and "cd" * 32 in seen and "12" * 32 not in seen and "34" * 32 not in seen


def test_a_folder_that_is_no_run_is_refused_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds none of the files of a run.*runs/<name>"):
        page.write(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        page.write(tmp_path / "nowhere")


def test_the_page_asks_for_nothing_outside_itself(tmp_path: Path) -> None:
    text = page.write(several(tmp_path / "run")).read_text(encoding="utf-8")
    assert not re.search(r"https?://|//[a-z]|\bsrc=|url\(|@import|<link|<iframe", text)
    assert "default-src 'none'" in text
    assert text.count("<script>") == 1


def test_few_classes_show_their_confusion_in_numbers(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    text = page.write(run).read_text(encoding="utf-8")
    table = text[text.index('<table class="matrix">') :]
    cells = re.findall(r'<td class="n cell (\w+)"[^>]*>(?:<span class="zero">·</span>|([\d,]+))</td>', table)
    matrix = metrics(run)["confusion"]["matrix"]
    assert [int(rows or 0) for _, rows in cells] == [rows for line in matrix for rows in line]
    assert [kind for kind, _ in cells].count("right") == len(FOUR)


def test_many_classes_are_a_map_and_the_pairs_that_are_confused_most(tmp_path: Path) -> None:
    run = single(tmp_path / "run", SEVENTY_SEVEN, 1200, 0.86, 3)
    facts, text = read(run), page.write(run).read_text(encoding="utf-8")
    assert '<table class="matrix">' not in text
    found = metrics(run)["confusion"]["matrix"]
    assert text.count('height="1" fill-opacity') == sum(rows > 0 for line in found for rows in line)
    assert not isinstance(facts.metrics.confusion, type(facts.curve))
    wanted, given, rows, whole = facts.metrics.confusion.pairs()[0]  # type: ignore[union-attr]
    assert rows == max(found[i][j] for i in range(77) for j in range(77) if i != j)
    assert re.search(rf"{wanted} {given} [\d.]+ % {rows} {whole}", words(run / "report.html"))


def test_rows_with_a_label_never_trained_are_a_line_of_their_own(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    confusion = metrics(run)["confusion"]
    change(run, "metrics.json", confusion=confusion | {"matrix": [*confusion["matrix"], [3, 0, 1, 0]]})
    change(run, "data.json", never_trained={"Complaint": 4})
    seen = words(page.write(run))
    assert "5 (never trained) 3 · 1 · 4" in seen
    assert "In the test split but never trained: Complaint (4 rows)" in seen


def test_rows_that_no_score_counts_are_told_beside_the_scores(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    change(run, "metrics.json", excluded={"test_without_label": 3, "never_trained": {"Complaint": 1}})
    assert "Counted beside, not in the scores: 3 rows without a label and 1 row with “Complaint”, never trained." in words(page.write(run))


def test_labels_come_weakest_first_and_those_without_rows_are_named(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    test = metrics(run)["test"] | {"f1/Returns": score(0.2, 20)}
    del test["f1/Billing"]
    change(run, "metrics.json", test=test)
    text = page.write(run).read_text(encoding="utf-8")
    table = text[text.index('<table class="classes">') :]
    assert re.findall(r'<th scope="row"><bdi>(.*?)</bdi>', table[: table.index("</table>")])[0] == "Returns"
    assert "Not scored, because no row of the test split has them: Billing." in words(run / "report.html")


def test_several_labels_show_their_thresholds_and_no_confusion(tmp_path: Path) -> None:
    run = several(tmp_path / "run")
    seen = words(page.write(run))
    assert "Given from" in seen and "0.52" in seen and "several per row" in seen
    assert "Which label is taken for which" not in seen
    assert "in F1 (all labels together) on 400 rows it never saw" in seen


def test_mistakes_come_surest_first_with_text_place_and_both_labels(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    rows = [row for row in pq.read_table(run / "predictions" / "test.parquet").to_pylist() if row["wanted"] != row["label"]]
    surest = max(rows, key=lambda row: row["probability"])
    seen = words(page.write(run))
    at = seen.index("The surest mistakes")
    assert (
        f"wanted {surest['wanted']} given {surest['label']} {100 * surest['probability']:.1f} % {surest['text'][:60]}"
        in seen[at : at + 700]
    )
    assert f"tickets.csv, row {surest['_row']}" in seen
    assert f"{len(rows)} of 600 labelled rows of the test split got a wrong answer" in seen


def test_the_worst_of_several_labels_decides_how_wrong_an_answer_was(tmp_path: Path) -> None:
    run = several(tmp_path / "run")
    facts = read(run)
    worst = facts.predictions.worst[0]  # type: ignore[union-attr]
    row = next(row for row in pq.read_table(run / "predictions" / "test.parquet").to_pylist() if row["_row"] == worst.row)
    p = dict(zip(facts.labels, row["probabilities"], strict=True))
    gaps = [1 - p[name] for name in set(row["wanted"]) - set(row["label"])] + [p[name] for name in set(row["label"]) - set(row["wanted"])]
    assert worst.probability == pytest.approx(max(gaps))
    assert worst.wanted == tuple(row["wanted"]) and worst.given == tuple(row["label"])


def test_long_texts_are_folded_but_whole_and_nothing_is_markup(tmp_path: Path) -> None:
    text = page.write(hostile(tmp_path / "run")).read_text(encoding="utf-8")
    assert SCRIPT not in text and "<img" not in text
    assert html.escape(SCRIPT) in text
    assert "9,680 more characters" in text
    assert any(part + rest == LONG for part, rest in re.findall(r'<q dir="auto">(x+)…</q>.*?<q dir="auto">(x+)</q>', text))
    assert "{{ 7 * 7 }}" in text


def test_the_checklist_answers_from_evidence(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    found = answers(run)
    assert found["Is the data clean?"] == "no", "a warning is left as found"
    assert found["Rows reviewed by people?"] == found["Outputs reviewed by people?"] == "no"
    yes = {
        "Is the data versioned?",
        "Are the splits free of overlap?",
        "Was the test split kept locked?",
        "Can it be made again?",
        "Is what was trained saved and recorded?",
        "Was the training tracked?",
        "Better than simple baselines?",
    }
    assert {question for question in yes if found[question] != "yes"} == set()
    assert "Not yet: the dataset holds no label that a person corrected." in words(page.write(run))


def test_labels_that_people_corrected_are_evidence_of_a_review_of_the_rows_and_of_nothing_else(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    steps = [{"from": "a", "by": "review labels", "sheet_sha256": "b", "rows_changed": count} for count in (3, 39)]
    change(run, "data.json", history=steps)
    found = answers(run)
    assert (found["Rows reviewed by people?"], found["Outputs reviewed by people?"]) == ("yes", "no")
    assert "42 labels corrected by hand, on 2 sheets of the most doubtful rows." in words(page.write(run))
    assert "42 labels were corrected by hand; its outputs were not reviewed by people" in card.write(run).read_text(encoding="utf-8")
    change(run, "data.json", history=None)
    assert answers(run)["Rows reviewed by people?"] == "not measured"


def test_the_checklist_changes_its_mind_with_the_evidence(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    leak = {"rule": "leak-near", "severity": "error", "message": "12 rows stand on both sides", "action": "keep", "rows": 12}
    change(run, "data.json", findings=[leak], test_without_label=3)
    put(run, "looks.jsonl", {"when": "2026-11-23", "command": "x", "model": "a", "rows": 1})
    (run / "looks.jsonl").write_text('{"model": "a"}\n{"model": "b"}\n', encoding="utf-8")
    (run / "model" / "model.safetensors").unlink()
    change(run, "manifest.json", seed=None)
    found = answers(run)
    questions = (
        "Are the splits free of overlap?",
        "Was the test split kept locked?",
        "Can it be made again?",
        "Is what was trained saved and recorded?",
        "Does every row have a label the model was taught?",
    )
    for question in questions:
        assert found[question] == "no", question


def test_rows_that_the_model_cannot_read_are_told_beside_those_that_are_cut(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    for cut, told in ((0, "of the tokens."), (4, "of the tokens; 4 cut at 32 tokens.")):
        change(run, "data.json", truncation={"max_tokens": 32, "splits": {"train": {"rows": 90, "rows_cut": cut, "rows_unknown": 2}}})
        (item,) = [one for one in checklist(read(run)) if one.question == "Does the model read the texts whole?"]
        assert item.answer == "no" and item.evidence == f"Of 2 rows of 90 the model knows less than half {told}"


def test_what_no_file_tells_is_not_measured_and_never_yes(tmp_path: Path) -> None:
    run = single(tmp_path / "run")
    for name in ("data.json", "metrics.json", "events.jsonl", "looks.jsonl", "manifest.json"):
        (run / name).unlink()
    found = answers(run)
    assert "yes" not in found.values()
    assert sum(answer == "not measured" for answer in found.values()) >= 9
