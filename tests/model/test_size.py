"""Sizes and durations from a few measured numbers: arithmetic that can be checked by hand, and one real model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tunewright.model.size import (
    Size,
    looks_and_saves,
    mean_step_seconds,
    size_of,
    size_without_weights,
    step_costs,
    steps_to_time,
    total_steps,
)

LENGTHS = [10, 20, 30, 40, 5]


def test_a_step_costs_its_padded_tokens():
    assert step_costs([[[0, 1], [2, 3]], [[4]]], LENGTHS).tolist() == [2 * 20 + 2 * 40, 5]


def test_each_round_goes_from_cheap_to_dear_over_other_steps():
    costs = np.array([300, 100, 200, 500, 400] * 20)
    chosen = steps_to_time(costs, 3)
    assert len(chosen) == 1 + 3 * 6 and costs[chosen[0]] == 300, "a middling one warms up"
    for start in (1, 7, 13):
        in_order = costs[chosen[start : start + 6]].tolist()
        assert in_order == sorted(in_order) and set(in_order) == {100, 200, 300, 400, 500}
    assert len(set(chosen)) > 12
    assert steps_to_time(np.array([7]), 2) == [0] * 13, "an epoch may have one step alone"


def test_seconds_follow_the_cost_between_and_beyond_what_was_timed():
    timed = [(100, 1.0), (200, 2.0), (300, 3.0), (400, 4.0), (500, 5.0)]
    assert mean_step_seconds(np.array([150, 250]), timed) == pytest.approx(2.0)
    assert mean_step_seconds(np.array([50, 1000]), timed) == pytest.approx((0.5 + 10) / 2)
    assert mean_step_seconds(np.array([80]), [(100, 1.0)]) == pytest.approx(0.8)
    assert mean_step_seconds(np.array([100, 100]), [(100, 1.0)] * 11 + [(100, 2.0)]) == pytest.approx(13 / 12)


@pytest.mark.parametrize(("given", "steps"), [((10, 3.0, None), 30), ((10, 0.25, None), 3), ((10, 3.0, 7), 7)])
def test_steps_are_counted_as_the_engine_counts_them(given, steps):
    assert total_steps(*given) == steps


@pytest.mark.parametrize(
    ("given", "looks", "saves"),
    [
        ((30, 10, None, None), 3, 2),
        ((25, 10, None, None), 3, 2),
        ((30, 10, 5, None), 6, 5),
        ((30, 10, None, 4), 3, 8),
        ((7, 10, None, None), 1, 0),
    ],
)
def test_looks_and_checkpoints_are_counted_but_the_last_checkpoint_comes_after_training(given, looks, saves):
    assert looks_and_saves(*given) == (looks, saves)


def test_training_takes_weights_gradients_and_two_moments():
    size = Size(parameters=10, trainable=4, weight_bytes=40, trained_bytes=16)
    assert size.training_bytes == 40 + 3 * 16 and size.checkpoint_bytes == 48


def test_a_shared_weight_counts_once_and_a_frozen_one_is_not_trained():
    from torch import nn

    first, second = nn.Linear(3, 4, bias=False), nn.Linear(3, 4, bias=False)
    second.weight = first.weight
    frozen = nn.Linear(2, 2).requires_grad_(False)
    size = size_of(nn.ModuleList([first, second, frozen]))
    assert (size.parameters, size.trainable, size.weight_bytes, size.trained_bytes) == (18, 12, 72, 48)


@pytest.mark.parametrize(("method", "pooling"), [("full", "architecture"), ("full", "mean"), ("lora", "architecture"), ("lora", "mean")])
def test_the_size_without_weights_is_that_of_the_model_that_is_built(method, pooling):
    from tunewright.model.base import find
    from tunewright.model.build import build
    from tunewright.model.methods import METHODS
    from tunewright.model.settings import ModelSettings
    from tunewright.tasks import TASKS

    settings = ModelSettings(base="embedded", pooling=pooling)
    task = TASKS.build({"name": "text-classification", "labels": ["a", "b", "c"]})
    base = find(settings, task.head, Path())
    size = size_without_weights(base, settings, task, METHODS.build(method))
    built = size_of(build(base, settings, task, METHODS.build(method), seed=0).model)
    assert built.parameters > 22_000_000
    assert size.parameters == pytest.approx(built.parameters, rel=1e-3) and size.weight_bytes == pytest.approx(built.weight_bytes, rel=1e-3)
    assert size.trainable == pytest.approx(built.trainable, rel=0.02), "but for the pooler, which the mean of the tokens leaves unused"
    if pooling == "architecture":
        assert size == built


def test_half_precision_takes_half_the_bytes():
    from tunewright.model.base import find
    from tunewright.model.methods import METHODS
    from tunewright.model.settings import ModelSettings
    from tunewright.tasks import TASKS

    task = TASKS.build({"name": "text-classification", "labels": ["a", "b"]})
    whole, half = (
        size_without_weights(find(settings, task.head), settings, task, METHODS.build("full"))
        for settings in (ModelSettings(base="embedded"), ModelSettings(base="embedded", precision="bfloat16"))
    )
    assert whole.weight_bytes == 2 * half.weight_bytes and whole.parameters == half.parameters
