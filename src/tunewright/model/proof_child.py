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
    found = [classify(row, top_k=None, truncation=True) for row in _rows(asked)]
    return [{one["label"]: one["score"] for one in scores} for scores in found], "transformers.pipeline"


def numbers(folder: str, asked: dict[str, Any]) -> tuple[list[Any], str]:
    """The one number that the head gives, row by row."""
    if asked["pooling"] == "mean":
        return [row[0] for row in _outputs(folder, asked["texts"])[0].tolist()], "sentence_transformers"
    from transformers import pipeline

    rate: Any = pipeline("text-classification", model=folder, device=-1, function_to_apply="none")
    return [rate(row, top_k=1, truncation=True)[0]["score"] for row in _rows(asked)], "transformers.pipeline"


def _rows(asked: dict[str, Any]) -> list[Any]:
    """Texts, and pairs of texts as a pipeline takes them."""
    pairs = asked["pairs"] or [None] * len(asked["texts"])
    return [text if pair is None else {"text": text, "text_pair": pair} for text, pair in zip(asked["texts"], pairs, strict=True)]


def _outputs(folder: str, texts: list[str]) -> tuple[Any, Any]:
    """What a sentence-transformers folder gives for texts, (texts, outputs) float64; and the names of the outputs."""
    import torch
    from sentence_transformers import SentenceTransformer

    model: Any = SentenceTransformer(folder, device="cpu")
    names = model[0].auto_model.config.id2label
    return torch.as_tensor(model.encode(texts, convert_to_numpy=True, show_progress_bar=False)).double(), names


def _with_sentence_transformers(folder: str, asked: dict[str, Any]) -> list[Any]:
    logits, names = _outputs(folder, asked["texts"])
    scores = logits.sigmoid() if asked["multi_label"] else logits.softmax(-1)
    return [{names[index]: score for index, score in enumerate(row)} for row in scores.tolist()]


def tokens(folder: str, asked: dict[str, Any]) -> tuple[list[Any], str]:
    """The probability of every tag of every token, window by window, row by row."""
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForTokenClassification.from_pretrained(folder)
    tokenizer.truncation_side = "right"
    room = asked["max_tokens"] - tokenizer.num_special_tokens_to_add()
    cut = {"truncation": True, "max_length": asked["max_tokens"], "stride": min(asked["stride"], room // 2)}
    found = []
    for text in asked["texts"]:
        windows = tokenizer(text, return_overflowing_tokens=True, **cut)
        pieces = [{name: windows[name][at] for name in tokenizer.model_input_names} for at in range(len(windows["input_ids"]))]
        with torch.inference_mode():
            told = [model(**{name: torch.tensor([values]) for name, values in piece.items()}).logits[0] for piece in pieces]
        found.append([odds.float().softmax(-1).tolist() for odds in told])
    return found, "transformers.AutoModelForTokenClassification"


def spans(folder: str, asked: dict[str, Any]) -> tuple[list[Any], str]:
    """The logits of start and end of every token, window by window, row by row."""
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForQuestionAnswering.from_pretrained(folder)
    tokenizer.truncation_side = "right"
    marks = tokenizer.num_special_tokens_to_add(pair=True)
    most = max(1, min(asked["question_tokens"], (asked["max_tokens"] - marks) // 2))
    found = []
    for question, context in zip(asked["questions"], asked["contexts"], strict=True):
        places = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        question = question if len(places) <= most else question[: places[most - 1][1]]
        length = len(tokenizer(question, add_special_tokens=False)["input_ids"])
        stride = min(asked["stride"], max(1, asked["max_tokens"] - length - marks) // 2)
        cut = {"truncation": "only_second", "max_length": asked["max_tokens"], "stride": stride, "return_overflowing_tokens": True}
        windows = tokenizer(question, context, **cut)
        pieces = [{name: windows[name][at] for name in tokenizer.model_input_names} for at in range(len(windows["input_ids"]))]
        with torch.inference_mode():
            told = [model(**{name: torch.tensor([values]) for name, values in piece.items()}) for piece in pieces]
        found.append([[one.start_logits[0].tolist(), one.end_logits[0].tolist()] for one in told])
    return found, "transformers.AutoModelForQuestionAnswering"


HOW: dict[str, Callable[[str, dict[str, Any]], tuple[list[Any], str]]] = {
    "classes": classes,
    "tokens": tokens,
    "numbers": numbers,
    "spans": spans,
}
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
