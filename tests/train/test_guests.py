"""Callbacks of Transformers: the trainer's own guests, and obeyed by the loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.engines.test_contract import StopAt, told
from tests.train.guests import SEEN
from tunewright.core.errors import UserError
from tunewright.train import ENGINES, engine
from tunewright.train.checkpoint import finished, latest, step_of
from tunewright.train.run import Run
from tunewright.train.settings import TrainSettings

HERE = "tests.train.guests"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.base_folder(tmp_path_factory.mktemp("base"))


@pytest.fixture(params=sorted(ENGINES))
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def run_of(driver: str, folder: Path, base: Path, *guests: Any, **more: Any) -> Run:
    settings = {"batch_size": 4, "epochs": 2, "save_total_limit": 9, **more}
    return engine(driver)(tiny.job(folder, base, tiny.rows(16), engine=driver, train_callbacks=list(guests), **settings))


def test_a_callback_hears_and_is_obeyed_alike_in_both_engines(base: Path, tmp_path: Path) -> None:
    heard = {}
    for name in sorted(ENGINES):
        SEEN.clear()
        run = run_of(name, tmp_path / name, base, f"{HERE}:Asker", evaluate=told([0.4, 0.3, 0.2]))
        heard[name] = list(SEEN)
        assert {step_of(one) for one in finished(tmp_path / name)} == {2, 3, 4, 8} and run.best_step == 2
    assert heard["loop"] == heard["trainer"]
    kinds = [kind for kind, *_ in heard["loop"]]
    assert kinds.count("step") == kinds.count("loss") == 8 and kinds.count("evaluate") == 3 and kinds.count("save") == 4
    assert heard["loop"][0] == ("begin", 8, "accuracy") and heard["loop"][-1] == ("end", 8, 8)


def test_early_stopping_of_transformers_ends_both_engines_at_the_same_step(driver: str, base: Path, tmp_path: Path) -> None:
    place = "transformers:EarlyStoppingCallback"
    scores = told([0.1, 0.5, 0.4, 0.5, 0.4, 0.9])
    run = run_of(driver, tmp_path, base, {"name": place, "early_stopping_patience": 2}, evaluate=scores, evaluate_every=1)
    assert (run.step, run.best_step) == (4, 2) and "a callback of train.callbacks asked for the end" in run.stop
    assert step_of(latest(tmp_path)) == 4


def test_what_a_callback_must_remember_goes_on_with_the_run(driver: str, base: Path, tmp_path: Path) -> None:
    def part(stop: int, resume: Path | None = None) -> Run:
        return run_of(driver, tmp_path, base, f"{HERE}:Asker", callbacks=[StopAt(step=stop)], resume=resume)

    part(5)
    SEEN.clear()
    part(-1, latest(tmp_path))
    assert SEEN[-1] == ("end", 8, 8), "five steps heard of before, and three since"


def test_what_is_no_plain_value_is_refused(driver: str, base: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"callback Grasping remembers heard = \{1, 2\}, which JSON does not give back"):
        run_of(driver, tmp_path, base, f"{HERE}:Grasping")


def test_the_loop_refuses_a_callback_that_needs_more(base: Path, tmp_path: Path) -> None:
    refused = TrainSettings.read({"engine": "loop", "callbacks": [f"{HERE}:Deep"]})
    with pytest.raises(UserError, match=r"wants on_optimizer_step, on_substep_end, which the engine loop does not have.*engine: trainer"):
        refused.check()
    TrainSettings.read({"callbacks": [f"{HERE}:Deep"]}).check()
    with pytest.raises(UserError, match=r"EndsEpochs asks for the end of the epoch, which the engine loop does not do"):
        run_of("loop", tmp_path, base, f"{HERE}:EndsEpochs")


def test_a_callback_in_a_file_is_found_beside_the_recipe(tmp_path: Path) -> None:
    from tunewright.train.imported import beside

    own = ["from transformers import TrainerCallback", "class Watch(TrainerCallback):", "    def __init__(self, limit): self.limit = limit"]
    (tmp_path / "own.py").write_text("\n".join(own))
    guest = TrainSettings.read({"callbacks": [{"name": "own.py:Watch", "limit": 3}]}).callbacks[0]
    made: Callable[[], Any] = beside(guest, tmp_path).make
    assert made().limit == 3
