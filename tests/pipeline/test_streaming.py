"""Runs that stream: the same steps whoever encodes them and wherever they go on, no leak however long, and every row accounted for."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import load_file
from typer.testing import CliRunner

from tests import tiny
from tunewright.cli import app
from tunewright.core.errors import BadConfig, DataRefused, UserError
from tunewright.core.folder import read_json, read_lines
from tunewright.pipeline import stream
from tunewright.pipeline.evaluate import evaluate
from tunewright.pipeline.make_plan import make_plan
from tunewright.pipeline.plan import Plan
from tunewright.pipeline.prepare import prepare
from tunewright.pipeline.recipe import Recipe, build, put
from tunewright.pipeline.report import report
from tunewright.pipeline.train import resume, train

COMMAND = "tunewright train t.yaml"
HERE = Path(__file__).parents[2]


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    return [{**row, "text": f"{row['text']} {seed}x{at}"} for at, row in enumerate(tiny.rows(count, seed))]


def write(path: Path, some: list[Any]) -> Path:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in some))
    return path


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model with dropout, and 330 rows in three files."""
    folder = tmp_path_factory.mktemp("work")
    tiny.base_folder(folder / "base")
    some = rows(330)
    for part in range(3):
        write(folder / f"part-{part}.jsonl", some[part * 110 : (part + 1) * 110])
    return folder


def recipe(work: Path, out: Path, **changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "task": "text-classification",
        "data": {"source": str(work / "part-*.jsonl"), "streaming": {"first_rows": 100, "buffer_rows": 50}},
        "model": {"base": str(work / "base"), "max_tokens": 48},
        "train": {"max_steps": 60, "batch_size": 8, "evaluate_every": 20, "save_every": 7, "precision": "fp32", "early_stopping": None},
        "evaluate": {"resamples": 100, "baselines": ["majority"]},
        "output_dir": str(out),
    }
    for key, value in changes.items():
        put(values, key.replace("__", "."), value)
    return build(values)


def planned(work: Path, out: Path, **changes: Any) -> Plan:
    asked = recipe(work, out, **changes)
    return make_plan(asked, work, prepare(asked, work))


def tokens(step: Any) -> list[list[list[int]]]:
    return [[list(piece["input_ids"]) for piece in batch] for batch in step.batches]


def taken(run: Path, plan: Plan, count: int, position: Any = None) -> list[Any]:
    """Some steps, each with what it holds and the position behind it."""
    steps: Iterator[Any] = stream.steps_of(run / stream.FOLDER, plan, position)
    return [(tokens(step), step.epoch, step.position()) for step in itertools.islice(steps, count)]


def test_steps_are_the_same_with_any_number_of_workers_and_from_any_position(work: Path, tmp_path: Path) -> None:
    """The source has 310 training rows: 38 steps and some rows over for the next pass; 90 steps are more than two passes."""
    plain = planned(work, tmp_path)
    wanted = taken(tmp_path / "plain", plain, 90)
    with_workers = planned(work, tmp_path, data__streaming__workers=2)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert taken(tmp_path / "workers", with_workers, 90) == wanted
    assert torch.equal(before, torch.get_rng_state()), "workers draw nothing from the stream of chance that dropout draws from"
    assert all(len(batch) == 8 for step in wanted for batch in step[0])
    for at, plan in ((0, plain), (7, plain), (38, plain), (39, with_workers), (88, plain)):
        position = json.loads(json.dumps(wanted[at][2]))
        assert taken(tmp_path / "plain", plan, 89 - at, position) == wanted[at + 1 :]
    first_pass = [tuple(piece) for step in wanted[:38] for batch in step[0] for piece in batch]
    assert len(first_pass) == len(set(first_pass)) == 304
    assert [step[1] for step in wanted] == sorted(step[1] for step in wanted)


