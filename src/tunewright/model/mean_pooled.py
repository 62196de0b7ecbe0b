"""A classifier on the mean of an encoder's token vectors, saved so that sentence-transformers alone loads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel
from transformers.modeling_outputs import SequenceClassifierOutput


class MeanPooled(nn.Module):
    """Encoder, mean over the tokens that are not padding, dropout, one linear layer.

    Args:
        encoder: a transformers encoder whose output has ``last_hidden_state`` of shape (batch, tokens, width).
        labels: number of classes.
        dropout: share of the mean vector that is zeroed in training, in [0, 1).
    """

    def __init__(self, encoder: Any, labels: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = encoder.config
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(encoder.config.hidden_size, labels, dtype=encoder.dtype)
        nn.init.normal_(self.classifier.weight, std=getattr(encoder.config, "initializer_range", 0.02) or 0.02)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, **inputs: Tensor) -> SequenceClassifierOutput:
        """Logits of shape (batch, classes), from ``input_ids`` and ``attention_mask`` of shape (batch, tokens)."""
        tokens = self.encoder(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1).to(tokens.dtype)
        mean = (tokens * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return SequenceClassifierOutput(logits=self.classifier(self.dropout(mean)))

    def get_input_embeddings(self) -> nn.Module:
        """The token embeddings; the Trainer adds the noise of ``neftune_noise_alpha`` to them."""
        found: nn.Module = self.encoder.get_input_embeddings()
        return found

    def activation_checkpointing_enable(self, **options: Any) -> None:
        """Keep fewer activations and compute them again in the backward pass; the Trainer asks for it, in words that are the encoder's."""
        self.encoder.activation_checkpointing_enable(**options)

    def gradient_checkpointing_enable(self, **options: Any) -> None:
        """The same under the name that earlier releases of transformers call."""
        self.encoder.gradient_checkpointing_enable(**options)

    def save_pretrained(self, folder: Path, tokenizer: Any, max_tokens: int) -> None:
        """Write a sentence-transformers folder: Transformer, Pooling, Dense; ``encode`` then gives the logits."""
        from safetensors.torch import save_file

        self.encoder.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))
        width, labels = self.classifier.in_features, self.classifier.out_features
        _write(
            folder / "modules.json",
            [
                {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
            ],
        )
        _write(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens, "do_lower_case": False})
        _write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": width, "pooling_mode_mean_tokens": True})
        _write(
            folder / "2_Dense" / "config.json",
            {"in_features": width, "out_features": labels, "bias": True, "activation_function": "torch.nn.modules.linear.Identity"},
        )
        weights = {"linear.weight": self.classifier.weight, "linear.bias": self.classifier.bias}
        save_file({name: value.detach().contiguous().cpu() for name, value in weights.items()}, folder / "2_Dense" / "model.safetensors")

    @classmethod
    def from_pretrained(cls, folder: Path) -> MeanPooled:
        """What ``save_pretrained`` wrote."""
        from safetensors.torch import load_file

        dense = load_file(folder / "2_Dense" / "model.safetensors")
        encoder = AutoModel.from_pretrained(str(folder), dtype="auto")
        model = cls(encoder, len(dense["linear.bias"]), 0.0)
        with torch.no_grad():
            model.classifier.weight.copy_(dense["linear.weight"])
            model.classifier.bias.copy_(dense["linear.bias"])
        return model


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2))
