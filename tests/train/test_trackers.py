"""Trackers are told what the journal writes, and what they wrote can be read back."""

from __future__ import annotations

import itertools
import json
import struct
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import PrivateAttr

from tunewright.core.errors import MissingExtra
from tunewright.train.callbacks import TRACKERS
from tunewright.train.callbacks import tracker as tracker_module
from tunewright.train.callbacks.tracker import Tracker
from tunewright.train.run import Callback, Run, tell

SETTINGS = {"train.epochs": 3, "data.source": "tickets.csv", "long": "x" * 900}
NEEDS = {"mlflow": ("mlflow", "track"), "tensorboard": ("tensorboard", "track"), "wandb": ("wandb", "wandb")}


def story(tracker: Any, folder: Path, stop: str = "", failed: bool = False, resumed_at: int = 0, name: str = "tickets-1") -> Any:
    """Two steps and an evaluation, as an engine tells them. Returns what its checkpoint would keep of the tracker."""
    tracker.describe(name, str(folder), SETTINGS)
    run = Run(torch.nn.Linear(1, 1), total_steps=4, step=resumed_at, resumed_at=resumed_at)
    tell([tracker], "fit_start", run)
    for step in (resumed_at + 1, resumed_at + 2):
        run.step, run.loss, run.learning_rate, run.grad_norm, run.epoch, run.tokens = step, 1 / step, 1e-3, 0.5, step / 2, step * 100
        tell([tracker], "step_end", run)
    run.scores = {"accuracy": 0.75, "recall/spam & more": 0.5}
    tell([tracker], "evaluated", run)
    tell([tracker], "saved", run)
    state = json.loads(json.dumps(tracker.state()))
    run.stop, run.failed = stop, failed
    tell([tracker], "fit_end", run)
    return state


def test_every_tracker_is_tried_here() -> None:
    assert set(NEEDS) == set(TRACKERS.places())


