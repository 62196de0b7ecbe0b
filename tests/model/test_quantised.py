"""A base in four or eight bits: loaded so, trained on, saved, merged, and refused where it cannot be."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests import tiny
from tests.model.test_specialist import ROWS, TASK, same_answers, train
from tunewright.core.errors import BadConfig, MissingExtra
from tunewright.model import quantize
from tunewright.model.build import save
from tunewright.model.methods import METHODS
from tunewright.model.predict import Predictor
from tunewright.model.proof import prove_merging
from tunewright.model.settings import ModelSettings
from tunewright.model.size import size_of, size_without_weights
from tunewright.tasks import TASKS
from tunewright.train.checkpoint import load_weights, save_weights

LORA = {"name": "lora", "rank": 2}
QLORA = {"name": "qlora", "rank": 2}
WAYS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (QLORA, {}),
    ({**QLORA, "dora": True}, {}),
    (QLORA, {"double_quantize": False}),
    (QLORA, {"pooling": "mean"}),
    (LORA, {"quantize": "fp4"}),
    (LORA, {"quantize": "int8"}),
    (LORA, {"quantize": "int8", "pooling": "mean"}),
]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("bases")
    return {kind: tiny.base_folder(root / kind, kind) for kind in tiny.KINDS}


def kinds_of_weights(model: Any) -> set[str]:
    return {type(weight).__name__ for weight in model.parameters()}


@pytest.mark.parametrize(("method", "settings"), WAYS, ids=str)
@pytest.mark.parametrize("kind", ["bert", "deberta-v2"])
def test_it_trains_saves_reloads_and_merges_here(
    bases: dict[str, Path], tmp_path: Path, kind: str, method: dict[str, Any], settings: dict[str, Any]
) -> None:
    how = METHODS.build(method)
    built, base = tiny.built(bases[kind], TASK, method, **settings)
    before = tiny.weights(built.model)
    wanted = "Int8Params" if settings.get("quantize") == "int8" else "Params4bit"
    assert kinds_of_weights(built.model) == {wanted, "Parameter"}
    train(built.model, base.tokenizer)
    moved = {name for name, value in tiny.weights(built.model).items() if not torch.equal(value, before[name])}
    assert moved and moved <= {name for name, weight in built.model.named_parameters() if weight.requires_grad}
    answers = Predictor(built.model, base.tokenizer, TASK, 64).predict(ROWS)
    how.save_adapter(built.model, tmp_path / "adapter")
    plain = how.merge(built.model)
    assert kinds_of_weights(plain) == {"Parameter"} and {weight.dtype for weight in plain.parameters()} == {torch.float32}
    told = prove_merging(
        Predictor(plain, base.tokenizer, TASK, 64), ROWS, answers, "float32", quantize.quantised(ModelSettings(base="x", **settings), how)
    )
    assert told["dequantised"] == settings.get("quantize", "nf4") and "tolerance" not in told
    assert told["largest_difference"] < (5e-3 if wanted == "Int8Params" else 1e-5), "eight bits round what comes in too"
    save(plain, tmp_path / "model", base.tokenizer, TASK, TASKS.spec(TASK), ModelSettings(base=str(bases[kind]), **settings), 64)
    same_answers(Predictor.load(tmp_path / "model").predict(ROWS), Predictor(plain, base.tokenizer, TASK, 64).predict(ROWS), close=1e-6)
    assert "quantization_config" not in (tmp_path / "model" / "config.json").read_text()


def test_the_adapter_fits_the_quantised_base_and_brings_its_head(bases: dict[str, Path], tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, BitsAndBytesConfig

    built, base = tiny.built(bases["bert"], TASK, QLORA)
    train(built.model, base.tokenizer)
    answers = Predictor(built.model, base.tokenizer, TASK, 64).predict(ROWS)
    METHODS.build(QLORA).save_adapter(built.model, tmp_path / "adapter")
    how: Any = BitsAndBytesConfig
    config = how(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, llm_int8_skip_modules=["classifier", "bert.pooler"]
    )
    plain = AutoModelForSequenceClassification.from_pretrained(bases["bert"], num_labels=3, quantization_config=config)
    quantize.keep_as_loaded(plain)  # the library would round to bf16 here, and fail at so small a model
    again = PeftModel.from_pretrained(plain, tmp_path / "adapter").eval()
    same_answers(Predictor(again, base.tokenizer, TASK, 64).predict(ROWS), answers, close=1e-5)


@pytest.mark.parametrize("settings", [{}, {"pooling": "mean"}], ids=str)
def test_four_bits_answer_as_in_a_step_where_the_processor_computes_in_bf16(
    bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)
    built, base = tiny.built(bases["bert"], TASK, QLORA, **settings)
    before = {name: weight.detach().clone() for name, weight in built.model.named_parameters()}
    built.model.eval()
    batch = base.tokenizer(["a small text", "another"], return_tensors="pt", padding=True)
    with torch.no_grad():
        answered = built.model(**batch).logits
    for dropout in (module for module in built.model.modules() if isinstance(module, torch.nn.Dropout)):
        dropout.p = 0.0
    stepped = built.model.train()(**batch).logits.detach()
    assert torch.equal(answered, stepped)
    assert all(torch.equal(weight, before[name]) for name, weight in built.model.named_parameters())


@pytest.mark.parametrize("settings", [{}, {"quantize": "int8"}], ids=str)
def test_a_checkpoint_holds_what_is_trained_and_nothing_of_the_base(
    bases: dict[str, Path], tmp_path: Path, settings: dict[str, Any]
) -> None:
    built, base = tiny.built(bases["bert"], TASK, QLORA, **settings)
    train(built.model, base.tokenizer)
    answers = Predictor(built.model, base.tokenizer, TASK, 64).predict(ROWS)
    save_weights(built.model, tmp_path)
    trained = {name for name, weight in built.model.named_parameters() if weight.requires_grad}
    assert set(load_file(tmp_path / "weights.safetensors")) == trained
    (tmp_path / "hashes.json").write_text("{}")
    again, _ = tiny.built(bases["bert"], TASK, QLORA, **settings)
    from tunewright.train.checkpoint import seal

    seal(tmp_path)
    load_weights(again.model, tmp_path)
    same_answers(Predictor(again.model, base.tokenizer, TASK, 64).predict(ROWS), answers, close=0)


def test_its_weights_are_counted_as_numbers_and_as_bytes(bases: dict[str, Path]) -> None:
    sizes, guessed = {}, {}
    for kind in (None, "int8", "nf4"):
        settings = ModelSettings(base=str(bases["bert"]), quantize=kind)  # type: ignore[arg-type]
        built, base = tiny.built(bases["bert"], TASK, LORA, quantize=kind)
        sizes[kind] = size_of(built.model)
        guessed[kind] = size_without_weights(base, settings, TASK, METHODS.build(LORA))
    assert len({(one.parameters, one.trainable) for one in sizes.values()}) == 1
    assert sizes["nf4"].weight_bytes < sizes["int8"].weight_bytes < sizes[None].weight_bytes
    for kind, one in guessed.items():
        assert (one.parameters, one.trainable) == (sizes[kind].parameters, sizes[kind].trainable)
        assert one.weight_bytes == pytest.approx(sizes[kind].weight_bytes, rel=0.02)


def test_a_method_that_needs_full_weights_is_refused() -> None:
    from tunewright.pipeline.recipe import build

    recipe = {"task": "text-classification", "data": {"source": "x.csv"}, "model": {"base": "x", "quantize": "nf4"}}
    tried = [name for name in METHODS.places() if not METHODS.get(name).on_quantised]
    assert len(tried) >= 6
    for name in tried:
        with pytest.raises(
            BadConfig, match=rf"model.quantize: nf4 keeps the base weights as they are, and method: {name} needs full ones: use"
        ):
            build({**recipe, "method": name})
    for name in ("lora", "qlora"):
        build({**recipe, "method": name})
        for init in ("pissa", "olora", "orthogonal"):
            with pytest.raises(BadConfig, match=rf"method.init: {init} is made from full base weights.*use init: default or gaussian"):
                build({**recipe, "method": {"name": name, "init": init}})


def test_without_the_package_it_is_a_missing_extra(bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"model.quantize: nf4 needs packages .* pip install 'tunewright\[quant\]'"):
        tiny.built(bases["bert"], TASK, QLORA)


def test_on_a_processor_it_is_said_that_memory_is_saved_and_not_time() -> None:
    settings = ModelSettings(base="x")
    told = quantize.warnings(settings, METHODS.build("qlora"))
    assert len(told) == (0 if torch.cuda.is_available() else 1)
    assert all("saves memory and not time" in one and "method: lora" in one for one in told)
    assert not quantize.warnings(settings, METHODS.build("lora"))


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"load_in_8bit": True}, "int8"),
        ({"load_in_4bit": True}, "nf4"),
        ({"load_in_8bit": False, "device_map": "auto"}, None),
        ({"load_in_4bit": True, "quantize": "nf4", "device_map": "auto"}, "nf4"),
    ],
)
def test_the_words_of_transformers_are_understood(asked: dict[str, Any], wanted: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ModelSettings.read({"base": "x", **asked}).quantize == wanted


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"device_map": "cuda:1"}, "device_map: cuda:1: the whole model stands on the fastest device.*CUDA_VISIBLE_DEVICES"),
        ({"device_map": {"": 0}}, "device_map: .*leave the key out"),
        ({"load_in_8bit": True, "quantize": "nf4"}, "load_in_8bit means quantize: int8, and quantize is nf4: leave one of them out"),
        ({"load_in_8bit": True, "load_in_4bit": True}, "load_in_4bit means quantize: nf4, and quantize is int8"),
        ({"torch_dtype": "bfloat16"}, "torch_dtype is model.precision here"),
        ({"bnb_4bit_quant_type": "nf4"}, "bnb_4bit_quant_type is model.quantize"),
        ({"bnb_4bit_use_double_quant": True}, "is model.double_quantize here"),
        ({"quantize": "nf8"}, "quantize: "),
    ],
)
def test_what_has_another_name_here_is_told(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        ModelSettings.read({"base": "x", **asked})


def test_from_the_model_that_was_trained_a_merge_that_changes_answers_is_told(bases: dict[str, Path]) -> None:
    from tunewright.core.errors import ProofFailed

    built, base = tiny.built(bases["bert"], TASK)
    one = Predictor(built.model, base.tokenizer, TASK, 64)
    answers = one.predict(ROWS)
    with torch.no_grad():
        built.model.classifier.bias[0] += 0.1
    with pytest.raises(ProofFailed, match=r"merging what was trained into the weights changed the answers to 24 rows by .*up to 0.0001"):
        prove_merging(one, ROWS, answers, "float32", None)
    assert prove_merging(one, ROWS, answers, "float32", "nf4")["largest_difference"] > 1e-3, "told where the base was quantised"
