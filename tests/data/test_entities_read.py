"""Entities as annotation tools and tagged tokens write them become places in a text; what is wrong is told, with a better place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.annotated import CONLL, PLACES, SCHEMES, TEXT, TOOLS, WANTED, many
from tunewright.core.errors import DataRefused, UserError
from tunewright.data.audit.moved import moved_spans, written
from tunewright.data.prepare import audit, prepare
from tunewright.data.read import read
from tunewright.data.settings import DataSettings
from tunewright.data.values.spans import SPANS
from tunewright.data.values.spans import read as read_spans
from tunewright.data.values.tokens import token_lists
from tunewright.tasks.base import Role
from tunewright.tasks.token_classification import TokenClassification

ROLE = Role("spans", "spans", "the entities", beside="text")


def rows_of(source: Any, columns: dict[str, str], **more: Any) -> tuple[list[dict[str, Any]], Any]:
    """The rows of a source as the audit keeps them, and what it told."""
    data = audit(DataSettings(source=source, columns=columns, **more), TokenClassification(), 0, Path())
    return [row for split in ("train", "validation", "test") for row in data.rows(split).to_pylist()], data


def places(row: dict[str, Any]) -> list[tuple[int, int, str]]:
    return [(one["start"], one["end"], one["label"]) for one in row["spans"]]


@pytest.mark.parametrize("tool", sorted(TOOLS))
@pytest.mark.parametrize("ending", ["jsonl", "json", "memory"])
def test_what_annotation_tools_write_is_read(tool: str, ending: str, tmp_path: Path) -> None:
    make, columns = TOOLS[tool]
    written_rows = many(make)
    file = tmp_path / f"rows.{ending}"
    if ending == "jsonl":
        file.write_text("\n".join(map(json.dumps, written_rows)))
    else:
        file.write_text(json.dumps(written_rows))
    rows, _ = rows_of(written_rows if ending == "memory" else file, columns)
    assert len(rows) == 30 and all(places(row) == WANTED and row["text"].startswith(TEXT) for row in rows)


def test_pairs_of_spacy_are_read(tmp_path: Path) -> None:
    pairs = many(lambda text: [text, {"entities": [[a, b, name] for a, b, name in WANTED]}])
    (tmp_path / "rows.json").write_text(json.dumps(pairs))
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    for source in (tmp_path / "rows.json", tmp_path / "rows.jsonl", [tuple(pair) for pair in pairs]):
        assert all(places(row) == WANTED for row in rows_of(source, {"spans": "entities"})[0])


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
@pytest.mark.parametrize("how", ["lists", "json", "python", "words"])
def test_tokens_with_tags_become_a_text_with_places(scheme: str, how: str) -> None:
    write: Any = {"lists": list, "json": json.dumps, "python": str, "words": " ".join}[how]
    tokens = [["New", f"York{number}", "to", "Rome", "Köln"] for number in range(20)]
    table = [{"words": write(one), "marks": write(SCHEMES[scheme])} for one in tokens]
    rows, data = rows_of(table, {"text": "words", "spans": "marks"})
    assert sorted(row["text"] for row in rows) == sorted(" ".join(one) for one in tokens)
    for row in rows:
        assert [(row["text"][a:b], name) for a, b, name in places(row)] == [
            (" ".join(row["text"].split()[:2]), "PER"),
            ("Rome", "LOC"),
            ("Köln", "LOC"),
        ]
    assert not [finding for finding in data.findings if finding.rule in {"tag-sequence", "unreadable-label"}]


def test_bare_types_are_tags_too() -> None:
    rows, _ = rows_of([{"text": ["a", f"b{at}", "c"], "spans": ["PER", "PER", "O"]} for at in range(20)], {})
    assert all(places(row) == [(0, len(row["text"]) - 2, "PER")] for row in rows)


@pytest.mark.parametrize("name", ["train.conll", "train.txt", "train.bio", "train"])
@pytest.mark.parametrize("tabs", [False, True])
def test_conll_files_are_read_text_by_text(name: str, tabs: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_text(CONLL.replace(" ", "\t") if tabs else CONLL)
    table = read(tmp_path / name)
    assert [file.format for file in table.files] == ["conll"] and not table.bad
    rows = table.rows.to_pylist()
    assert [row["tokens"] for row in rows] == [["EU", "rejects", "German", "call"], ["Peter", "#", "Blackburn"], ["BRUSSELS"]]
    assert rows[1]["tags"] == ["B-PER", "O", "B-PER"] and rows[0]["column_2"] == ["B-NP", "B-VP", "B-NP", "I-NP"]
    assert [row["document"] for row in rows] == [0, 0, 1] and [row["_row"] for row in rows] == [0, 1, 2]


def test_a_text_with_a_broken_line_is_a_bad_row_and_the_others_stay(tmp_path: Path) -> None:
    (tmp_path / "x.conll").write_text("a O\nb B-X\n\nc O\nd\n\ne B-X\n")
    table = read(tmp_path / "x.conll")
    assert [row["tokens"] for row in table.rows.to_pylist()] == [["a", "b"], ["e"]]
    assert [(bad.row, bad.line, bad.reason) for bad in table.bad] == [(1, 4, "its line 'd' has 1 columns, and the others have 2")]


def test_a_table_of_words_is_no_conll_file(tmp_path: Path) -> None:
    for text in ("a,b\nx,O\n\ny,B-x\n", "text\tlabel\nfine O\tO\nwell B-x\tx\n", "one\ntwo\n\nthree\n"):
        (tmp_path / "x.txt").write_text(text)
        assert read(tmp_path / "x.txt").files[0].format == "csv"


def test_missing_is_not_annotated_and_an_empty_list_is_no_entity() -> None:
    table = many(lambda text: {"text": text, "spans": [[0, 4, "PER"]]}, 20)
    table += [{"text": "nobody looked", "spans": None}, {"text": "nothing here", "spans": []}]
    rows, data = rows_of(table, {})
    assert [row["spans"] for row in rows if row["text"] == "nothing here"] == [[]]
    assert data.summary()["rows"]["by_rule"] == {"missing-label": 1}
    assert next(one for one in data.findings if one.rule == "missing-label").message.startswith("1 row that nobody has annotated")


BROKEN = {
    "tags of another length": ({"text": ["a", "b"], "spans": ["O"]}, "it has 1 tags for 2 tokens"),
    "a tag without a place": ({"text": ["a", "b"], "spans": ["O", "PER"]}, "the tag 'PER' does not say whether it begins an entity"),
    "no type": ({"text": "a b", "spans": [[0, 1, ""]]}, "entity 1 has no type"),
    "no end": ({"text": "a b", "spans": [{"start": 0, "label": "X"}]}, "entity 1 has no end"),
    "a word for a place": ({"text": "a b", "spans": [["a", 1, "X"]]}, "the start of entity 1 is 'a', no place in a text"),
    "half a place": ({"text": "a b", "spans": [[0.5, 1, "X"]]}, "the start of entity 1 is 0.5, no place in a text"),
    "four parts": ({"text": "a b", "spans": [[0, 1, "X", "Y"]]}, "entity 1 has 4 parts; start, end and type were wanted"),
    "words": ({"text": "a b", "spans": "some words"}, "'some words' is no list of entities"),
    "people disagree": (
        {"text": "a b", "spans": [{"result": [{"value": {"start": 0, "end": 1, "labels": [name]}}]} for name in "XY"]},
        "its 2 annotations do not agree",
    ),
}


@pytest.mark.parametrize("what", sorted(BROKEN))
def test_what_cannot_be_read_is_set_aside_with_its_reason(what: str, tmp_path: Path) -> None:
    row, reason = BROKEN[what]
    tagged = isinstance(row["text"], list)
    good = many(lambda text: {"text": text.split(), "spans": ["B-PER", *["O"] * 8]} if tagged else {"text": text, "spans": [[0, 4, "PER"]]})
    dataset = prepare(DataSettings(source=[*good, row]), TokenClassification(), 0, Path(), tmp_path)
    gone = pa.parquet.read_table(dataset.folder / "quarantine.parquet").to_pylist()
    assert len(gone) == 1 and (gone[0]["_row"], gone[0]["_rule"]) == (30, "unreadable-label") and gone[0]["_reason"].startswith(reason)


def test_a_column_without_any_entities_is_refused() -> None:
    words = [{"text": f"text {at}", "spans": "some words"} for at in range(12)]
    with pytest.raises(UserError, match=r"the column 'spans' for the role 'spans' holds no entities \('some words'.*data\.columns\.spans"):
        rows_of(words, {})
    with pytest.raises(UserError, match=r"holds double.*Entities or tags were wanted"):
        rows_of([{"text": "x", "spans": 1.5}], {})
    with pytest.raises(UserError, match=r"the column 'ner_tags' holds lists of numbers"):
        rows_of([{"text": ["x"], "ner_tags": [3]}], {"spans": "ner_tags"})


def found_by(rule: str, spans: list[Any], text: str = "in New York, now ", policy: str = "fix") -> tuple[Any, list[Any], Any]:
    """The finding of a rule over one row among good ones, the row's spans afterwards (None where it is gone), and the audit."""
    good = many(lambda one: {"text": one, "spans": [[0, 4, "PER"]]})
    rows, data = rows_of([*good, {"text": text, "spans": spans}], {}, policy={rule: policy})
    findings = [one for one in data.findings if one.rule == rule]
    mine = [places(row) for row in rows if row["text"] == text]
    return (findings[0] if findings else None), (mine[0] if mine else None), data  # type: ignore[return-value]


