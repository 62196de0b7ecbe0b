"""Every kind of bad input ends with one paragraph that says what was found, what was wanted and what to do; nothing is written half."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny
from tunewright.cli import main

GOOD = "text,label\n" + "".join(
    f"the {word} number {number} is {state},{state}\n" for number in range(12) for word in ("lamp", "chair") for state in ("good", "bad")
)


def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit status and standard error of a command."""
    monkeypatch.setattr(sys, "argv", ["tunewright", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0), capsys.readouterr().err


def recipe_for(folder: Path, source: str, more: str = "") -> Path:
    path = folder / "recipe.yaml"
    path.write_text(f"task: text-classification\ndata: {{source: {source}}}\nmodel: {{base: embedded}}\noutput_dir: {folder}\n{more}")
    return path


def file(name: str, content: str | bytes) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return write


def folder_without_data(folder: Path) -> str:
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.docx").write_bytes(b"PK\x03\x04 not a table")
    return "empty"


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01" + bytes(range(256)) * 20

CASES: dict[str, tuple[Callable[[Path], str], str]] = {
    "missing file": (lambda folder: file("tickets.csv", GOOD)(folder) and "tikets.csv", "tickets.csv"),
    "empty file": (file("data.csv", ""), "empty"),
    "binary file": (file("data.csv", PNG), "data.csv"),
    "directory without data": (folder_without_data, "empty"),
    "wrong delimiter": (file("data.csv", GOOD.replace(",", "~")), "text"),
    "no header": (file("data.csv", GOOD.split("\n", 1)[1]), "names the columns"),
    "one column": (file("data.csv", "text\n" + "some words\n" * 20), "label"),
    "duplicate column names": (file("data.csv", GOOD.replace("text,label", "text,text")), "text"),
    "all rows one label": (file("data.csv", GOOD.replace(",bad", ",good")), "good"),
    "a label per row": (file("data.csv", "text,label\n" + "".join(f"words {n} here,label {n}x{n}\n" for n in range(40))), "label"),
    "one row": (file("data.csv", "text,label\nhello,yes\n"), "row"),
    "labels of floats": (file("data.jsonl", "".join(f'{{"text": "words {n}", "label": {n / 7}}}\n' for n in range(30))), "float"),
    "header only": (file("data.csv", "text,label\n"), "row"),
    "not a table": (file("data.json", '"just a text"'), "data.json"),
    "corrupt parquet": (file("data.parquet", b"PAR1" + b"\x00" * 100 + b"PAR1"), "data.parquet"),
    "missing column": (file("data.csv", GOOD.replace("text,label", "text,lable")), "lable"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("verb", ["check", "run"])
def test_bad_data_is_told_in_one_paragraph_and_leaves_nothing(
    case: str, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make, word = CASES[case]
    recipe = recipe_for(tmp_path, make(tmp_path))
    before = sorted(path.name for path in tmp_path.iterdir())
    status, words = told(monkeypatch, capsys, verb, str(recipe), "--quiet")
    assert status == 2, words
    assert word in words and "Traceback" not in words and words.startswith("tunewright: ") and len(words.strip().splitlines()) <= 4, words
    assert sorted(path.name for path in tmp_path.iterdir()) == before, "nothing is written half"


def test_the_cases_are_many() -> None:
    assert len(CASES) >= 16


def vision_model(folder: Path) -> str:
    from transformers import AutoConfig

    AutoConfig.for_model("vit").save_pretrained(folder / "base")
    tiny.tokenizer().save_pretrained(folder / "base")
    return "./base"


def without_fast_tokenizer(folder: Path) -> str:
    tiny.base_folder(folder / "base")
    for path in (folder / "base").glob("*token*"):
        path.unlink()
    (folder / "base" / "tokenizer_config.json").write_text('{"tokenizer_class": "ByT5Tokenizer"}')
    return "./base"


def no_configuration(folder: Path) -> str:
    (folder / "base").mkdir()
    return "./base"


BASES: dict[str, tuple[Callable[[Path], str], list[str]]] = {
    "folder missing": (lambda folder: "./nomodel", ["the folder ./nomodel does not exist", "'embedded' is the packaged"]),
    "folder without config.json": (no_configuration, ["is a folder without a config.json", "save_pretrained"]),
    "vision model": (vision_model, ["is of the kind 'vit', which has no head for text classification", "Choose another model.base"]),
    "no fast tokenizer": (without_fast_tokenizer, ["has no fast tokenizer", "tokenizer.json", "choose another base"]),
    "unknown to the Hub": (lambda folder: "nobody/nothing", ["the Hub did not give it", "HF_HUB_OFFLINE is set", "Check the name"]),
}


@pytest.mark.parametrize("case", BASES)
@pytest.mark.parametrize("verb", ["check", "show", "run"])
def test_a_base_that_cannot_serve_is_told_before_a_row_is_read(
    case: str, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make, wanted = BASES[case]
    (tmp_path / "data.csv").write_text(GOOD)
    recipe = recipe_for(tmp_path, "data.csv")
    recipe.write_text(recipe.read_text().replace("embedded", make(tmp_path)))
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["tunewright", verb, str(recipe)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2 and said.out == "", "nothing is told of the rows, which were not read"
    assert [word for word in wanted if word not in said.err] == [], said.err
    assert "Traceback" not in said.err and len(said.err.strip().splitlines()) == 1
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before, "nothing was written"


RECIPES = {
    "invalid YAML": ("task: [text\n", ["line"]),
    "no mapping": ("- a\n- b\n", ["list"]),
    "many problems": (
        "task: text-clasification\ndata: {source: x.csv, columns: 3, polcy: {}}\nmodel: {base: embedded, max_tokens: many}\n"
        "train: {epocs: 2, batch_size: -1, arguments: {evaluation_strategy: steps}}\nstepz: 1\n",
        ["text-classification", "policy", "max_tokens", "epochs", "batch_size", "evaluate_every", "stepz", "columns"],
    ),
    "nothing": ("", ["nothing"]),
    "a section twice": (
        "task: text-classification\ntrain: {epochs: 5}\ndata: {source: x.csv}\nmodel:\n  base: embedded\n  base: ./nomodel\n"
        "train: {batch_size: 8}\nstepz: 1\n",
        [
            "train: stands in line 2 and again in line 7",
            "model.base: stands in line 5 and again in line 6",
            "stepz",
            "4 problems",
            "model.base: the folder ./nomodel does not exist",
        ],
    ),
}


@pytest.mark.parametrize("case", RECIPES)
def test_a_bad_recipe_is_told_whole(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text, wanted = RECIPES[case]
    (tmp_path / "recipe.yaml").write_text(text)
    status, words = told(monkeypatch, capsys, "check", str(tmp_path / "recipe.yaml"))
    assert status == 2 and [word for word in wanted if word not in words] == [], words


def test_a_key_may_stand_in_several_sections_and_be_merged(tmp_path: Path) -> None:
    from tunewright.pipeline.recipe import read

    (tmp_path / "recipe.yaml").write_text(
        "task: {name: text-classification}\ndata: {source: x.csv, name: one}\nmodel: {base: embedded}\nname: two\n"
        "train: {<<: {epochs: 2}, <<: {batch_size: 8}}\n"
    )
    recipe = read(tmp_path / "recipe.yaml")
    assert (recipe.data.name, recipe.name, recipe.train.batch_size) == ("one", "two", 8)


def test_a_recipe_that_is_missing_is_told_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tickets.yaml").write_text("task: text-classification\n")
    status, words = told(monkeypatch, capsys, "run", str(tmp_path / "tikets.yaml"))
    assert status == 2 and "tickets.yaml" in words


def test_a_policy_that_refuses_ends_with_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.csv").write_text(GOOD + "the same words,good\nthe same words,bad\n")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "task: text-classification\ndata: {source: data.csv, policy: {conflicting-label: refuse}}\n"
        f"model: {{base: embedded}}\noutput_dir: {tmp_path}\n"
    )
    status, words = told(monkeypatch, capsys, "run", str(recipe))
    assert status == 3 and "conflicting-label" in words
    assert not (tmp_path / "runs").exists() and not (tmp_path / "datasets").exists()


def test_a_named_run_that_exists_is_refused_by_naming_resume_and_overwrite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.csv").write_text(GOOD)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    status, words = told(monkeypatch, capsys, "run", str(recipe_for(tmp_path, "data.csv", "name: mine\n")), "--quiet")
    assert status == 2 and "--resume" in words and "--overwrite" in words


def test_an_output_folder_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.csv").write_text(GOOD)
    (tmp_path / "file").write_text("in the way")
    recipe = recipe_for(tmp_path, "data.csv")
    status, words = told(monkeypatch, capsys, "run", str(recipe), "--set", f"output_dir={tmp_path / 'file' / 'out'}", "--quiet")
    assert status == 2 and "output_dir" in words and "Traceback" not in words


def test_ten_megabytes_in_one_cell_are_read_cut_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.csv").write_text(GOOD + f'"{"long words " * 1_000_000}",good\n')
    monkeypatch.setattr(sys, "argv", ["tunewright", "prepare", str(recipe_for(tmp_path, "data.csv")), "--quiet"])
    main_without_exit()
    out = capsys.readouterr().out
    assert "49 rows read, 49 kept" in out and "1 row longer than the" in out


def main_without_exit() -> None:
    try:
        main()
    except SystemExit as ended:
        assert not ended.code
