from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from tunewright.core.errors import BadConfig
from tunewright.train.criteria import CRITERIA
from tunewright.train.criteria.binary_cross_entropy import summed_binary_cross_entropy
from tunewright.train.criteria.cross_entropy import IGNORED, summed_cross_entropy
from tunewright.train.criteria.squared_error import summed_huber, summed_squared_error
from tunewright.train.run import compose


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("shape", [(7, 4), (3, 5, 4)])
def test_cross_entropy_over_its_count_is_the_mean_of_torch(shape: tuple[int, ...], smoothing: float) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(shape), torch.randint(0, 4, shape[:-1])
    labels.view(-1)[::3] = IGNORED
    criterion = CRITERIA.build({"name": "cross-entropy", "smoothing": smoothing})
    wanted = functional.cross_entropy(logits.flatten(0, -2), labels.flatten(), label_smoothing=smoothing)
    assert criterion.count(labels) == int((labels != IGNORED).sum())
    torch.testing.assert_close(criterion(logits, labels) / criterion.count(labels), wanted)


def test_cross_entropy_and_smoothing_against_a_sum_made_by_hand() -> None:
    logits = torch.tensor([[math.log(0.7), math.log(0.2), math.log(0.1)]])
    assert summed_cross_entropy(logits, torch.tensor([0])).item() == pytest.approx(-math.log(0.7))
    spread = -(math.log(0.7) + math.log(0.2) + math.log(0.1)) / 3
    smoothed = summed_cross_entropy(logits, torch.tensor([0]), 0.3).item()
    assert smoothed == pytest.approx(0.7 * -math.log(0.7) + 0.3 * spread)


@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_binary_cross_entropy_over_its_count_is_the_mean_of_torch(weight: float) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 3), torch.randint(0, 2, (6, 3)).double()
    criterion = CRITERIA.build({"name": "binary-cross-entropy", "positive_weight": weight})
    wanted = functional.binary_cross_entropy_with_logits(logits, labels.float(), pos_weight=torch.tensor(weight))
    assert criterion.count(labels) == 6
    torch.testing.assert_close(criterion(logits, labels) / 6, wanted)


def test_a_missed_label_costs_as_much_more_as_it_weighs() -> None:
    logits = torch.tensor([[0.0, 0.0]])
    assert summed_binary_cross_entropy(logits, torch.tensor([[1.0, 0.0]]), 3.0).item() == pytest.approx((3 + 1) * math.log(2) / 2)


@pytest.mark.parametrize("name", sorted(CRITERIA.places()))
def test_the_sum_and_the_count_of_parts_are_those_of_the_whole_also_in_half_precision(name: str) -> None:
    criterion = CRITERIA.build(name)
    torch.manual_seed(1)
    logits, labels = torch.randn(15, 3), torch.randint(0, 3, (15,))
    if name == "binary-cross-entropy":
        labels = torch.randint(0, 2, (15, 3)).float()
    if name in {"mean-squared-error", "huber"}:
        logits, labels = torch.randn(15), torch.randn(15)
    if name == "span-cross-entropy":
        logits, labels = torch.randn(15, 2, 6), torch.randint(0, 6, (15, 2))
    cuts = [slice(0, 3), slice(3, 8), slice(8, 15)]
    assert sum(criterion.count(labels[cut]) for cut in cuts) == criterion.count(labels) == 15
    torch.testing.assert_close(sum(criterion(logits[cut], labels[cut]) for cut in cuts), criterion(logits, labels))
    assert criterion(logits.bfloat16(), labels).dtype == torch.float32, "sums are made in float32"


def test_squared_error_over_its_count_is_the_mean_of_torch() -> None:
    torch.manual_seed(0)
    given, wanted = torch.randn(9), torch.randn(9)
    criterion = CRITERIA.build("mean-squared-error")
    torch.testing.assert_close(criterion(given, wanted) / criterion.count(wanted), functional.mse_loss(given, wanted))


def test_the_loss_of_a_span_is_the_mean_of_start_and_end_over_windows_that_count() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(5, 2, 7), torch.randint(0, 7, (5, 2))
    labels[1] = IGNORED
    criterion = CRITERIA.build("span-cross-entropy")
    parts = [functional.cross_entropy(logits[:, side], labels[:, side], ignore_index=IGNORED) for side in (0, 1)]
    assert criterion.count(labels) == 4
    torch.testing.assert_close(criterion(logits, labels) / 4, sum(parts) / 2)


@pytest.mark.parametrize("delta", [0.3, 1.0, 50.0])
def test_huber_is_twice_that_of_torch_so_that_near_errors_count_squared(delta: float) -> None:
    torch.manual_seed(0)
    given, wanted = torch.randn(9), torch.randn(9)
    criterion = CRITERIA.build({"name": "huber", "delta": delta})
    torch.testing.assert_close(criterion(given, wanted) / criterion.count(wanted), 2 * functional.huber_loss(given, wanted, delta=delta))
    if delta == 50.0:
        torch.testing.assert_close(summed_huber(given, wanted, delta), summed_squared_error(given, wanted))


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "huber", "delta": 0},
        {"name": "cross-entropy", "smoothing": 1},
        {"name": "cross-entropy", "smoothing": -0.1},
        {"name": "binary-cross-entropy", "positive_weight": 0},
    ],
)
def test_settings_out_of_range_are_refused(spec: dict[str, object]) -> None:
    with pytest.raises(BadConfig):
        CRITERIA.build(spec)


def test_the_loss_of_a_step_is_a_sum_with_its_count_and_its_outputs() -> None:
    model = torch.nn.Linear(4, 3)
    batch = {"x": torch.randn(5, 4), "labels": torch.randint(0, 3, (5,))}
    loss = compose(lambda net, one: net(one["x"]), CRITERIA.build("cross-entropy"))(model, batch)
    torch.testing.assert_close(loss.total, functional.cross_entropy(model(batch["x"]), batch["labels"], reduction="sum"))
    assert loss.items == 5 and torch.equal(loss.outputs, model(batch["x"]))
