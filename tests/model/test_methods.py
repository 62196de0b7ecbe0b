"""Every method of the registry, on every kind of encoder: what it trains, what it saves, and that the same answers come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests import tiny
from tests.engines.test_contract import cut, engine
from tests.model.test_specialist import ROWS, TASK, same_answers, train
from tunewright.core.errors import UserError
from tunewright.model import proof
from tunewright.model.build import head_modules, save
from tunewright.model.methods import METHODS
from tunewright.model.predict import Predictor
from tunewright.model.settings import ModelSettings
from tunewright.model.size import size_of
from tunewright.tasks import TASKS
from tunewright.train import ENGINES

SMALL: dict[str, dict[str, Any]] = {
    "lora": {"rank": 2},
    "qlora": {"rank": 2},
    "adapter": {"width": 4},
    "prompt": {"virtual_tokens": 3},
    "p-tuning": {"virtual_tokens": 3, "width": 8},
    "prefix": {"virtual_tokens": 3},
}
"""Settings that fit a model of width 16."""
NAMES = sorted(METHODS.places())
HEADS = ("AutoModelForSequenceClassification", "AutoModelForTokenClassification", "AutoModelForQuestionAnswering")


def spec(name: str) -> dict[str, Any]:
    return {"name": name, **SMALL.get(name, {})}


def why_not(name: str, kind: str) -> str:
    """The reason for which a method does not go with a kind of encoder; empty when it does."""
    try:
        METHODS.build(spec(name)).suits(tiny.config(kind), 64, tiny.POSITIONS)
    except UserError as error:
        return str(error)
    return ""


TRIED = [(kind, name) for kind in tiny.KINDS for name in NAMES if not why_not(name, kind)]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("bases")
    return {kind: tiny.base_folder(root / kind, kind) for kind in tiny.KINDS}


class Made:
    """A specialist trained for a moment with a method, saved as a run saves it."""

    def __init__(self, root: Path, base: Path, name: str, **settings: Any) -> None:
        self.method, self.settings = METHODS.build(spec(name)), ModelSettings(base=str(base), **settings)
        self.built, found = tiny.built(base, TASK, spec(name), **settings)
        self.tokenizer, model = found.tokenizer, self.built.model
        self.trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
        self.size, self.before = size_of(model), tiny.weights(model)
        train(model, self.tokenizer)
        self.after = tiny.weights(model)
        self.answers = Predictor(model, self.tokenizer, TASK, 64).predict(ROWS)
        self.alone = Predictor(model, self.tokenizer, TASK, 64, batch_size=1).predict(ROWS)
        self.has_adapter = self.method.save_adapter(model, root / "adapter")
        self.plain = self.method.merge(model)
        self.folder, self.adapter = root / "model", root / "adapter"
        beside = None if self.method.merges else (METHODS.spec(self.method), self.adapter)
        save(self.plain, self.folder, self.tokenizer, TASK, TASKS.spec(TASK), self.settings, 64, method=beside)


@pytest.fixture(scope="module", params=TRIED, ids="-".join)
def made(request: pytest.FixtureRequest, bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Made:
    kind, name = request.param
    return Made(tmp_path_factory.mktemp("made"), bases[kind], name)


def test_enough_is_tried() -> None:
    assert len(NAMES) >= 8 and len(TRIED) >= 8 * len(tiny.KINDS) - 3


def test_only_what_is_trained_changes_and_the_head_is_among_it(made: Made) -> None:
    moved = {name for name, value in made.before.items() if not torch.equal(value, made.after[name])}
    assert moved <= made.trained
    assert made.built.head_weights and made.built.head_weights <= moved
    if METHODS.name_of(made.method) != "head":
        assert moved - made.built.head_weights, "more than the head is trained"


def test_the_numbers_are_told_in_the_familiar_line(made: Made) -> None:
    trained = sum(made.before[name].numel() for name in made.trained)
    assert made.size.trainable == trained
    assert made.size.line.startswith(f"trainable params: {trained:,} || all params: {made.size.parameters:,} || trainable%: ")


def test_the_saved_model_gives_the_same_answers(made: Made) -> None:
    same_answers(Predictor.load(made.folder).predict(ROWS), made.answers, close=1e-5)


def test_a_batch_of_one_equals_a_batch_of_many(made: Made) -> None:
    same_answers(made.alone, made.answers, close=1e-5)


def test_merging_changes_answers_by_no_more_than_rounding(made: Made) -> None:
    merged = Predictor(made.plain, made.tokenizer, TASK, 64)
    if made.method.merges:
        same_answers(merged.predict(ROWS), made.answers, close=1e-5)
        found = proof.prove_merging(merged, ROWS, made.answers, "float32", made.method.quantize)
        assert found["rows"] == found["same_labels"] == len(ROWS) and found["largest_difference"] <= 1e-5
    else:
        assert merged.predict(ROWS) != made.answers, "without what was trained beside it, it answers otherwise"


def test_the_small_artefact_is_small_and_what_is_saved_is_safe(made: Made) -> None:
    files = [path for folder in (made.folder, made.adapter) for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".txt", ".jinja"}, "no pickle"
    if METHODS.name_of(made.method) != "full":
        assert made.has_adapter
        assert sum(path.stat().st_size for path in made.adapter.glob("*.safetensors")) < 4 * made.size.trainable * 2 + 8192


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lora", "adapter", "prefix"])  # all of them, with every task: tests/contracts/test_tasks.py
def test_a_fresh_process_without_our_code_gives_the_same_answers(bases: dict[str, Path], tmp_path: Path, name: str) -> None:
    one = Made(tmp_path, bases["bert"], name)
    found = proof.prove(one.folder, Predictor.load(one.folder), ROWS, one.answers, "architecture")
    assert found["same_labels"] == len(ROWS) and found["largest_difference"] < 1e-4
    assert (found["loaded_with"] == "transformers.pipeline") == one.method.merges


@pytest.mark.slow
def test_a_sentence_encoder_with_adapters_gives_the_same_answers_without_our_code(bases: dict[str, Path], tmp_path: Path) -> None:
    one = Made(tmp_path, bases["bert"], "adapter", pooling="mean")
    found = proof.prove(one.folder, Predictor.load(one.folder), ROWS, one.answers, "mean")
    assert found["same_labels"] == len(ROWS) and found["largest_difference"] < 1e-4
    assert found["loaded_with"] == "sentence_transformers, with the lines of the model card"


@pytest.mark.parametrize("name", [name for name in NAMES if not METHODS.get(name).merges])
def test_what_does_not_merge_cannot_be_taken_for_a_plain_model(bases: dict[str, Path], tmp_path: Path, name: str) -> None:
    from transformers import AutoModelForSequenceClassification

    one = Made(tmp_path, bases["bert"], name)
    with pytest.raises((ValueError, OSError)):
        AutoModelForSequenceClassification.from_pretrained(one.folder)
    AutoModelForSequenceClassification.from_pretrained(one.folder / "base")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fit", sorted(ENGINES))
def test_four_uneven_micro_batches_have_the_gradient_of_the_whole(still: Path, tmp_path: Path, fit: str, name: str) -> None:
    some, ends = tiny.rows(15), {}
    for cuts in ((15,), (4, 5, 4, 2)):
        settings: dict[str, Any] = {"learning_rate": 0.5, "head_learning_rate": 0.5, "warmup": 0, "clip": 0, "weight_decay": 0}
        job = tiny.job(
            tmp_path / str(len(cuts)),
            still,
            some,
            method=spec(name),
            order=cut(*cuts),
            accumulate=len(cuts),
            batch_size=len(cuts) * 3,
            schedule="constant",
            optimizer="sgd",
            **settings,
        )
        before = tiny.weights(job.model)
        after = tiny.weights(engine(fit)(job).model)
        ends[cuts] = {name: (value - before[name]) / 0.5 for name, value in after.items() if value.is_floating_point()}
    one, other = ends.values()
    assert any(bool(value.abs().max() > 1e-4) for value in one.values())
    for weight, value in one.items():
        torch.testing.assert_close(value, other[weight], rtol=0, atol=1e-5, msg=lambda told, weight=weight: f"{weight}: {told}")


@pytest.mark.parametrize(("kind", "name"), [one for one in TRIED if one[1] != "qlora"])
@pytest.mark.parametrize("head", HEADS)
def test_a_method_serves_every_head_or_says_why_not(kind: str, name: str, head: str) -> None:
    import transformers

    method = METHODS.build(spec(name))
    if why := method.refuses(head, ModelSettings(base="x")):
        assert "use method: lora" in why and name in why
        return
    torch.manual_seed(0)
    plain = getattr(transformers, head).from_config(tiny.config(kind, num_labels=2))
    modules = head_modules(plain, ())
    model = method.apply(plain, modules)
    rows = torch.randint(9, 200, (3, 11))
    found = model(input_ids=rows, attention_mask=torch.ones_like(rows))
    logits = found.start_logits if head.endswith("QuestionAnswering") else found.logits
    assert logits.shape == ((3, 2) if head.endswith("SequenceClassification") else (3, 11) + ((2,) if "Token" in head else ()))
    logits.square().sum().backward()
    weights = dict(model.named_parameters())
    assert method.head_weights(model, modules)
    assert all(weights[one].grad is not None for one in method.head_weights(model, modules))


def test_the_reasons_for_which_a_method_is_refused_name_what_would_fit() -> None:
    for kind in ("distilbert", "deberta-v2", "modernbert"):
        assert "takes no keys and values from outside" in why_not("prefix", kind) and "Use method: prompt, lora" in why_not("prefix", kind)
    prompt, mean = METHODS.build("prompt"), ModelSettings(base="x", pooling="mean")
    assert "an answer per token: use method: lora, ia3 or adapter" in prompt.refuses(HEADS[1], ModelSettings(base="x"))
    assert "model.pooling: mean" in prompt.refuses(HEADS[0], mean) and not METHODS.build("lora").refuses(HEADS[0], mean)
    assert "is not known for this task" in prompt.refuses("AutoModelForMaskedLM", ModelSettings(base="x"))
    with pytest.raises(UserError, match=r"are 132 places, and this model has 128.*Set model.max_tokens: 108"):
        prompt.suits(tiny.config(), 112, 128)


def test_a_network_whose_layers_have_other_names_is_told(bases: dict[str, Path]) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
    for name in ("adapter", "ia3"):
        with pytest.raises(UserError, match=r"Sequential has no layers whose names are those of .*method: lora"):
            METHODS.build(name).apply(model, ("1",))


@pytest.mark.parametrize("pooling", ["architecture", "mean"])
@pytest.mark.parametrize("name", ["full", "lora", "adapter", "ia3"])
def test_tokens_that_the_base_does_not_know_get_embeddings_that_are_trained_and_saved(
    bases: dict[str, Path], tmp_path: Path, name: str, pooling: str
) -> None:
    from shutil import copytree

    folder = Path(copytree(bases["bert"], tmp_path / "more"))
    tokenizer = tiny.tokenizer()
    tokenizer.add_tokens(["parcel", "invoice"])
    tokenizer.save_pretrained(folder)
    one = Made(tmp_path, folder, name, pooling=pooling)
    words = next(key for key in one.trained if key.endswith("word_embeddings.weight") or "word_embeddings.modules_to_save" in key)
    assert len(one.after[words]) == len(tokenizer) == 263
    assert not torch.equal(one.before[words], one.after[words]) and words not in one.built.head_weights
    same_answers(Predictor.load(one.folder).predict(ROWS), one.answers)
