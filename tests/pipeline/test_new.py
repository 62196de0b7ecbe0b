"""``tunewright new``: from real, dirty tables to a recipe that runs as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tunewright.cli import app
from tunewright.core.errors import UserError
from tunewright.pipeline.guess import guess
from tunewright.pipeline.looks import look
from tunewright.pipeline.new import new
from tunewright.pipeline.recipe import read

TICKETS = [
    ("The parcel never came and nobody answers the phone", "delivery"),
    ("I was charged twice for one order last Monday", "billing"),
    ("How can I change the address of my account?", "account"),
    ("My invoice shows the wrong tax number again", "billing"),
]


def ticket_rows(count: int = 60) -> list[dict[str, Any]]:
    return [
        {
            "ticket_id": f"T-{1000 + at}",
            "created": f"2024-03-{at % 28 + 1:02d} 10:{at % 60:02d}:00",
            "email": f"person{at}@example.org",
            "subject": f"{TICKETS[at % 4][1]} {at}",
            "body": f"{TICKETS[at % 4][0]}, {at} days",
            "queue": TICKETS[at % 4][1],
            "minutes": at * 7.3,
            "priority": at % 3,
        }
        for at in range(count)
    ]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    import csv

    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def written(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def test_text_and_label_are_found_among_ids_times_and_addresses(tmp_path):
    write_csv(tmp_path / "tickets.csv", ticket_rows())
    found = new([str(tmp_path / "tickets.csv")], tmp_path / "tickets.yaml")
    assert found.guess.columns == {"text": "body", "label": "queue"}
    assert found.guess.left_out.keys() == {"ticket_id", "created", "email", "minutes"}
    assert (
        "id" in found.guess.left_out["ticket_id"]
        and "date" in found.guess.left_out["created"]
        and "e-mail" in found.guess.left_out["email"]
    )
    assert {choice["label"] for choice, _ in found.guess.others} == {"queue", "priority"}


def test_the_recipe_reads_says_why_and_is_short(tmp_path):
    write_csv(tmp_path / "tickets.csv", ticket_rows())
    new([str(tmp_path / "tickets.csv")], tmp_path / "tickets.yaml")
    recipe = read(tmp_path / "tickets.yaml")
    assert recipe.data.source == "tickets.csv", "a table beside the recipe is named as the recipe finds it"
    lines = (tmp_path / "tickets.yaml").read_text().splitlines()
    assert len([line for line in lines if not line.strip().startswith("#")]) <= 6
    comments = "\n".join(line for line in lines if "#" in line)
    assert (
        "free text, half of the rows with up to" in comments
        and "billing 30" in comments
        and "priority" in comments
        and "tunewright check" in comments
    )


def test_a_generated_dirty_table_of_tickets_gives_its_own_columns(tickets, tmp_path):
    found = new([str(tickets / "tickets.csv")], tmp_path / "tickets.yaml")
    assert found.guess.columns == {"text": "body", "label": "queue"}
    assert Path(written(tmp_path / "tickets.yaml")["data"]["source"]) == tickets / "tickets.csv"


def test_pairs_of_texts_are_recognised_by_their_names():
    rows = {
        "premise": [f"the man number {at} walks home" for at in range(40)],
        "hypothesis": [f"someone walks at {at}" for at in range(40)],
    }
    found = guess(rows | {"label": ["yes", "no"] * 20}, "pairs")
    assert found.columns == {"text": "premise", "text_pair": "hypothesis", "label": "label"}
    assert found.others[0][0] == {"text": "premise", "label": "label"}
    numbered = guess(
        {f"{name[:3]}_sent{at}": values for at, (name, values) in enumerate(rows.items(), 1)} | {"label": ["yes", "no"] * 20}, "pairs"
    )
    assert numbered.columns["text"] == "pre_sent1" and "text_pair" not in numbered.columns, "names that only look alike make no pair"


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        (["late; damaged", "late", "damaged; refund", "refund; late"] * 10, ";"),
        (["late|damaged", "late", "damaged|refund", "refund|late"] * 10, "|"),
        (["late, damaged", "late", "damaged, refund", "refund, late"] * 10, ","),
        (['["late", "damaged"]', '["late"]', "[]", '["refund", "late"]'] * 10, ""),
        (["['late', 'damaged']", "['late']", "[]", "['refund', 'late']"] * 10, ""),
        (["['late' 'damaged']", "['late']", "[]", "['refund' 'late']"] * 10, ""),
        (["[late, damaged]", "[late]", "[]", "[refund, late]"] * 10, ""),
        ([["late", "damaged"], ["late"], [], ["refund", "late"]] * 10, ""),
    ],
)
def test_several_labels_in_a_cell_are_recognised(values, separator, tmp_path):
    rows = [{"text": f"something is wrong with order {at}", "tags": value} for at, value in enumerate(values)]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    found = new([str(tmp_path / "rows.jsonl")], tmp_path / "recipe.yaml")
    assert found.guess.multi_label and found.guess.columns["label"] == "tags" and found.guess.separator == separator
    recipe = read(tmp_path / "recipe.yaml")
    assert recipe.task.multi_label
    assert {name for value in values for name in recipe.task.wanted_labels({"label": value})} == {"late", "damaged", "refund"}


def test_a_name_between_brackets_is_no_list(tmp_path):
    rows = [{"text": f"something is wrong with order {at}", "level": ["[ERROR]", "[INFO]"][at % 2]} for at in range(40)]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    found = new([str(tmp_path / "rows.jsonl")], tmp_path / "recipe.yaml")
    assert not found.guess.multi_label and found.guess.columns["label"] == "level"


def test_a_text_with_commas_is_no_list_of_labels():
    assert look("body", [f"Hello, my parcel {at} is late, please help" for at in range(30)]).kind == "text"
    assert look("city", ["Berlin, Germany", "Paris, France"] * 20).kind == "label", "the same combinations again and again are one label"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([str(at) for at in range(50)], "id"),
        ([f"{at:08x}-ab12" for at in range(50)], "id"),
        (["2024-01-02T10:00:00Z", "2024-01-03"] * 10, "time"),
        (["02.01.2024", "3.1.2024 10:15"] * 10, "time"),
        (["https://example.org/a", "https://example.org/b"] * 10, "address"),
        ([at / 7 for at in range(50)], "number"),
        ([0.0, 1.0] * 20, "label"),
        ([True, False] * 20, "label"),
        ([None, "", "  "], "empty"),
        (["spam"] * 30, "constant"),
        (["注文した商品がまだ届いていませんので確認してください" + str(at) for at in range(30)], "text"),
        ([["the", "cat", "and", "the", "dog", str(at)] for at in range(30)], "lists"),
    ],
)
def test_a_column_is_taken_for_what_it_is(values, kind):
    assert look("column", values).kind == kind


def test_splits_of_a_folder_are_named(tmp_path):
    for name in ("train.jsonl", "dev.jsonl", "test.jsonl", "train_old.jsonl"):
        write_jsonl(tmp_path / "data" / name, ticket_rows())
    found = new([str(tmp_path / "data")], tmp_path / "recipe.yaml")
    assert written(tmp_path / "recipe.yaml")["data"]["source"] == {
        "train": "data/train.jsonl",
        "validation": "data/dev.jsonl",
        "test": "data/test.jsonl",
    }
    assert "train_old.jsonl" in found.notes[0]


def test_files_given_one_by_one_are_splits_by_their_names(tmp_path):
    files = [write_jsonl(tmp_path / name, ticket_rows()) for name in ("my_train.jsonl", "my_valid.jsonl")]
    new([str(file) for file in files], tmp_path / "recipe.yaml")
    assert written(tmp_path / "recipe.yaml")["data"]["source"] == {"train": "my_train.jsonl", "validation": "my_valid.jsonl"}
    stray = write_jsonl(tmp_path / "more.jsonl", ticket_rows())
    with pytest.raises(UserError, match=r"more\.jsonl cannot be told to belong to a split.*as train\.csv"):
        new([*(str(file) for file in files), str(stray)], tmp_path / "other.yaml")


def test_a_split_without_the_label_is_left_out_and_told(tmp_path):
    write_jsonl(tmp_path / "train.jsonl", ticket_rows())
    write_jsonl(tmp_path / "test.jsonl", [{"body": "where is it"}] * 3)
    found = new([str(tmp_path)], tmp_path / "recipe.yaml")
    assert list(written(tmp_path / "recipe.yaml")["data"]["source"]) == ["train"]
    assert "no column 'queue'" in found.notes[0] and "no column 'queue'" in (tmp_path / "recipe.yaml").read_text()


def test_a_file_called_train_tells_of_the_splits_beside_it(tmp_path):
    for name in ("train.jsonl", "test.jsonl"):
        write_jsonl(tmp_path / name, ticket_rows())
    found = new([str(tmp_path / "train.jsonl")], tmp_path / "recipe.yaml")
    assert "test.jsonl" in found.notes[0] and "tunewright new" in found.notes[0]


def test_a_file_sorted_by_label_is_read_further(tmp_path):
    rows = [{"text": f"a film like no other, number {at}", "label": "positive" if at < 3000 else "negative"} for at in range(6000)]
    found = new([str(write_jsonl(tmp_path / "films.jsonl", rows))], tmp_path / "recipe.yaml")
    assert found.guess.columns["label"] == "label" and found.rows_looked_at == 6000


def test_names_that_yaml_would_misread_survive(tmp_path):
    rows = [{"yes": f"where is my order number {at}?", "a: #b": ["late", "lost"][at % 2]} for at in range(40)]
    new([str(write_jsonl(tmp_path / "on: off.jsonl", rows))], tmp_path / "recipe.yaml")
    recipe = read(tmp_path / "recipe.yaml")
    assert recipe.data.columns == {"text": "yes", "label": "a: #b"} and recipe.data.source == "on: off.jsonl"


def test_a_column_name_with_a_line_break_stays_in_its_comment(tmp_path):
    rows = [row | {"odd\nmodel: {base: evil}": at / 7} for at, row in enumerate(ticket_rows())]
    new([str(write_jsonl(tmp_path / "rows.jsonl", rows))], tmp_path / "recipe.yaml")
    assert read(tmp_path / "recipe.yaml").model.base != "evil"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a b c", "d e f"]}, "has one column, 'text'.*Add the column with the labels.*delimiter"),
        (
            {"text": [f"row number {at} is here" for at in range(30)], "other": [f"and this is {at} too" for at in range(30)]},
            "no column of here looks like a label.*no two alike.*data.columns.label yourself",
        ),
        (
            {"text": [f"row number {at} is here" for at in range(30)], "label": ["spam"] * 30},
            "all 30 rows of here.*same label, 'spam'.*at least two labels.*Shuffle",
        ),
        (
            {"text": [f"row number {at} is here" for at in range(30)], "label": ["spam"] * 30, "length": [at / 7 for at in range(30)]},
            "same label, 'spam'.*Shuffle",
        ),
        ({"id": list(range(30)), "label": ["a", "b"] * 15}, "no column of here looks like a text.*data.columns.text yourself"),
        ({"tokens": [["a", str(at)] for at in range(30)], "label": ["a", "b"] * 15}, "tokens with a tag for each are another task"),
    ],
)
def test_a_table_that_is_no_classification_is_explained(columns, message):
    with pytest.raises(UserError, match=message):
        guess(columns, "here")


def test_a_recipe_is_never_written_over_unasked(tmp_path):
    source = str(write_jsonl(tmp_path / "rows.jsonl", ticket_rows()))
    out = tmp_path / "recipe.yaml"
    out.write_text("mine")
    with pytest.raises(UserError, match=r"recipe\.yaml exists.*--out.*--overwrite"):
        new([source], out)
    assert out.read_text() == "mine"
    with pytest.raises(UserError, match=r"is a folder. A file for the recipe is wanted. As in: --out .*/recipe\.yaml"):
        new([source], tmp_path, overwrite=True)
    new([source], out, overwrite=True)
    assert "task: text-classification" in out.read_text()


def test_standard_input_and_missing_files_are_refused_with_the_next_step(tmp_path):
    with pytest.raises(UserError, match=r"standard input cannot be read again.*Save it first"):
        new(["-"], tmp_path / "recipe.yaml")
    write_jsonl(tmp_path / "tickets.jsonl", ticket_rows())
    with pytest.raises(UserError, match=r"Did you mean .*tickets\.jsonl"):
        new([str(tmp_path / "ticket.jsonl")], tmp_path / "recipe.yaml")
    assert not (tmp_path / "recipe.yaml").exists()


def test_the_command_prints_reasons_and_the_next_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "tickets.csv", ticket_rows())
    said = CliRunner().invoke(app, ["new", "tickets.csv"])
    assert said.exit_code == 0 and "'queue': 3 labels" in said.stdout and said.stdout.rstrip().endswith("tunewright check recipe.yaml")
    machine = CliRunner().invoke(app, ["new", "tickets.csv", "--out", "b.yaml", "--json"])
    assert json.loads(machine.stdout)["guess"]["columns"] == {"text": "body", "label": "queue"}


SETS = {
    "sms_spam": {"text": "text", "label": "label"},
    "banking77": {"text": "text", "label": "label"},
    "rotten_tomatoes": {"text": "text", "label": "label"},
    "hate_offensive": {"text": "text", "label": "label"},
    "rte": {"text": "premise", "text_pair": "hypothesis", "label": "label"},
    "cola": {"text": "text", "label": "label"},
    "tweet_eval/emotion": {"text": "text", "label": "label"},
    "ag_news": {"text": "text", "label": "label"},
    "sst2": {"text": "text", "label": "label"},
    "stsb": {"text": "sentence1", "text_pair": "sentence2", "number": "score"},
}


@pytest.mark.parametrize("name", SETS)
def test_public_data_sets_are_understood(name, real_data, tmp_path):
    found = new([str(real_data / name)], tmp_path / "recipe.yaml")
    assert found.guess.columns == SETS[name]
    assert "train" in written(tmp_path / "recipe.yaml")["data"]["source"]


@pytest.mark.parametrize("name", ["wnut17", "wikigold", "mit_restaurant", "ncbi_disease"])
def test_tagged_tokens_of_a_public_data_set_are_entities(name, real_data, tmp_path):
    found = new([str(real_data / name)], tmp_path / "recipe.yaml")
    assert (found.guess.task, found.guess.columns) == ("token-classification", {"text": "tokens", "spans": "tags"})
    assert written(tmp_path / "recipe.yaml")["task"] == "token-classification"


def test_numbers_without_labels_are_for_a_regression(tmp_path):
    rows = [{"id": f"r{at}", "text": f"a long wait at counter {at}", "minutes": at * 7.3, "other": at / 3} for at in range(40)]
    write_csv(tmp_path / "waits.csv", rows)
    found = new([str(tmp_path / "waits.csv")], tmp_path / "waits.yaml")
    assert (found.guess.task, found.guess.columns) == ("regression", {"text": "text", "number": "minutes"})
    assert [columns["number"] for columns, _ in found.guess.others] == ["other"] and "r" not in found.guess.why["number"][:1]
    recipe = read(tmp_path / "waits.yaml")
    assert type(recipe.task).__name__ == "Regression" and recipe.data.columns == found.guess.columns


def test_a_score_goes_before_labels_that_are_not_called_so():
    texts = {"sentence1": [f"a man number {at} walks" for at in range(60)], "sentence2": [f"someone walks at {at}" for at in range(60)]}
    scores, genres = [round(at % 17 / 3.7, 2) for at in range(60)], ["news", "forum"] * 30
    found = guess({**texts, "score": scores, "genre": genres}, "pairs")
    assert found.task == "regression" and found.columns == {"text": "sentence1", "text_pair": "sentence2", "number": "score"}
    assert found.other_tasks[0][:2] == ("text-classification", {"text": "sentence1", "text_pair": "sentence2", "label": "genre"})
    found = guess({**texts, "score": scores, "label": genres}, "pairs")
    assert found.task == "text-classification" and found.other_tasks[0][:2] == (
        "regression",
        {"text": "sentence1", "text_pair": "sentence2", "number": "score"},
    )


def test_stars_are_classes_that_could_be_numbers(tmp_path):
    write_jsonl(tmp_path / "stars.jsonl", [{"text": f"meal number {at} was eaten", "stars": at % 5 + 1} for at in range(60)])
    found = new([str(tmp_path / "stars.jsonl")], tmp_path / "stars.yaml")
    assert found.guess.task == "text-classification" and found.guess.other_tasks[0][0] == "regression"
    assert "# or: task: regression, data.columns: {text: text, number: stars}" in (tmp_path / "stars.yaml").read_text()


def test_questions_with_answers_in_their_contexts_are_recognised(tmp_path):
    from tunewright.demo.questions import Questions

    Questions(questions=80, seed=3).write(tmp_path)
    found = new([str(tmp_path / "questions.json")], tmp_path / "questions.yaml")
    assert found.guess.task == "question-answering"
    assert found.guess.columns == {"question": "question", "context": "context", "answers": "answers"}
    assert "rows; " in found.guess.why["answers"] and "have no answer" in found.guess.why["answers"]
    assert type(read(tmp_path / "questions.yaml").task).__name__ == "QuestionAnswering"


def test_plain_answers_are_for_questions_only_where_they_stand_in_the_context():
    rows = {"query": [f"what is number {at}?" for at in range(40)], "passage": [f"in row {at} there is thing-{at}" for at in range(40)]}
    found = guess({**rows, "answer": [f"thing-{at}" for at in range(40)]}, "here")
    assert found.task == "question-answering" and found.columns == {"question": "query", "context": "passage", "answers": "answer"}
    yes_or_no = guess({**rows, "answer": ["yes", "no"] * 20}, "here")
    assert yes_or_no.task == "text-classification" and yes_or_no.columns["label"] == "answer"