def entity(start: int, end: int, quote: str | None = None) -> dict[str, Any]:
    return {"start": start, "end": end, "label": "LOC", "text": quote}


MENDED: dict[str, tuple[str, list[Any], list[Any], str]] = {
    "beyond the end": ("span-mismatch", [entity(13, 40)], [(13, 16)], "'now ': the text has 17 characters (better: 13-16 'now')"),
    "wholly beyond": ("span-mismatch", [entity(20, 40)], [], "(better: let it go)"),
    "negative": ("span-mismatch", [entity(-2, 2)], [(0, 2)], "LOC at -2-2: a negative place (better: 0-2 'in')"),
    "backwards": ("span-mismatch", [entity(11, 3)], [(3, 11)], "LOC at 11-3: it ends before it begins (better: 3-11 'New York')"),
    "empty": ("span-mismatch", [entity(3, 3)], [], "LOC at 3-3: it is empty (better: let it go)"),
    "other words": ("span-mismatch", [entity(4, 12, "New York")], [(3, 11)], "the annotation quotes 'New York' (better: 3-11 'New York')"),
    "words that are not there": ("span-mismatch", [entity(3, 11, "Berlin")], [], "quotes 'Berlin' (better: let it go)"),
    "a blank at the edge": ("span-edges", [entity(2, 12)], [(3, 12)], "2-12 ' New York,': a blank at its edge (better: 3-12 'New York,')"),
    "nothing but blanks": ("span-edges", [entity(2, 3)], [], "nothing but blanks (better: let it go)"),
    "nested": ("span-overlap", [entity(3, 6), entity(3, 11)], [(3, 11)], "LOC at 3-6 'New': inside of or across LOC at 3-11 'New York'"),
    "twice": ("span-overlap", [entity(3, 11), entity(3, 11)], [(3, 11)], "it stands twice"),
    "a cut word": ("span-cuts-word", [entity(4, 10)], [(3, 11)], "LOC at 4-10 'ew Yor': it cuts 'New York' (better: 3-11 'New York')"),
}


