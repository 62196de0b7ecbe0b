"""The verb ``predict`` on tiny models with drawn weights: what is asked of which columns, what is refused, what each line says."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests import tiny
from tunewright.core.errors import UserError
from tunewright.core.folder import whole, write_json
from tunewright.data.read import batches
from tunewright.model.build import save
from tunewright.model.predict import Predictor
from tunewright.model.settings import ModelSettings
from tunewright.pipeline import predict as module
from tunewright.pipeline.predict import Told, format_of, load, predict
from tunewright.tasks import TASKS
from tunewright.tasks.text_classification import TextClassification, probability_of

COLUMNS = {"text": "body", "text_pair": "reply", "label": "queue"}
LABELS = ("account", "billing", "delivery")


def run_folder(root: Path, roles: Sequence[str], told: bool = True, **task: Any) -> Path:
    """A run as ``train`` leaves it, of a model that was never trained; ``told``: its model/ folder names the roles."""
    base = tiny.base_folder(root / "base")
    made = TextClassification(labels=LABELS, **task)
    built, found = tiny.built(base, made)
    run = root / "run"
    save(built.model, run / "model", found.tokenizer, made, TASKS.spec(made), ModelSettings(base=str(base)), 64, roles if told else None)
    write_json(run / "manifest.json", {"status": "trained"})
    write_json(run / "data.json", {"columns": {role: COLUMNS[role] for role in roles}})
    return run


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(tmp_path_factory.mktemp("single"), ("text", "label"))


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(tmp_path_factory.mktemp("paired"), ("text", "text_pair", "label"))


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of several labels that gives none: its thresholds are out of reach."""
    return run_folder(tmp_path_factory.mktemp("several"), ("text", "label"), multi_label=True, thresholds=(1.0, 1.0, 1.0))


def answers(run: Path, source: Any, out: Path, columns: dict[str, str] | None = None) -> tuple[list[dict[str, Any]], Told]:
    told = predict(run, str(source), out, "jsonl", columns)
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()], told


def test_naming_one_column_leaves_the_other_texts_where_they_were(paired: Path, tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text("message,reply\nI bought a lamp,this is a chair\n")
    lines, _ = answers(paired, table, tmp_path / "out.jsonl", {"text": "message"})
    wanted = load(paired).predict([("I bought a lamp", "this is a chair")])[0]
    assert lines[0]["probabilities"] == pytest.approx(wanted["probabilities"], abs=1e-6)


@pytest.mark.parametrize("role", ["txet", "text_pair", "label"])
def test_a_role_that_the_model_does_not_read_is_refused(single: Path, tmp_path: Path, role: str) -> None:
    table = tmp_path / "new.csv"
    table.write_text("body,other\nmy parcel,x\n")
    with pytest.raises(UserError, match=rf"--column names '{role}'.*('text'|Known: text)"):
        answers(single, table, tmp_path / "out.jsonl", {role: "other"})


def test_a_column_that_is_named_and_missing_is_never_replaced_by_another(single: Path, tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text("text,message\nold,new\n")
    with pytest.raises(UserError, match=r"no column 'mesage'.*did you mean 'message'.*--column text=<column>"):
        answers(single, table, tmp_path / "out.jsonl", {"text": "mesage"})


@pytest.mark.parametrize("told", [True, False], ids=["named in model/", "an older folder"])
def test_a_model_of_pairs_never_answers_from_one_text(tmp_path: Path, told: bool) -> None:
    run = run_folder(tmp_path, ("text", "text_pair", "label"), told)
    specialist = load(run)
    for rows in (["one text"], [("a", "b"), ("alone",)], [{"text": "one"}], [{"text": "one", "text_pair": None}]):
        with pytest.raises(UserError, match=rf"row {len(rows) - 1} has no text_pair.*tuple of 2 texts.*text, text_pair"):
            specialist.predict(rows)  # type: ignore[arg-type]
    table = tmp_path / "new.csv"
    table.write_text("body\nI bought a lamp\n")
    with pytest.raises(UserError, match=r"no column 'reply' \(for text_pair\)"):
        answers(run, table, tmp_path / "out.jsonl")
    table.write_text("body,reply\nI bought a lamp,\nit is late,so it is\n")
    lines, counted = answers(run, table, tmp_path / "out.jsonl")
    assert lines[0]["error"] == "no reply" and lines[1]["label"] in LABELS and (counted.answered, counted.failed) == (1, 1)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (None, "row 1 is None"),
        (3, "row 1 is int 3"),
        (["a", "b"], "row 1 is list"),
        (("a", "b", "c"), "row 1 is tuple"),
        ({"body": "x"}, "row 1 has no text"),
        ({"text": None}, "row 1 has no text"),
        ({"text": float("nan")}, "the text of row 1 is float nan"),
        (("a", "b"), "row 1 has a text_pair, which this model was not trained with"),
    ],
)
def test_a_row_that_is_no_text_is_named_by_its_place(single: Path, row: Any, said: str) -> None:
    specialist = load(single)
    with pytest.raises(UserError, match=rf"^{said}.*Each row is a text, or a mapping"):
        specialist.predict(["my parcel", row])
    with pytest.raises(UserError, match=rf"^{said}"):
        list(specialist.stream(["my parcel", row]))


