"""What audit rules may call: sentence vectors of the packaged encoder, and the token counts of the recipe's model."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tunewright.core.errors import MissingExtra, UserError
from tunewright.pipeline.data import cache_folder
from tunewright.pipeline.recipe import Recipe

if TYPE_CHECKING:
    from tunewright.data.audit.base import Services

ENCODER = "all-MiniLM-L6-v2"
"""What the packaged encoder is called in messages, and in the folder of its vectors."""
WIDTH = 384
LETTERS = 4000
"""Characters of a text that the encoder is given: more than it can see."""
TOKENS_AT_ONCE = 2048
"""Tokens of a forward pass, padding included; larger ones are slower on a CPU."""
TEXTS_AT_ONCE = 4096


def services_for(recipe: Recipe, where: Path) -> Services:
    """What the rules of a recipe may call. What is not at hand is left out, and the rules do without it.

    The encoder is loaded when the first text is asked for that has no vector yet. The tokenizer is loaded at once, because its limit
    is among what a dataset version may stand for.

    Args:
        recipe: as the user has it.
        where: the recipe's folder.
    """
    counted = _tokens(recipe, where)
    found = encoder_services(cache_folder(recipe))
    return replace(found, count_tokens=counted[0], max_tokens=counted[1]) if counted else found


def encoder_services(cache: Path) -> Services:
    """The packaged encoder alone, where it is installed.

    Args:
        cache: the folder for what may be deleted at any time; its vectors are kept there.
    """
    from tunewright.data.audit.base import Services

    return Services(Vectors(cache / "vectors" / ENCODER), ENCODER) if has_encoder() else Services()


def has_encoder() -> bool:
    """Whether the packaged encoder is installed. Reads none of its files."""
    from importlib.metadata import PackageNotFoundError, distribution

    from tunewright.model.base import EMBEDDED_PACKAGE

    try:
        distribution(EMBEDDED_PACKAGE)
    except PackageNotFoundError:
        return False
    return True


class Vectors:
    """Sentence vectors of the packaged encoder, each computed once and kept in a folder by the hash of its text.

    A vector is the mean of the last layer over the tokens, of length 1, rounded to half precision so that it is the same whether it was
    kept or made. The folder may be deleted at any time; where it cannot be written, nothing is kept beyond this object.

    Args:
        folder: of this encoder's vectors.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: tuple[np.ndarray, np.ndarray] | None = None

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(texts, width) float32.

        Raises:
            MissingExtra: the encoder is not installed.
            UserError: its weights are not those that were published.
        """
        keys = np.fromiter((_key(text) for text in texts), dtype=np.uint64, count=len(texts))
        known, vectors = self._kept or _read(self._folder)
        wanted, first = np.unique(keys, return_index=True)
        missing = first[~np.isin(wanted, known)]
        if len(missing):
            made = self._encoder([texts[at] for at in missing.tolist()]).astype(np.float16)
            with suppress(UserError):
                _write(self._folder, keys[missing], made)
            known, vectors = _sorted(np.concatenate([known, keys[missing]]), np.concatenate([vectors, made]))
        self._kept = known, vectors
        found: np.ndarray = vectors[np.searchsorted(known, keys)].astype(np.float32)
        return found

    @cached_property
    def _encoder(self) -> Callable[[Sequence[str]], np.ndarray]:
        return _loaded()


def _loaded() -> Callable[[Sequence[str]], np.ndarray]:
    """The packaged encoder on the fastest device there is: (texts) -> (texts, width) float32."""
    from tunewright.core.log import calm_libraries

    calm_libraries()
    import torch
    from transformers import AutoModel, AutoTokenizer

    from tunewright.data.batch import by_length
    from tunewright.model.base import LONGEST_DEFAULT, declared_longest, embedded_folder
    from tunewright.model.device import device, precision

    folder = str(embedded_folder())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    where = device()
    model = AutoModel.from_pretrained(folder).to(where).eval()
    longest, low = declared_longest(folder) or LONGEST_DEFAULT, precision("auto", where) == "bf16"

    def encode(texts: Sequence[str]) -> np.ndarray:
        ids = [one for some in _pieces(texts) for one in tokenizer(some, truncation=True, max_length=longest)["input_ids"]]
        found = np.zeros((len(texts), WIDTH), dtype=np.float32)
        for rows in by_length([len(one) for one in ids], TOKENS_AT_ONCE):
            batch = tokenizer.pad({"input_ids": [ids[row] for row in rows]}, return_tensors="pt").to(where)
            with torch.inference_mode(), torch.autocast(where, torch.bfloat16, enabled=low):
                tokens = model(**batch).last_hidden_state.float()
            mask = batch["attention_mask"].unsqueeze(-1).float()
            mean = (tokens * mask).sum(1) / mask.sum(1)
            found[rows] = torch.nn.functional.normalize(mean).cpu().numpy()
        return found

    return encode


def _pieces(texts: Sequence[str]) -> list[list[str]]:
    from tunewright.tasks.base import text_of

    return [[text_of(text[:LETTERS]) for text in texts[start : start + TEXTS_AT_ONCE]] for start in range(0, len(texts), TEXTS_AT_ONCE)]


def _key(text: str) -> int:
    import xxhash

    return xxhash.xxh3_64_intdigest(text[:LETTERS].encode("utf-8", "surrogatepass"))


def _sorted(keys: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known, first = np.unique(keys, return_index=True)
    return known, vectors[first]


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Every kept vector: its key (uint64, ascending) and its values (float16). A damaged file is passed over."""
    keys, vectors = [np.zeros(0, dtype=np.uint64)], [np.zeros((0, WIDTH), dtype=np.float16)]
    for path in sorted(folder.glob("*.npz")):
        with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile), np.load(path) as kept:
            own, values = kept["keys"], kept["vectors"]
            if own.dtype == np.uint64 and values.shape == (len(own), WIDTH):
                keys.append(own)
                vectors.append(values.astype(np.float16))
    return _sorted(np.concatenate(keys), np.concatenate(vectors))


