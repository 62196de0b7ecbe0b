"""The door of this folder for training: a base model in, a model ready to be trained out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tunewright.core.errors import MissingExtra, UserError
from tunewright.core.folder import whole, write_json
from tunewright.model.base import Base
from tunewright.model.methods.base import Method
from tunewright.model.methods.parts import output_words
from tunewright.model.quantize import keep_as_loaded, loading, needs, quantised
from tunewright.model.settings import ModelSettings
from tunewright.tasks.base import Task

if TYPE_CHECKING:
    from torch import nn

    from tunewright.model.frozen import FrozenPart

SPECIALIST = "tunewright.json"
"""Beside the model: the task with its labels, how rows are cut, and how the model is loaded."""
BASE = "base"
"""Below the folder of a model whose method does not merge: the plain model, which what was trained is put onto."""


DROPOUT_KEYS = ("classifier_dropout", "seq_classif_dropout", "cls_dropout")
ATTENTION_DROPOUT_KEYS = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop")
DROPOUT_OF_KIND = {"deberta": "cls_dropout", "deberta-v2": "cls_dropout"}
"""Kinds whose configuration has no such key unless it was set, and yet read it."""


@dataclass(frozen=True)
class Built:
    """A model ready to be trained."""

    model: nn.Module
    new_modules: tuple[str, ...]
    """Paths, in the plain model, of the modules that the base checkpoint does not have."""
    head_weights: frozenset[str]
    """Names, in ``model``, of the weights above the encoder's layers, the new ones among them; they get the head's learning rate."""
    rate_factors: Mapping[str, float] = field(default_factory=dict)
    """By name, in ``model``, the weights whose learning rate is multiplied, and by how much."""
    before_step: Callable[[float], None] | None = None
    """What is to be called before each step with the share of the run that is done."""
    targets: tuple[str, ...] = ()
    """The parts of each layer that the method works on."""
    frozen: FrozenPart | None = None
    """The lower layers that the method leaves as they are, where it leaves any."""


def build(base: Base, settings: ModelSettings, task: Task, method: Method, seed: int) -> Built:
    """Load the weights, add the head, apply the method.

    Raises:
        UserError: the weights cannot be read, or belong to another architecture.
    """
    import torch

    needs(settings, method)
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # the head is drawn here
        if settings.pooling == "mean":
            model, new = _mean_pooled(base, settings, task, loading(settings, method, ["pooler"]))
        else:
            whole = list(head_modules(_drawn(base, settings, task), ())) if quantised(settings, method) else []
            model, new = _with_head(base, settings, task, loading(settings, method, whole))
        keep_as_loaded(model)
        resized = fit_tokens(model, base.tokenizer)
        head = head_modules(model, new)
        thaw = method.before_step(model, head)
        model = method.apply(model, (*head, *resized))
    return Built(
        model,
        (*new, *resized),
        method.head_weights(model, head),
        method.rate_factors(model, head),
        thaw,
        method.targets_in(model),
        frozen_part(model, method, base),
    )


def fit_tokens(model: nn.Module, tokenizer: Any) -> tuple[str, ...]:
    """Give tokens that the base does not know a row in its embeddings, the mean of those that are there; the path of the embeddings, where
    that was needed."""
    embeddings = cast(Any, model).get_input_embeddings()
    if len(tokenizer) <= embeddings.num_embeddings:
        return ()
    owner: Any = model if hasattr(model, "resize_token_embeddings") else cast(Any, model).encoder
    owner.resize_token_embeddings(len(tokenizer))
    made = cast(Any, model).get_input_embeddings()
    return tuple(name for name, module in model.named_modules() if module is made)


def frozen_part(model: nn.Module, method: Method, base: Base) -> FrozenPart | None:
    """The lower layers that a method leaves as they are, held still from now on; None where it leaves none.

    Args:
        model: as the method made it.
        method: of the recipe.
        base: the model that it was made from.
    """
    from tunewright.model.frozen import FrozenPart

    frozen = method.frozen_layers(base.config)
    return FrozenPart(model, frozen) if frozen else None


def head_modules(model: nn.Module, new: tuple[str, ...]) -> tuple[str, ...]:
    """Paths of everything above the encoder's layers: the new modules, and what else the architecture has there (a pooler).

    A pooler that a base checkpoint brings was seldom trained for what follows; at the encoder's own rate it holds the head back
    (docs/lab-log.md).
    """
    prefix = getattr(model, "base_model_prefix", "encoder")
    encoder, words = getattr(model, prefix, None), output_words(model)
    above = [
        name for name, child in model.named_children() if name != prefix and child is not words and any(True for _ in child.parameters())
    ]
    pooler = getattr(encoder, "pooler", None) if hasattr(model, "base_model_prefix") else None
    if pooler is not None and any(True for _ in pooler.parameters()):
        above.append(f"{prefix}.pooler")
    inside = tuple(f"{path}." for path in above)
    return tuple(dict.fromkeys([*above, *(path for path in new if not path.startswith(inside))]))


def skeleton(base: Base, settings: ModelSettings, task: Task, method: Method) -> nn.Module:
    """The same model with drawn weights, none of them quantised: right in shape, worthless in its answers. Reads no weights."""
    plain = _drawn(base, settings, task)
    resized = fit_tokens(plain, base.tokenizer)
    return method.apply(plain, (*head_modules(plain, ()), *resized))


def _drawn(base: Base, settings: ModelSettings, task: Task) -> nn.Module:
    import transformers

    if settings.pooling == "mean":
        from tunewright.model.mean_pooled import MeanPooled

        encoder = cast(Any, transformers.AutoModel).from_config(_body_config(base, settings))
        return MeanPooled(encoder, task.head_settings()["num_labels"], 0.1)
    plain: nn.Module = getattr(transformers, task.head).from_config(_config(base, settings, task))
    return plain


def save(
    model: nn.Module,
    folder: Path,
    tokenizer: Any,
    task: Task,
    task_spec: dict[str, Any],
    settings: ModelSettings,
    max_tokens: int,
    roles: Sequence[str] | None = None,
    method: tuple[dict[str, Any], Path] | None = None,
) -> None:
    """Write a plain, complete model so that Hugging Face alone loads it, with what tunewright must know beside it.

    Args:
        model: a plain model.
        folder: what it will be called.
        tokenizer: of its base.
        task: with its labels.
        task_spec: the same as a recipe has it.
        settings: the recipe's ``model`` section.
        max_tokens: tokens of a row that it sees.
        roles: those that the training rows had; left out, the folder does not say what a row must have.
        method: where it does not merge: as a recipe has it, and the folder of what it trained. The plain model then stands in ``base/``.
    """
    tokenizer.model_max_length = max_tokens
    with whole(folder) as half:
        plain = half if method is None else half / BASE
        plain.mkdir(parents=True)
        if settings.pooling == "mean":
            cast(Any, model).save_pretrained(plain, tokenizer, max_tokens)
            _name_labels(plain / "config.json", task)
        else:
            cast(Any, model).save_pretrained(str(plain))
            tokenizer.save_pretrained(str(plain))
        known: dict[str, Any] = {} if roles is None else {"roles": list(roles)}
        if method is not None:
            shutil.copytree(method[1], half, dirs_exist_ok=True)
            known["method"] = method[0]
        write_json(half / SPECIALIST, {"task": task_spec, **known, "max_tokens": max_tokens, "pooling": settings.pooling})


def _with_head(base: Base, settings: ModelSettings, task: Task, more: dict[str, Any]) -> tuple[nn.Module, tuple[str, ...]]:
    import transformers

    config = _config(base, settings, task)
    model, report = _load(getattr(transformers, task.head), base, settings, config=config, ignore_mismatched_sizes=True, **more)
    missing = {*report["missing_keys"], *(key[0] if isinstance(key, tuple) else key for key in report.get("mismatched_keys", ()))}
    _whole(base, missing, f"{model.base_model_prefix}.")
    return model, _modules_of(missing, model)


def _whole(base: Base, missing: set[str], body: str) -> None:
    """Refuse a checkpoint that lacks weights of the encoder itself; a pooler may be missing, some bases are saved without one."""
    lost = sorted(name for name in missing if name.startswith(body) and not name.startswith(f"{body}pooler."))
    if lost:
        raise UserError(
            f"the weights of model.base {base.name!r} lack {len(lost)} of the encoder's own, as {lost[0]}",
            "The base must be a whole checkpoint of its architecture",
            "Check config.json against the weights",
        )


def _mean_pooled(base: Base, settings: ModelSettings, task: Task, more: dict[str, Any]) -> tuple[nn.Module, tuple[str, ...]]:
    from importlib.util import find_spec

    import transformers

    from tunewright.model.mean_pooled import MeanPooled

    if not find_spec("sentence_transformers"):
        raise MissingExtra("model.pooling: mean (saved as a sentence-transformers folder)", "sentence")
    encoder, report = _load(transformers.AutoModel, base, settings, config=_body_config(base, settings), **more)
    _whole(base, set(report["missing_keys"]), "")
    if not hasattr(encoder.config, "hidden_size"):
        raise UserError(
            f"model.base {base.name!r} does not say its hidden_size",
            "Mean pooling needs the width of the encoder",
            "Use pooling: architecture",
        )
    for name, weight in encoder.named_parameters():
        if name.startswith("pooler."):
            weight.requires_grad_(False)  # the mean takes its place; saved with the encoder so that it loads whole
    dropout = settings.dropout if settings.dropout is not None else getattr(base.config, "hidden_dropout_prob", 0.1)
    return MeanPooled(encoder, task.head_settings()["num_labels"], dropout), ("classifier",)


def attention_dropout_key(config: Any) -> str | None:
    """The name that a configuration has for dropout in attention; None where its architecture has none."""
    return next((key for key in ATTENTION_DROPOUT_KEYS if hasattr(config, key)), None)


def _body_config(base: Base, settings: ModelSettings) -> Any:
    """The base's configuration with what the recipe changes in it below the head."""
    import copy

    config = copy.deepcopy(base.config)
    if isinstance(settings.attention_dropout, float):
        key = attention_dropout_key(config)
        if key is None:
            found = f"the architecture {config.model_type!r} has no dropout of its own in its attention"
            raise UserError(found, "", "Leave model.attention_dropout out")
        setattr(config, key, settings.attention_dropout)
    return config


