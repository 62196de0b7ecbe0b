"""Groups, times, benchmark sets and shift: what the rules find in splits that a source brings along, and where they stay silent."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tunewright.core.errors import UserError
from tunewright.core.schema import SPLITS
from tunewright.data.audit import RULES
from tunewright.data.audit.apply import apply, chosen
from tunewright.data.audit.base import Looked
from tunewright.tasks import TASKS
from tunewright.tasks.base import Role

TASK = TASKS.build("text-classification")
ROLES = (Role("text", "text", ""), Role("label", "label", ""))


def looked(texts, split, chunk=3, **more):
    """Rows in chunks; ``split`` has one letter a row: t, v or e (test)."""
    table = pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(["a"] * len(texts)), "_file": ["a.csv"] * len(texts),
                      "_row": pa.array(range(len(texts)), pa.int64())})  # fmt: skip
    table = pa.concat_tables([table.slice(at, chunk) for at in range(0, len(texts), chunk)])
    places = np.array(["tve".index(letter) for letter in split])
    given = tuple(name for at, name in enumerate(SPLITS) if at in set(places.tolist()))
    return Looked(table, ROLES, places, given, np.arange(len(texts)), **more)


def look(rule, rows):
    return list(RULES.build(rule).look(rows))


# Groups.


def test_a_group_on_both_sides_is_found_and_can_leave_train():
    rows = looked([f"text {at}" for at in range(8)], "ttttveee", group=np.array([1, 1, 2, -1, 2, 1, -1, 3]))
    (hit,) = look("leak-group", rows)
    assert hit.rows.tolist() == [0, 1, 2, 4, 5] and hit.groups.tolist() == [0, 0, 1, 1, 0]
    assert "1 row of validation (100.0 %) in 1 group(s) that train has too (1 row there)" in hit.message
    assert "1 row of test (33.3 %) in 1 group(s) that train has too (2 rows there)" in hit.message
    left = apply("clean", rows, chosen({}, {"leak-group": "drop"}, Path()), TASK).looked
    assert left.number.tolist() == [3, 4, 5, 6, 7], "test is never touched, and the group that validation keeps has left train"


def test_without_groups_and_without_shared_ones_nothing_is_told():
    assert not look("leak-group", looked(["a", "b"], "te"))
    assert not look("leak-group", looked(["a", "b", "c"], "tte", group=np.array([-1, 1, -1])))


# Time.


def test_a_test_that_is_older_than_train_is_counted_and_dated():
    times = np.array([1.0e9, 1.6e9, np.nan, 1.5e9, 1.55e9, 1.7e9, np.nan])
    (hit,) = look("leak-time", looked([f"text {at}" for at in range(7)], "tttveee", time=times))
    assert hit.rows.tolist() == [3, 4]
    assert "1 row of test (33.3 %) older than the newest row of train, which is of 2020-09-13 12:26" in hit.message
    assert "train has 1 row newer than the oldest of test" in hit.message
    (hit,) = look("leak-time", looked(["a", "b", "c"], "tte", time=np.array([2019.0, 2021.0, 2020.0])))
    assert "which is of 2021;" in hit.message, "a year is told as it is"


@pytest.mark.parametrize("times", [[1.0, 2.0, 3.0], [1.0, 3.0, 3.0], [np.nan, np.nan, 1.0], [5.0, 6.0, np.nan], None])
def test_a_test_that_follows_train_is_not_told(times):
    assert not look("leak-time", looked(["a", "b", "c"], "tte", time=None if times is None else np.array(times)))


# Benchmark sets.

QUESTION = "What is the capital of the smallest country that lies between the two longest rivers of the northern hemisphere?"


@pytest.fixture
def benchmark(tmp_path):
    rows = [{"question": QUESTION, "answer": "yes"}, {"question": "A film of rare beauty.", "answer": "positive"}, {"question": None}]
    (tmp_path / "bench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(tmp_path / "bench.jsonl")


def test_training_rows_of_a_benchmark_are_found_whole_and_in_pieces(benchmark):
    piece = " ".join(QUESTION.split()[2:16])
    texts = ["Nothing known here at all.", f"Please answer: {piece} or so", "positive", "a FILM of rare beauty!!", QUESTION, "yes", None]
    texts += [" ".join(QUESTION.split()[3:15]), QUESTION]
    (hit,) = look({"name": "leak-benchmark", "sets": [benchmark]}, looked(texts, "tttttttte"))
    assert hit.rows.tolist() == [1, 3, 4], "neither one word, nor twelve, nor a row of test"
    assert "3 rows of train stand in benchmark sets: bench.jsonl (2 whole, 1 with 13 words in a row)" in hit.message


def test_words_of_two_neighbouring_rows_are_no_run(benchmark):
    words = QUESTION.split()
    assert not look({"name": "leak-benchmark", "sets": [benchmark]}, looked([" ".join(words[:10]), " ".join(words[10:])], "tt", chunk=2))


def test_the_rule_looks_only_when_sets_are_named_and_a_missing_one_is_the_users_error(benchmark):
    assert "leak-benchmark" not in chosen({}, {}, Path()).rules
    assert chosen({"leak-benchmark": {"sets": [benchmark]}}, {}, Path()).rules["leak-benchmark"].enabled
    with pytest.raises(UserError, match=r"nowhere\.jsonl"):
        look({"name": "leak-benchmark", "sets": ["nowhere.jsonl"]}, looked(["one two three four"], "t"))


# Shift.


def texts_of(count, seed, extra=""):
    rng = np.random.default_rng(seed)
    words = [f"word{at}" for at in range(300)]
    return [" ".join(rng.choice(words, 8)) + (f" {extra}" if extra and rng.random() < 0.4 else "") for _ in range(count)]


def test_a_test_that_speaks_otherwise_is_told_with_its_words():
    rows = looked(texts_of(500, 0) + texts_of(300, 1, "regards"), "t" * 500 + "e" * 300, chunk=100)
    (hit,) = look("covariate-shift", rows)
    assert "can be told apart" in hit.message and "'regards' in 0.0 % of train and 4" in hit.message
    assert not len(hit.rows)


def test_rows_of_one_kind_are_not_told_apart_and_small_or_chance_splits_are_not_looked_at():
    assert not look("covariate-shift", looked(texts_of(800, 0), "t" * 500 + "e" * 300, chunk=100))
    assert not look("covariate-shift", looked(texts_of(60, 0) + texts_of(60, 1, "regards"), "t" * 60 + "e" * 60))
    shifted = looked(texts_of(500, 0) + texts_of(300, 1, "regards"), "t" * 500 + "e" * 300)
    made = Looked(shifted.rows, ROLES, shifted.split, (), shifted.number)
    assert not look("covariate-shift", made), "splits that chance made are alike"
    by_time = Looked(shifted.rows, ROLES, shifted.split, (), shifted.number, time=np.arange(800.0))
    assert look("covariate-shift", by_time)


def test_a_template_that_fills_the_test_counts_once():
    rows = looked(texts_of(400, 0) + texts_of(200, 1) + ["the very same words in every row"] * 400, "t" * 400 + "e" * 600, chunk=100)
    assert not look("covariate-shift", rows)


@pytest.mark.parametrize(("name", "shifted"), [("rotten_tomatoes", False), ("tweet_eval/emotion", True)])
def test_of_public_sets_only_one_whose_test_is_known_to_differ_is_told(real_data, name, shifted):
    parts = {split: [json.loads(line)["text"] for line in (real_data / name / f"{split}.jsonl").open()] for split in ("train", "test")}
    rows = looked([*parts["train"], *parts["test"]], "t" * len(parts["train"]) + "e" * len(parts["test"]), chunk=1000)
    assert bool(look("covariate-shift", rows)) == shifted
