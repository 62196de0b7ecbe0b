"""Checks of the keys of methods and of a quantised base, for ``test_recipe_keys``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

Lab = Any


def built(lab: Lab, **method: Any) -> Any:
    return lab.built(lab.plan(method=method))


def layer(lab: Lab, name: str, **settings: Any) -> Any:
    """The query of the first layer, as a method made it."""
    return next(module for path, module in built(lab, name=name, **settings).model.named_modules() if path.endswith("query"))


def trained(lab: Lab, part: str, **method: Any) -> torch.Size:
    return next(weight.shape for path, weight in built(lab, **method).model.named_parameters() if part in path and weight.requires_grad)


def rank(lab: Lab, name: str = "lora") -> None:
    assert [layer(lab, name, rank=size).lora_A["default"].weight.shape[0] for size in (4, 2)] == [4, 2]


def alpha(lab: Lab, name: str = "lora") -> None:
    assert [layer(lab, name, rank=4, alpha=size).scaling["default"] for size in (2.0, None)] == [0.5, 2.0]


def dropout(lab: Lab, name: str = "lora") -> None:
    assert layer(lab, name, dropout=0.3).lora_dropout["default"].p == 0.3
    assert not hasattr(layer(lab, name).lora_dropout["default"], "p")


def targets(lab: Lab, name: str = "lora") -> None:
    assert built(lab, name=name, targets=["value"]).targets == ("attention.self.value",) and len(built(lab, name=name).targets) == 6


def rslora(lab: Lab, name: str = "lora") -> None:
    assert [layer(lab, name, rank=4, alpha=2.0, rslora=wanted).scaling["default"] for wanted in (True, False)] == [1.0, 0.5]


def dora(lab: Lab, name: str = "lora") -> None:
    assert [len(layer(lab, name, dora=wanted).lora_magnitude_vector) for wanted in (True, False)] == [1, 0]


def init(lab: Lab, name: str = "lora") -> None:
    largest = [layer(lab, name, rank=4, init=one).lora_A["default"].weight.abs().max().item() for one in ("gaussian", "default")]
    assert largest[0] > 0.25 >= largest[1], "the default is drawn from an interval that ends there, for width 16"


def b_rate_factor(lab: Lab, name: str = "lora") -> None:
    factors = lab.job(method={"name": name, "b_rate_factor": 16}).rate_factors
    assert set(factors.values()) == {16} and all("lora_B" in path for path in factors) and not lab.job(method=name).rate_factors


def layer_decay(lab: Lab) -> None:
    factors = lab.job(method={"name": "full", "layer_decay": 0.5}).rate_factors
    assert set(factors.values()) == {0.5, 0.25} and not lab.job().rate_factors


def still_at_first(lab: Lab, **method: Any) -> list[bool]:
    """Whether the embeddings are left alone in each step of a run of 12."""
    job = lab.job(method={"name": "full", **method})
    found = []
    for step in range(12):
        if job.before_step:
            job.before_step(step / 12)
        found.append(not job.model.get_input_embeddings().weight.requires_grad)
    return found


def unfreeze(lab: Lab) -> None:
    assert still_at_first(lab, unfreeze="gradual") == [True] * 6 + [False] * 6 and not any(still_at_first(lab))


def unfrozen_by(lab: Lab) -> None:
    assert still_at_first(lab, unfreeze="gradual", unfrozen_by=0.25) == [True] * 3 + [False] * 9


def ia3_targets(lab: Lab) -> None:
    assert built(lab, name="ia3", targets=["value"]).targets == ("attention.self.value",)
    assert built(lab, name="ia3").targets == ("attention.self.key", "attention.self.value", "output.dense")


def adapter_width(lab: Lab) -> None:
    assert [trained(lab, "down.weight", name="adapter", width=size)[0] for size in (8, 3)] == [8, 3]


def adapter_places(lab: Lab) -> None:
    assert built(lab, name="adapter", places="feed-forward").targets == ("output.dense",)
    assert built(lab, name="adapter").targets == ("attention.output.dense", "output.dense")


def adapter_activation(lab: Lab) -> None:
    told = []
    for wanted in ("relu", "gelu"):
        model = built(lab, name="adapter", activation=wanted).model
        told.append(next(module for path, module in model.named_modules() if path.endswith(".activation")))
    assert told[0](torch.tensor(-1.0)) == 0 > told[1](torch.tensor(-1.0))


def virtual_tokens(lab: Lab, name: str) -> None:
    part = "prompt_encoder.default.embedding"
    assert [trained(lab, part, name=name, virtual_tokens=count)[0] for count in (5, 3)] == [5, 3]


def p_tuning_width(lab: Lab) -> None:
    assert [trained(lab, "mlp_head.0.weight", name="p-tuning", width=size)[0] for size in (5, None)] == [5, 16]


def model_quantize(lab: Lab) -> None:
    for wanted, kind in (("int8", "Int8Params"), ("nf4", "Params4bit"), (None, "Parameter")):
        model = lab.built(lab.plan(**{"model.quantize": wanted}, method="lora")).model
        assert type(next(one.base_layer.weight for path, one in model.named_modules() if path.endswith("query"))).__name__ == kind


def double_quantize(lab: Lab) -> None:
    nested = []
    for wanted in (True, False):
        model = lab.built(lab.plan(**{"model.double_quantize": wanted}, method="qlora")).model
        nested.append(next(one.base_layer.weight.quant_state.nested for path, one in model.named_modules() if path.endswith("query")))
    assert nested == [True, False]


LORA: dict[str, Callable[..., None]] = {
    "rank": rank,
    "alpha": alpha,
    "dropout": dropout,
    "targets": targets,
    "rslora": rslora,
    "dora": dora,
    "init": init,
    "b_rate_factor": b_rate_factor,
}
CHECKS: dict[str, Callable[[Lab], None]] = {
    "model.quantize": model_quantize,
    "model.double_quantize": double_quantize,
    **{f"method.lora.{key}": check for key, check in LORA.items()},
    **{f"method.qlora.{key}": partial(check, name="qlora") for key, check in LORA.items()},
    "method.full.layer_decay": layer_decay,
    "method.full.unfreeze": unfreeze,
    "method.full.unfrozen_by": unfrozen_by,
    "method.ia3.targets": ia3_targets,
    "method.adapter.width": adapter_width,
    "method.adapter.places": adapter_places,
    "method.adapter.activation": adapter_activation,
    "method.p-tuning.width": p_tuning_width,
    **{f"method.{name}.virtual_tokens": partial(virtual_tokens, name=name) for name in ("prompt", "prefix")},
    "method.p-tuning.virtual_tokens": partial(virtual_tokens, name="p-tuning"),
}
