"""Run as a program, in a process of its own: answers rows with a saved model and Hugging Face's libraries alone.

Usage: proof_child.py MODEL_FOLDER ASKED_JSON ANSWERED_JSON
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"


def classes(folder: str, asked: dict[str, Any]) -> tuple[list[Any], str]:
    """Label and probability of every label, row by row."""
    if asked["pooling"] == "mean":
        return _with_sentence_transformers(folder, asked), "sentence_transformers"
    from transformers import pipeline

    classify: Any = pipeline("text-classification", model=folder, device=-1)
    pairs = asked["pairs"] or [None] * len(asked["texts"])
    rows = [text if pair is None else {"text": text, "text_pair": pair} for text, pair in zip(asked["texts"], pairs, strict=True)]
    found = [classify(row, top_k=None, truncation=True) for row in rows]
    return [{one["label"]: one["score"] for one in scores} for scores in found], "transformers.pipeline"


def _with_sentence_transformers(folder: str, asked: dict[str, Any]) -> list[Any]:
    import torch
    from sentence_transformers import SentenceTransformer

    model: Any = SentenceTransformer(folder, device="cpu")
    names = model[0].auto_model.config.id2label
    logits = torch.as_tensor(model.encode(asked["texts"], convert_to_numpy=True, show_progress_bar=False)).double()
    scores = logits.sigmoid() if asked["multi_label"] else logits.softmax(-1)
    return [{names[index]: score for index, score in enumerate(row)} for row in scores.tolist()]


HOW: dict[str, Callable[[str, dict[str, Any]], tuple[list[Any], str]]] = {"classes": classes}
"""How a model is asked, as the task names it: folder and question in; an answer for each row, and what loaded the model, out."""


def main(folder: str, question: str, answer: str) -> None:
    with Path(question).open(encoding="utf-8") as stream:
        asked = json.load(stream)
    answers, loaded_with = HOW[asked["how"]](folder, asked)
    assert not any(name.split(".")[0] == "tunewright" for name in sys.modules), "the proof must not lean on our own code"
    with Path(answer).open("w", encoding="utf-8") as stream:
        json.dump({"answers": answers, "loaded_with": loaded_with}, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
