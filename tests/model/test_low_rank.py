"""LoRA's settings: which layers, how updates begin, and that what is saved fits the base as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests import tiny
from tests.model.test_specialist import ROWS, TASK, same_answers, train
from tunewright.core.errors import BadConfig, UserError
from tunewright.model.layers import depth_of, depths
from tunewright.model.methods import METHODS
from tunewright.model.methods.parts import attended, fed_forward, linear_layers
from tunewright.model.predict import Predictor

EVERY = {
    "bert": (
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ),
    "distilbert": ("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "ffn.lin1", "ffn.lin2"),
    "modernbert": ("attn.Wqkv", "attn.Wo", "mlp.Wi", "mlp.Wo"),
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("bases")
    return {kind: tiny.base_folder(root / kind, kind) for kind in tiny.KINDS}


@pytest.mark.parametrize("kind", sorted(EVERY))
def test_targets_go_by_the_architecture_and_are_shown(bases: dict[str, Path], kind: str) -> None:
    built, _ = tiny.built(bases[kind], TASK, "lora")
    assert built.targets == EVERY[kind]


def test_targets_are_those_that_the_recipe_names(bases: dict[str, Path]) -> None:
    for named in (["query", "value"], ["self.query", "attention.self.value"]):
        built, _ = tiny.built(bases["bert"], TASK, {"name": "lora", "targets": named})
        assert built.targets == ("attention.self.query", "attention.self.value")
    dense, _ = tiny.built(bases["bert"], TASK, {"name": "lora", "targets": ["attention.output.dense"]})
    assert dense.targets == ("attention.output.dense",), "not output.dense of the feed-forward network, whose name ends it"


def test_a_target_that_the_model_does_not_have_is_told_with_the_nearest(bases: dict[str, Path]) -> None:
    with pytest.raises(
        UserError, match=r"method.targets names 'qery', and no linear layer of this model is called so. Did you mean 'query'\?"
    ):
        tiny.built(bases["bert"], TASK, {"name": "lora", "targets": ["query", "qery"]})
    with pytest.raises(UserError, match=r"names 'classifier'"):
        tiny.built(bases["bert"], TASK, {"name": "lora", "targets": ["classifier"]})
    with pytest.raises(BadConfig, match=r"targets: .*(a list was wanted|all-linear)"):
        METHODS.build({"name": "lora", "targets": "query"})


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_each_layer_has_one_end_of_attention_and_one_of_the_feed_forward_network(kind: str) -> None:
    from transformers import AutoModel

    linear = linear_layers(AutoModel.from_config(tiny.config(kind)), ())
    assert len(attended(linear)) == len(fed_forward(linear)) == 2
    assert not set(attended(linear)) & set(fed_forward(linear))


BEGINNINGS = [
    {"init": "gaussian"},
    {"init": "orthogonal"},
    {"init": "pissa"},
    {"init": "olora"},
    {"init": "pissa", "rslora": True},
    {"init": "olora", "dora": True},
    {"dora": True},
]


@pytest.mark.parametrize("settings", BEGINNINGS, ids=str)
@pytest.mark.parametrize("kind", ["bert", "modernbert"])
def test_every_beginning_leaves_the_answers_and_the_adapter_fits_the_original_base(
    bases: dict[str, Path], tmp_path: Path, kind: str, settings: dict[str, Any]
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    method = METHODS.build({"name": "lora", "rank": 4, **settings})
    plain, base = tiny.built(bases[kind], TASK)
    built, _ = tiny.built(bases[kind], TASK, method)
    same_answers(*(Predictor(one.model, base.tokenizer, TASK, 64).predict(ROWS) for one in (plain, built)), close=1e-6)
    train(built.model, base.tokenizer)
    answers = Predictor(built.model, base.tokenizer, TASK, 64).predict(ROWS)
    method.save_adapter(built.model, tmp_path / "adapter")
    again = PeftModel.from_pretrained(AutoModelForSequenceClassification.from_pretrained(bases[kind], num_labels=3), tmp_path / "adapter")
    same_answers(Predictor(again.eval(), base.tokenizer, TASK, 64).predict(ROWS), answers, close=1e-5)
    same_answers(Predictor(method.merge(built.model), base.tokenizer, TASK, 64).predict(ROWS), answers, close=1e-5)
    rank = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["r"]
    assert rank == (8 if settings.get("init") in {"pissa", "olora"} else 4)


def test_the_adapter_names_its_base_from_wherever_it_is_loaded(
    bases: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bases["bert"].parent)
    method = METHODS.build({"name": "lora", "rank": 2})
    built, _ = tiny.built(Path("bert"), TASK, method)
    method.save_adapter(built.model, tmp_path / "adapter")
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["base_model_name_or_path"] == str(bases["bert"].resolve())
    assert sorted(path.name for path in (tmp_path / "adapter").iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]


def test_dora_has_a_length_for_every_column(bases: dict[str, Path], tmp_path: Path) -> None:
    method = METHODS.build({"name": "lora", "rank": 2, "dora": True})
    built, _ = tiny.built(bases["bert"], TASK, method)
    method.save_adapter(built.model, tmp_path / "adapter")
    assert sum("magnitude" in name for name in load_file(tmp_path / "adapter" / "adapter_model.safetensors")) == 12


def test_an_odd_rank_cannot_begin_orthogonal() -> None:
    with pytest.raises(BadConfig, match=r"init: orthogonal needs an even rank \(got 3\)"):
        METHODS.build({"name": "lora", "rank": 3, "init": "orthogonal"})


def test_a_model_that_writes_keeps_its_words_to_itself() -> None:
    from transformers import AutoModelForCausalLM, LlamaConfig

    from tunewright.model.build import head_modules

    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 300}
    plain = AutoModelForCausalLM.from_config(LlamaConfig(**sizes))
    assert head_modules(plain, ()) == ()
    model = METHODS.build({"name": "lora", "rank": 2}).apply(plain, ())
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained and all(".lora_" in name and "lm_head" not in name for name in trained)


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_the_top_layer_is_at_depth_0_and_the_embeddings_are_deepest(kind: str) -> None:
    from transformers import AutoModelForSequenceClassification

    from tunewright.model.build import head_modules

    model = AutoModelForSequenceClassification.from_config(tiny.config(kind))
    head = head_modules(model, ())
    found = depths(model, head)
    names = {name for name, _ in model.named_parameters()}
    assert names - set(found) == {name for name in names if name.startswith(tuple(f"{one}." for one in head))}
    assert {depth for name, depth in found.items() if "embedding" in name} == {2}
    assert {depth for name, depth in found.items() if ".1." in name} == {0} and {
        depth for name, depth in found.items() if ".0." in name
    } == {1}
    if kind == "modernbert":
        assert found["model.final_norm.weight"] == 0


def test_an_architecture_without_one_stack_of_layers_has_no_depth() -> None:
    from transformers import AlbertConfig, T5Config

    for config in (AlbertConfig(), T5Config()):
        with pytest.raises(UserError, match=r"has no single stack of layers.*method: full or lora"):
            METHODS.build({"name": "full", "layer_decay": 0.9}).suits(config, 64, 512)
        METHODS.build("full").suits(config, 64, 512)
    assert depth_of(tiny.config("distilbert")) == 2


def test_a_plain_torch_model_has_no_layers() -> None:
    with pytest.raises(UserError, match="Sequential has no list of layers"):
        depths(torch.nn.Sequential(torch.nn.Linear(2, 2)), ())