@pytest.mark.parametrize("name", sorted(NEEDS))
def test_a_tracker_whose_library_is_missing_is_told_before_anything_is_trained(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker, (package, extra) = TRACKERS.build(name), NEEDS[name]
    module = sys.modules[type(tracker).__module__]
    monkeypatch.setattr(module, "find_spec", lambda wanted: None if wanted == package else find_spec(wanted))
    with pytest.raises(MissingExtra, match=rf"The tracker {name} needs packages .*pip install 'tunewright\[{extra}\]'"):
        tracker.check()


def test_mlflow_needs_its_database_too(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = TRACKERS.build("mlflow")
    monkeypatch.setattr(
        sys.modules[type(tracker).__module__], "find_spec", lambda wanted: None if wanted == "alembic" else find_spec(wanted)
    )
    with pytest.raises(MissingExtra):
        tracker.check()


def test_a_missing_library_stops_the_plan_before_the_model_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunewright.pipeline.recipe import build
    from tunewright.pipeline.train import train

    monkeypatch.setattr(sys.modules[TRACKERS.get("wandb").__module__], "find_spec", lambda wanted: None)
    texts = "".join(f"the parcel number {number} is {word},{word}\n" for number in range(30) for word in ("late", "lost"))
    (tmp_path / "t.csv").write_text("text,label\n" + texts)
    values = {
        "task": "text-classification",
        "data": {"source": str(tmp_path / "t.csv")},
        "model": {"base": "embedded"},
        "output_dir": str(tmp_path),
    }
    with pytest.raises(MissingExtra, match="The tracker wandb"):
        train(build({**values, "trackers": ["wandb"]}), tmp_path, "t", "tunewright train")
    assert not (tmp_path / "runs").exists()


def events(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


@pytest.mark.parametrize("named", [False, True])
def test_tensorboard_can_be_read_back(tmp_path: Path, named: bool) -> None:
    place = tmp_path / "elsewhere" if named else tmp_path / "run" / "tensorboard"
    tracker = TRACKERS.build({"name": "tensorboard", "folder": str(place)} if named else "tensorboard")
    tracker.check()
    story(tracker, tmp_path / "run")
    found = events(place)
    assert [(one.step, one.value) for one in found.Scalars("train/loss")] == [(1, 1.0), (2, 0.5)]
    assert {"train/learning_rate", "train/grad_norm", "train/epoch", "train/tokens", "validation/accuracy"} <= set(found.Tags()["scalars"])
    assert [(one.step, one.value) for one in found.Scalars("validation/accuracy")] == [(2, 0.75)]
    text = found.Tensors("settings/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "train.epochs: 3" in text and "data.source: tickets.csv" in text
    assert named is not (tmp_path / "run" / "tensorboard").exists()


def test_a_run_that_goes_on_takes_back_what_tensorboard_had_after_its_checkpoint(tmp_path: Path) -> None:
    story(TRACKERS.build("tensorboard"), tmp_path)
    story(TRACKERS.build("tensorboard"), tmp_path, resumed_at=1)
    assert [one.step for one in events(tmp_path / "tensorboard").Scalars("train/loss")] == [1, 2, 3]


def mlflow_run(uri: str, experiment: str = "tunewright") -> Any:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    (run,) = client.search_runs([found.experiment_id])
    return client, run


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for several experiments: making one takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'shared.db'}"


def test_mlflow_can_be_read_back_from_the_run_folder(tmp_path: Path) -> None:
    tracker = TRACKERS.build("mlflow")
    tracker.check()
    story(tracker, tmp_path)
    client, run = mlflow_run(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert run.info.run_name == "tickets-1" and run.info.status == "FINISHED"
    assert run.data.params["train.epochs"] == "3" and len(run.data.params["long"]) == 500
    assert [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, "train/loss")] == [(1, 1.0), (2, 0.5)]
    assert run.data.metrics["validation/accuracy"] == 0.75
    assert run.data.metrics["validation/recall/spam _ more"] == 0.5, "a name that MLflow takes"


@pytest.mark.parametrize(
    ("stop", "failed", "status"),
    [("interrupted", False, "KILLED"), ("no better score in 3 evaluations", False, "FINISHED"), ("nan", True, "FAILED")],
)
def test_mlflow_is_told_how_the_run_ended_and_where_to_keep_it(tmp_path: Path, database: str, stop: str, failed: bool, status: str) -> None:
    story(TRACKERS.build({"name": "mlflow", "uri": database, "experiment": status}), tmp_path, stop, failed)
    _, run = mlflow_run(database, status)
    assert run.info.status == status
    assert not (tmp_path / "mlflow.db").exists()


def written(path: Path) -> Iterator[bytes]:
    """The records of a W&B file: 7 bytes of header, then blocks of 32 KiB; (checksum, length, kind) stands before each part of a record."""
    data, at, record = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if (room := 32768 - at % 32768) < 7:
            at += room
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def offline_runs(folder: Path) -> list[tuple[str, list[Any]]]:
    """Name and records of every offline run, oldest first. ``finish`` does not wait for the process that writes them: here its end is."""
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    wandb.teardown()
    paths = sorted((folder / "wandb").glob("offline-run-*/run-*.wandb"), key=lambda path: path.stat().st_mtime)
    return [(path.stem, [Record.FromString(data) for data in written(path)]) for path in paths]


@pytest.mark.slow
@pytest.mark.parametrize("project", ["tunewright", "other"])
def test_wandb_keeps_an_offline_run_that_can_be_read_back(tmp_path: Path, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")  # the recipe decides, not what lies about
    tracker = TRACKERS.build({"name": "wandb", "project": project})
    tracker.check()
    story(tracker, tmp_path, failed=project == "other")
    ((_, records),) = offline_runs(tmp_path)
    (begun,) = [one.run for one in records if one.HasField("run")]
    assert (begun.project, begun.display_name) == (project, "tickets-1")
    assert {item.key: json.loads(item.value_json) for item in begun.config.update}["train.epochs"] == 3
    history = [
        {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in one.history.item}
        for one in records
        if one.HasField("history")
    ]
    assert [line["train/loss"] for line in history] == [1.0, 0.5]
    assert history[-1]["validation/accuracy"] == 0.75
    (ended,) = [one.exit for one in records if one.HasField("exit")]
    assert ended.exit_code == (1 if project == "other" else 0)


def test_wandb_is_online_only_when_the_recipe_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    asked: list[dict[str, Any]] = []

    def init(**options: Any) -> Any:
        asked.append(options)
        return SimpleNamespace(id="abc")

    monkeypatch.setattr(wandb, "init", init)
    for spec in ("wandb", {"name": "wandb", "mode": "online"}):
        tracker = TRACKERS.build(spec)
        tracker.describe("tickets-1", str(tmp_path), {})
        tracker.fit_start(Run(torch.nn.Linear(1, 1)))
    assert [one["mode"] for one in asked] == ["offline", "online"]


def test_a_run_that_goes_on_is_told_in_the_same_mlflow_run(tmp_path: Path, database: str) -> None:
    spec = {"name": "mlflow", "uri": database, "experiment": "goes on"}
    state = story(TRACKERS.build(spec), tmp_path, stop="interrupted")
    assert list(state) == ["id"]
    later = TRACKERS.build(spec)
    later.restore(state)
    story(later, tmp_path, resumed_at=2)
    client, run = mlflow_run(database, "goes on")
    assert run.info.run_id == state["id"] and run.info.status == "FINISHED"
    assert [one.step for one in client.get_metric_history(run.info.run_id, "train/loss")] == [1, 2, 3, 4]


def test_an_mlflow_run_that_was_thrown_away_is_begun_again(tmp_path: Path, database: str) -> None:
    tracker = TRACKERS.build({"name": "mlflow", "uri": database, "experiment": "thrown away"})
    tracker.restore({"id": "0" * 32})
    story(tracker, tmp_path, resumed_at=2)
    _, run = mlflow_run(database, "thrown away")
    assert run.info.run_id == tracker.state()["id"] != "0" * 32 and run.data.params["train.epochs"] == "3"


@pytest.mark.slow
def test_a_run_that_goes_on_is_told_under_the_same_wandb_id(tmp_path: Path) -> None:
    state = story(TRACKERS.build("wandb"), tmp_path, stop="interrupted")
    later = TRACKERS.build("wandb")
    later.restore(state)
    time.sleep(1.0)  # W&B names the folder of a part by the second in which it begins
    story(later, tmp_path, resumed_at=2)
    names, parts = zip(*offline_runs(tmp_path), strict=True)
    assert list(names) == [f"run-{state['id']}"] * 2, "two parts on the disk, which a sync puts into one run"
    steps = [[one.history.step.num for one in part if one.HasField("history")] for part in parts]
    assert steps == [[1, 2], [3, 4]]


def test_a_wandb_run_is_resumed_only_when_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    asked: list[Any] = []

    def init(**options: Any) -> Any:
        asked.append((options["id"], options["resume"]))
        return SimpleNamespace(id=options["id"] or "new")

    monkeypatch.setattr(wandb, "init", init)
    fresh, later = TRACKERS.build("wandb"), TRACKERS.build("wandb")
    fresh.fit_start(Run(torch.nn.Linear(1, 1)))
    later.restore(fresh.state())
    later.fit_start(Run(torch.nn.Linear(1, 1)))
    assert asked == [(None, None), ("new", "allow")] and later.state() == {"id": "new"}


def test_a_checkpoint_keeps_the_id_and_a_run_that_goes_on_gets_it_back(tmp_path: Path) -> None:
    from tests import tiny
    from tunewright.train.checkpoint import latest
    from tunewright.train.hf import fit

    numbers = itertools.count(7)

    class Numbered(Tracker):
        """A service that gives each run a number."""

        _told: list[str] = PrivateAttr(default_factory=list)

        def begin(self, run: Run) -> None:
            self._id = self._id or f"run {next(numbers)}"

        def log(self, step: int, values: dict[str, float]) -> None:
            self._told.append(self._id)

        def end(self, run: Run) -> None:
            self._told.append(self._id)

    class Stop(Callback):
        def step_end(self, run: Run) -> None:
            run.stop = "interrupted" if run.step == 1 else ""

    base, trackers = tiny.base_folder(tmp_path / "base"), (Numbered(), Numbered())
    for tracker, resume in zip(trackers, (None, tmp_path / "checkpoints"), strict=True):
        tracker.describe("tickets-1", str(tmp_path), SETTINGS)
        job = tiny.job(tmp_path / "checkpoints", base, tiny.rows(8), batch_size=4, max_steps=2, callbacks=[tracker, Stop()], save_every=1)
        fit(tiny.without(job, resume=latest(resume) if resume else None))
    assert trackers[1].state() == {"id": "run 7"} and set(trackers[1]._told) == {"run 7"}


def test_a_server_that_is_down_holds_nothing_up_and_gets_all_when_it_is_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tracker_module, "AGAIN_S", 0.0)
    place = tmp_path / "not there yet"
    place.write_text("a file where a folder should be")
    database = f"sqlite:///{place / 'mlflow.db'}"
    tracker = TRACKERS.build({"name": "mlflow", "uri": database})
    tracker.describe("tickets-1", str(tmp_path), SETTINGS)
    run = Run(torch.nn.Linear(1, 1), total_steps=4)
    tell([tracker], "fit_start", run)
    run.step, run.loss, run.grad_norm = 1, 0.5, float("inf")
    tell([tracker], "step_end", run)
    kept = json.loads(json.dumps(tracker.state(), allow_nan=False))
    assert kept["id"] == "" and [step for step, _ in kept["unsent"]] == [1]

    later = TRACKERS.build({"name": "mlflow", "uri": database})  # the run was stopped there, and goes on
    later.describe("tickets-1", str(tmp_path), SETTINGS)
    later.restore(kept)
    tell([later], "fit_start", run)
    place.unlink()
    run.step, run.loss = 2, 0.25
    tell([later], "step_end", run)
    tell([later], "fit_end", run)
    client, found = mlflow_run(database)
    assert [(one.step, one.value) for one in client.get_metric_history(found.info.run_id, "train/loss")] == [(1, 0.5), (2, 0.25)]
    assert found.info.status == "FINISHED" and found.data.params["train.epochs"] == "3"
    told = " ".join(capsys.readouterr().err.split())
    assert told.count("MLflow cannot be told") == 2 and "training goes on" in told, "once for each part of the run"
    assert told.count("MLflow can be told again") == 1


def test_what_a_server_never_took_is_told_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import mlflow.store.db.utils

    monkeypatch.setattr(mlflow.store.db.utils.time, "sleep", lambda _: pytest.fail("a database that is down held the training up"))
    (tmp_path / "mlflow.db").mkdir()
    tracker = TRACKERS.build({"name": "mlflow", "uri": f"sqlite:///{tmp_path / 'mlflow.db'}"})
    story(tracker, tmp_path)
    told = " ".join(capsys.readouterr().err.split())
    assert "MLflow was not told of 3 steps and looks: all stand in" in told and told.count("cannot be told") == 1
