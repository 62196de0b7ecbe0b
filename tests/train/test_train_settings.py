"""Every key of the ``train`` section changes what happens; a key without an entry here fails the count."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import PrivateAttr

from tests import tiny
from tunewright.core.errors import BadConfig, UserError
from tunewright.train import ENGINES, engine
from tunewright.train.callbacks.clock import Clock
from tunewright.train.callbacks.early_stop import EarlyStop
from tunewright.train.checkpoint import finished, step_of
from tunewright.train.run import Callback, Run
from tunewright.train.settings import TrainSettings, default_learning_rate

ROWS = tiny.rows(24)


class Told(Callback):
    """Everything that a run told, in the order of its steps."""

    _run: Any = PrivateAttr(None)
    _steps: list[dict[str, Any]] = PrivateAttr(default_factory=list)
    _evaluated: list[int] = PrivateAttr(default_factory=list)
    _saved: list[int] = PrivateAttr(default_factory=list)

    def step_end(self, run: Run) -> None:
        self._steps.append({"rate": run.learning_rate, "norm": run.grad_norm, "loss": run.loss, "tokens": run.tokens})

    def evaluated(self, run: Run) -> None:
        self._evaluated.append(run.step)

    def saved(self, run: Run) -> None:
        self._saved.append(run.step)


class Story:
    """A run and what came of it."""

    def __init__(self, folder: Path, base: Path, **settings: Any) -> None:
        self.told = Told()
        self.sizes: list[int] = []
        self.widths: list[int] = []
        patience = [EarlyStop(patience=settings["early_stopping"])] if settings.get("early_stopping") else []
        clock = Clock(save_minutes=settings.get("save_minutes"), stop_after_minutes=settings.get("stop_after_minutes"))
        guests = {"train_callbacks": settings.pop("callbacks")} if "callbacks" in settings else {}
        job = tiny.job(folder, base, ROWS, callbacks=[self.told, clock, *patience], **guests, **settings)

        def collate(pieces: Any) -> Any:
            batch = job.collate(pieces)
            self.sizes.append(len(pieces))
            self.widths.append(batch["input_ids"].shape[1])
            return batch

        self.before = tiny.weights(job.model)
        self.new = job.head_weights
        self.run = engine(job.settings.engine)(tiny.without(job, collate=collate))
        self.after = tiny.weights(self.run.model)
        self.rates = [step["rate"] for step in self.told._steps]
        self.losses = [step["loss"] for step in self.told._steps]
        self.left = {step_of(path) for path in finished(folder)}

    def moved(self, new: bool) -> float:
        """How far the weights of the head (or the others) went."""
        names = [name for name in self.before if (name in self.new) is new and self.before[name].is_floating_point()]
        return sum(float((self.after[name] - self.before[name]).abs().sum()) for name in names)

    @property
    def steps(self) -> int:
        return self.run.step

    @property
    def size(self) -> float:
        return sum(float(value.abs().sum()) for name, value in self.after.items() if name.endswith("query.weight"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.base_folder(tmp_path_factory.mktemp("base"), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


@pytest.fixture(scope="module")
def usual(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("usual"), base, **USUAL)


USUAL: dict[str, Any] = {"epochs": 2, "batch_size": 4, "warmup": 0.25, "weight_decay": 0.0, "clip": 0.0}
"""24 rows, 12 steps."""


def same_weights(one: Story, other: Story) -> bool:
    return all(torch.allclose(value, other.after[name], atol=1e-5) for name, value in one.after.items())


def exactly(one: Story, other: Story) -> bool:
    return all(torch.equal(value, other.after[name]) for name, value in one.after.items())


def other_update(new: Story, old: Story) -> bool:
    return not same_weights(new, old) and new.losses[:2] == old.losses[:2]


Check = Callable[[Story, Story], bool]
EFFECTS: list[tuple[str, dict[str, Any], Check]] = [
    ("epochs", {"epochs": 1}, lambda new, old: (new.steps, old.steps) == (6, 12)),
    ("epochs", {"epochs": 0.5}, lambda new, old: new.steps == 3 and new.run.epoch == 0.5),
    ("max_steps", {"max_steps": 5}, lambda new, old: new.steps == 5 and new.rates[-1] < old.rates[4]),
    ("max_steps", {"max_steps": 14}, lambda new, old: new.steps == 14),
    ("batch_size", {"batch_size": 8}, lambda new, old: set(new.sizes) == {8} and set(old.sizes) == {4} and new.steps == 6),
    (
        "batch_tokens",
        {"batch_tokens": 200},
        lambda new, old: max(size * width for size, width in zip(new.sizes, new.widths, strict=True)) <= 200 and len(set(new.sizes)) > 2,
    ),
    (
        "accumulate",
        {"accumulate": 2, "optimizer": {"name": "adamw", "epsilon": 1e-3}},
        lambda new, old: set(new.sizes) == {2} and new.steps == old.steps,
    ),
    (
        "learning_rate",
        {"learning_rate": 1e-4},
        lambda new, old: new.moved(False) < old.moved(False) / 3 and max(new.rates) == pytest.approx(1e-4),
    ),
    (
        "head_learning_rate",
        {"head_learning_rate": 1e-5},
        lambda new, old: new.moved(True) < old.moved(True) / 20 and new.rates == old.rates,
    ),
    ("warmup", {"warmup": 0.0}, lambda new, old: new.rates[0] == pytest.approx(1e-3) and old.rates[0] == 0 < old.rates[1] < old.rates[3]),
    (
        "schedule",
        {"schedule": "constant"},
        lambda new, old: new.rates[:4] == old.rates[:4] and new.rates[-1] == new.rates[4] > 5 * old.rates[-1],
    ),
    ("schedule", {"schedule": "cosine"}, lambda new, old: new.rates[3:] != old.rates[3:] and new.rates[-1] < old.rates[-1]),
    ("weight_decay", {"weight_decay": 20.0}, lambda new, old: new.size < 0.95 * old.size),
    (
        "clip",
        {"clip": 1e-7},
        lambda new, old: new.moved(False) < 0.95 * old.moved(False) and new.told._steps[0]["norm"] == old.told._steps[0]["norm"] > 0,
    ),
    ("bucket", {"bucket": False}, lambda new, old: sum(new.widths) > 1.2 * sum(old.widths) and sum(new.sizes) == sum(old.sizes)),
    ("precision", {"precision": "bf16"}, lambda new, old: new.losses[0] != old.losses[0] == pytest.approx(new.losses[0], rel=0.02)),
    ("evaluate_every", {"evaluate_every": 5}, lambda new, old: new.told._evaluated == [5, 10, 12] and old.told._evaluated == [6, 12]),
    ("save_every", {"save_every": 4}, lambda new, old: {4, 8, 12} <= set(new.told._saved) and not {4, 8} & set(old.told._saved)),
    (
        "save_total_limit",
        {"save_total_limit": 9, "save_every": 2},
        lambda new, old: new.left >= {2, 4, 6, 8, 10, 12} and len(old.left) <= 2,
    ),
    (
        "early_stopping",
        {"early_stopping": 2, "evaluate_every": 1, "learning_rate": 1e-9, "head_learning_rate": 1e-9},
        lambda new, old: new.steps == 3,
    ),
    (
        "best_by",
        {"best_by": "f1_macro"},
        lambda new, old: new.run.best_score == new.run.scores["f1_macro"] if new.run.best_step == 12 else new.run.best_step == 6,
    ),
    ("optimizer", {"optimizer": {"name": "adamw", "beta1": 0.1}}, lambda new, old: other_update(new, old)),
    ("optimizer", {"optimizer": {"name": "adamw", "beta2": 0.5}}, lambda new, old: other_update(new, old)),
    ("optimizer", {"optimizer": {"name": "adamw", "epsilon": 1e-2}}, lambda new, old: new.moved(False) < old.moved(False) / 2),
    (
        "optimizer",
        {"optimizer": {"name": "adamw", "fused": False}},
        lambda new, old: same_weights(new, old) and not exactly(new, old),
    ),
    ("optimizer", {"optimizer": "sgd"}, lambda new, old: not same_weights(new, old) and new.losses[0] == old.losses[0]),
    ("optimizer", {"optimizer": {"name": "sgd", "momentum": 0.9}, "learning_rate": 0.1}, lambda new, old: new.losses[3] != old.losses[3]),
    ("optimizer", {"optimizer": {"name": "torch.optim:Adagrad", "lr_decay": 0.1}}, lambda new, old: not same_weights(new, old)),
    ("no_decay", {"no_decay": ["*query.weight"], "weight_decay": 20.0}, lambda new, old: new.size > 0.95 * old.size),
    ("save_minutes", {"save_minutes": 1e-6}, lambda new, old: len(new.told._saved) == 12 > len(old.told._saved)),
    (
        "stop_after_minutes",
        {"stop_after_minutes": 1e-6},
        lambda new, old: new.steps == 1 and "train.stop_after_minutes are over" in new.run.stop and new.told._saved == [1],
    ),
    (
        "callbacks",
        {"callbacks": [{"name": "tests.train.guests:Ender", "step": 4}]},
        lambda new, old: new.steps == 4 and "train.callbacks" in new.run.stop,
    ),
    ("arguments", {"arguments": {"neftune_noise_alpha": 50.0}}, lambda new, old: new.losses[0] != old.losses[0]),
    ("schedule", {"schedule": {"name": "cosine", "cycles": 2}}, lambda new, old: new.rates[-1] > 3e-4 > old.rates[-1]),
    (
        "schedule",
        {"schedule": {"name": "torch.optim.lr_scheduler:ExponentialLR", "gamma": 0.5}, "warmup": 0},
        lambda new, old: new.rates[:4] == [1e-3, 5e-4, 2.5e-4, 1.25e-4],
    ),
    (
        "schedule",
        {"schedule": {"name": "transformers:get_polynomial_decay_schedule_with_warmup", "power": 2.0}},
        lambda new, old: new.rates[:4] == old.rates[:4] and 0 < new.rates[-1] < old.rates[-1] / 2,
    ),
    ("engine", {"engine": "trainer"}, lambda new, old: exactly(new, old) and new.losses == old.losses),
    ("engine", {"engine": "loop"}, lambda new, old: exactly(new, old) and new.losses == old.losses),
]


TRIED = [
    (driver, name, change, check)
    for name, change, check in EFFECTS
    for driver in sorted(ENGINES)
    if "engine" not in change and (driver == "trainer" or "arguments" not in change)
] + [(change["engine"], name, change, check) for name, change, check in EFFECTS if "engine" in change]


def test_every_key_has_an_effect_that_is_tried() -> None:
    # ``compile`` needs a compiler and minutes (tests/train/test_compile.py), ``frozen_cache`` a whole run (test_frozen_cache.py), and
    # ``watch_rows`` is the job's (tests/pipeline/test_recipe_keys.py)
    assert {name for name, _, _ in EFFECTS} | {"compile", "frozen_cache", "watch_rows"} == set(TrainSettings.model_fields)
    assert len(EFFECTS) >= 20 and {driver for driver, *_ in TRIED} == set(ENGINES)


@pytest.mark.parametrize(("driver", "name", "change", "check"), TRIED, ids=[f"{driver}-{name}" for driver, name, _, _ in TRIED])
def test_a_changed_key_changes_the_run(
    driver: str, name: str, change: dict[str, Any], check: Check, base: Path, usual: Story, tmp_path: Path
) -> None:
    assert check(Story(tmp_path, base, **{**USUAL, "engine": driver, **change}), usual), change


def test_gradient_checkpointing_gives_the_same_weights_and_is_really_on(base: Path, usual: Story, tmp_path: Path) -> None:
    story = Story(tmp_path, base, **USUAL, arguments={"gradient_checkpointing": True})
    assert [any(getattr(one, "gradient_checkpointing", False) for one in each.run.model.modules()) for each in (story, usual)] == [
        True,
        False,
    ]
    assert same_weights(story, usual)


@pytest.mark.parametrize("arguments", [{"neftune_noise_alpha": 5.0}, {"gradient_checkpointing": True}])
def test_what_the_trainer_asks_of_a_model_a_mean_pooled_one_gives_too(base: Path, tmp_path: Path, arguments: dict[str, Any]) -> None:
    story = Story(tmp_path, base, epochs=1, model={"pooling": "mean"}, arguments=arguments)
    assert story.steps == 3 and math.isfinite(story.losses[-1])


def test_rows_can_be_loaded_by_workers(base: Path, usual: Story, tmp_path: Path) -> None:
    story = Story(
        tmp_path,
        base,
        **USUAL,
        arguments={"dataloader_num_workers": 1, "dataloader_persistent_workers": True, "dataloader_prefetch_factor": 1},
    )
    assert same_weights(story, usual)
    assert len(story.sizes) == 1, "the batches were made elsewhere, but for the longest, which is tried before the first step"


def test_what_training_arguments_refuse_is_an_error_of_the_user(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"TrainingArguments refuses train.arguments: .*Correct or remove the field"):
        Story(tmp_path, base, arguments={"dataloader_prefetch_factor": 2})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"engine": "traner"}, "no engine is called 'traner'. Did you mean 'trainer'?"),
        ({"learning_rate": 2}, "a learning rate lies between 0 and 1"),
        ({"head_learning_rate": 0}, "a learning rate lies between 0 and 1"),
        ({"batch_size": 10, "accumulate": 4}, "batch_size 10 cannot be shared out over accumulate 4"),
        ({"epochs": 0}, "a number above 0 was wanted"),
        ({"warmup": 1}, "a number below 1 was wanted"),
        ({"schedule": "linera"}, "no schedule is called 'linera'. Did you mean 'linear'? Any other is named by where it stands"),
        ({"optimizer": "adam"}, "no optimizer is called 'adam'. Did you mean 'adamw'?"),
        ({"optimizer": {"name": "adamw", "betta1": 0.9}}, "did you mean 'beta1'?"),
        ({"callbacks": ["EarlyStoppingCallback"]}, "Any other is named by where it stands: package.module:Name"),
        ({"save_minutes": 0}, "a number above 0 was wanted"),
        ({"engine": "loop", "arguments": {"neftune_noise_alpha": 5.0}}, "take neftune_noise_alpha out, or set engine: trainer"),
        ({"arguments": {"torch_compile_mode": "default"}}, "torch_compile_mode says how to compile, and compile is false"),
        ({"precision": "fp8"}, "auto, fp32, bf16 or fp16 was wanted"),
        ({"early_stopping": 0}, "a number from 1 up was wanted"),
        ({"max_step": 3}, "did you mean 'max_steps'?"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        TrainSettings.read(settings)
    assert said in str(caught.value)


def test_numbers_that_yaml_reads_as_text_are_numbers() -> None:
    assert TrainSettings.read({"learning_rate": "1e-4"}).learning_rate == 1e-4


def test_the_default_learning_rate_goes_by_the_width() -> None:
    assert [default_learning_rate(width) for width in (384, 768, 1024)] == [2e-4, 5e-5, 2.8e-5]
    assert (default_learning_rate(16), default_learning_rate(8192)) == (5e-4, 1e-5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"optimizer": "torch.optim:Adagard"}, r"names nothing that can be called.*Did you mean 'Adagrad'"),
        ({"optimizer": {"name": "torch.optim:Adagrad", "momentum": 0.9}}, r"'torch.optim:Adagrad' raised TypeError.*momentum"),
        ({"optimizer": "no.such.package:Sgd"}, r"cannot be imported"),
        ({"optimizer": "torch.nn:Linear"}, r"train.optimizer: 'torch.nn:Linear' raised"),
        ({"schedule": "torch.optim.lr_scheduler:ExponentialLR"}, r"takes no num_warmup_steps, and train.warmup is 0.06.*train.warmup: 0"),
        ({"schedule": "torch.optim.lr_scheduler:ExponentialLR", "warmup": 0}, r"raised TypeError.*gamma"),
        ({"schedule": "torch.optim.lr_scheduler:ReduceLROnPlateau", "warmup": 0}, r"stepped once per update is wanted"),
        ({"callbacks": ["tests.tiny:rows"]}, r"train.callbacks: 'tests.tiny:rows' raised TypeError"),
        ({"callbacks": ["builtins:dict"]}, r"makes a dict.*Derive it from transformers.TrainerCallback"),
    ],
)
def test_what_is_named_by_import_path_is_tried_before_a_model_is_loaded(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        TrainSettings.read(settings).check()


@pytest.mark.parametrize("name", ["adamw", "sgd", "torch.optim:Adagrad"])
def test_a_part_is_written_as_it_was_named(name: str) -> None:
    settings = TrainSettings.read({"optimizer": name})
    assert settings.model_dump(mode="json")["optimizer"]["name"] == name
    assert TrainSettings.read({"optimizer": settings.model_dump(mode="json")["optimizer"]}) == settings
    settings.check()