@pytest.mark.parametrize("what", sorted(MENDED))
def test_entities_that_do_not_fit_are_told_with_a_better_place_and_mended(what: str) -> None:
    rule, spans, better, told = MENDED[what]
    finding, left, _ = found_by(rule, spans)
    assert left == [(*one, "LOC") for one in better]
    assert told in finding.message and "1 entity in 1 row" in finding.message
    assert [place.row for place in finding.places] == [30] and finding.action == "fix"


@pytest.mark.parametrize("what", sorted(name for name, one in MENDED.items() if one[0] != "span-edges"))
def test_a_policy_keeps_drops_or_refuses_them(what: str) -> None:
    rule, spans, _, told = MENDED[what]
    assert found_by(rule, spans, policy="keep")[1] == [(one["start"], one["end"], "LOC") for one in spans]
    finding, left, _ = found_by(rule, spans, policy="drop")
    assert left is None and told in finding.message and "Removed: 1" in finding.message
    with pytest.raises(DataRefused, match="finding"):
        found_by(rule, spans, policy="refuse")[2].refuse()


def test_by_default_blanks_are_mended_and_impossible_places_set_aside() -> None:
    good = many(lambda one: {"text": one, "spans": [[0, 5, "PER"]]})
    rows, data = rows_of([*good, {"text": "x y", "spans": [[0, 9, "PER"]]}], {})
    assert all(places(row) == [(0, 4, "PER")] for row in rows) and len(rows) == 30
    assert data.summary()["rows"]["by_rule"] == {"span-mismatch": 1}


