"""The cache of frozen layers: what they make of the training and validation rows, computed once and kept beside the encoded rows."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.core.errors import BadConfig, Problem, UserError
from tunewright.core.folder import free_bytes, text_hash
from tunewright.core.log import say
from tunewright.pipeline.data import cache_folder
from tunewright.pipeline.recipe import Recipe, rows_change

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tunewright.data.encode import EncodedRows
    from tunewright.model.build import Built
    from tunewright.model.states import States
    from tunewright.pipeline.plan import Plan
    from tunewright.tasks.base import Encoded

TOKENS_AT_ONCE = 512
"""Tokens of a forward pass through the frozen layers, padding included."""
CHECKED_ROWS = 8
CLOSE = {"fp32": 1e-4, "bf16": 0.05, "fp16": 0.01}
"""How far outputs may be apart that should be the same, over the largest of them, by ``train.precision``."""
BYTES = {"float16": 2, "float32": 4}
NOT_THE_MODELS = {"id2label", "label2id", "problem_type", "_name_or_path", "architectures", "dtype", "transformers_version"}
"""Fields of a configuration that the frozen layers do not see."""


@dataclass(frozen=True)
class Split:
    """A split whose pieces know what the frozen layers made of them."""

    pieces: Sequence[Mapping[str, Any]]
    encoded: tuple[Encoded, ...]
    """The same pieces, row by row."""
    collate: Callable[[Sequence[Mapping[str, Any]]], dict[str, Tensor]]


@dataclass(frozen=True)
class Frozen:
    """What training and its looks at the validation rows need in the place of the frozen layers."""

    train: Split
    validation: Split
    seconds: float
    """That it took to compute and to write; next to none where an earlier run left it."""
    bytes: int
    """On the disk."""


def plan_bytes(plan: Plan) -> int:
    """How large the cache of a plan is; 0 where there is none.

    Raises:
        BadConfig: as ``planned``.
    """
    return planned(plan)[0]


def planned(plan: Plan) -> tuple[int, str]:
    """How large the cache of a plan is, and where there is none why.

    Raises:
        BadConfig: the recipe asks for a cache that cannot be, or its method asks for more layers than there are.
    """
    recipe, wanted = plan.recipe, plan.recipe.train.frozen_cache
    frozen = recipe.method.frozen_layers(plan.base.config)
    if wanted == "never":
        return 0, "the recipe wants none"
    why = rows_change(recipe) or ("" if frozen else "the method leaves none of the model's layers as they are")
    tokens = sum(plan.train[1].lengths) + sum(plan.validation[1].lengths)
    size = 0 if why else tokens * _width(plan.base.config) * BYTES[_kept(recipe)]
    free = free_bytes(cache_folder(recipe))
    if size > free:
        why = f"it takes {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free in {recipe.output_dir}"
    if why and wanted != "auto":
        raise BadConfig(
            [Problem("train.frozen_cache", f"{wanted} cannot be had: {why}. Use auto, or method: head, top-layers, or lora with layers")]
        )
    return (0, why) if why else (size, "")


def frozen_states(plan: Plan, built: Built) -> Frozen | None:
    """Compute what the frozen layers make of every training and validation row, or take what an earlier run left.

    Args:
        plan: of the run.
        built: its model, which is moved to the device that it will be trained on.

    Returns:
        None where the recipe wants no cache or can have none.

    Raises:
        UserError: the disk is full, or the recipe asks for a cache and this architecture does not take one.
    """
    from tunewright.model.device import device

    if built.frozen is None or not plan_bytes(plan):
        return None
    began, recipe = time.monotonic(), plan.recipe
    built.model.to("cpu" if recipe.train.arguments.get("use_cpu") else device())
    with _ready(plan, built.model):
        if not _agrees(plan, built):
            _told(recipe, built.model)
            return None
        splits = [_split(plan, built, encoded) for encoded in (plan.train[1], plan.validation[1])]
    size = sum(states.bytes for _, states in splits)
    return Frozen(splits[0][0], splits[1][0], time.monotonic() - began, size)


def _told(recipe: Recipe, model: nn.Module) -> None:
    """An architecture whose layers cannot be left out like this: told, and refused where the recipe insists."""
    found = f"{type(model).__name__} gives other answers when its frozen layers are left out"
    if recipe.train.frozen_cache != "auto":
        raise UserError(found, f"train.frozen_cache: {recipe.train.frozen_cache} cannot be had here", "Set train.frozen_cache: never")
    say(f"{found}: training without a cache of them")


def _split(plan: Plan, built: Built, rows: EncodedRows) -> tuple[Split, States]:
    from tunewright.data.batch import by_length
    from tunewright.model.states import Placed, TooLarge, WithStates, opened, write

    pieces, lengths, recipe = rows.pieces, rows.lengths, plan.recipe
    batches = by_length(lengths, TOKENS_AT_ONCE)
    order = [row for batch in batches for row in batch]
    places = sorted(range(len(order)), key=order.__getitem__)
    key = _key(plan, built, pieces)

    def kept_as(kept: str) -> States:
        folder = cache_folder(recipe) / "frozen" / f"{key}-{kept}"
        return opened(folder) or write(folder, [lengths[row] for row in order], _blocks(plan, built, pieces, batches), kept)

    try:
        states = kept_as(_kept(recipe))
    except TooLarge:
        say("The frozen layers give values that do not fit into half precision: kept in float32")
        states = kept_as("float32")
    placed, at, encoded = Placed(pieces, places), 0, []
    for one in rows.encoded:
        encoded.append(replace(one, pieces=tuple(placed[at : at + len(one.pieces)])))
        at += len(one.pieces)
    collate = WithStates(plan.recipe.task.collate(plan.base.tokenizer), states, _left(plan))
    return Split(placed, tuple(encoded), collate), states


def _blocks(plan: Plan, built: Built, pieces: Sequence[Mapping[str, Any]], batches: Sequence[Sequence[int]]) -> Iterator[Tensor]:
    """(tokens, width) for each batch: the states of its rows one after the other, without padding."""
    import torch

    assert built.frozen is not None
    say(f"Computing the {len(built.frozen.layers)} frozen layers once for {len(pieces):,} rows")
    collate, left, forward = plan.recipe.task.collate(plan.base.tokenizer), _left(plan), plan.recipe.task.forward
    device = next(built.model.parameters()).device
    for rows in batches:
        some = [pieces[row] for row in rows]
        batch = {name: values.to(device) for name, values in collate(some).items()}
        states = built.frozen.compute(forward, batch)
        sizes = [len(piece["input_ids"]) for piece in some]
        yield torch.cat([one[-size:] if left else one[:size] for one, size in zip(states, sizes, strict=True)])


def _agrees(plan: Plan, built: Built) -> bool:
    """Whether this architecture gives the same when its frozen layers are left out, tried on rows of all lengths."""
    rows = plan.train[1]
    pieces = rows.pieces
    by_size = sorted(range(len(pieces)), key=rows.lengths.__getitem__)
    some = [pieces[by_size[at * (len(by_size) - 1) // CHECKED_ROWS]] for at in range(1, CHECKED_ROWS + 1)]
    device = next(built.model.parameters()).device
    batch = {name: values.to(device) for name, values in plan.recipe.task.collate(plan.base.tokenizer)(some).items()}
    assert built.frozen is not None
    return built.frozen.agrees(plan.recipe.task.forward, batch, CLOSE[plan.recipe.train.precision])


@contextmanager
def _ready(plan: Plan, model: nn.Module) -> Iterator[None]:
    """The model at rest, and the arithmetic that it is trained in."""
    import torch

    low = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(plan.recipe.train.precision)
    was_training, device = model.training, next(model.parameters()).device.type
    model.eval()
    try:
        with torch.inference_mode(), torch.autocast(device, low, enabled=low is not None):
            yield
    finally:
        model.train(was_training)


def _key(plan: Plan, built: Built, pieces: Sequence[Mapping[str, Any]]) -> str:
    """Of what the frozen layers give for these pieces: hash of the pieces, the weights, and the code and the machine that compute."""
    import numpy as np
    import torch
    import transformers

    from tunewright.model import frozen, states

    content = sha256()
    for piece in pieces:
        for name in sorted(piece):
            if name != "labels":
                value = np.asarray(piece[name])
                content.update(f"{name} {value.dtype} {value.shape}".encode() + value.tobytes())
    assert built.frozen is not None
    model: Any = built.model
    values = {name: value for name, value in model.config.to_dict().items() if name not in NOT_THE_MODELS}
    code = [Path(inspect.getfile(one)).read_text() for one in (frozen, states)]
    versions = [torch.__version__, transformers.__version__]
    place = [str(next(model.parameters()).device.type), plan.recipe.train.precision, str(model.config._attn_implementation)]
    layers = str(len(built.frozen.layers))
    config = json.dumps(values, sort_keys=True, default=str)
    return text_hash(content.hexdigest(), built.frozen.fingerprint(), config, layers, *code, *versions, *place)[:32]


def _left(plan: Plan) -> bool:
    return bool(plan.base.tokenizer.padding_side == "left")


def _kept(recipe: Recipe) -> str:
    wanted = recipe.train.frozen_cache
    return "float16" if wanted == "auto" else wanted


def _width(config: Any) -> int:
    return int(getattr(config, "hidden_size", None) or config.dim)
