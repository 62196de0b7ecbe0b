"""Every task of the table keeps the promises of ``tasks/base.py``, with every method, on a tiny model and rows of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests import tiny
from tunewright.core.chance import array_generator
from tunewright.data.encode import encode as encode_cached
from tunewright.evaluate.baselines import BASELINES
from tunewright.metrics.intervals import bootstrap
from tunewright.model.build import save
from tunewright.model.methods import METHODS
from tunewright.model.predict import Predictor
from tunewright.model.proof import CHILD, prove_batching
from tunewright.model.settings import ModelSettings
from tunewright.tasks import TASKS
from tunewright.train.criteria import CRITERIA
from tunewright.train.run import compose

STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
NAMES = sorted(TASKS.places())
METHODS_TRIED = sorted(METHODS.places())
LIMIT = 40
"""Tokens: some rows of every example are longer."""


class Tried:
    """A task with its rows on a tiny model without dropout."""

    def __init__(self, base: Path, name: str, method: str = "full") -> None:
        settings, self.rows = tiny.examples()[name]
        self.task = TASKS.build({"name": name, **settings}).learn(self.rows)
        self.method, self.settings = METHODS.build(method), ModelSettings(base=str(base))
        built, self.base = tiny.built(base, self.task, method)
        self.model = built.model.eval()
        self.encoded = self.task.encode(self.rows, self.base.tokenizer, LIMIT)
        self.pieces = [piece for one in self.encoded for piece in one.pieces]
        self.predictor = Predictor(self.model, self.base.tokenizer, self.task, LIMIT)

    def gradients(self, criterion: str, sizes: list[int]) -> dict[str, torch.Tensor]:
        """Of one step over all pieces, taken in micro-batches of these sizes: sums added up, divided by the count of all."""
        made, collate = CRITERIA.build(criterion), self.task.collate(self.base.tokenizer)
        loss_fn, at, items = compose(self.task.forward, made), 0, 0.0
        self.model.zero_grad()
        for size in sizes:
            batch = collate(self.pieces[at : at + size])
            loss = loss_fn(self.model, batch)
            assert loss.items == made.count(batch["labels"])
            loss.total.backward()
            items, at = items + loss.items, at + size
        assert at == len(self.pieces) and items > 0
        named = self.model.named_parameters()
        return {name: weight.grad / items for name, weight in named if weight.grad is not None}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.base_folder(tmp_path_factory.mktemp("base"), **STILL)


@pytest.fixture(scope="module", params=NAMES)
def tried(request: pytest.FixtureRequest, base: Path) -> Tried:
    return Tried(base, request.param)


def test_every_task_is_tried() -> None:
    assert set(NAMES) == set(tiny.examples()) and len(NAMES) >= 1
    assert len(METHODS_TRIED) >= 2


def test_its_rows_are_enough_to_tell_something(tried: Tried) -> None:
    assert len(tried.rows) >= 24
    assert max(one.tokens for one in tried.encoded) > LIMIT > min(one.tokens for one in tried.encoded)
    assert all(len(piece["input_ids"]) <= LIMIT for piece in tried.pieces)
    assert all("labels" in piece for piece in tried.pieces)


def test_it_learns_nothing_twice(tried: Tried) -> None:
    assert tried.task.learn(tried.rows) == tried.task
    assert TASKS.build(json.loads(json.dumps(TASKS.spec(tried.task)))) == tried.task


def test_uneven_micro_batches_add_up_to_the_whole(tried: Tried) -> None:
    count = len(tried.pieces)
    for criterion in tried.task.criteria():
        whole, parts = (tried.gradients(criterion, sizes) for sizes in ([count], [5, 8, 1, count - 14]))
        assert whole.keys() == parts.keys() and len(whole) >= 10
        assert any(float(value.abs().max()) > 1e-6 for value in whole.values())
        for name, value in whole.items():
            torch.testing.assert_close(parts[name], value, rtol=1e-5, atol=1e-5, msg=lambda told, name=name: f"{name}: {told}")


def test_a_row_alone_gets_the_answer_that_it_gets_among_many(tried: Tried) -> None:
    assert prove_batching(tried.predictor, tried.rows)["rows"] == len(tried.rows)


def test_rows_without_what_is_wanted_can_be_asked_and_not_trained_on(tried: Tried) -> None:
    bare = [{name: value for name, value in row.items() if name != tried.task.gold} for row in tried.rows]
    encoded = tried.task.encode(bare, tried.base.tokenizer, LIMIT)
    assert not any("labels" in piece for one in encoded for piece in one.pieces)
    same = zip(tried.predictor.answers(bare, encoded), tried.predictor.answers(tried.rows, tried.encoded), strict=True)
    assert all(tried.task.difference(one, other) < 1e-5 for one, other in same)


def test_the_encoded_rows_come_back_from_the_cache(tried: Tried, tmp_path: Path) -> None:
    first = encode_cached(tried.rows, tried.task, tried.base.tokenizer, LIMIT, tmp_path)
    again = encode_cached(tried.rows, tried.task, tried.base.tokenizer, LIMIT, tmp_path)
    assert (first.from_cache, again.from_cache) == (False, True)
    assert json.loads(json.dumps([vars(one) for one in again.encoded])) == json.loads(json.dumps([vars(one) for one in first.encoded]))


def test_its_scores_can_be_resampled_and_the_best_is_among_them(tried: Tried) -> None:
    answers = tried.predictor.answers(tried.rows, tried.encoded)
    outcome: Any = tried.task.outcome(tried.rows, answers)
    assert len(outcome) == len(tried.rows)
    assert tried.task.best_by() in tried.task.measure(outcome)
    drawn = bootstrap(outcome, tried.task.measure, array_generator(0, "bootstrap"), resamples=100)
    assert tried.task.best_by() in drawn
    assert tried.task.same_rows(outcome, tried.task.outcome(tried.rows, answers))
    other = np.arange(len(tried.rows))[::-1].copy()
    assert not tried.task.same_rows(outcome, outcome.take(other)), "the example's rows must differ in what they want"
    json.dumps(tried.task.details(outcome), allow_nan=False)


def test_its_answers_can_be_written_for_others(tried: Tried) -> None:
    answers = tried.predictor.answers(tried.rows, tried.encoded)
    schema = tried.task.answer_schema()
    lines = [tried.task.line(answer) for answer in answers]
    assert pa.Table.from_pylist(lines, schema=schema).num_rows == len(lines)
    assert json.loads(json.dumps(lines)) == lines
    columns = list(tried.task.cells({}))
    assert columns and all(list(tried.task.cells(line)) == columns for line in lines)
    assert all(isinstance(cell, str | int | float) or cell is None for line in lines for cell in tried.task.cells(line).values())
    kept = pa.table(tried.task.columns_of(answers) | {"wanted": [tried.task.wanted_of(row) for row in tried.rows]})
    assert kept.num_rows == len(lines)
    assert all(tried.task.agrees(answer, answer) and tried.task.difference(answer, answer) == 0 for answer in answers)


def test_its_baselines_are_there(tried: Tried) -> None:
    assert set(tried.task.baselines) <= set(BASELINES.get(TASKS.name_of(tried.task), {}))


def test_its_criteria_are_there_and_the_default_is_the_first(tried: Tried) -> None:
    assert tried.task.criteria()[0] == tried.task.default_criterion()
    assert set(tried.task.criteria()) <= set(CRITERIA.places())


PAIRS = [(name, method) for name in NAMES for method in METHODS_TRIED]


@dataclass(frozen=True)
class Saved:
    """A task and a method on the disk, with the answers before it was saved; or why the two do not go together."""

    folder: Path
    rows: list[dict[str, Any]]
    task: Any
    before: list[Any]
    refused: str = ""


@pytest.fixture(scope="module")
def saved(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Saved]:
    """Every task with every method, trained not at all: what is saved must answer as what was built."""
    return {pair: save_one(base, *pair, tmp_path_factory.mktemp("saved")) for pair in PAIRS}


def save_one(base: Path, name: str, method: str, folder: Path) -> Saved:
    made = METHODS.build(method)
    if why := made.refuses(TASKS.get(name).head, ModelSettings(base=str(base))):
        return Saved(folder, [], None, [], why)
    tried = Tried(base, name, method)
    before, settled = tried.predictor.answers(tried.rows, tried.encoded), tried.task.settled(tried.model)
    made.save_adapter(tried.model, folder / "adapter")
    beside = None if made.merges else (METHODS.spec(made), folder / "adapter")
    plain = made.merge(tried.model)
    save(plain, folder / "model", tried.base.tokenizer, settled, TASKS.spec(settled), tried.settings, LIMIT, None, beside)
    return Saved(folder / "model", tried.rows, settled, before)


@pytest.fixture(scope="module")
def heard(saved: dict[tuple[str, str], Saved], tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    """What one process without our code answers for all of them."""
    there = {pair: one for pair, one in saved.items() if not one.refused}
    questions = [
        [str(one.folder), {"how": one.task.proof, "pooling": "architecture", **one.task.asked(one.rows, LIMIT)}] for one in there.values()
    ]
    asked = tmp_path_factory.mktemp("asked") / "asked.json"
    asked.write_text(json.dumps(questions))
    told = asked.with_name("told.json")
    program = (
        "import json, runpy, sys; child = runpy.run_path(sys.argv[1])['HOW']; asked = json.load(open(sys.argv[2]));"
        "json.dump([child[one['how']](folder, one)[0] for folder, one in asked], open(sys.argv[3], 'w'));"
        "assert not any(name.split('.')[0] == 'tunewright' for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-I", "-c", program, str(CHILD), str(asked), str(told)], check=True, capture_output=True)
    return dict(zip(there, json.loads(told.read_text()), strict=True))


@pytest.mark.slow
def test_most_tasks_and_methods_go_together(saved: dict[tuple[str, str], Saved]) -> None:
    there = [pair for pair, one in saved.items() if not one.refused]
    assert (
        len(there) >= 0.7 * len(PAIRS)
        and {name for name, _ in there} == set(NAMES)
        and {method for _, method in there} == set(METHODS_TRIED)
    )


@pytest.mark.slow
@pytest.mark.parametrize(("name", "method"), PAIRS)
def test_what_is_saved_answers_as_it_did_with_our_code_and_without(
    saved: dict[tuple[str, str], Saved], heard: dict[tuple[str, str], Any], name: str, method: str
) -> None:
    one = saved[name, method]
    if one.refused:
        assert "method" in one.refused and len(one.refused) > 40, "the reason, and what would fit"
        return
    loaded = Predictor.load(one.folder)
    again = loaded.predict([{role: value for role, value in row.items() if role != one.task.gold} for row in one.rows])
    assert max(one.task.difference(old, new) for old, new in zip(one.before, again, strict=True)) < 1e-4
    encoded = one.task.encode(one.rows, loaded.tokenizer, LIMIT)
    others = [
        one.task.heard(said, row, piece, loaded.tokenizer) for said, row, piece in zip(heard[name, method], one.rows, encoded, strict=True)
    ]
    assert max(one.task.difference(old, new) for old, new in zip(one.before, others, strict=True)) < 1e-4
