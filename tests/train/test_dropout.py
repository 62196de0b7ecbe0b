"""The quick masks of dropout are masks of dropout, and PyTorch's generator decides them."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import dropout, scaled_dot_product_attention

from tunewright.train.dropout import bernoulli_, quick_dropout


@pytest.mark.parametrize("p", [0.0, 0.001, 0.25, 0.5, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (1000, 1001), (2**17 + 3,)])
def test_as_many_ones_as_wanted_and_zeros_beside_them(p: float, shape: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    filled = bernoulli_(torch.full(shape, 7.0), p)
    size = max(filled.numel(), 1)
    assert filled.shape == shape
    assert set(filled.unique().tolist()) <= {0.0, 1.0}
    assert abs(filled.mean().item() - p) <= 5 * math.sqrt(p * (1 - p) / size) + 2**-17


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.bool, torch.int64])
def test_any_dtype_and_any_order_in_memory_holds_the_same_mask(dtype: torch.dtype) -> None:
    masks = []
    for kept in (torch.empty(64, 48), torch.empty(64, 48, dtype=dtype), torch.empty(48, 64, dtype=dtype).T):
        torch.manual_seed(2)
        masks.append(bernoulli_(kept, 0.3).float())
    assert torch.equal(masks[0], masks[1])
    assert torch.equal(masks[0], masks[2])


def test_no_two_draws_and_no_two_places_go_together() -> None:
    torch.manual_seed(3)
    drawn = torch.stack([bernoulli_(torch.empty(2**18), 0.5) for _ in range(3)]) - 0.5
    pairs = [drawn[0] * drawn[1], drawn[1] * drawn[2], *(drawn[0][lag:] * drawn[0][:-lag] for lag in (1, 2, 3, 4, 2**17))]
    for pair in pairs:
        assert abs(4 * pair.mean().item()) < 5 / math.sqrt(len(pair))


def test_the_state_of_the_generator_decides_the_mask() -> None:
    torch.manual_seed(4)
    state = torch.get_rng_state()
    first, second = bernoulli_(torch.empty(999), 0.5), bernoulli_(torch.empty(999), 0.5)
    torch.set_rng_state(state)
    assert torch.equal(first, bernoulli_(torch.empty(999), 0.5))
    assert not torch.equal(first, second)
    own = torch.Generator().manual_seed(5)
    assert torch.equal(bernoulli_(torch.empty(999), 0.5, generator=own), bernoulli_(torch.empty(999), 0.5, generator=own.manual_seed(5)))


def test_inside_of_it_every_dropout_is_quick_and_behind_it_pytorch_draws_as_before() -> None:
    query = torch.ones(2, 3, 16, 8)

    def drawn() -> list[torch.Tensor]:
        torch.manual_seed(6)
        return [
            nn.Dropout(0.4)(torch.ones(40, 50)),
            dropout(torch.ones(40, 50), 0.4),
            scaled_dot_product_attention(query, query, query, dropout_p=0.5),
        ]

    before = drawn()
    with quick_dropout():
        torch.manual_seed(6)
        masks = [bernoulli_(torch.empty(40, 50), 0.6) for _ in range(2)]
        inside = drawn()
        with quick_dropout():
            nested = drawn()
        outer = drawn()
    behind = drawn()
    assert all(torch.equal(one, mask / (1 - 0.4)) for one, mask in zip(inside, masks, strict=False))
    assert not torch.equal(inside[2], before[2]), "attention drops too"
    assert all(torch.equal(one, other) for quick in (nested, outer) for one, other in zip(inside, quick, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(before, behind, strict=True))


def test_an_error_inside_puts_pytorchs_own_back() -> None:
    torch.manual_seed(7)
    before = dropout(torch.ones(500), 0.5)
    with pytest.raises(KeyError), quick_dropout():
        raise KeyError
    torch.manual_seed(7)
    assert torch.equal(before, dropout(torch.ones(500), 0.5))


def test_gradients_pass_where_the_mask_lets_them() -> None:
    weight = torch.ones(1000, requires_grad=True)
    with quick_dropout():
        torch.manual_seed(8)
        kept = dropout(weight, 0.5)
    kept.sum().backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, kept.detach())


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_what_is_no_probability_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="must be in"):
        bernoulli_(torch.empty(3), p)
