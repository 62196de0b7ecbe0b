"""Pieces in, one padded batch out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Piece = Mapping[str, Any]


class Collate:
    """Pads pieces to the longest of the batch.

    Args:
        tokenizer: gives the padding of ``input_ids`` and ``token_type_ids`` and the padding side.
        labels_pad: what fills shorter ``labels``; None when labels have one shape for every row.
    """

    def __init__(self, tokenizer: Any, labels_pad: int | None = None) -> None:
        self._pads = {
            "input_ids": tokenizer.pad_token_id or 0,
            "token_type_ids": getattr(tokenizer, "pad_token_type_id", 0),
            "attention_mask": 0,
            "labels": labels_pad,
        }
        self._left = tokenizer.padding_side == "left"

    def __call__(self, pieces: Sequence[Piece]) -> dict[str, Tensor]:
        """Tensors of shape (batch, longest) per input; labels of shape (batch,), (batch, classes) or (batch, longest)."""
        return {name: self._stack(name, [piece[name] for piece in pieces]) for name in pieces[0]}

    def _stack(self, name: str, values: list[Any]) -> Tensor:
        import numpy as np
        import torch

        pad = self._pads.get(name, 0)
        if not np.ndim(values[0]) or pad is None:
            return torch.as_tensor(np.asarray(values))
        filled = np.full((len(values), max(map(len, values))), pad, dtype=np.int64)
        for row, value in zip(filled, values, strict=True):
            if len(value):
                row[-len(value) if self._left else 0 : None if self._left else len(value)] = value
        return torch.from_numpy(filled)