def test_places_counted_as_browsers_do_are_found_again() -> None:
    text = "😀 Rome and Rome"
    finding, left, _ = found_by("span-mismatch", [entity(3, 7, "Rome"), entity(12, 16, "Rome")], text)
    assert left == [(2, 6, "LOC"), (11, 15, "LOC")] and "2 entities in 1 row" in finding.message


def test_words_of_scripts_without_blanks_are_not_cut() -> None:
    assert found_by("span-cuts-word", [entity(0, 2)], "東京に行く")[0] is None
    assert found_by("span-cuts-word", [entity(0, 3)], "don't")[0] is None


def test_a_given_test_split_keeps_what_can_be_scored(tmp_path: Path) -> None:
    good = many(lambda one: {"text": one, "spans": [[0, 4, "PER"]]})
    test = [
        {"text": "a Rome", "spans": [[1, 6, "PER"]]},
        {"text": "x", "spans": [[0, 9, "PER"]]},
        {"text": "cut Rome", "spans": [[4, 6, "PER"]]},
    ]
    for name, rows in (("train", good), ("test", test)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = {name: str(tmp_path / f"{name}.jsonl") for name in ("train", "test")}
    data = audit(DataSettings(source=source, policy={"span-cuts-word": "fix"}), TokenClassification(), 0, Path())
    assert [places(row) for row in data.rows("test").to_pylist()] == [[(2, 6, "PER")], [(4, 6, "PER")]]
    assert data.summary()["test_without_label"] == 1


def test_tags_that_go_on_with_nothing_are_told_and_read_as_beginnings() -> None:
    table = [{"text": ["x", f"y{at}", "Rome"], "spans": ["B-PER", "I-PER", "O"]} for at in range(20)]
    table += [{"text": ["in", "Rome", "now"], "spans": ["O", "I-LOC", "O"]}]
    rows, data = rows_of(table, {})
    finding = next(one for one in data.findings if one.rule == "tag-sequence")
    assert "1 row with tags that go on with nothing, read as beginnings: token 1 'Rome': I-LOC behind O (row 20" in finding.message
    assert [places(row) for row in rows if row["text"] == "in Rome now"] == [[(3, 7, "LOC")]]


def test_label_rules_look_at_types() -> None:
    table = many(lambda one: {"text": one, "spans": [[0, 4, "PERSON"], [13, 18, "LOCATION"]]}, 40)
    table += [{"text": f"{at} Bob came", "spans": [[2, 5, "Person "]]} for at in range(3)] + [
        {"text": "8 Bob came!", "spans": [[2, 5, "RARE"]]}
    ]
    table += [{"text": "8 bob came", "spans": [[2, 5, "PERSON"]]}]
    rows, data = rows_of(table, {}, policy={"label-variant": "fix"})
    told = {one.rule: one.message for one in data.findings}
    assert told["label-variant"].startswith("3 rows with another spelling of a more frequent label: 'Person' for 'PERSON'")
    assert "'RARE' (1)" in told["rare-label"] and "1 texts" in told["conflicting-label"]
    assert data.task.labels == ("LOCATION", "PERSON", "RARE")
    table[-1] = {"text": "8 bob went", "spans": [[2, 5, "Persom"]]}
    rows, data = rows_of(table, {}, policy={"label-variant": "fix"})
    assert [places(row) for row in rows if row["text"] == "8 bob went"] == [[(2, 5, "PERSON")]]


def test_every_split_has_the_types_in_the_same_shares_and_they_are_counted(tmp_path: Path) -> None:
    kinds = ["PER"] * 200 + ["LOC"] * 100 + ["ORG"] * 40
    table = [{"text": f"{at} x{at * 7919} y{at * 104729}", "spans": [[0, len(str(at)), kind]]} for at, kind in enumerate(kinds)]
    dataset = prepare(DataSettings(source=table), TokenClassification(), 0, Path(), tmp_path)
    splits = dataset.summary()["splits"]
    assert splits["test"]["entities"] == {"PER": 20, "LOC": 10, "ORG": 4} == splits["validation"]["labels"]
    card = (dataset.folder / "README.md").read_text()
    assert "| PER | 160 | 20 | 20 |" in card.split("## Entities")[1] and "token-classification" in card
    again = dataset.rows("train").schema.field("spans").type
    assert again == SPANS and not [name for name in dataset.rows("train").column_names if name.startswith("_fault")]


def test_entities_keep_to_their_characters_where_their_text_is_mended() -> None:
    table = many(lambda one: {"text": one, "spans": [[0, 4, "PER"]]})
    table += [{"text": "mail anna@example.com or Bob", "spans": [[5, 21, "MAIL"], [25, 28, "PER"]]}]
    rows, _ = rows_of(table, {}, policy={"personal-data": "fix"})
    row = next(row for row in rows if row["text"].startswith("mail"))
    assert [(row["text"][a:b], name) for a, b, name in places(row)] == [("[EMAIL_1]", "MAIL"), ("Bob", "PER")]
    before, after = pa.chunked_array([["a\u200bb cd"]]), pa.chunked_array([["ab cd"]])
    spans = pa.chunked_array([pa.array([[{"start": 4, "end": 6, "label": "x"}, {"start": 1, "end": 2, "label": "y"}]], SPANS)])
    assert moved_spans(before, after, spans).to_pylist() == [[{"start": 3, "end": 5, "label": "x"}]]


def test_what_entities_say_does_not_depend_on_where_they_stand() -> None:
    one, other = written(["In Rome!", "in  ROME"], [[{"start": 3, "end": 7, "label": "x"}], [{"start": 4, "end": 8, "label": "x"}]])
    assert one == other == "x=rome"


def test_lists_of_tokens_are_known_by_all_their_cells() -> None:
    assert token_lists(pa.chunked_array([["['a', 'b']", None, '["c"]']])) == [["a", "b"], None, ["c"]]
    assert token_lists(pa.chunked_array([['["c"]', "[sic] a text"]])) is None
    assert token_lists(pa.chunked_array([pa.array([["a", None]])])) == [["a", ""]]


def test_the_reader_takes_what_a_prepared_dataset_holds() -> None:
    column = pa.chunked_array([pa.array([PLACES, [], None], SPANS)])
    found = read_spans(column, ROLE, "spans", pa.chunked_array([[TEXT, "x", "y"]]))
    assert found.column.to_pylist() == [PLACES, [], None] and found.faults is None and not found.beside
    assert found.column.type == SPANS


PUBLIC = [("mit_restaurant", (15363, 3151), 8), ("wnut17", (1975, 1079), 6), ("wikigold", (2824, 734), 4), ("ncbi_disease", (5145, 960), 1)]


@pytest.mark.parametrize(("name", "entities", "types"), PUBLIC)
def test_public_sets_are_read_entity_by_entity(name: str, entities: tuple[int, int], types: int, real_data: Path) -> None:
    for split, count in zip(("train", "test"), entities, strict=True):
        table = read(real_data / name / f"{split}.jsonl").rows
        found = read_spans(table["tags"], ROLE, "tags", table["tokens"])
        assert found.faults is None and sum(map(len, found.column.to_pylist())) == count
        assert len({one["label"] for spans in found.column.to_pylist() for one in spans}) == types