def test_the_saved_model_says_what_a_row_must_have(paired: Path, tmp_path: Path) -> None:
    assert json.loads((paired / "model" / "tunewright.json").read_text())["roles"] == ["text", "text_pair", "label"]
    assert Predictor.load(paired / "model").texts == ("text", "text_pair")
    older = run_folder(tmp_path, ("text", "label"), told=False) / "model"
    assert Predictor.load(older).texts == ("text",)
    assert len(Predictor.load(older).predict([("a", "b")])) == 1, "nobody knows that it was not trained on pairs"


def test_parquet_is_written_though_no_row_of_the_first_part_is_answered(
    single: Path, several: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PART_ROWS", 2)
    table, out = tmp_path / "new.csv", tmp_path / "out.parquet"
    table.write_text('body,other\n"",1\n"",2\nmy parcel,3\n')
    for run, label in ((single, "string"), (several, "list<element: string>")):
        predict(run, str(table), out, "parquet")
        found = pq.read_table(out)
        assert str(found.schema.field("label").type) == label
        lines = found.to_pylist()
        assert [line["error"] for line in lines] == ["no body", "no body", None]
        assert set(lines[2]["probabilities"]) == set(LABELS) and lines[0]["probabilities"] is None


def test_a_place_for_answers_that_says_no_format_is_refused_with_one_that_does(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder.*As in: --out .*/answers\.csv"):
        format_of(None, tmp_path)
    with pytest.raises(UserError, match=r"answers has no ending.*csv, jsonl or parquet is wanted.*--out answers\.csv, or --format csv"):
        format_of(None, Path("answers"))
    assert format_of("csv", Path("answers")) == "csv"


def test_what_is_wrong_with_standard_input_is_told_by_that_name(single: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for given, said in (("", "standard input is empty"), ("other,more\n1,2\n", "standard input has no column 'body'")):
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(given.encode())))
        with pytest.raises(UserError, match=said):
            predict(single, "-", None, "jsonl")


def test_parquet_on_standard_output_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Parquet cannot be written to standard output"):
        predict(tmp_path / "no run at all", "-", None, "parquet")


@pytest.mark.parametrize("source", ["new.csv", "*.csv", "."])
def test_answers_never_take_the_place_of_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "new.csv"
    table.write_text("body\nmy parcel\n")
    (tmp_path / "link.csv").symlink_to(table)
    for out in ("new.csv", "link.csv"):
        with pytest.raises(UserError, match=rf"{out} is read and would be overwritten"):
            predict(tmp_path / "no run at all", source, Path(out), "csv")
    assert table.read_text() == "body\nmy parcel\n"


def test_a_file_that_goes_away_while_others_are_read_is_told_as_one_that_cannot_be_read(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("body,other\nmy parcel,1\n")
    chunks = module._chunks(str(tmp_path))
    assert next(chunks).rows.num_rows == 1
    (tmp_path / "b.csv").unlink()
    with pytest.raises(UserError, match=r"cannot be read \(No such file or directory\)"), whole(tmp_path / "answers.csv"):
        list(chunks)


def test_chunks_carry_each_finding_once_and_those_of_the_end_too(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes("body,_row\nfrüher,1\nspäter,2\nschön,3\n".encode("cp1252"))
    (tmp_path / "notes.md").write_text("nothing")
    chunks = list(batches(str(tmp_path), batch_rows=1))
    found = [finding for chunk in chunks for finding in chunk.findings]
    assert [finding.rule for finding in chunks[0].findings] == ["left-out", "header"], "as soon as it is known"
    assert [finding.rule for finding in found] == ["left-out", "header", "encoding", "header", "encoding"]
    assert sum(chunk.rows.num_rows for chunk in chunks) == 6
    assert chunks[-1].rows.num_rows == 0 and chunks[-1].rows.schema == chunks[-2].rows.schema


def test_what_the_reader_finds_out_is_said_once_and_lines_name_their_file(
    single: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewright.core import log

    monkeypatch.setattr(log, "_console", None)
    monkeypatch.setattr(log, "_quiet", False)
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "a.csv").write_bytes("body,other\nfrüher,1\nspäter,2\n".encode("cp1252"))
    (folder / "b.csv").write_bytes(b"body,other\nmy parcel,1\n")
    lines, _ = answers(single, folder, tmp_path / "out.jsonl")
    assert [(Path(line["file"]).name, line["row"]) for line in lines] == [("a.csv", 0), ("a.csv", 1), ("b.csv", 0)]
    assert capsys.readouterr().err.count("a.csv is not written in UTF-8") == 1
    predict(single, str(folder), tmp_path / "out.csv", "csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as stream:
        assert [(Path(line["file"]).name, line["row"]) for line in csv.DictReader(stream)] == [
            ("a.csv", "0"),
            ("a.csv", "1"),
            ("b.csv", "0"),
        ]


def test_a_text_of_invisible_characters_is_blank_as_in_the_audit(single: Path, tmp_path: Path) -> None:
    table = tmp_path / "new.jsonl"
    table.write_text("\n".join(json.dumps({"body": text}) for text in ["\u200b\u200d", " \x07\u00a0", None, "\u200bparcel"]))
    lines, told = answers(single, table, tmp_path / "out.jsonl")
    assert [line.get("error") for line in lines] == ["no body"] * 3 + [None] and told.answered == 1


def test_numbers_in_a_text_column_are_read_as_the_training_reads_them(single: Path, tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text("body,other\n123,a\n45,b\n")
    lines, _ = answers(single, table, tmp_path / "out.jsonl")
    wanted = load(single).predict(["123", "45"])
    assert [line["probabilities"] for line in lines] == [pytest.approx(one["probabilities"], abs=1e-6) for one in wanted]


def test_one_probability_of_an_answer_in_files_of_answers_and_in_those_of_a_run(several: Path, tmp_path: Path) -> None:
    from tunewright.evaluate.quality import write_predictions

    table = tmp_path / "new.csv"
    table.write_text("body,other\nmy parcel,1\n")
    lines, _ = answers(several, table, tmp_path / "out.jsonl")
    specialist = load(several)
    answer = specialist.predict(["my parcel"])[0]
    assert lines[0]["label"] == [] and lines[0]["probability"] == pytest.approx(1 - max(answer["probabilities"].values()), abs=1e-6)
    write_predictions(tmp_path / "test.parquet", specialist.task, [{"text": "my parcel", "_file": "x", "_row": 0}], [answer])
    assert pq.read_table(tmp_path / "test.parquet")["probability"].to_pylist() == [probability_of(answer)]
