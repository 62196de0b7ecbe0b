"""From a base folder to a saved, proved specialist: every weight that the base lacks is trained, saved, and comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests import tiny
from tunewright.core.errors import ProofFailed, UserError
from tunewright.model import predict as predict_module
from tunewright.model import proof
from tunewright.model.build import SPECIALIST, save, skeleton
from tunewright.model.methods import METHODS
from tunewright.model.predict import Predictor
from tunewright.model.settings import ModelSettings
from tunewright.model.trained import TRAINED, load_trained
from tunewright.tasks import TASKS

NEW = {
    "bert": {"bert.pooler", "classifier"},
    "distilbert": {"pre_classifier", "classifier"},
    "roberta": {"classifier"},
    "deberta-v2": {"pooler", "classifier"},
    "modernbert": {"head", "classifier"},
}
METHODS_TRIED: dict[str, Any] = {
    "full": "full",
    "lora": {"name": "lora", "rank": 2},
    "lora-top": {"name": "lora", "rank": 2, "layers": 1},
    "head": "head",
    "top-layers": {"name": "top-layers", "k": 1},
}
ROWS = tiny.rows(24)
TASK = tiny.learned(ROWS)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("bases")
    return {kind: tiny.base_folder(root / kind, kind) for kind in tiny.KINDS}


def train(model: Any, tokenizer: Any, task: Any = TASK, some: Any = ROWS, steps: int = 8) -> None:
    from tunewright.tasks.collate import Collate
    from tunewright.train.criteria import CRITERIA

    batch = Collate(tokenizer)([one.pieces[0] for one in task.encode(some, tokenizer, 64)])
    criterion = CRITERIA.build(task.default_criterion())
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=3e-2, weight_decay=0)
    torch.manual_seed(0)
    model.train()
    for _ in range(steps):
        (criterion(task.forward(model, batch), batch["labels"]) / len(some)).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


class Made:
    """A specialist trained for a moment and saved, with the answers it gave before."""

    def __init__(self, root: Path, base: Path, method: Any, task: Any = TASK, some: Any = ROWS, **settings: Any) -> None:
        self.method, self.task, self.rows = METHODS.build(method), task, some
        self.settings = ModelSettings(base=str(base), **settings)
        self.built, self.base = tiny.built(base, task, method, **settings)
        self.before = tiny.weights(self.built.model)
        self.trained = {name for name, weight in self.built.model.named_parameters() if weight.requires_grad}
        train(self.built.model, self.base.tokenizer, task, some)
        self.after = tiny.weights(self.built.model)
        self.answers = Predictor(self.built.model, self.base.tokenizer, task, 64).predict(some)
        self.folder, self.adapter = root / "model", root / "adapter"
        self.has_adapter = self.method.save_adapter(self.built.model, self.adapter)
        self.merged = self.method.merge(self.built.model)
        save(self.merged, self.folder, self.base.tokenizer, task, TASKS.spec(task), self.settings, 64)


def same_answers(one: Any, other: Any, close: float = 2e-5) -> None:
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert left["probabilities"] == pytest.approx(right["probabilities"], abs=close)


@pytest.fixture(scope="module", params=[(kind, method) for kind in tiny.KINDS for method in METHODS_TRIED], ids="-".join)
def made(request: pytest.FixtureRequest, bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Made:
    kind, method = request.param
    one = Made(tmp_path_factory.mktemp("made"), bases[kind], METHODS_TRIED[method])
    one.kind = kind  # type: ignore[attr-defined]
    return one


def test_the_new_modules_are_exactly_those_that_the_base_lacks(made: Made) -> None:
    assert set(made.built.new_modules) == NEW[made.kind]  # type: ignore[attr-defined]
    plain = {name.replace("base_model.model.", "").replace("modules_to_save.default.", "") for name in made.built.head_weights}
    assert plain == {name for name in tiny.weights(made.merged) if name.startswith(tuple(f"{one}." for one in NEW[made.kind]))}  # type: ignore[attr-defined]


def test_every_weight_that_the_base_lacks_is_trained_and_so_is_the_encoder(made: Made) -> None:
    moved = {name for name, value in made.before.items() if not torch.equal(value, made.after[name])}
    assert made.built.head_weights <= moved
    if METHODS.name_of(made.method) != "head":
        assert moved - made.built.head_weights, "the method trains something of the encoder too"
    assert moved <= made.trained


def test_the_saved_model_answers_as_the_trained_one_and_is_complete(made: Made) -> None:
    loaded = Predictor.load(made.folder)
    same_answers(loaded.predict(ROWS), made.answers)
    assert (loaded.max_tokens, loaded.task) == (64, TASK)
    kept = load_file(made.folder / "model.safetensors")
    assert not [name for name in kept if "lora_" in name or "modules_to_save" in name or "base_layer" in name]
    assert {value.dtype for value in kept.values()} == {torch.float32}
    assert {path.suffix for path in made.folder.rglob("*") if path.is_file()} <= {".json", ".safetensors", ".txt", ".jinja"}, "no pickle"
    config = json.loads((made.folder / "config.json").read_text())
    assert config["id2label"] == {str(index): name for index, name in enumerate(TASK.labels)}
    assert config["problem_type"] == "single_label_classification"


def test_transformers_alone_loads_it_and_misses_nothing(made: Made) -> None:
    from transformers import AutoModelForSequenceClassification

    _, report = AutoModelForSequenceClassification.from_pretrained(made.folder, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]


def test_the_adapter_beside_it_answers_the_same_through_peft(made: Made, bases: dict[str, Path]) -> None:
    if not made.has_adapter:
        assert not made.adapter.exists()
        return
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(123)  # another draw of the head: it must come from the adapter
    plain = AutoModelForSequenceClassification.from_pretrained(bases[made.kind], num_labels=3)  # type: ignore[attr-defined]
    if (made.adapter / TRAINED).exists():
        load_trained(plain, made.adapter)
        again = plain.eval()
    else:
        again = PeftModel.from_pretrained(plain, str(made.adapter)).eval()
    same_answers(Predictor(again, made.base.tokenizer, TASK, 64).predict(ROWS), made.answers)
    weights = next(made.adapter.glob("*.safetensors"))
    assert weights.stat().st_size < (made.folder / "model.safetensors").stat().st_size


MEAN = [("bert", "full"), ("bert", "lora"), ("distilbert", "lora"), ("modernbert", "full")]


@pytest.fixture(scope="module", params=MEAN, ids="-".join)
def pooled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bases: dict[str, Path]) -> Made:
    kind, method = request.param
    return Made(tmp_path_factory.mktemp("pooled"), bases[kind], METHODS_TRIED[method], pooling="mean")


def test_a_mean_pooled_folder_answers_the_same_through_sentence_transformers_alone(pooled: Made) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(pooled.folder), device="cpu")
    logits = torch.as_tensor(model.encode([row["text"] for row in ROWS], show_progress_bar=False)).double()
    found = [{"probabilities": dict(zip(TASK.labels, row, strict=True))} for row in logits.softmax(-1).tolist()]
    same_answers(found, pooled.answers)
    assert model.max_seq_length == 64


def test_a_mean_pooled_folder_answers_the_same_through_us(pooled: Made) -> None:
    assert pooled.built.new_modules == ("classifier",)
    moved = {name for name, value in pooled.before.items() if not torch.equal(value, pooled.after[name])}
    assert pooled.built.head_weights <= moved
    assert not [name for name in moved if "pooler" in name], "the mean takes the place of the pooler"
    same_answers(Predictor.load(pooled.folder).predict(ROWS), pooled.answers)
    assert not [name for name in load_file(pooled.folder / "model.safetensors") if "lora" in name]


def test_a_mean_pooled_adapter_answers_the_same_through_peft(pooled: Made, bases: dict[str, Path]) -> None:
    if not pooled.has_adapter:
        return
    from peft import PeftModel

    plain, _ = tiny.built(Path(pooled.settings.base), TASK, "full", seed=99, pooling="mean")
    again = PeftModel.from_pretrained(plain.model, str(pooled.adapter)).eval()
    same_answers(Predictor(again, pooled.base.tokenizer, TASK, 64).predict(ROWS), pooled.answers)


def test_the_mean_leaves_padding_out(bases: dict[str, Path]) -> None:
    built, base = tiny.built(bases["bert"], TASK, pooling="mean")
    built.model.eval()
    texts = ["short", "a much longer text about a parcel"]
    both = base.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = built.model.encoder(**base.tokenizer(texts[:1], return_tensors="pt")).last_hidden_state
        torch.testing.assert_close(built.model(**both).logits[0], built.model.classifier(hidden.mean(1))[0])


def test_a_mean_pooled_model_takes_noise_and_checkpointing_from_the_trainer(bases: dict[str, Path]) -> None:
    built, _base = tiny.built(bases["bert"], TASK, pooling="mean", dropout=0.0)
    assert built.model.get_input_embeddings() is built.model.encoder.get_input_embeddings()
    enable = (
        "activation_checkpointing_enable"
        if hasattr(built.model.encoder, "activation_checkpointing_enable")
        else "gradient_checkpointing_enable"
    )
    getattr(built.model, enable)()
    assert all(layer.gradient_checkpointing for layer in built.model.encoder.encoder.layer)


@pytest.mark.parametrize("pooling", ["architecture", "mean"])
def test_the_head_is_drawn_from_the_seed_and_moves_no_other_stream(bases: dict[str, Path], pooling: str) -> None:
    def head(seed: int) -> Any:
        return tiny.built(bases["bert"], TASK, seed=seed, pooling=pooling)[0].model.classifier.weight

    torch.manual_seed(4)
    before = torch.random.get_rng_state()
    first = head(1)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first, head(1)) and not torch.equal(first, head(2))


@pytest.mark.parametrize(("kind", "pooling"), [*((kind, "architecture") for kind in tiny.KINDS), ("bert", "mean")])
def test_dropout_before_the_head_is_what_the_recipe_says(bases: dict[str, Path], kind: str, pooling: str) -> None:
    def spread(**settings: Any) -> float:
        built, base = tiny.built(bases[kind], TASK, pooling=pooling, **settings)
        for name, module in built.model.named_modules():
            body = "encoder" if pooling == "mean" else built.model.base_model_prefix
            if isinstance(module, torch.nn.Dropout) and name.startswith(f"{body}."):
                module.p = 0.0
        batch = base.tokenizer(["my parcel"] * 64, return_tensors="pt")
        built.model.eval()
        for module in built.model.modules():
            if isinstance(module, torch.nn.Dropout) or type(module).__name__ == "StableDropout":
                module.train()
        torch.manual_seed(0)
        return float(built.model(**batch).logits.std(0).max())

    assert spread(dropout=0.9) > 5 * spread(dropout=0.01) > 0


@pytest.mark.parametrize(("kind", "pooling"), [*((kind, "architecture") for kind in tiny.KINDS), ("bert", "mean")])
def test_dropout_in_attention_is_what_the_recipe_says(bases: dict[str, Path], kind: str, pooling: str) -> None:
    def spread(share: float) -> float:
        built, base = tiny.built(bases[kind], TASK, pooling=pooling, attention_dropout=share)
        for name, module in built.model.named_modules():
            if isinstance(getattr(module, "p", None), float) and "attention.self" not in name and "attention.dropout" not in name:
                module.p = 0.0
        batch = base.tokenizer(["my parcel"] * 64, return_tensors="pt")
        torch.manual_seed(0)
        return float(built.model.train()(**batch).logits.std(0).max())

    assert spread(0.8) > 100 * spread(0.0)


def test_dropout_where_the_architecture_has_none_is_told(tmp_path: Path) -> None:
    from transformers import AutoModel, GPT2Config, T5Config

    folder = tmp_path / "gpt2"
    AutoModel.from_config(GPT2Config(vocab_size=300, n_embd=16, n_layer=1, n_head=2, n_positions=64)).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    built, _ = tiny.built(folder, TASK)
    assert built.new_modules == ("score",)
    with pytest.raises(UserError, match=r"the architecture 'gpt2' has no dropout of its own before the head"):
        tiny.built(folder, TASK, dropout=0.2)
    t5 = tmp_path / "t5"
    AutoModel.from_config(T5Config(vocab_size=300, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)).save_pretrained(t5)
    tiny.tokenizer().save_pretrained(t5)
    with pytest.raises(UserError, match=r"the architecture 't5' has no dropout of its own in its attention"):
        tiny.built(t5, TASK, attention_dropout=0.2)
    lora, _ = tiny.built(folder, TASK, "lora")
    assert lora.targets == ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"), "its layers are not nn.Linear"


@pytest.mark.parametrize(("precision", "dtype"), [("bfloat16", torch.bfloat16), ("float16", torch.float16)])
@pytest.mark.parametrize("pooling", ["architecture", "mean"])
def test_weights_have_the_precision_of_the_recipe_from_loading_to_saving(
    bases: dict[str, Path], tmp_path: Path, precision: str, dtype: Any, pooling: str
) -> None:
    settings = ModelSettings(base=str(bases["bert"]), precision=precision, pooling=pooling)  # type: ignore[arg-type]
    built, base = tiny.built(bases["bert"], TASK, precision=precision, pooling=pooling)
    assert {weight.dtype for weight in built.model.parameters()} == {dtype}
    save(built.model, tmp_path / "model", base.tokenizer, TASK, TASKS.spec(TASK), settings, 64)
    assert {value.dtype for value in load_file(tmp_path / "model" / "model.safetensors").values()} == {dtype}
    assert {weight.dtype for weight in Predictor.load(tmp_path / "model").model.parameters()} == {dtype}


def test_a_base_saved_in_half_precision_is_trained_in_full(tmp_path: Path) -> None:
    from transformers import AutoModel

    folder = tiny.base_folder(tmp_path / "half")
    AutoModel.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    built, _ = tiny.built(folder, TASK)
    assert {weight.dtype for weight in built.model.parameters()} == {torch.float32}


@pytest.mark.parametrize(("rank", "alpha", "rslora"), [(2, None, False), (4, None, False), (2, 1.5, False), (4, None, True)])
def test_each_setting_of_lora_is_obeyed(bases: dict[str, Path], rank: int, alpha: float | None, rslora: bool) -> None:
    from peft.tuners.lora import LoraLayer

    built, _ = tiny.built(bases["bert"], TASK, {"name": "lora", "rank": rank, "alpha": alpha, "rslora": rslora, "dropout": 0.3})
    layers = [module for module in built.model.modules() if isinstance(module, LoraLayer)]
    assert len(layers) == 2 * 6, "query, key, value, output and both feed-forward layers of two blocks; not the head"
    scale = (alpha or 2 * rank) / (rank**0.5 if rslora else rank)
    for layer in layers:
        assert layer.lora_A["default"].weight.shape[0] == rank
        assert layer.scaling["default"] == pytest.approx(scale)
        assert layer.lora_dropout["default"].p == 0.3


@pytest.mark.parametrize("method", METHODS_TRIED)
@pytest.mark.parametrize("pooling", ["architecture", "mean"])
def test_a_skeleton_has_the_shape_of_the_model_and_reads_no_weights(
    tmp_path: Path, bases: dict[str, Path], method: str, pooling: str
) -> None:
    from shutil import copytree

    folder = Path(copytree(bases["roberta"], tmp_path / "bare"))
    built, base = tiny.built(folder, TASK, METHODS_TRIED[method], pooling=pooling)
    (folder / "model.safetensors").unlink()
    drawn = skeleton(base, ModelSettings(base=str(folder), pooling=pooling), TASK, METHODS.build(METHODS_TRIED[method]))  # type: ignore[arg-type]

    def shapes(model: Any) -> dict[str, Any]:
        return {name: (tuple(weight.shape), weight.requires_grad) for name, weight in model.named_parameters() if "pooler" not in name}

    assert shapes(drawn) == shapes(built.model)


def broken(folder: Path, how: str) -> None:
    path = folder / "model.safetensors"
    data = path.read_bytes()
    if how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "a cut header":
        path.write_bytes(data[:20])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "missing":
        path.unlink()
    elif how == "noise":
        path.write_bytes(b"\xff" * 5000)
    elif how == "of another architecture":
        save_file({"some.weight": torch.zeros(3)}, path, metadata={"format": "pt"})
    elif how == "of another size":
        weights = load_file(path)
        save_file(
            {name: torch.zeros([side + 1 for side in value.shape]) for name, value in weights.items()}, path, metadata={"format": "pt"}
        )
    elif how == "without a layer":
        weights = load_file(path)
        save_file({name: value for name, value in weights.items() if ".1." not in name}, path, metadata={"format": "pt"})


DAMAGES = ["truncated", "a cut header", "empty", "missing", "noise", "of another architecture", "of another size", "without a layer"]


@pytest.mark.parametrize("pooling", ["architecture", "mean"])
@pytest.mark.parametrize("how", DAMAGES)
def test_weights_that_cannot_serve_are_told(bases: dict[str, Path], tmp_path: Path, how: str, pooling: str) -> None:
    from shutil import copytree

    folder = Path(copytree(bases["bert"], tmp_path / "broken"))
    broken(folder, how)
    with pytest.raises(UserError, match=r"the weights of model.base .* (cannot be loaded|lack \d+ of the encoder's own)"):
        tiny.built(folder, TASK, pooling=pooling)


def test_a_head_for_other_labels_is_drawn_anew(bases: dict[str, Path], tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    folder = tmp_path / "five"
    AutoModelForSequenceClassification.from_pretrained(bases["bert"], num_labels=5).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    built, _ = tiny.built(folder, TASK)
    assert built.new_modules == ("classifier",)
    assert built.model.config.num_labels == 3 and built.model.config.id2label == dict(enumerate(TASK.labels))


@pytest.fixture(scope="module")
def specialist(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("specialist"), bases["bert"], "full")


def test_batches_of_one_and_of_many_answer_alike_and_keep_the_order(specialist: Made) -> None:
    loaded = Predictor.load(specialist.folder)
    one, many = Predictor.load(specialist.folder, batch_size=1), Predictor.load(specialist.folder, batch_size=7)
    wanted = [loaded.predict([row])[0] for row in ROWS]
    same_answers(one.predict(ROWS), wanted)
    same_answers(many.predict(ROWS), wanted)
    assert len({answer["label"] for answer in wanted}) == 3, "the specialist learned something"
    assert proof.prove_batching(loaded, ROWS)["rows"] == len(ROWS)


def test_texts_rows_and_pairs_are_answered_and_a_mixture_is_refused(specialist: Made) -> None:
    loaded = Predictor.load(specialist.folder)
    assert loaded.predict(["my parcel"]) == loaded.predict([{"text": "my parcel", "label": "billing", "other": 3}])
    pair = loaded.predict([("my parcel", "is late")])
    assert pair == loaded.predict([{"text": "my parcel", "text_pair": "is late"}])
    assert pair != loaded.predict(["my parcel"])
    with pytest.raises(UserError, match="1 of 2 rows have a text_pair"):
        loaded.predict(["my parcel", ("my parcel", "is late")])
    assert loaded.predict([]) == []


def test_a_stream_holds_no_more_than_a_window_of_rows(specialist: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict_module, "WINDOW", 4)
    loaded, taken = Predictor.load(specialist.folder), 0

    def endless() -> Any:
        nonlocal taken
        while True:
            taken += 1
            yield ROWS[taken % len(ROWS)]

    stream = loaded.stream(endless())
    for number in range(10):
        answer = next(stream)
        assert answer["probabilities"] == pytest.approx(specialist.answers[(number + 1) % len(ROWS)]["probabilities"], abs=2e-5)
        assert taken <= number + 4


def test_answering_leaves_the_model_as_it_was(specialist: Made) -> None:
    loaded = Predictor.load(specialist.folder)
    for training in (True, False):
        loaded.model.train(training)
        first, second = loaded.predict(ROWS[:3]), loaded.predict(ROWS[:3])
        assert first == second, "without dropout"
        assert loaded.model.training is training


def test_a_folder_that_is_no_specialist_is_told(tmp_path: Path, bases: dict[str, Path]) -> None:
    for folder in (tmp_path, bases["bert"]):
        with pytest.raises(UserError, match=r"holds no trained model.*tunewright run RECIPE"):
            Predictor.load(folder)


def test_longer_rows_are_cut_at_max_tokens(specialist: Made) -> None:
    kept = json.loads((specialist.folder / SPECIALIST).read_text())
    assert kept["max_tokens"] == 64
    loaded = Predictor.load(specialist.folder)
    long = "parcel " * 50
    assert loaded.predict([long]) == loaded.predict([long[:62]]), "62 bytes and two marks"
    loaded.max_tokens = 20
    assert loaded.predict([long]) == loaded.predict([long[:18]]) != loaded.predict(["x" * 18])


@pytest.mark.slow
def test_the_proof_passes_for_what_was_trained_and_fails_when_a_weight_changes(specialist: Made, tmp_path: Path) -> None:
    from shutil import copytree

    found = proof.prove(specialist.folder, Predictor.load(specialist.folder), ROWS, specialist.answers, "architecture")
    assert found["ok"] and found["rows"] == found["same_labels"] == len(ROWS)
    assert found["largest_difference"] < 1e-4 and found["loaded_with"] == "transformers.pipeline"
    changed = Path(copytree(specialist.folder, tmp_path / "changed"))
    weights = load_file(changed / "model.safetensors")
    weights["classifier.bias"][1] += 0.1
    save_file(weights, changed / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ProofFailed, match=r"does not answer as the trained one: 24 of 24 rows differ") as caught:
        proof.prove(changed, Predictor.load(changed), ROWS, specialist.answers, "architecture")
    assert caught.value.exit_code == 5


def answered(monkeypatch: pytest.MonkeyPatch, probabilities: list[dict[str, float]]) -> None:
    """What the fresh process says; the process itself is tried in the test above."""
    monkeypatch.setattr(proof, "_ask_fresh_process", lambda folder, asked: {"answers": probabilities, "loaded_with": "x"})


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"a": 0.6, "b": 0.41}, "1 of 1 rows differ, by 0.01 at most"),
        ({"a": float("nan"), "b": 0.4}, "1 of 1 rows differ, some beyond comparison"),
        ({"LABEL_0": 0.6, "LABEL_1": 0.4}, "some beyond comparison, as with other labels"),
        ({"a": 0.6}, "other labels"),
    ],
)
def test_each_way_to_differ_fails_the_proof(
    specialist: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: dict[str, float], said: str
) -> None:
    answered(monkeypatch, [found])
    trained = [{"label": "a", "probabilities": {"a": 0.6, "b": 0.4}}]
    with pytest.raises(ProofFailed, match=said):
        proof.prove(tmp_path, Predictor.load(specialist.folder), [{"text": "x"}], trained, "architecture")


def test_answers_that_depend_on_the_batch_fail_the_proof(specialist: Made) -> None:
    class Mixing(type(specialist.task)):  # type: ignore[misc]
        """Lets the size of the batch leak into the answer."""

        def infer(self, model: Any, batch: Any) -> Any:
            return [row * len(batch["input_ids"]) for row in super().infer(model, batch)]

    loaded = Predictor.load(specialist.folder)
    mixing = Predictor(loaded.model, loaded.tokenizer, Mixing(labels=TASK.labels), 64)
    with pytest.raises(ProofFailed, match="a row alone and in a batch get different answers"):
        proof.prove_batching(mixing, ROWS)


def test_the_child_of_the_proof_leans_on_nothing_of_ours() -> None:
    import ast

    tree = ast.parse(proof.CHILD.read_text())
    named = {
        node.module if isinstance(node, ast.ImportFrom) else one.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for one in node.names
    }
    assert {"transformers", "sentence_transformers"} <= named
    assert not [name for name in named if str(name).startswith("tunewright")]


@pytest.mark.parametrize("method", METHODS_TRIED)
def test_a_pooler_that_the_base_brings_belongs_to_the_head_but_is_not_new(tmp_path: Path, method: str) -> None:
    folder = tiny.base_folder(tmp_path / "pooled", pooler=True)
    built, _ = tiny.built(folder, TASK, METHODS_TRIED[method])
    assert built.new_modules == ("classifier",)
    assert {name.split(".")[-2].replace("default", "dense") for name in built.head_weights} >= {"dense"}
    assert len(built.head_weights) == 4, "weight and bias of the pooler and of the classifier"
    kept = load_file(folder / "model.safetensors")["pooler.dense.weight"]
    assert any(torch.equal(weight, kept) for name, weight in built.model.named_parameters() if name in built.head_weights)
