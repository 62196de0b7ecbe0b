"""Tiny models and a tokenizer, built in memory, and runs driven with them: real parts, small enough for a laptop."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

LABELS = {"account": "login", "billing": "invoice", "delivery": "parcel"}
FILLERS = ["please", "help", "today", "again", "order", "the", "my", "was", "late", "wrong", "früher", "now"]
KINDS = ("bert", "distilbert", "roberta", "deberta-v2", "modernbert")
CAUSAL = ("llama",)
"""Kinds that read from left to right, and classify by the last token."""
SPECIALS = ["[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]"]
POSITIONS = 128
STILL: dict[str, Any] = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
"""Of a model without dropout."""


def tokenizer(side: str = "right") -> Any:
    """One token per byte of UTF-8, plus [CLS] and [SEP]: lengths can be counted by hand."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    names = [*SPECIALS, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    vocabulary = {name: index for index, name in enumerate(names)}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    special = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]", "unk_token": "[UNK]"}
    return PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=POSITIONS, padding_side=side, **special)


def config(kind: str = "bert", **more: Any) -> Any:
    """A configuration of this kind: width 16, two layers where ``more`` does not say otherwise."""
    from transformers import AutoConfig

    size = {"vocab_size": len(SPECIALS) + 256, "pad_token_id": 0, "max_position_embeddings": POSITIONS + (2 if kind == "roberta" else 0)}
    wide = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    if kind == "distilbert":
        wide = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}
    if kind == "modernbert":
        wide |= {"global_attn_every_n_layers": 1, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    if kind == "deberta-v2":
        wide |= {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "max_relative_positions": POSITIONS}
    return AutoConfig.for_model(kind, **{**size, **wide, **more})


def base_folder(folder: Path, kind: str = "bert", pooler: bool = False, **more: Any) -> Path:
    """A base checkpoint on the disk: an encoder without a head, with its fast tokenizer."""
    import torch
    from transformers import AutoModel

    with torch.random.fork_rng():
        torch.manual_seed(7)
        options = {"add_pooling_layer": pooler} if kind in {"bert", "roberta"} else {}
        model = AutoModel.from_config(config(kind, **more), **options)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def rows(count: int, seed: int = 0, multi_label: bool = False) -> list[dict[str, Any]]:
    """Texts of very different lengths whose words tell their label."""
    rng = random.Random(seed)
    found: list[dict[str, Any]] = []
    for index in range(count):
        names = rng.sample(sorted(LABELS), rng.randint(0, 2)) if multi_label else [sorted(LABELS)[index % len(LABELS)]]
        words = [LABELS[name] for name in names] + rng.choices(FILLERS, k=rng.randint(1, 12))
        rng.shuffle(words)
        found.append({"text": " ".join(words), "label": names if multi_label else names[0]})
    return found


def asked(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Questions with their answers: short contexts and long ones, each seventh without an answer."""
    rng = random.Random(seed)
    found = []
    for index in range(count):
        word = sorted(LABELS.values())[index % 3]
        before, after = (" ".join(rng.choices(FILLERS, k=rng.randint(1, 8))) for _ in range(2))
        context = f"{before} {word}{index} {after}" if index % 4 else f"{word}{index}"
        answers = [] if index % 7 == 6 else [{"start": context.index(word), "text": f"{word}{index}"}]
        found.append({"question": "which?" if index % 2 else "who", "context": context, "answers": answers})
    return found


def learned(some: Sequence[Mapping[str, Any]], **settings: Any) -> Any:
    """A text classification task that knows its labels."""
    from tunewright.tasks.text_classification import TextClassification

    return TextClassification(**settings).learn(some)


def built(folder: Path, task: Any, method: str | Mapping[str, Any] = "full", seed: int = 1, **settings: Any) -> tuple[Any, Any]:
    """What ``model.build`` makes of a base folder, and the base that was found."""
    from tunewright.model.base import find
    from tunewright.model.build import build
    from tunewright.model.methods import METHODS
    from tunewright.model.settings import ModelSettings

    chosen = ModelSettings(base=str(folder), **settings)
    base = find(chosen, task.head)
    return build(base, chosen, task, METHODS.build(method), seed), base


def job(folder: Path, base: Path, some: Sequence[Mapping[str, Any]], **more: Any) -> Any:
    """A job for an engine, put together as the pipeline does it.

    Args:
        folder: where checkpoints go.
        base: the folder of the base model.
        some: the training rows; every third is looked at for the scores as well.
        more: ``task``, ``method``, ``criterion``, ``model`` (settings), ``callbacks``, ``resume``, ``order``, ``evaluate``; keys of train,
            its ``callbacks`` as ``train_callbacks``.
    """
    from tunewright.data.batch import batches, batches_by_tokens
    from tunewright.metrics.classes import higher_is_better
    from tunewright.model.predict import Predictor
    from tunewright.train.criteria import CRITERIA
    from tunewright.train.run import Job, compose
    from tunewright.train.settings import TrainSettings

    task = more.pop("task", None) or learned(some)
    made, found = built(base, task, more.pop("method", "full"), **more.pop("model", {}))
    criterion = CRITERIA.build(more.pop("criterion", task.default_criterion()))
    callbacks, resume, order = more.pop("callbacks", []), more.pop("resume", None), more.pop("order", None)
    evaluate, guests = more.pop("evaluate", None), more.pop("train_callbacks", ())
    usual = {
        "learning_rate": 1e-3,
        "head_learning_rate": 1e-3,
        "precision": "fp32",
        "batch_size": 8,
        "epochs": 1,
        "best_by": task.best_by(),
        "callbacks": guests,
    }
    train = TrainSettings(**{**usual, **more})
    encoded = task.encode(some, found.tokenizer, 64)
    pieces = [one.pieces[0] for one in encoded]
    held_out = list(some)[::3]

    def scores(model: Any) -> dict[str, float]:
        predictor = Predictor(model, found.tokenizer, task, 64)
        measured: dict[str, float] = task.measure(task.outcome(held_out, predictor.answers(held_out, encoded[::3])))
        return measured

    lengths = [len(piece["input_ids"]) for piece in pieces]
    assert train.best_by is not None
    return Job(
        model=made.model,
        pieces=pieces,
        order=order
        or (
            batches_by_tokens(lengths, train.batch_tokens, train.accumulate, 3)
            if train.batch_tokens
            else batches(lengths, train.batch_size, train.batch_size // train.accumulate, 3, train.bucket)
        ),
        collate=task.collate(found.tokenizer),
        loss_fn=compose(task.forward, criterion),
        count=lambda batch: criterion.count(batch["labels"]),
        evaluate=evaluate or scores,
        best_by=train.best_by,
        higher_is_better=higher_is_better(train.best_by),
        settings=train,
        callbacks=callbacks,
        folder=folder,
        seed=5,
        head_weights=made.head_weights,
        rate_factors=made.rate_factors,
        before_step=made.before_step,
        resume=resume,
        watch=task.watch if task.watched else None,
    )


def weights(model: Any) -> dict[str, Any]:
    """Every weight and buffer of a model, copied."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def without(job: Any, **changes: Any) -> Any:
    """The same job with other parts."""
    return replace(job, **changes)


def examples() -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Task -> settings and rows to try it with: at least 24, some of them longer than 40 bytes. The contract test goes over them."""
    return {
        "question-answering": ({}, asked(24)),
        "regression": ({}, [{"text": row["text"], "number": 950 + 7.5 * (at % 5)} for at, row in enumerate(rows(24))]),
        "text-classification": ({}, rows(24)),
        "token-classification": ({}, [tagged(row["text"], at) for at, row in enumerate(rows(24))]),
    }


def tagged(text: str, number: int) -> dict[str, Any]:
    """A text of which some words are entities: two types, as many as the number says."""
    starts = [at for at in range(len(text)) if at == 0 or text[at - 1] == " "][: 1 + number % 4]
    words = [(start, start + len(text[start:].split(" ")[0])) for start in starts]
    return {"text": text, "spans": [{"start": a, "end": b, "label": ("THING", "WORD")[at % 2]} for at, (a, b) in enumerate(words)]}