def test_a_step_has_rows_of_like_length_or_not_as_the_recipe_says(work: Path, tmp_path: Path) -> None:
    spread = {}
    for bucket in (True, False):
        plan = planned(work, tmp_path, train__bucket=bucket)
        lengths = [[len(piece) for batch in step[0] for piece in batch] for step in taken(tmp_path / str(bucket), plan, 30)]
        spread[bucket] = sum(max(one) - min(one) for one in lengths)
    assert spread[True] < 0.5 * spread[False]


def test_rows_of_the_stream_that_stand_among_the_held_out_ones_never_come_to_training(work: Path, tmp_path: Path) -> None:
    some = rows(100, 4)
    texts = [row["text"] for row in some]
    again = [{**row, "text": row["text"].upper() + " !"} for row in some]
    write(tmp_path / "a.jsonl", [*some, *rows(60, 5), *again])
    plan = planned(work, tmp_path, data__source=str(tmp_path / "a.jsonl"), data__policy={"normalised-duplicate": "keep"})
    held_out = {row["text"] for name in ("validation", "test") for row in plan.dataset.rows(name).to_pylist()}
    assert len(held_out) == 20 and held_out < set(texts)
    opened: list[str] = []
    watched = [True]
    sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if watched and event == "open" else None)
    trained = {
        plan.base.tokenizer.decode(piece, skip_special_tokens=True)
        for step in taken(tmp_path / "run", plan, 80)
        for batch in step[0]
        for piece in batch
    }
    watched.clear()
    assert any("train.parquet" in name for name in opened) and not any("test.parquet" in name for name in opened)
    heads = {text[:30].lower() for text in trained}
    assert not {text[:30].lower() for text in held_out} & heads
    assert {text[:30].lower() for text in set(texts) - held_out} <= heads
    gone = [row for path in (tmp_path / "run/stream/quarantine").glob("*") for row in pq.read_table(path).to_pylist()]
    assert {(row["_rule"], row["text"]) for row in gone} == {("leak-exact", f"{text.upper()} !") for text in held_out}


def test_rows_of_a_held_out_group_never_come_to_training(work: Path, tmp_path: Path) -> None:
    some = [{**row, "customer": f"c{at % 40}"} for at, row in enumerate(rows(400, 6))]
    write(tmp_path / "a.jsonl", some)
    plan = planned(work, tmp_path, data__source=str(tmp_path / "a.jsonl"), data__split={"by": "group", "group": "customer"})
    held_out = {row["customer"] for name in ("validation", "test") for row in plan.dataset.rows(name).to_pylist()}
    taken(tmp_path / "run", plan, 60)
    gone = [row for path in (tmp_path / "run/stream/quarantine").glob("*") for row in pq.read_table(path).to_pylist()]
    assert {row["_rule"] for row in gone} == {"leak-group"} and {row["customer"] for row in gone} == held_out
    assert len(gone) == sum(row["customer"] in held_out for row in some[100:])


def test_rows_in_nearly_the_words_of_held_out_ones_never_come_to_training(work: Path, tmp_path: Path) -> None:
    words = ["ordered", "two", "chairs", "and", "a", "table", "for", "the", "office", "in", "march", "but", "only", "one", "has", "come"]
    some = [
        {"text": f"{' '.join(words)} {' '.join(f'{word}{at}' for word in words)}", "label": sorted(tiny.LABELS)[at % 3]}
        for at in range(100)
    ]
    near = [{**row, "text": f"{row['text']} thanks"} for row in some]
    write(tmp_path / "a.jsonl", [*some, *rows(60, 5), *near])
    for policy in ({}, {"near-duplicate": "drop"}):
        plan = planned(work, tmp_path / str(len(policy)), data__source=str(tmp_path / "a.jsonl"), data__policy=policy)
        held_out = {row["text"] for name in ("validation", "test") for row in plan.dataset.rows(name).to_pylist()}
        run = tmp_path / str(len(policy)) / "run"
        taken(run, plan, 60)
        gone = [row for path in (run / "stream/quarantine").glob("*") for row in pq.read_table(path).to_pylist()]
        assert {(row["_rule"], row["text"]) for row in gone} == {("leak-near", f"{text} thanks") for text in held_out}


