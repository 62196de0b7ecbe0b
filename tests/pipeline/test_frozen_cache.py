"""The cache of frozen layers: the same weights as without it, for every family, and refused where rows change."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import tiny
from tunewright.core.chance import seed_for
from tunewright.core.errors import BadConfig, UserError
from tunewright.model.build import build as build_model
from tunewright.model.frozen import STATES
from tunewright.model.states import opened
from tunewright.pipeline import frozen as cache
from tunewright.pipeline.frozen import frozen_states, plan_bytes
from tunewright.pipeline.job import job_of, scorer
from tunewright.pipeline.make_plan import make_plan
from tunewright.pipeline.plan import Plan
from tunewright.pipeline.prepare import prepare
from tunewright.pipeline.recipe import build, put
from tunewright.train import engine

LAYERS = 3
FAMILIES: dict[str, dict[str, Any]] = {
    "bert": {"kind": "bert", "num_hidden_layers": LAYERS},
    "roberta": {"kind": "roberta", "num_hidden_layers": LAYERS},
    "distilbert": {"kind": "distilbert", "n_layers": LAYERS},
    "deberta-v2": {"kind": "deberta-v2", "num_hidden_layers": LAYERS, "conv_kernel_size": 3},
    "deberta-v3": {
        "kind": "deberta-v2", "num_hidden_layers": LAYERS, "share_att_key": True, "position_buckets": 4, "norm_rel_ebd": "layer_norm",
        "position_biased_input": False,
    },
    "modernbert": {"kind": "modernbert", "num_hidden_layers": LAYERS, "global_attn_every_n_layers": 2, "local_attention": 8},
    "llama": {"kind": "llama", "num_hidden_layers": LAYERS, "num_key_value_heads": 1},
}  # fmt: skip
METHODS: dict[str, Any] = {
    "head": "head",
    "top-layers": {"name": "top-layers", "k": 2},
    "lora": {"name": "lora", "layers": 1, "rank": 2},
}


class Lab:
    def __init__(self, root: Path) -> None:
        self.root = root
        for name, options in FAMILIES.items():
            tiny.base_folder(root / name, **options)
        with (root / "rows.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["text", "label"])
            writer.writeheader()
            writer.writerows({**row, "text": f"{row['text']} {at}"} for at, row in enumerate(tiny.rows(50)))

    def plan(self, family: str = "bert", method: Any = "head", **changes: Any) -> Plan:
        values: dict[str, Any] = {
            "task": "text-classification",
            "data": {"source": str(self.root / "rows.csv")},
            "model": {"base": str(self.root / family), "max_tokens": 64},
            "method": method,
            "train": {"epochs": 1, "batch_size": 8, "learning_rate": 0.05, "head_learning_rate": 0.1, "precision": "fp32", "clip": 0,
                      "weight_decay": 0, "optimizer": "sgd"},
            "evaluate": {"baselines": []},
            "output_dir": str(self.root),
        }  # fmt: skip
        for key, value in changes.items():
            put(values, key, value)
        recipe = build(values)
        return make_plan(recipe, self.root, prepare(recipe, self.root))

    def built(self, plan: Plan) -> Any:
        recipe = plan.recipe
        made = build_model(plan.base, recipe.model, recipe.task, recipe.method, seed_for(recipe.seed, "head"))
        still_above(made)
        return made

    def trained(self, folder: Path, plan: Plan) -> tuple[dict[str, Any], dict[str, Any], Any]:
        """Weights before and after an epoch, and the cache it was done with."""
        made = self.built(plan)
        frozen = frozen_states(plan, made)
        before = tiny.weights(made.model)
        run = engine("trainer")(job_of(folder, plan, made, scorer(plan, frozen), None, frozen=frozen))
        return before, tiny.weights(run.model), frozen


def still_above(made: Any) -> None:
    """No dropout above the frozen layers; below, it stands as the configuration has it."""
    inside = {id(module) for part in (made.frozen._below, *made.frozen.layers) for module in part.modules()} if made.frozen else set()
    for module in made.model.modules():
        if id(module) not in inside:
            for name in ("p", "dropout_prob", "attention_dropout"):
                if isinstance(getattr(module, name, None), float):
                    setattr(module, name, 0.0)
            if isinstance(getattr(module, "dropout", None), float):
                module.dropout = 0.0


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("frozen"))


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_an_epoch_with_the_cache_gives_the_weights_of_one_without(lab: Lab, tmp_path: Path, family: str, method: str) -> None:
    ends = {}
    for kept in ("float32", "never"):
        before, ends[kept], frozen = lab.trained(tmp_path / kept, lab.plan(family, METHODS[method], **{"train.frozen_cache": kept}))
        assert (frozen is not None) == (kept == "float32")
    moved = {name for name, value in ends["never"].items() if not torch.equal(value, before[name])}
    assert moved, "nothing was trained"
    for name, value in ends["never"].items():
        torch.testing.assert_close(ends["float32"][name], value, atol=1e-5, rtol=0, msg=lambda told, name=name: f"{name}: {told}")


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_what_is_frozen_stays_and_drops_nothing_out(lab: Lab, tmp_path: Path, family: str) -> None:
    plan = lab.plan(family, METHODS["top-layers"], **{"train.frozen_cache": "never"})
    before, after, _ = lab.trained(tmp_path, plan)
    layer = ".2." if family != "distilbert" else "layer.2."
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert any(layer in name for name in moved)
    assert not [name for name in moved if ".layer.0." in name or ".layers.0." in name or "embed" in name]
    made = lab.built(plan)
    made.model.train()
    batch = {name: torch.tensor([value]) for name, value in plan.train[1].pieces[0].items() if name != "labels"}
    for module in made.model.modules():  # only what lies below could differ now
        module.training = True
    with torch.no_grad():
        answers = [made.model(**batch).logits for _ in range(4)]
    assert all(torch.equal(one, answers[0]) for one in answers)


@pytest.mark.parametrize("side", ["right", "left"])
def test_rows_are_kept_without_padding_and_padded_as_the_tokenizer_does(lab: Lab, side: str) -> None:
    plan = lab.plan("llama", "head", **{"train.frozen_cache": "float32"})
    plan.base.tokenizer.padding_side = side
    made = lab.built(plan)
    frozen = frozen_states(plan, made)
    assert frozen is not None
    tokens = sum(plan.train[1].lengths) + sum(plan.validation[1].lengths)
    assert frozen.bytes == plan_bytes(plan) == tokens * 16 * 4
    some = [frozen.train.pieces[at] for at in (3, 17, 5)]
    batch = frozen.train.collate(some)
    for states, mask, piece in zip(batch[STATES], batch["attention_mask"].bool(), some, strict=True):
        assert int(mask.sum()) == len(piece["input_ids"]) and not states[~mask].any() and states[mask].abs().sum(1).min() > 0
    whole = {name: value for name, value in batch.items() if name not in {STATES, "labels"}}
    short = {name: value for name, value in batch.items() if name != "labels"}
    made.model.eval()
    with torch.no_grad():
        torch.testing.assert_close(made.model(**short).logits, made.model(**whole).logits, atol=1e-5, rtol=0)


def test_half_precision_is_the_default_and_halves_the_file(lab: Lab) -> None:
    half, whole = lab.plan(), lab.plan(**{"train.frozen_cache": "float32"})
    assert plan_bytes(half) * 2 == plan_bytes(whole)
    one, other = (frozen_states(plan, lab.built(plan)) for plan in (half, whole))
    assert one is not None and other is not None
    states = [frozen.train.collate([frozen.train.pieces[at] for at in range(4)])[STATES] for frozen in (one, other)]
    assert states[0].dtype == states[1].dtype == torch.float32
    torch.testing.assert_close(states[0], states[1], atol=2e-3, rtol=2e-3)
    assert not torch.equal(states[0], states[1])


def test_values_beyond_half_precision_are_kept_in_full(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = lab.plan("roberta")
    made = lab.built(plan)
    with torch.no_grad():
        made.frozen.layers[-1].output.LayerNorm.weight.mul_(1e6)
    told: list[str] = []
    monkeypatch.setattr(cache, "say", told.append)
    frozen = frozen_states(plan, made)
    assert frozen is not None and frozen.bytes == 2 * plan_bytes(plan)
    assert any("do not fit into half precision" in line for line in told)


def test_the_cache_is_found_again_by_content_and_weights(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = lab.plan("distilbert")
    told: list[str] = []
    monkeypatch.setattr(cache, "say", told.append)

    def computed(plan: Plan, made: Any) -> int:
        told.clear()
        assert frozen_states(plan, made) is not None
        return len([line for line in told if line.startswith("Computing")])

    assert computed(plan, lab.built(plan)) == 2
    assert computed(plan, lab.built(plan)) == 0
    assert computed(lab.plan("distilbert", **{"model.max_tokens": 12}), lab.built(plan)) == 2
    changed = lab.built(plan)
    with torch.no_grad():
        changed.frozen.layers[0].output_layer_norm.bias.add_(0.01)
    assert computed(plan, changed) == 2
    assert computed(lab.plan("distilbert", METHODS["top-layers"]), lab.built(lab.plan("distilbert", METHODS["top-layers"]))) == 2


def test_a_damaged_file_is_made_again(lab: Lab) -> None:
    plan = lab.plan("modernbert")
    first = frozen_states(plan, lab.built(plan))
    assert first is not None
    states = first.train.collate._states  # type: ignore[attr-defined]
    file = states.folder / "states.bin"
    good = file.read_bytes()
    file.write_bytes(good[:100] + bytes([good[100] ^ 1]) + good[101:])
    again = frozen_states(plan, lab.built(plan))
    assert again is not None and file.read_bytes() == good
    for name in ("about.json", "starts.npy"):
        whole = (states.folder / name).read_bytes()
        for at in range(len(whole)):
            (states.folder / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
            assert opened(states.folder) is None, (name, at)
        (states.folder / name).write_bytes(whole)
    assert opened(states.folder) is not None


def test_the_looks_at_validation_rows_see_the_same_scores(lab: Lab) -> None:
    plan = lab.plan("bert", METHODS["top-layers"], **{"train.frozen_cache": "float32"})
    made = lab.built(plan)
    frozen = frozen_states(plan, made)
    short, whole = scorer(plan, frozen)(made.model), scorer(plan)(made.model)
    assert short == pytest.approx(whole, abs=1e-6)
    hidden = [0]

    def count(module: Any, inputs: Any, outputs: Any) -> None:
        hidden[0] += 1

    made.frozen.layers[0].attention.register_forward_hook(count)
    scorer(plan, frozen)(made.model)
    assert hidden == [0], "a frozen layer was computed again"
    scorer(plan)(made.model)
    assert hidden[0] > 0


def test_rows_that_change_are_refused_with_the_reason(lab: Lab) -> None:
    with pytest.raises(BadConfig, match="float16 cannot be had: a stream hands out other rows in each pass"):
        lab.plan(**{"train.frozen_cache": "float16", "data.streaming": True, "train.max_steps": 2})
    with pytest.raises(BadConfig, match=r"float32 cannot be had: train\.arguments.neftune_noise_alpha changes the rows in each epoch"):
        lab.plan(**{"train.frozen_cache": "float32", "train.arguments": {"neftune_noise_alpha": 5}})
    with pytest.raises(BadConfig, match="the method leaves none of the model's layers as they are"):
        lab.plan(method="full", **{"train.frozen_cache": "float16"})
    quiet = lab.plan(**{"train.arguments": {"neftune_noise_alpha": 5}})
    assert plan_bytes(quiet) == 0 and frozen_states(quiet, lab.built(quiet)) is None


def test_a_disk_without_room_is_told_before_anything_is_computed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "free_bytes", lambda folder: 10)
    assert plan_bytes(lab.plan()) == 0
    with pytest.raises(BadConfig, match=r"float16 cannot be had: it takes .* GB, and 0.0 GB are free"):
        lab.plan(**{"train.frozen_cache": "float16"})


def test_an_architecture_that_takes_no_shortcut_is_trained_without(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(made: Any) -> Any:  # its head looks at the embeddings too
        seen: list[Any] = []
        made.frozen.layers[0].attention.register_forward_hook(lambda module, inputs, outputs: seen.append(inputs[0]))
        made.model.classifier.register_forward_hook(lambda module, inputs, outputs: outputs + len(seen))
        made.model.register_forward_pre_hook(lambda module, inputs: seen.clear())
        return made

    told: list[str] = []
    monkeypatch.setattr(cache, "say", told.append)
    plan = lab.plan()
    assert frozen_states(plan, odd(lab.built(plan))) is None
    assert told == [
        "BertForSequenceClassification gives other answers when its frozen layers are left out: training without a cache of them"
    ]
    sure = lab.plan(**{"train.frozen_cache": "float16"})
    with pytest.raises(UserError, match="gives other answers when its frozen layers are left out"):
        frozen_states(sure, odd(lab.built(sure)))


@pytest.mark.parametrize(
    ("method", "key"), [({"name": "top-layers", "k": 4}, "method.k"), ({"name": "lora", "layers": 4}, "method.layers")]
)
def test_more_layers_than_the_model_has_are_refused(lab: Lab, method: Any, key: str) -> None:
    with pytest.raises(UserError, match=rf"{key} is 4, and this model has 3 layers"):
        lab.plan(method=method)


def test_half_precision_trains_nearly_the_same(lab: Lab, tmp_path: Path) -> None:
    ends = {}
    for kept in ("auto", "never"):
        before, ends[kept], frozen = lab.trained(tmp_path / kept, lab.plan("bert", METHODS["top-layers"], **{"train.frozen_cache": kept}))
        assert (frozen is not None) == (kept == "auto")
    moved = {name: float((value - before[name]).norm()) for name, value in ends["never"].items() if value.is_floating_point()}
    apart = {name: float((ends["auto"][name] - ends["never"][name]).norm()) for name in moved}
    assert sum(moved.values()) > 0 < sum(apart.values()) < 0.01 * sum(moved.values())
