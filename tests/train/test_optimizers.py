"""Optimizers, schedules and the groups of weights, beside what plain PyTorch and Transformers make."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import Trainer, get_scheduler

from tests import tiny
from tunewright.core.errors import UserError
from tunewright.train.optimizers import OPTIMIZERS, adamw_8bit
from tunewright.train.optimizers.groups import decayed_weights, groups
from tunewright.train.schedules import SCHEDULES


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_the_weights_that_decay_are_those_of_the_trainer(kind: str, tmp_path: Path) -> None:
    model = tiny.job(tmp_path, tiny.base_folder(tmp_path / "base", kind), tiny.rows(6)).model
    found, wanted = decayed_weights(model), set(Trainer.get_decay_parameter_names(SimpleNamespace(), model))
    assert found == wanted and found < {name for name, _ in model.named_parameters()}
    fewer = decayed_weights(model, ["*embeddings*"])
    assert fewer < found and not any("embeddings" in name for name in fewer)


def test_every_trained_weight_is_in_one_group_with_its_rate_and_decay(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, tiny.base_folder(tmp_path / "base"), tiny.rows(6), learning_rate=1e-4, head_learning_rate=1e-3)
    names = {id(weight): name for name, weight in job.model.named_parameters()}
    slow = next(name for name in names.values() if name.endswith("query.weight"))
    job.model.get_parameter("bert.embeddings.word_embeddings.weight").requires_grad_(False)
    made = groups(tiny.without(job, rate_factors={slow: 0.5}), job.model)
    found = {names[id(weight)]: (group["lr"], group["weight_decay"]) for group in made for weight in group["params"]}
    assert sum(len(group["params"]) for group in made) == len(found) == len(names) - 1
    assert found[slow] == (5e-5, 0.01) and found["classifier.bias"] == (1e-3, 0.0) and found["classifier.weight"] == (1e-3, 0.01)
    assert made[0]["lr"] == 1e-4, "the rate that is told is the encoder's own"


@pytest.mark.parametrize(("name", "theirs"), [("linear", "linear"), ("cosine", "cosine"), ("constant", "constant_with_warmup")])
@pytest.mark.parametrize(("warmup", "total"), [(0, 7), (3, 10), (5, 5)])
def test_schedules_are_those_of_transformers(name: str, theirs: str, warmup: int, total: int) -> None:
    rates: list[list[float]] = []
    for make in (lambda one: SCHEDULES.build(name).make(one, warmup, total), lambda one: get_scheduler(theirs, one, warmup, total)):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
        schedule, told = make(optimizer), []
        for _ in range(total):
            told.append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
        rates.append(told)
    assert rates[0] == rates[1]


@pytest.mark.parametrize("name", sorted(OPTIMIZERS.places()))
def test_every_optimizer_makes_a_loss_fall_and_its_state_can_be_kept(name: str, tmp_path: Path) -> None:
    from tunewright.train.packing import read_state, write_state

    def optimizer_of(weight: Any) -> Any:
        return OPTIMIZERS.build(name).make([{"params": [weight], "lr": 0.05, "weight_decay": 0.0}])

    weight = torch.nn.Parameter(torch.linspace(-1, 1, 8192).reshape(64, 128))  # large enough for 8 bits
    optimizer, losses = optimizer_of(weight), []
    for _ in range(5):
        loss = (weight**2).sum()
        losses.append(float(loss))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]
    write_state(tmp_path, "optimizer", optimizer.state_dict())
    again = torch.nn.Parameter(weight.detach().clone())
    other = optimizer_of(again)
    other.load_state_dict(read_state(tmp_path, "optimizer"))
    for one, driven in ((weight, optimizer), (again, other)):
        one.grad = torch.ones_like(one)
        driven.step()
    assert torch.equal(weight, again), "one more step from a state that was kept"


def test_without_bitsandbytes_what_to_install_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adamw_8bit, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"adamw-8bit needs bitsandbytes.*pip install bitsandbytes.*train.optimizer: adamw"):
        OPTIMIZERS.build("adamw-8bit").check()