def test_what_the_recipe_has_redacted_reaches_neither_the_training_nor_the_quarantine(work: Path, tmp_path: Path) -> None:
    said = [{"text": f"write to jo.{at}@example.org {at}", "label": "billing"} for at in range(20)]
    write(tmp_path / "a.jsonl", [*rows(120, 7), *said, {"text": "jo.doe@example.org", "label": "unheard of"}, *rows(60, 5)])
    plan = planned(work, tmp_path, data__source=str(tmp_path / "a.jsonl"), data__policy={"personal-data": "fix"})
    steps = taken(tmp_path / "run", plan, 40)
    texts = [plan.base.tokenizer.decode(piece) for step in steps for batch in step[0] for piece in batch]
    assert not any("@example" in text for text in texts) and sum("write to [EMAIL_1]" in text for text in texts) >= 20
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or b"example.org" not in path.read_bytes(), path
    kept = [row for path in (tmp_path / "run/stream/quarantine").glob("*") for row in pq.read_table(path).to_pylist()]
    assert [(row["_rule"], row["text"]) for row in kept] == [("label-not-learned", "[EMAIL_1]")]
    again = taken(tmp_path / "run", plan, 30, steps[9][2])
    assert again == steps[10:40]


def test_a_run_tells_what_was_streamed_seen_and_quarantined(work: Path, tmp_path: Path) -> None:
    faults = [
        {"text": "", "label": "billing"},
        "{broken",
        {"text": "new here", "label": "unheard of"},
        {"text": "w " * 70, "label": "billing"},
    ]
    write(tmp_path / "a.jsonl", [*rows(130, 7), *faults, *rows(50, 8), *rows(40, 8)])
    asked = recipe(
        work, tmp_path, data__source="a.jsonl", train={"epochs": 1.5, "batch_size": 8, "precision": "fp32"}, train__early_stopping=None
    )
    run = train(asked, tmp_path, "t", COMMAND)
    facts = read_json(run / "data.json")
    assert facts["rows"] == {"read": 224, "kept": 181, "quarantined": 43,
        "by_rule": {"empty-text": 1, "label-not-learned": 1, "unreadable-row": 1, "exact-duplicate": 40}}  # fmt: skip
    assert facts["stream"]["rows"]["read"] == 124 and facts["stream"]["prepared"] == {"train": 80, "read": 100}
    assert facts["splits"]["train"]["rows"] == 161 == sum(facts["splits"]["train"]["labels"].values())
    assert (
        facts["truncation"]["splits"]["train"]["rows"] == 161
        and facts["truncation"]["splits"]["train"]["labels"]["billing"]["rows_cut"] >= 1
    )
    told = {one["rule"]: one for one in facts["findings"]}
    assert {"empty-text", "label-not-learned", "unreadable-row", "exact-duplicate", "streamed"} <= set(told)
    assert "'unheard of'" in told["label-not-learned"]["message"] and told["exact-duplicate"]["rows"] == 40
    assert "rare-label" in told["streamed"]["message"] and "rare-label" in facts["stream"]["rules"]["first"]
    written = (run / "recipe.yaml").read_text()
    steps = -(-3 * (80 + round(123 * 80 / 80)) // 16)
    assert f"max_steps: {steps}  # auto: 1.5 epochs of about 203 rows" in written and "evaluate_every: 4  # auto" in written
    assert not (run / "stream/marks").exists() and read_lines(run / "events.jsonl")[-1]["step"] == steps
    evaluate(run, COMMAND)
    page = report(run).read_text()
    assert "prepared rows and on a stream behind them" in page and "label-not-learned" in page and "quarantined" in page


def test_check_show_and_prepare_look_at_the_first_rows(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(json.dumps(recipe(work, tmp_path).model_dump(mode="json", exclude={"train"}) | {"train": {"batch_size": 8}}))
    for words, part in (("check", "100 rows read"), ("show --sample 2", "2 of 80 training rows"), ("prepare", "splits: train 80")):
        verb, *more = words.split()
        said = CliRunner().invoke(app, [verb, str(path), *more], catch_exceptions=False)
        assert said.exit_code == 0 and part in said.stdout, said.stdout
    assert not (tmp_path / "runs").exists()


def test_a_policy_that_refuses_stops_the_run_with_its_own_status(work: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [*rows(150, 7), {"text": " ", "label": "billing"}, *rows(10, 8)])
    with pytest.raises(DataRefused, match=r"(?s)empty-text: 1 row with nothing in the text \(row 150 of a.jsonl\)") as refused:
        train(recipe(work, tmp_path, data__source="a.jsonl", data__policy={"empty-text": "refuse"}), tmp_path, "t", COMMAND)
    assert refused.value.exit_code == 3


def test_what_a_stream_cannot_do_is_refused_with_what_to_do(work: Path, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"dataloader_num_workers does nothing for a stream: data.streaming.workers encode its rows ahead"):
        recipe(work, tmp_path, train__arguments={"dataloader_num_workers": 2})
    with pytest.raises(BadConfig, match=r"data.streaming.bufer_rows: unknown key; did you mean 'buffer_rows'"):
        recipe(work, tmp_path, data__streaming={"bufer_rows": 5})
    with pytest.raises(BadConfig, match=r"data.streaming: true, false or settings were wanted, as \{buffer_rows: 10000\} \(got 'always'\)"):
        recipe(work, tmp_path, data__streaming="always")
    with pytest.raises(BadConfig, match=r"split.by: time cannot be kept by a stream.*name a file for validation and test"):
        recipe(work, tmp_path, data__split={"by": "time", "time": "when"})
    with pytest.raises(UserError, match=r"data.policy.rare-label: drop cannot be kept by a stream: this rule needs the whole table"):
        prepare(recipe(work, tmp_path, data__policy={"rare-label": "drop"}), work)
    ready = prepare(recipe(work, tmp_path), work)
    with pytest.raises(UserError, match=r"is a prepared dataset, so that data.streaming would change nothing"):
        prepare(recipe(work, tmp_path, data__source=str(ready.folder)), work)


def killed_at(step: int, run: Path, *words: str) -> None:
    """Start a command and kill it once the journal of a run tells of a step."""
    code = [sys.executable, "-c", "from tunewright.cli import main; main()", "train", *words]
    process = subprocess.Popen(code, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE)
    until = time.monotonic() + 240
    while not any(line.get("step", 0) >= step for line in read_lines(run / "events.jsonl")):
        assert process.poll() is None and time.monotonic() < until, process.stderr and process.stderr.read()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)


@pytest.mark.slow
def test_a_run_that_was_killed_twice_goes_on_to_the_same_weights_with_any_number_of_workers(work: Path, tmp_path: Path) -> None:
    faults = [{"text": "", "label": "billing"}, {"text": "new", "label": "unheard of"}, *rows(30, 3)[:9]]
    source = write(tmp_path / "more.jsonl", [*rows(150, 3), *faults, *rows(60, 9)])
    changes = {"data__source": [str(work / "part-0.jsonl"), str(source)], "train__max_steps": 48, "train__save_every": 5}
    file, run = tmp_path / "stopped.yaml", tmp_path / "runs" / "stopped"
    stopped = recipe(work, tmp_path, name="stopped", **changes, data__streaming__workers=2)
    file.write_text(json.dumps(stopped.model_dump(mode="json")))
    killed_at(12, run, str(file))
    killed_at(27, run, "--resume", str(run))
    (run / "recipe.yaml").write_text((run / "recipe.yaml").read_text().replace("workers: 2", "workers: 0"))
    assert resume(run) == run
    whole = train(recipe(work, tmp_path, name="whole", **changes), tmp_path, "t", COMMAND)
    ours, theirs = (load_file(one / "model" / "model.safetensors") for one in (run, whole))
    assert ours.keys() == theirs.keys() and all((ours[name] == theirs[name]).all() for name in ours)
    lines = [[one for one in read_lines(each / "events.jsonl") if one["event"] == "step"] for each in (run, whole)]
    steps = [[(one["step"], one["loss"], one["epoch"]) for one in each] for each in lines]
    assert steps[0] == steps[1] and len(steps[0]) == 48 and steps[0][-1][2] == 1.0
    facts, wanted = (read_json(each / "data.json") for each in (run, whole))
    assert facts == wanted and facts["rows"]["by_rule"] == {"empty-text": 1, "label-not-learned": 1, "exact-duplicate": 9}


def test_a_source_that_was_changed_while_the_run_was_away_is_refused(work: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", rows(300, 2))
    plan = planned(work, tmp_path, data__source=str(source))
    position = taken(tmp_path / "run", plan, 20)[-1][2]
    write(source, [*rows(100, 2), *rows(200, 77)])
    with pytest.raises(UserError, match=r"a.jsonl from row \d+ on does not hold the rows that were read there before"):
        taken(tmp_path / "run", plan, 1, position)
    write(source, rows(300, 2))
    assert taken(tmp_path / "run", plan, 1, position)
    next((tmp_path / "run/stream/marks").iterdir()).unlink()
    with pytest.raises(UserError, match=r"marks/00000\d.npy is missing or damaged.*train the recipe again"):
        taken(tmp_path / "run", plan, 1, position)


MEMORY = """
import resource, sys
from itertools import islice
from pathlib import Path
import numpy as np
from tunewright.data.audit.apply import chosen
from tunewright.data.audit.on_the_fly import HeldOut, Memory
from tunewright.data.streams.blocks import BlockAudit
from tunewright.data.streams.feed import Feed, Shuffle
from tunewright.data.streams.ledger import Ledger
from tunewright.data.streams.stream import Mark, open_stream
from tunewright.tasks.base import Encoded
from tunewright.tasks.text_classification import TextClassification

source, count = sys.argv[1], int(sys.argv[2])
none = np.zeros(0, dtype=np.uint64)
memory = Memory({"a": 1, "b": 1}, HeldOut(none, none), 10**6)
audit = BlockAudit(chosen({}, {}, Path()), TextClassification(labels=("a", "b")), {"text": "text", "label": "label"}, memory, False)
encode = lambda rows: [Encoded(({"input_ids": list(range(len(row["text"].split()))), "labels": 0},), 9, 0) for row in rows]
ledger, shuffle = Ledger(Path(source).with_suffix(f".{count}")), Shuffle(1000, 100, 100, True, 0)
feed = Feed([], open_stream(source, Path()), Mark(), audit, ledger, shuffle, encode, lambda rows, encoded: {}, None)
for step in islice(feed.steps(None), count // 100):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, step.position()["seen"])
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_source(tmp_path: Path) -> None:
    """8,000 and 40,000 rows of 1.2 kB, some 10 and 50 MB as they lie on the disk."""
    peaks = []
    for count in (8_000, 40_000):
        source = tmp_path / f"{count}.jsonl"
        with source.open("w") as file:
            for at in range(count):
                file.write(json.dumps({"text": f"{at} " + "all work and no play " * 57, "label": "ab"[at % 2]}) + "\n")
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(source), str(count)], capture_output=True, text=True, check=False, cwd=HERE
        )
        assert done.returncode == 0, done.stderr[-2000:]
        peak, seen = map(int, done.stdout.split())
        assert seen >= count - 1000
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 15, f"{peaks} MB"
