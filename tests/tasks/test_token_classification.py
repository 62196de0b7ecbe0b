"""Entities: places in a text become labels of sub-words and come back as exact places, on any text and over any windows."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tiny
from tunewright.core.errors import BadConfig, UserError
from tunewright.tasks.tags import entities, out_of_order
from tunewright.tasks.token_classification import IGNORED, TokenClassification, spans_of

TASK = TokenClassification(labels=("LOC", "PER"))
ODD = (
    "Anna",
    "don't",
    "U.S.",
    "né",
    "ne\u0301e",
    "東京に",
    "ไทย",
    "👩\u200d👧",
    "❤\ufe0f",
    "ﬁx",
    "ǅ",
    "\u00a0",
    "İ",
    "a\u00adb",
    "x" * 120,
    "[SEP]",
    "\t",
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=50), st.lists(st.sampled_from([*ODD, "café-bar"]), max_size=9).map(" ".join)
)


def word_pieces() -> Any:
    """As BERT has it: lower case, no accents, words cut into pieces."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,-'!?東京にไทย"
    names = [*tiny.SPECIALS, *letters, *(f"##{one}" for one in letters), "anna", "##ana", "do", "##nn"]
    inner = Tokenizer(models.WordPiece({name: at for at, name in enumerate(names)}, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")


def sentence_pieces() -> Any:
    """As XLM-R has it: a blank belongs to the token behind it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = [
        ("<unk>", 0.0),
        ("▁", -2.0),
        ("▁a", -3.0),
        ("nn", -3.0),
        ("▁an", -3.5),
        *((chr(one), -6.0) for one in range(33, 127)),
        (".▁", -2.5),
    ]
    inner = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    inner.normalizer = normalizers.NFKC()
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.post_processor = processors.TemplateProcessing(single="▁ $A ▁", special_tokens=[("▁", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="▁", unk_token="<unk>", padding_side="right")


TOKENIZERS = {"bytes": tiny.tokenizer(), "words": word_pieces(), "sentences": sentence_pieces()}


def perfect(piece: Any, labels: int) -> np.ndarray:
    """What a perfect model gives for a piece: all odds on the label where there is one, and chance elsewhere."""
    odds = np.random.default_rng(len(piece["labels"])).dirichlet(np.ones(labels), len(piece["labels"]))
    for at, label in enumerate(piece["labels"]):
        if label != IGNORED:
            odds[at] = np.eye(labels)[label]
    return odds


def places(answer: Any) -> list[tuple[int, int, str]]:
    return [(one["start"], one["end"], one["label"]) for one in answer["spans"]]


def words_of(text: str, task: TokenClassification, tokenizer: Any) -> list[tuple[int, int]]:
    """Where words begin and end, as the encoding of the text alone tells it."""
    (beside,) = task.encode([{"text": text}], tokenizer, 10**6)[0].beside
    found: dict[int, tuple[int, int]] = {}
    for word, start, end in zip(beside["word"], beside["start"], beside["end"], strict=True):
        found[word] = (found.get(word, (start, end))[0], end)
    return list(found.values())


@pytest.mark.parametrize("kind", sorted(TOKENIZERS))
@given(
    text=TEXTS,
    data=st.data(),
    window=st.integers(6, 40),
    stride=st.integers(0, 12),
    subwords=st.sampled_from(["first", "all"]),
    words=st.sampled_from(["letters", "blanks"]),
)
@settings(deadline=None, max_examples=150)
def test_any_entities_that_begin_and_end_with_words_come_back_from_any_text(
    kind: str, text: str, data: Any, window: int, stride: int, subwords: Any, words: Any
) -> None:
    tokenizer = TOKENIZERS[kind]
    task = TokenClassification(labels=("LOC", "PER"), subwords=subwords, words=words, stride=stride)
    borders = words_of(text, task, tokenizer)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(borders)), max_size=8, unique=True)))
    spans = [
        (borders[a][0], borders[b - 1][1], data.draw(st.sampled_from(["LOC", "PER"]))) for a, b in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    row = {"text": text, "spans": [{"start": start, "end": end, "label": label} for start, end, label in spans]}
    (one,) = task.encode([row], tokenizer, window)
    assert one.cut == 0 and len(one.beside) == len(one.pieces)
    assert all(len(piece["input_ids"]) <= window for piece in one.pieces)
    answer = task.decode(row, [perfect(piece, 5) for piece in one.pieces], one, tokenizer)
    assert places(answer) == spans
    assert all(found["text"] == text[found["start"] : found["end"]] and found["probability"] == 1.0 for found in answer["spans"])
    assert task.measure(task.outcome([row], [answer]))["exact_rows"] == 1.0


@pytest.mark.parametrize("kind", sorted(TOKENIZERS))
@given(text=TEXTS, window=st.integers(6, 30), stride=st.integers(0, 12))
@settings(deadline=None, max_examples=100)
def test_windows_hold_every_token_and_each_is_read_and_trained_once(kind: str, text: str, window: int, stride: int) -> None:
    tokenizer, task = TOKENIZERS[kind], TokenClassification(labels=("LOC",), stride=stride, subwords="all")
    row = {"text": text, "spans": []}
    (whole,), (cut,) = task.encode([row], tokenizer, 10**6), task.encode([row], tokenizer, window)
    ids = [piece["input_ids"][at] for piece, beside in zip(cut.pieces, cut.beside, strict=True) for at in beside["at"]]
    assert ids == [whole.pieces[0]["input_ids"][at] for at in whole.beside[0]["at"]]
    for piece, beside in zip(cut.pieces, cut.beside, strict=True):
        assert [at for at, label in enumerate(piece["labels"]) if label != IGNORED] == beside["at"]
        assert piece["input_ids"][0] == whole.pieces[0]["input_ids"][0] and piece["input_ids"][-1] == whole.pieces[0]["input_ids"][-1]
    assert sum(label != IGNORED for piece in cut.pieces for label in piece["labels"]) == len(whole.beside[0]["at"])
    assert {name for piece in cut.pieces for name in piece} == {name for piece in whole.pieces for name in piece}


def test_a_token_in_two_windows_is_read_where_more_of_its_neighbours_are_seen() -> None:
    task = TokenClassification(labels=("LOC",), stride=4, subwords="all")
    (one,) = task.encode([{"text": "abcdefghijklmn", "spans": []}], TOKENIZERS["bytes"], 10)
    assert [TOKENIZERS["bytes"].decode(piece["input_ids"][1:-1]) for piece in one.pieces] == ["abcdefgh", "efghijkl", "ijklmn"]
    assert [beside["at"] for beside in one.beside] == [[1, 2, 3, 4, 5, 6], [3, 4, 5, 6], [3, 4, 5, 6]]
    half = TokenClassification(labels=("LOC",), stride=1000).encode([{"text": "x " * 20}], TOKENIZERS["bytes"], 10)[0]
    assert len(half.pieces) == 9, "windows go on by half of their length at least"


def test_only_the_first_piece_of_a_word_is_trained_or_all_of_them() -> None:
    row = {"text": "in Annaana", "spans": [{"start": 3, "end": 10, "label": "PER"}]}
    first, every = (
        TokenClassification(labels=("PER",), subwords=one).encode([row], TOKENIZERS["words"], 20)[0] for one in ("first", "all")
    )
    assert first.pieces[0]["labels"] == [IGNORED, 0, IGNORED, 1, IGNORED, IGNORED]
    assert every.pieces[0]["labels"] == [IGNORED, 0, 0, 1, 2, IGNORED]


def test_words_end_at_marks_or_at_blanks() -> None:
    row = {"text": "the U.S. is", "spans": [{"start": 4, "end": 8, "label": "LOC"}]}
    letters, blanks = (TokenClassification(labels=("LOC",), words=one) for one in ("letters", "blanks"))
    assert words_of(row["text"], letters, TOKENIZERS["words"]) == [(0, 3), (4, 5), (5, 6), (6, 7), (7, 8), (9, 11)]
    assert words_of(row["text"], blanks, TOKENIZERS["words"]) == [(0, 3), (4, 8), (9, 11)]
    assert words_of("東京に行", letters, TOKENIZERS["bytes"]) == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_of_several_pieces_the_mean_decides_and_the_first_says_where_an_entity_begins() -> None:
    task = TokenClassification(labels=("LOC", "PER"), subwords="all")
    row = {"text": "annaana."}
    (one,) = task.encode([row], TOKENIZERS["words"], 20)
    assert one.beside[0]["word"] == [0, 0, 1]
    odds = np.array([[1, 0, 0, 0, 0], [0.5, 0, 0, 0.5, 0.0], [0.0, 0, 0, 0, 1.0], [1, 0, 0, 0, 0], [1, 0, 0, 0, 0]])
    answer = task.decode(row, [odds], one, TOKENIZERS["words"])
    assert answer["spans"] == [{"start": 0, "end": 7, "label": "PER", "text": "annaana", "probability": 0.75}]


@given(data=st.data(), types=st.integers(1, 3), words=st.integers(1, 5))
@settings(deadline=None, max_examples=150)
def test_the_tags_of_an_answer_are_the_most_probable_ones_that_make_whole_entities(data: st.DataObject, types: int, words: int) -> None:
    names = tuple("abc"[:types])
    task = TokenClassification(labels=names, words="blanks")
    row = {"text": " ".join("nobody"[: at + 1] for at in range(words))}
    (one,) = task.encode([row], TOKENIZERS["bytes"], 100)
    drawn = data.draw(st.lists(st.floats(0.01, 1), min_size=words * len(task.tags), max_size=words * len(task.tags)))
    of_word = np.array(drawn).reshape(words, -1)
    of_word /= of_word.sum(1, keepdims=True)
    odds = np.full((len(one.pieces[0]["input_ids"]), len(task.tags)), 1 / len(task.tags))
    odds[one.beside[0]["at"]] = of_word
    chances = {}
    for path in itertools.product(range(len(task.tags)), repeat=words):
        tags = [task.tags[at] for at in path]
        if not out_of_order(tags):
            chances[tuple(tags)] = math.prod(of_word[word, at] for word, at in enumerate(path))
    best = max(chances.values())
    wanted = [entities(tags) for tags, chance in chances.items() if chance >= best * (1 - 1e-9)]
    at = {place: number for number, place in enumerate(words_of(row["text"], task, TOKENIZERS["bytes"]))}
    begins, ends = {place[0]: number for place, number in at.items()}, {place[1]: number + 1 for place, number in at.items()}
    found = [(begins[start], ends[end], label) for start, end, label in places(task.decode(row, [odds], one, TOKENIZERS["bytes"]))]
    assert found in wanted


def test_the_longest_of_overlapping_entities_is_learned_and_an_unknown_type_is_not() -> None:
    spans = [{"start": 0, "end": 4, "label": "PER"}, {"start": 0, "end": 9, "label": "LOC"}, {"start": 10, "end": 12, "label": "NEW"}]
    (one,) = TASK.encode([{"text": "Anna city of x", "spans": spans}], TOKENIZERS["words"], 60)
    words = [one.pieces[0]["labels"][at] for at in one.beside[0]["at"]]
    assert words == [1, 2, IGNORED, 0]
    outcome = TASK.outcome([{"text": "Anna city of x", "spans": spans}], [{"spans": []}])
    assert TASK.measure(outcome)["recall"] == 0.0 and outcome.wanted.sum() == 3, "all of them are wanted"


def test_a_row_that_is_not_annotated_has_no_labels_and_one_without_entities_has() -> None:
    bare, none = TASK.encode([{"text": "x y"}, {"text": "x y", "spans": []}], TOKENIZERS["words"], 20)
    assert "labels" not in bare.pieces[0] and [one for one in none.pieces[0]["labels"] if one != IGNORED] == [0, 0]
    assert TASK.wanted_of({"text": "x"}) is None and TASK.wanted_of({"text": "x", "spans": []}) == []


def test_types_are_learned_and_become_tags() -> None:
    rows = [{"text": "x", "spans": [{"start": 0, "end": 1, "label": name}]} for name in ("PER", "LOC", "PER")]
    task = TokenClassification().learn(rows)
    assert task.labels == ("LOC", "PER") and task.names_in(rows[0]) == ["PER"]
    assert task.head_settings()["id2label"] == {0: "O", 1: "B-LOC", 2: "I-LOC", 3: "B-PER", 4: "I-PER"}
    assert TokenClassification(labels=("PER", "LOC", "ORG")).learn(rows).labels == ("PER", "LOC", "ORG")
    with pytest.raises(UserError, match=r"types that task.labels does not name: 'LOC'"):
        TokenClassification(labels=("PER",)).learn(rows)
    with pytest.raises(UserError, match=r"none of the 1 training rows has an entity.*data.columns.spans"):
        TokenClassification().learn([{"text": "x", "spans": []}])
    with pytest.raises(BadConfig, match="labels needs a name or more, each of them once"):
        TokenClassification.read({"labels": ["a", "a"]})


def test_answers_are_compared_by_what_the_model_made_of_each_word() -> None:
    row = {"text": "Anna x"}
    (one,) = TASK.encode([row], TOKENIZERS["words"], 20)
    sure = np.array([[1, 0, 0, 0, 0], [0.2, 0, 0, 0.8, 0], [0.51, 0, 0, 0.49, 0], [1, 0, 0, 0, 0]])
    near, far = sure.copy(), sure.copy()
    near[2, [0, 3]], far[2, [0, 3]] = [0.495, 0.505], [0.1, 0.9]
    first, second, third = (TASK.decode(row, [odds], one, TOKENIZERS["words"]) for odds in (sure, near, far))
    assert TASK.difference(first, first) == 0.0 and TASK.agrees(first, first)
    assert not TASK.agrees(first, second) and TASK.difference(first, second) == pytest.approx(0.015, abs=1e-6), "a tie that tips over"
    assert TASK.difference(first, third) == pytest.approx(0.41, abs=1e-6)
    assert TASK.difference(first, {"spans": []}) == float("inf")


def test_an_answer_is_written_in_every_format() -> None:
    answer = {"spans": [{"start": 0, "end": 4, "label": "PER", "text": "Anna", "probability": 0.5}]}
    assert json.loads(TASK.cells(TASK.line(answer))["spans"]) == answer["spans"] and TASK.cells({}) == {"spans": None}
    assert TASK.columns_of([answer, {"spans": []}])["spans"].to_pylist() == [answer["spans"], []]
    assert spans_of({"spans": None}) == []


def test_what_a_word_is_is_learned_from_the_borders_of_the_entities() -> None:
    tokens = [
        {"text": "in St. Ives , now", "spans": [{"start": 3, "end": 11, "label": "LOC"}]},
        {"text": "x", "spans": [{"start": 0, "end": 1, "label": "LOC"}]},
    ]
    assert TokenClassification().learn(tokens).words == "blanks"
    assert (
        TokenClassification().learn([*tokens, {"text": "in Rome, now", "spans": [{"start": 3, "end": 7, "label": "LOC"}]}]).words
        == "letters"
    )
    assert TokenClassification(words="letters").learn(tokens).words == "letters"
    assert TokenClassification(labels=("LOC",)).learn(tokens).words == "blanks"


@pytest.mark.parametrize("name", ["wnut17", "mit_restaurant"])
def test_tokens_with_tags_are_encoded_as_run_ner_encodes_them(name: str, real_data: Path) -> None:
    """The same numbers and the same labels, token by token: what is trained is the same."""
    import pyarrow as pa

    from tunewright.data.values.spans import read
    from tunewright.tasks.base import Role

    lines = [json.loads(line) for line in (real_data / name / "test.jsonl").read_text().splitlines()][:400]
    tokens, tags = (pa.chunked_array([pa.array([line[key] for line in lines])]) for key in ("tokens", "tags"))
    spans = read(tags, Role("spans", "spans", ""), "tags", tokens).column.to_pylist()
    rows = [{"text": " ".join(line["tokens"]), "spans": found} for line, found in zip(lines, spans, strict=True)]
    task, tokenizer = TokenClassification().learn(rows), TOKENIZERS["words"]
    ids = {tag: number for number, tag in enumerate(task.tags)}
    for line, one in zip(lines, task.encode(rows, tokenizer, 10**6), strict=True):
        theirs = tokenizer(line["tokens"], is_split_into_words=True)
        words = theirs.word_ids()
        first = [word is not None and word != before for before, word in zip([None, *words], words, strict=False)]
        wanted = [ids[line["tags"][word]] if begins else IGNORED for word, begins in zip(words, first, strict=True)]
        assert (one.pieces[0]["input_ids"], one.pieces[0]["labels"]) == (theirs["input_ids"], wanted)
