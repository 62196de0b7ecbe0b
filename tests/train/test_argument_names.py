from __future__ import annotations

import dataclasses
from importlib import import_module

import pytest

from tunewright.core.errors import BadConfig, UserError
from tunewright.train.argument_names import OURS, TODAY, UNFIT, YESTERDAY
from tunewright.train.settings import TrainSettings

SINCE_FIRST = {"activation_checkpointing", "activation_checkpointing_kwargs"}
"""Fields that came after the oldest release of transformers that is admitted."""


def test_the_names_of_today_are_those_of_the_installed_release() -> None:
    from transformers import TrainingArguments

    installed = {field.name for field in dataclasses.fields(TrainingArguments)}
    assert len(installed) >= 90
    assert sorted(installed - TODAY) == [] and TODAY - installed in (set(), SINCE_FIRST)


def test_a_field_of_a_newer_release_is_refused_before_a_model_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("tunewright.train.settings"), "TODAY", TODAY | {"field_of_tomorrow"})
    read = TrainSettings.read({"arguments": {"field_of_tomorrow": 1}})
    with pytest.raises(UserError, match=r"field_of_tomorrow: transformers [0-9.]+, which is installed, does not have it.*--upgrade"):
        read.check()
    TrainSettings.read({"arguments": {"dataloader_num_workers": 0}}).check()


def test_the_tables_do_not_contradict_each_other() -> None:
    assert set(OURS) <= TODAY, "a key of ours owns a field that is no more"
    assert set(UNFIT) <= TODAY - set(OURS)
    assert not set(YESTERDAY) & TODAY, "a name of yesterday is back"
    assert len(OURS) >= 45 and len(YESTERDAY) >= 30


def test_the_keys_that_own_a_field_exist() -> None:
    from tunewright.evaluate.settings import EvaluateSettings

    own = [told for told in OURS.values() if told.startswith(("train.", "evaluate."))]
    assert len(own) >= 25
    for told in own:
        section, _, rest = told.partition(".")
        fields = {"train": TrainSettings, "evaluate": EvaluateSettings}[section].model_fields
        assert rest.split()[0].strip("(),") in fields, told


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_field_that_a_key_of_ours_owns_is_refused_by_naming_that_key(name: str) -> None:
    with pytest.raises(BadConfig) as caught:
        TrainSettings.read({"arguments": {name: 1}})
    assert f"arguments.{name}: it is set by our key {OURS[name]}: write it there" in str(caught.value)


@pytest.mark.parametrize("name", sorted(UNFIT))
def test_a_field_that_does_not_go_here_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(BadConfig) as caught:
        TrainSettings.read({"arguments": {name: 1}})
    assert f"arguments.{name}: it does not go here: {UNFIT[name]}" in str(caught.value)


@pytest.mark.parametrize("name", sorted(YESTERDAY))
def test_a_name_of_earlier_releases_is_refused_with_what_serves_today(name: str) -> None:
    with pytest.raises(BadConfig) as caught:
        TrainSettings.read({"arguments": {name: 1}})
    assert f"arguments.{name}: a name of older releases: {YESTERDAY[name]}" in str(caught.value)


def test_an_unknown_name_is_told_with_the_nearest_that_may_be_used() -> None:
    with pytest.raises(BadConfig, match=r"neftune_noise: no field of TrainingArguments. Did you mean 'neftune_noise_alpha'"):
        TrainSettings.read({"arguments": {"neftune_noise": 0.8}})


def test_all_wrong_names_are_told_at_once() -> None:
    with pytest.raises(BadConfig) as caught:
        TrainSettings.read({"arguments": {"bf16": True, "no_cuda": True, "zzz": 1}, "epochs": 0})
    told = [problem.path for problem in caught.value.problems]
    assert sorted(told) == ["arguments.bf16", "arguments.no_cuda", "arguments.zzz", "epochs"], "a line for each"


def test_a_name_that_is_almost_that_of_a_field_of_ours_is_told_our_key() -> None:
    with pytest.raises(
        BadConfig, match=r"arguments.learningrate: no field of TrainingArguments. Did you mean our key train.learning_rate?"
    ):
        TrainSettings.read({"arguments": {"learningrate": 0.1}})
