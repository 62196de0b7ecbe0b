"""Every setting of every audit rule changes what the rule finds, on the road that a user goes: the ``data`` section of a recipe."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunewright.cli import main
from tunewright.core.errors import BadConfig, UserError
from tunewright.core.schema import Finding
from tunewright.data.audit import RULES
from tunewright.data.audit.base import Services
from tunewright.data.prepare import audit
from tunewright.data.settings import DataSettings
from tunewright.tasks.base import Task
from tunewright.tasks.regression import Regression
from tunewright.tasks.text_classification import TextClassification

Rows = list[dict[str, Any]]
WORDS = [f"word{at}" for at in range(120)]
GERMAN = "Ich habe die Rechnung noch nicht bekommen und warte seit gestern darauf"


def plain(count: int = 60, seed: int = 0) -> Rows:
    """Rows of two labels that nothing is wrong with: each label has words of its own."""
    rng = random.Random(seed)
    return [{"text": " ".join(rng.sample(WORDS[at % 2 :: 2], 10)), "label": "ab"[at % 2]} for at in range(count)]


def english(count: int = 60) -> Rows:
    """Rows that a reader of English would read."""
    things, rng = (
        ["invoice", "parcel", "password", "account", "refund", "order", "button", "window", "contract", "address"],
        random.Random(0),
    )
    says = "I have been waiting for the {} since last week and nobody of your company has told me where the {} is"
    return [{"text": says.format(*rng.sample(things, 2)) + f" {at}", "label": "ab"[at % 2]} for at in range(count)]


def found(rule: str, rows: Rows, task: Task | None = None, services: Services | None = None, **settings: Any) -> list[Finding]:
    """What a rule with these settings finds, by way of a recipe."""
    wanted = DataSettings.read({"source": rows, "rules": {rule: settings}, "policy": {"exact-duplicate": "keep"}})
    seen = audit(wanted, task or TextClassification(), 0, Path(), services)
    return [one for one in seen.findings if one.rule == rule]


def count(rule: str, rows: Rows, task: Task | None = None, services: Services | None = None, **settings: Any) -> int:
    return sum(len(one.places) for one in found(rule, rows, task, services, **settings))


def meaning(texts: Any) -> np.ndarray:
    """Sentence vectors in which texts that begin with the same word are alike, as far as the number behind it says."""
    turned = [float(text.split()[1]) / 100 if text.startswith("same") else at for at, text in enumerate(texts, 2)]
    return np.array([[np.cos(angle), np.sin(angle)] for angle in turned], dtype=np.float32)


ALIKE = Services(meaning, "a test")


def placeholder(rule: str, text: str) -> Callable[[], None]:
    def check() -> None:
        rows = [*plain(), {"text": text, "label": "a"}]
        said = []
        for style in ("typed", "mask"):
            settings = {"source": rows, "rules": {rule: {"placeholder": style}}, "policy": {rule: "fix"}}
            seen = audit(DataSettings.read(settings), TextClassification(), 0, Path())
            said += [row["text"] for split in ("train", "validation", "test") for row in seen.rows(split).to_pylist() if row["_row"] == 60]
        assert "[" in said[0] and "*" not in said[0] and "*" in said[1] and "[" not in said[1]

    return check


def kinds() -> None:
    rows = [*plain(), {"text": "write to jane.doe@example.org", "label": "a"}, {"text": "my card is 4111 1111 1111 1111", "label": "a"}]
    assert [count("personal-data", rows, kinds=[kind]) for kind in ("email", "card", "iban")] == [1, 1, 0]


def language() -> None:
    rows = [*english(), {"text": GERMAN, "label": "a"}]
    assert count("wrong-language", rows, language="en") == 1 and count("wrong-language", rows, language="de") == 60


def min_letters() -> None:
    rows = [*english(), {"text": GERMAN, "label": "a"}]
    assert [count("wrong-language", rows, language="en", min_letters=most) for most in (30, 70)] == [1, 0]


def nearly() -> None:
    rows = [{**row, "shop": "north" if at else "south"} for at, row in enumerate(plain())]
    assert [count("constant-column", rows, nearly=share) for share in (0.95, 0.995)] == [1, 0]


def shortcut_precision() -> None:
    rows = [{**row, "text": f"{row['text']} {'ref#x' if row['label'] == 'a' or at in (1, 3) else ''}"} for at, row in enumerate(plain(200))]
    assert [bool(found("shortcut", rows, precision=least)) for least in (0.9, 0.99)] == [True, False]


def shortcut_few_values() -> None:
    rows = [{**row, "code": "x" if (row["label"] == "a") != (at < 20) else "y"} for at, row in enumerate(plain(400))]
    assert [bool(found("shortcut", rows, few_values=least)) for least in (0.9, 0.99)] == [True, False]


def shortcut_coverage() -> None:
    rows = [{**row, "text": f"{row['text']} {'urgently' if row['label'] == 'a' and at % 5 else ''}"} for at, row in enumerate(plain(400))]
    assert [bool(found("shortcut", rows, coverage=least)) for least in (0.7, 0.95)] == [True, False]


def numbers(*twice: float) -> Rows:
    return [
        *({"text": row["text"], "number": float(at)} for at, row in enumerate(plain())),
        *({"text": "x y z", "number": one} for one in twice),
    ]


def apart() -> None:
    assert [count("conflicting-number", numbers(10, 30), Regression(), apart=far) for far in (0.5, 3.0)] == [2, 0]


def fences() -> None:
    assert [count("number-outlier", numbers(150), Regression(), fences=far) for far in (1.5, 5.0)] == [1, 0]


def benchmark(name: str, text: str) -> str:
    Path(name).write_text(json.dumps({"text": text}) + "\n")
    return name


def sets() -> None:
    rows = plain()
    known, unknown = benchmark("known.jsonl", rows[0]["text"]), benchmark("unknown.jsonl", "something that nobody has asked yet")
    assert [count("leak-benchmark", rows * 3, sets=[name]) for name in (known, unknown)] == [3, 0]


def shortest() -> None:
    rows = [*plain(), *[{"text": f"three words {at}", "label": "a"} for at in range(10)]]
    name = benchmark("known.jsonl", "three words 5")
    assert [count("leak-benchmark", rows * 2, sets=[name], shortest=least) for least in (3, 4)] == [2, 0]


def benchmark_words() -> None:
    rows = [{**row, "text": f"{row['text']} end of {at}"} for at, row in enumerate(plain())]
    name = benchmark("known.jsonl", " ".join(rows[0]["text"].split()[:8]) + " and so on")
    assert [count("leak-benchmark", rows * 2, sets=[name], words=least) for least in (6, 13)] == [2, 0]


def mistaken(count: int = 200) -> Rows:
    return [{**row, "label": "ba"[at % 2] if at < 4 else row["label"]} for at, row in enumerate(plain(count))]


def most_rows_weighed() -> None:
    assert [count("label-noise", mistaken(), most_rows=most) >= 3 for most in (1000, 100)] == [True, False]


def most_letters() -> None:
    asked: list[int] = []

    def embed(texts: Any) -> np.ndarray:
        asked.append(len(texts))
        return np.random.default_rng(0).normal(size=(len(texts), 8)).astype(np.float32)

    for most in (0, 1_000_000):
        found("label-noise", mistaken(), services=Services(embed, "a test"), most_letters=most)
        assert bool(asked) == bool(most)


def sure() -> None:
    few, many = (count("label-noise", mistaken(), sure=least) for least in (0.999, 0.05))
    assert few < many


def near_threshold() -> None:
    rows = [*plain(), *[{"text": " ".join([*WORDS[:12], word]), "label": "a"} for word in ("one", "other")]]
    assert [count("near-duplicate", rows, threshold=least) for least in (0.8, 0.95)] == [2, 0]


def semantic_threshold() -> None:
    rows = [*plain(), {"text": "same 0", "label": "a"}, {"text": "same 30", "label": "a"}]
    assert [count("semantic-duplicate", rows, services=ALIKE, threshold=least) >= 2 for least in (0.9, 0.999999)] == [True, False]


def semantic_most_rows() -> None:
    (told,) = found("semantic-duplicate", plain(), services=ALIKE, most_rows=10)
    assert "more than most_rows allows" in told.message
    assert not [one for one in found("semantic-duplicate", plain(), services=ALIKE, most_rows=100) if "most_rows" in one.message]


def shifted() -> dict[str, Rows]:
    rows = plain(800)
    other = [{**row, "text": f"{row['text']} today{at % 7}" if at % 3 else row["text"]} for at, row in enumerate(plain(400, seed=1))]
    return {"train": rows, "test": other}


def shift(**settings: Any) -> str:
    wanted = DataSettings.read({"source": shifted(), "rules": {"covariate-shift": settings}})
    return "".join(one.message for one in audit(wanted, TextClassification(), 0, Path()).findings if one.rule == "covariate-shift")


def auc() -> None:
    assert [bool(shift(auc=least)) for least in (0.6, 0.95)] == [True, False]


def shift_rows() -> None:
    assert "out of fold on 400 rows" in shift(rows=200) and "out of fold on 1,120 rows" in shift(rows=1000)


def names() -> None:
    import spacy

    known = spacy.blank("en")
    known.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Ada Lovelace"}])
    rows = [*plain(), {"text": "Ada Lovelace wrote to us", "label": "a"}]
    with tempfile.TemporaryDirectory() as folder:
        known.to_disk(folder)
        assert [count("personal-data", rows, **one) for one in ({}, {"names": folder})] == [0, 1]


CHECKS: dict[tuple[str, str], Callable[[], None]] = {
    ("personal-data", "kinds"): kinds,
    ("personal-data", "names"): names,
    ("personal-data", "placeholder"): placeholder("personal-data", "write to jane.doe@example.org at once"),
    ("secret", "placeholder"): placeholder("secret", "the key is AKIAIOSFODNN7EXAMPLE in there"),
    ("wrong-language", "language"): language,
    ("wrong-language", "min_letters"): min_letters,
    ("constant-column", "nearly"): nearly,
    ("shortcut", "precision"): shortcut_precision,
    ("shortcut", "few_values"): shortcut_few_values,
    ("shortcut", "coverage"): shortcut_coverage,
    ("conflicting-number", "apart"): apart,
    ("number-outlier", "fences"): fences,
    ("leak-benchmark", "sets"): sets,
    ("leak-benchmark", "shortest"): shortest,
    ("leak-benchmark", "words"): benchmark_words,
    ("label-noise", "most_rows"): most_rows_weighed,
    ("label-noise", "most_letters"): most_letters,
    ("label-noise", "sure"): sure,
    ("near-duplicate", "threshold"): near_threshold,
    ("semantic-duplicate", "threshold"): semantic_threshold,
    ("semantic-duplicate", "most_rows"): semantic_most_rows,
    ("covariate-shift", "auc"): auc,
    ("covariate-shift", "rows"): shift_rows,
}
"""Rule and setting -> the check that two values of it find differently."""


def test_every_setting_of_a_rule_has_a_check() -> None:
    known = {(name, key) for name in RULES.places() for key in RULES.get(name).model_fields if key != "enabled"}
    assert set(CHECKS) == known and len(known) >= 20


@pytest.mark.parametrize("setting", CHECKS, ids=".".join)
def test_a_changed_setting_changes_what_is_found(setting: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    CHECKS[setting]()


def enabled(rules: dict[str, Any]) -> set[str]:
    from tunewright.data.audit.apply import chosen

    return set(chosen(DataSettings.read({"source": "t.csv", "rules": rules}).rules, {}, Path()).rules)


def test_settings_have_a_rule_that_is_off_unless_they_say_otherwise() -> None:
    assert "semantic-duplicate" not in enabled({})
    assert "semantic-duplicate" in enabled({"semantic-duplicate": {"threshold": 0.9}}) & enabled({"semantic-duplicate": True})
    assert "semantic-duplicate" not in enabled({"semantic-duplicate": {"threshold": 0.9, "enabled": False}})
    assert "mojibake" in enabled({"mojibake": {}}) and "mojibake" not in enabled({"mojibake": False})


@pytest.mark.parametrize("rules", [{}, {"semantic-duplicate": {"threshold": 0.9, "enabled": False}}])
def test_a_policy_for_a_rule_that_is_off_is_refused_and_says_how_to_have_it(rules: dict[str, Any]) -> None:
    with pytest.raises(BadConfig, match=r"policy.semantic-duplicate: the rule is off.*data.rules: \{semantic-duplicate: true\}"):
        DataSettings.read({"source": "t.csv", "rules": rules, "policy": {"semantic-duplicate": "drop"}})
    with pytest.raises(BadConfig, match=r"data.rules: \{leak-benchmark: \{sets: \[benchmark.jsonl\]\}\}"):
        DataSettings.read({"source": "t.csv", "policy": {"leak-benchmark": "drop"}})
    assert DataSettings.read(
        {"source": "t.csv", "rules": {"semantic-duplicate": {"threshold": 0.9}}, "policy": {"semantic-duplicate": "drop"}}
    )


def test_the_command_line_refuses_it_with_exit_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in plain()))
    recipe = "task: text-classification\ndata: {source: t.csv, policy: {semantic-duplicate: drop}}\nmodel: {base: embedded}\n"
    (tmp_path / "r.yaml").write_text(recipe)
    monkeypatch.setattr("sys.argv", ["tunewright", "prepare", str(tmp_path / "r.yaml")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "data.policy.semantic-duplicate: the rule is off" in capsys.readouterr().err


def test_benchmark_sets_are_looked_for_beside_the_recipe_and_their_content_is_part_of_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewright.data.audit.apply import chosen

    rows, beside = plain(), tmp_path / "recipes"
    beside.mkdir()
    monkeypatch.chdir(tmp_path)
    benchmark(str(beside / "known.jsonl"), rows[0]["text"])
    wanted = DataSettings.read({"source": rows * 3, "rules": {"leak-benchmark": {"sets": ["known.jsonl"]}}})
    seen = audit(wanted, TextClassification(), 0, beside)
    assert [one.rule for one in seen.findings].count("leak-benchmark") == 1
    with pytest.raises(UserError, match=r"known\.jsonl"):
        audit(wanted, TextClassification(), 0, tmp_path)
    before = chosen(wanted.rules, {}, beside).spec()["leak-benchmark"]
    moved = beside.rename(tmp_path / "elsewhere")
    assert chosen(wanted.rules, {}, moved).spec()["leak-benchmark"] == before
    benchmark(str(moved / "known.jsonl"), "another one")
    assert chosen(wanted.rules, {}, moved).spec()["leak-benchmark"] != before
    with pytest.raises(BadConfig, match="name the files of the benchmark sets"):
        DataSettings.read({"source": rows, "rules": {"leak-benchmark": True}})