def _config(base: Base, settings: ModelSettings, task: Task) -> Any:
    config = _body_config(base, settings)
    head = task.head_settings()
    names = head.pop("num_labels")
    config.update({**head, "pad_token_id": base.tokenizer.pad_token_id})
    assert config.num_labels == names
    if settings.dropout is not None:
        key = next((key for key in DROPOUT_KEYS if hasattr(config, key)), DROPOUT_OF_KIND.get(config.model_type))
        if key is None:
            raise UserError(
                f"the architecture {config.model_type!r} has no dropout of its own before the head",
                "",
                "Leave model.dropout out, or use pooling: mean, whose head has one",
            )
        setattr(config, key, settings.dropout)
    return config


def _load(kind: Any, base: Base, settings: ModelSettings, **more: Any) -> tuple[Any, dict[str, Any]]:
    import torch
    from safetensors import SafetensorError

    try:
        model, report = kind.from_pretrained(
            base.place,
            dtype=getattr(torch, settings.precision),
            revision=settings.revision,
            trust_remote_code=False,
            output_loading_info=True,
            **more,
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        first = next(iter(str(error).splitlines()), "")[:300]
        raise UserError(
            f"the weights of model.base {base.name!r} cannot be loaded ({first})",
            "A whole checkpoint as safetensors is wanted",
            "Check the folder, or choose another base",
        ) from error
    return model, report


def _modules_of(missing: set[str], model: nn.Module) -> tuple[str, ...]:
    """The largest modules all of whose weights are missing from the base checkpoint, by path."""
    every = {name for name, _ in model.named_parameters()}
    found: list[str] = []
    for path, _ in model.named_modules():
        inside = {name for name in every if name.startswith(f"{path}.")}
        if path and inside and inside <= missing and not path.startswith(tuple(f"{one}." for one in found)):
            found.append(path)
    covered = {name for name in missing if name.startswith(tuple(f"{one}." for one in found))}
    loose = sorted(name for name in (missing & every) - covered)
    found += [name.rpartition(".")[0] for name in loose if name.rpartition(".")[0] not in found]
    return tuple(dict.fromkeys(found))


def _name_labels(config: Path, task: Task) -> None:
    head = task.head_settings()
    head.pop("num_labels")
    values = json.loads(config.read_text())
    write_json(config, {**values, **head, "id2label": {str(index): name for index, name in head["id2label"].items()}})