def _write(folder: Path, keys: np.ndarray, vectors: np.ndarray) -> None:
    import xxhash

    from tunewright.core.folder import whole

    with whole(folder / f"{xxhash.xxh3_64_hexdigest(keys.tobytes())}.npz") as half, half.open("wb") as stream:
        np.savez(stream, keys=keys, vectors=vectors)


def _tokens(recipe: Recipe, where: Path) -> tuple[Callable[[Sequence[str]], np.ndarray], int] | None:
    """How to count the tokens of texts, and how many of them the recipe's model sees; None when there is no such model here.

    ``auto`` is taken for its limit: the number itself depends on rows that are not chosen yet. A missing model is told by the stage that
    needs it.
    """
    from tunewright.core.log import calm_libraries

    calm_libraries()
    from tunewright.model.base import LONGEST_DEFAULT, declared_longest, find

    if recipe.task.windows:
        return None  # nothing of a long row is cut off
    try:
        base = find(recipe.model, recipe.task.head, where)
    except (UserError, MissingExtra):
        return None
    limit = recipe.model.max_tokens
    if not isinstance(limit, int):
        limit = min(LONGEST_DEFAULT, declared_longest(base.place) or LONGEST_DEFAULT)
    marks = base.tokenizer.num_special_tokens_to_add("text_pair" in recipe.data.columns)
    return _counter(base.tokenizer), min(limit, base.longest) - marks


def _counter(tokenizer: Any) -> Callable[[Sequence[str]], np.ndarray]:
    reader = tokenizer.backend_tokenizer
    reader.no_truncation()  # a tokenizer.json may bring both of its own
    reader.no_padding()

    def count(texts: Sequence[str]) -> np.ndarray:
        from tunewright.tasks.base import text_of

        found = np.zeros(len(texts), dtype=np.int64)
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            some = [text_of(text) for text in texts[start : start + TEXTS_AT_ONCE]]
            found[start : start + len(some)] = [len(one) for one in reader.encode_batch_fast(some, add_special_tokens=False)]
        return found

    return count
