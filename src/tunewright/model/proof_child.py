"""Run as a program, in a process of its own: answers rows with a saved model and Hugging Face's libraries alone.

Usage: proof_child.py MODEL_FOLDER ASKED_JSON ANSWERED_JSON
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"


def with_transformers(folder: str, asked: dict[str, Any]) -> list[dict[str, float]]:
    from transformers import pipeline

    classify: Any = pipeline("text-classification", model=folder, device=-1)
    pairs = asked["pairs"] or [None] * len(asked["texts"])
    rows = [text if pair is None else {"text": text, "text_pair": pair} for text, pair in zip(asked["texts"], pairs, strict=True)]
    found = [classify(row, top_k=None, truncation=True) for row in rows]
    return [{one["label"]: one["score"] for one in scores} for scores in found]


def with_sentence_transformers(folder: str, asked: dict[str, Any]) -> list[dict[str, float]]:
    import torch
    from sentence_transformers import SentenceTransformer

    model: Any = SentenceTransformer(folder, device="cpu")
    names = model[0].auto_model.config.id2label
    logits = torch.as_tensor(model.encode(asked["texts"], convert_to_numpy=True, show_progress_bar=False)).double()
    scores = logits.sigmoid() if asked["multi_label"] else logits.softmax(-1)
    return [{names[index]: score for index, score in enumerate(row)} for row in scores.tolist()]


def main(folder: str, question: str, answer: str) -> None:
    with Path(question).open(encoding="utf-8") as stream:
        asked = json.load(stream)
    mean = asked["pooling"] == "mean"
    probabilities = (with_sentence_transformers if mean else with_transformers)(folder, asked)
    assert not any(name.split(".")[0] == "tunewright" for name in sys.modules), "the proof must not lean on our own code"
    with Path(answer).open("w", encoding="utf-8") as stream:
        json.dump({"probabilities": probabilities, "loaded_with": "sentence_transformers" if mean else "transformers.pipeline"}, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
