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
        return _with_sentence_transformers(Path(folder), asked)
    from transformers import pipeline

    options, loaded_with = model_in(folder, "AutoModelForSequenceClassification")
    classify: Any = pipeline("text-classification", device=-1, **options)
    pairs = asked["pairs"] or [None] * len(asked["texts"])
    rows = [text if pair is None else {"text": text, "text_pair": pair} for text, pair in zip(asked["texts"], pairs, strict=True)]
    found = [classify(row, top_k=None, truncation=True) for row in rows]
    return [{one["label"]: one["score"] for one in scores} for scores in found], loaded_with


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


def _with_sentence_transformers(folder: Path, asked: dict[str, Any]) -> tuple[list[Any], str]:
    import torch
    from sentence_transformers import SentenceTransformer

    base, loaded_with = folder / "base", "sentence_transformers"
    model: Any = SentenceTransformer(str(base if base.is_dir() else folder), device="cpu")
    if base.is_dir():
        _with_bottlenecks(model[0].auto_model, folder, "encoder.")
        loaded_with += WITH_LINES
    names = model[0].auto_model.config.id2label
    logits = torch.as_tensor(model.encode(asked["texts"], convert_to_numpy=True, show_progress_bar=False)).double()
    scores = logits.sigmoid() if asked["multi_label"] else logits.softmax(-1)
    return [{names[index]: score for index, score in enumerate(row)} for row in scores.tolist()], loaded_with


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
