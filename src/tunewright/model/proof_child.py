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
WITH_LINES = ", with the lines of the model card"
"""Behind the library that loads the base of a model with bottleneck adapters."""


def classes(folder: str, asked: dict[str, Any]) -> tuple[list[Any], str]:
    """Label and probability of every label, row by row."""
    if asked["pooling"] == "mean":
        logits, names, loaded_with = _outputs(Path(folder), asked["texts"])
        scores = logits.sigmoid() if asked["multi_label"] else logits.softmax(-1)
        return [{names[index]: score for index, score in enumerate(row)} for row in scores.tolist()], loaded_with
    from transformers import pipeline

    options, loaded_with = model_in(folder, "AutoModelForSequenceClassification")
    classify: Any = pipeline("text-classification", device=-1, **options)
    found = [classify(row, top_k=None, truncation=True) for row in _rows(asked)]
    return [{one["label"]: one["score"] for one in scores} for scores in found], loaded_with


def numbers(folder: str, asked: dict[str, Any]) -> tuple[list[Any], str]:
    """The one number that the head gives, row by row."""
    if asked["pooling"] == "mean":
        outputs, _, loaded_with = _outputs(Path(folder), asked["texts"])
        return [row[0] for row in outputs.tolist()], loaded_with
    from transformers import pipeline

    options, loaded_with = model_in(folder, "AutoModelForSequenceClassification")
    rate: Any = pipeline("text-classification", device=-1, function_to_apply="none", **options)
    return [rate(row, top_k=1, truncation=True)[0]["score"] for row in _rows(asked)], loaded_with


def _rows(asked: dict[str, Any]) -> list[Any]:
    """Texts, and pairs of texts as a pipeline takes them."""
    pairs = asked["pairs"] or [None] * len(asked["texts"])
    return [text if pair is None else {"text": text, "text_pair": pair} for text, pair in zip(asked["texts"], pairs, strict=True)]


def _outputs(folder: Path, texts: list[str]) -> tuple[Any, Any, str]:
    """What a sentence-transformers folder gives for texts, (texts, outputs) float64; the names of the outputs; and what loaded it."""
    import torch
    from sentence_transformers import SentenceTransformer

    base, loaded_with = folder / "base", "sentence_transformers"
    model: Any = SentenceTransformer(str(base if base.is_dir() else folder), device="cpu")
    if base.is_dir():
        _with_bottlenecks(model[0].auto_model, folder, "encoder.")
        loaded_with += WITH_LINES
    names = model[0].auto_model.config.id2label
    return torch.as_tensor(model.encode(texts, convert_to_numpy=True, show_progress_bar=False)).double(), names, loaded_with


def model_in(folder: str, head: str) -> tuple[dict[str, Any], str]:
    """What ``transformers.pipeline`` is given, and what loads it: the folder; or, where what was trained stands beside the base, both put
    together.

    Args:
        folder: the saved model.
        head: the transformers auto class of the task.
    """
    base = Path(folder) / "base"
    if not base.is_dir():
        return {"model": folder}, "transformers.pipeline"
    import transformers

    plain = getattr(transformers, head).from_pretrained(str(base), dtype="auto")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(base))
    if (Path(folder) / "adapter.json").exists():
        return {"model": _with_bottlenecks(plain, Path(folder)), "tokenizer": tokenizer}, f"transformers{WITH_LINES}"
    from peft import PeftModel

    return {"model": PeftModel.from_pretrained(plain, folder).eval(), "tokenizer": tokenizer}, "transformers and peft"


def loaded(folder: str, head: str) -> tuple[Any, Any, str]:
    """A model, ready to be asked; its tokenizer, which cuts at the end; and what loaded the two."""
    import transformers

    options, loaded_with = model_in(folder, head)
    model, tokenizer = options["model"], options.get("tokenizer")
    if tokenizer is None:
        model, tokenizer = (
            getattr(transformers, head).from_pretrained(folder, dtype="auto"),
            transformers.AutoTokenizer.from_pretrained(folder),
        )
        loaded_with = f"transformers.{head}"
    tokenizer.truncation_side = "right"
    return model.eval(), tokenizer, loaded_with


def _with_bottlenecks(model: Any, folder: Path, inside: str = "") -> Any:
    """A plain model whose layers, where ``adapter.json`` says it, have a small network behind them: y + up(activation(down(y))).

    Args:
        model: the plain model, with its trained head.
        folder: where ``adapter.json`` and ``adapter.safetensors`` are.
        inside: what stands before the names of this model's parts there.
    """
    import torch
    from safetensors.torch import load_file
    from transformers.activations import ACT2FN

    kept, weights = json.loads((folder / "adapter.json").read_text(encoding="utf-8")), load_file(folder / "adapter.safetensors")
    activation = ACT2FN[kept["activation"]]
    for path in kept["behind"]:
        down, up = ([weights.pop(f"{path}.{part}.{kind}") for kind in ("weight", "bias")] for part in ("down", "up"))

        def behind(_: Any, __: Any, y: Any, down: Any = down, up: Any = up) -> Any:
            linear = torch.nn.functional.linear
            return y + linear(activation(linear(y, *down)), *up)

        model.get_submodule(path.removeprefix(inside)).register_forward_hook(behind)
    return model.eval()


def tokens(folder: str, asked: dict[str, Any]) -> tuple[list[Any], str]:
    """The probability of every tag of every token, window by window, row by row."""
    import torch

    model, tokenizer, loaded_with = loaded(folder, "AutoModelForTokenClassification")
    room = asked["max_tokens"] - tokenizer.num_special_tokens_to_add()
    cut = {"truncation": True, "max_length": asked["max_tokens"], "stride": min(asked["stride"], room // 2)}
    found = []
    for text in asked["texts"]:
        windows = tokenizer(text, return_overflowing_tokens=True, **cut)
        pieces = [{name: windows[name][at] for name in tokenizer.model_input_names} for at in range(len(windows["input_ids"]))]
        with torch.inference_mode():
            told = [model(**{name: torch.tensor([values]) for name, values in piece.items()}).logits[0] for piece in pieces]
        found.append([odds.float().softmax(-1).tolist() for odds in told])
    return found, loaded_with


def spans(folder: str, asked: dict[str, Any]) -> tuple[list[Any], str]:
    """The logits of start and end of every token, window by window, row by row."""
    import torch

    model, tokenizer, loaded_with = loaded(folder, "AutoModelForQuestionAnswering")
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
    return found, loaded_with


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
