"""Run folders as ``tunewright run`` writes them, made up but consistent: scores follow from the predictions in them."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FOUR = ("Billing", "Delivery", "Returns", "Technical problem")
TOPICS = (
    "card_payment",
    "cash_withdrawal",
    "bank_transfer",
    "top_up",
    "direct_debit",
    "exchange_rate",
    "identity_check",
    "refund_request",
    "mobile_wallet",
    "pin_and_passcode",
    "beneficiary_account",
)
MATTERS = (
    "not_recognised",
    "still_pending_after_several_days",
    "declined_by_the_merchant",
    "charged_twice",
    "wrong_amount",
    "fee_explanation_wanted",
    "how_do_i_change_the_limit",
)
SEVENTY_SEVEN = tuple(f"{topic}_{matter}" for topic in TOPICS for matter in MATTERS)
TWELVE = (
    "late",
    "damaged",
    "wrong item",
    "missing parts",
    "refund wanted",
    "replacement wanted",
    "praise",
    "driver unfriendly",
    "packaging",
    "invoice",
    "address change",
    "safety risk: smoke or fire",
)
WORDS = (
    "the order I placed last week has still not arrived and nobody answers the telephone although I was promised a call back on "
    "Tuesday please tell me what happens next because the invoice was charged twice and the reset link in the mail has expired"
)


def score(value: float, rows: int) -> dict[str, Any]:
    """A share of ``rows`` with its normal interval."""
    wide = 1.96 * math.sqrt(max(value * (1 - value), 0.01) / max(rows, 1))
    return {"value": round(value, 6), "low": round(max(0.0, value - wide), 6), "high": round(min(1.0, value + wide), 6), "rows": rows}


def gap(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    value = ours["value"] - theirs["value"]
    return {"value": round(value, 6), "low": round(value - 0.02, 6), "high": round(value + 0.02, 6), "rows": ours["rows"]}


def text(rng: Random, words: int) -> str:
    return " ".join(rng.choice(WORDS.split()) for _ in range(words)).capitalize() + "."


def single(folder: Path, labels: Sequence[str] = FOUR, rows: int = 600, right: float = 0.93, seed: int = 0) -> Path:
    """A run that gives one label per row."""
    rng = Random(seed)
    wanted = rng.choices(labels, [1 / (place + 4) ** 0.7 for place in range(len(labels))], k=rows)
    given = [
        one if rng.random() < right else labels[(labels.index(one) + rng.choice((1, 1, 1, 2, len(labels) // 2))) % len(labels)]
        for one in wanted
    ]
    table = []
    for index, (want, give) in enumerate(zip(wanted, given, strict=True)):
        p = rng.uniform(0.6, 0.999) if want == give else rng.uniform(0.4, 0.98)
        table.append(
            {
                "_file": "tickets.csv",
                "_row": 9 * index,
                "text": text(rng, rng.choice((8, 20, 60, 300))),
                "wanted": want,
                "label": give,
                "probability": p,
                "probabilities": [p if name == give else (1 - p) / (len(labels) - 1) for name in labels],
            }
        )
    return _write(folder, labels, table, rng, several=False)


def several(folder: Path, labels: Sequence[str] = TWELVE, rows: int = 400, seed: int = 1) -> Path:
    """A run that gives any number of labels per row."""
    rng = Random(seed)
    table = []
    for index in range(rows):
        want = [name for place, name in enumerate(labels) if rng.random() < 0.35 / (1 + place / 3)]
        p = [min(0.99, max(0.01, (0.85 if name in want else 0.1) + rng.gauss(0, 0.18))) for name in labels]
        give = [name for name, one in zip(labels, p, strict=True) if one >= 0.45]
        table.append(
            {
                "_file": "feedback.jsonl",
                "_row": index,
                "text": text(rng, rng.choice((8, 20, 60))),
                "wanted": want,
                "label": give,
                "probability": max(p),
                "probabilities": p,
            }
        )
    return _write(folder, labels, table, rng, several=True)


def rated(folder: Path, rows: int = 700, seed: int = 2) -> Path:
    """A run that gives a number for a pair of texts: low numbers too high, one miss far off."""
    rng = Random(seed)
    wanted = [round(rng.uniform(0, 5), 1) for _ in range(rows)]
    given = [2.6 + 0.8 * (one - 2.6) + rng.gauss(0, 0.4) for one in wanted]
    given[17] = wanted[17] - 4 if wanted[17] > 2.5 else wanted[17] + 4
    table = [
        {
            "_file": "pairs.jsonl",
            "_row": at,
            "text": text(rng, 12),
            "text_pair": text(rng, rng.choice((9, 90))),
            "wanted": want,
            "number": give,
        }
        for at, (want, give) in enumerate(zip(wanted, given, strict=True))
    ]
    ours = {"pearson": 0.93, "spearman": 0.92, "r2": 0.86}
    errors = {"mean_absolute_error": 0.41, "root_mean_squared_error": 0.55}
    theirs = {
        "mean": ({}, {name: 3 * value for name, value in errors.items()}),
        "tfidf": (dict.fromkeys(ours, 0.7), {name: 2 * value for name, value in errors.items()}),
    }
    columns = {"text": "sentence1", "text_pair": "sentence2", "number": "score"}
    details = {"numbers": {"zero": 0.0, "unit": 1.0, "mean": 2.6, "deviation": 1.5, "low": 0.0, "high": 5.0}}
    return another(folder, "regression", columns, table, (ours, errors), theirs, "root_mean_squared_error", details)


def questions(folder: Path, rows: int = 240, seed: int = 3) -> Path:
    """A run that answers questions out of texts; every kind of mistake is there."""
    rng = Random(seed)
    table = []
    for at in range(rows):
        context = (
            f"{text(rng, rng.choice((9, 120)))} It was {('Ada', 'Björn', 'Clara')[at % 3]} Lindqvist in {1900 + at % 90}. {text(rng, 14)}"
        )
        name = context[context.index("It was") + 7 : context.index(" in 19")]
        first = context.index(name)
        kind = ("right", "right", "right", "near", "elsewhere", "missed", "invented", "none")[at % 8]
        span = {"near": (first, first + name.index(" ")), "elsewhere": (0, 9), "missed": None, "none": None}.get(
            kind, (first, first + len(name))
        )
        start, end = span or (None, None)
        table.append(
            {
                "_file": "questions.json",
                "_row": at,
                "question": "Who was it, and did nobody answer the telephone?",
                "context": context,
                "wanted": [] if kind in {"none", "invented"} else [name],
                "answer": context[slice(*span)] if span else "",
                "start": start,
                "end": end,
                "probability": rng.uniform(0.3, 0.99),
            }
        )
    ours = {"exact_match": 0.5, "f1": 0.58, "answered_exact_match": 0.5, "answered_f1": 0.61, "no_answer_accuracy": 0.5}
    theirs = {name: ({key: value / 3 for key, value in ours.items()}, {}) for name in ("no-answer", "first-sentence", "overlap")}
    details = {"answers": {"no_answer": True, "threshold": 1.25, "with_answer": 180, "without_answer": 60, "given": 180}}
    columns = {name: name for name in ("question", "context", "answers")}
    return another(folder, "question-answering", columns, table, (ours, {}), theirs, "f1", details)


def another(
    folder: Path,
    task: str,
    columns: dict[str, str],
    table: list[dict[str, Any]],
    ours: tuple[dict[str, float], dict[str, float]],
    theirs: dict[str, tuple[dict[str, float], dict[str, float]]],
    served: str,
    details: dict[str, Any],
) -> Path:
    """A run of a task without labels, made out of one with labels.

    ``ours`` and, by the name of the baseline, ``theirs``: shares in [0, 1], and numbers of any size.
    """
    single(folder)
    pq.write_table(pa.Table.from_pylist(table), folder / "predictions" / "test.parquet")

    def scores(shares: dict[str, float], sizes: dict[str, float]) -> dict[str, Any]:
        wide = {name: {"value": one, "low": 0.95 * one, "high": 1.05 * one, "rows": len(table)} for name, one in sizes.items()}
        return {name: score(value, len(table)) for name, value in shares.items()} | wide

    test = scores(*ours)
    models = {name: scores(*found) for name, found in theirs.items()}
    differences = {name: {key: gap(test[key], found[key]) for key in test if key in found} for name, found in models.items()}
    baselines = {**models, "difference": differences, "verdict": "Fine-tuning is worth it here", "worth_it": True}
    change(folder, "metrics.json", test=test, validation=test, support=None, confusion=None, baselines=baselines, **details)
    splits = {split: {"rows": times * len(table), "labels": {}} for split, times in (("train", 8), ("validation", 1), ("test", 1))}
    kept = 10 * len(table)
    rows = {"read": kept + 52, "kept": kept, "quarantined": 52, "by_rule": {"exact-duplicate": 41, "empty-text": 9, "missing-label": 2}}
    change(folder, "data.json", task=task, labels=[], columns=columns, splits=splits, rows=rows)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    change(folder, "manifest.json", served=manifest["served"] | {"by": served, "value": test[served]["value"]})
    recipe = folder / "recipe.yaml"
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("text-classification", task), encoding="utf-8")
    return folder


def _write(folder: Path, labels: Sequence[str], table: list[dict[str, Any]], rng: Random, several: bool) -> Path:
    (folder / "predictions").mkdir(parents=True)
    (folder / "model").mkdir()
    (folder / "model" / "model.safetensors").write_bytes(b"weights")
    pq.write_table(pa.Table.from_pylist(table), folder / "predictions" / "test.parquet")
    metrics = _metrics(labels, table, several)
    served = "f1_micro" if several else "accuracy"
    _journal(folder, rng, served, metrics["test"][served]["value"])
    put(folder, "metrics.json", metrics)
    put(folder, "data.json", _data(labels, table, rng, several))
    put(folder, "manifest.json", _manifest(folder, served, metrics["test"][served]["value"]))
    (folder / "looks.jsonl").write_text(
        json.dumps({"when": "2026-11-23T14:21:40+00:00", "command": "tunewright run recipe.yaml", "model": "ab" * 32, "rows": len(table)})
        + "\n",
        encoding="utf-8",
    )
    task = "{name: text-classification, multi_label: true}" if several else "text-classification"
    (folder / "recipe.yaml").write_text(
        f"task: {task}  # recipe\ndata:\n  source: tickets.csv  # recipe\nmodel:\n  base: distilbert/distilbert-base-uncased  # recipe\n"
        "train:\n  epochs: 3  # default\n  batch_size: 16  # default\n  learning_rate: 5.0e-05  # default\nseed: 0  # default\n",
        encoding="utf-8",
    )
    return folder


def put(folder: Path, name: str, value: Any) -> None:
    (folder / name).write_text(json.dumps(value, ensure_ascii=True, indent=1), encoding="utf-8")


def change(folder: Path, name: str, /, **keys: Any) -> None:
    """Replace keys of a JSON file; a key given as ``None`` is removed."""
    found = json.loads((folder / name).read_text(encoding="utf-8")) | keys
    put(folder, name, {key: value for key, value in found.items() if value is not None})


def _names(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _metrics(labels: Sequence[str], table: list[dict[str, Any]], several: bool) -> dict[str, Any]:
    n = len(table)
    test: dict[str, Any] = {}
    for name in labels:
        both = sum(name in _names(row["wanted"]) and name in _names(row["label"]) for row in table)
        given, wanted = sum(name in _names(row["label"]) for row in table), sum(name in _names(row["wanted"]) for row in table)
        precision, recall = both / given if given else 0.0, both / wanted if wanted else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        test |= {f"precision/{name}": score(precision, given), f"recall/{name}": score(recall, wanted), f"f1/{name}": score(f1, wanted)}
    macro = sum(test[f"f1/{name}"]["value"] for name in labels) / len(labels)
    exact = sum(sorted(_names(row["wanted"])) == sorted(_names(row["label"])) for row in table) / n
    main = (
        {"f1_micro": macro + 0.02, "f1_macro": macro, "subset_accuracy": exact, "hamming_loss": 0.06}
        if several
        else {
            "accuracy": exact,
            "balanced_accuracy": exact - 0.01,
            "f1_macro": macro,
            "f1_weighted": exact,
            "mcc": exact - 0.03,
            "log_loss": 0.27,
        }
    )
    ours = {name: score(value, n) for name, value in main.items()}
    tfidf = {name: score(max(0.0, value - 0.06), n) for name, value in main.items()}
    majority = {name: score(0.0 if name == "mcc" else value * 0.3, n) for name, value in main.items()}
    metrics = {
        "validation": {name: score(value + 0.005, n // 2) for name, value in main.items()},
        "test": ours | test,
        "support": {name: sum(name in _names(row["wanted"]) for row in table) for name in labels},
        "baselines": {
            "majority": majority,
            "tfidf": tfidf | {"seconds": 1.84},
            "difference": {
                "majority": {name: gap(ours[name], majority[name]) for name in ours},
                "tfidf": {name: gap(ours[name], tfidf[name]) for name in ours},
            },
            "verdict": "The interval of the difference lies above zero, so the gain is not chance",
            "worth_it": True,
        },
        "excluded": {"test_without_label": 0, "never_trained": {}},
        "efficiency": {
            "train_seconds": 812.4,
            "rows_per_second": 14.9,
            "peak_memory_bytes": 1_873_000_000,
            "model_bytes": 267_844_872,
            "predict_rows_per_second": 61.2,
            "total_seconds": 1024.8,
            "steps": 900,
            "epochs": 3,
        },
        "proof": {
            "ok": True,
            "rows": 64,
            "same_labels": 64,
            "largest_difference": 1.2e-7,
            "loaded_with": "transformers.pipeline",
            "batch_of_one": {"rows": 64, "largest_difference": 3.1e-7},
        },
    }
    if several:
        return metrics | {"thresholds": {name: 0.3 + 0.02 * place for place, name in enumerate(labels)}}
    counted = Counter((row["wanted"], row["label"]) for row in table)
    return metrics | {"confusion": {"labels": list(labels), "matrix": [[counted[i, j] for j in labels] for i in labels]}}


def _data(labels: Sequence[str], table: list[dict[str, Any]], rng: Random, several: bool) -> dict[str, Any]:
    test = Counter(name for row in table for name in _names(row["wanted"]))
    splits = {
        split: {"rows": times * len(table), "labels": {name: times * test[name] for name in labels}}
        for split, times in (("train", 8), ("validation", 1), ("test", 1))
    }
    kept = sum(one["rows"] for one in splits.values())
    by_rule = {"exact-duplicate": 41, "empty-text": 9, "missing-label": 2}
    shown = [{"file": "tickets.csv", "row": row, "text": text(rng, words)} for row, words in ((17, 12), (230, 90), (1204, 9))]
    return {
        "name": "tickets",
        "version": "3f9a1c",
        "folder": "datasets/tickets/3f9a1c",
        "task": "text-classification",
        "columns": {"text": "body", "label": "tags" if several else "queue"},
        "labels": list(labels),
        "sources": [
            {
                "name": "tickets.csv",
                "format": "csv",
                "encoding": "cp1252",
                "delimiter": ";",
                "rows": kept + 52,
                "bytes": 3_918_221,
                "sha256": "0f" * 32,
                "split": None,
            }
        ],
        "rows": {"read": kept + 52, "kept": kept, "quarantined": 52, "by_rule": by_rule},
        "split": {"by": "stratified", "made": ["validation", "test"], "given": [], "seed": 0},
        "splits": splits,
        "never_trained": {},
        "test_without_label": 0,
        "rules": {"empty-text": "drop", "leak-exact": "keep"},
        "history": [],
        "findings": [
            {
                "rule": "exact-duplicate",
                "severity": "info",
                "message": "41 rows repeat a row that stands before them",
                "remedy": "They were removed.",
                "recipe": "data.policy.exact-duplicate: drop",
                "action": "drop",
                "rows": 41,
                "shown": shown[:2],
            },
            {
                "rule": "conflicting-label",
                "severity": "warning",
                "message": "14 rows have the same text as another row but a different label",
                "remedy": "Decide which label is right, or drop them.",
                "recipe": "data.policy.conflicting-label: drop",
                "action": "keep",
                "rows": 14,
                "shown": shown,
            },
        ],
        "truncation": {
            "max_tokens": 128,
            "why": "the 99th percentile of the training rows",
            "splits": {
                split: {
                    "rows": one["rows"],
                    "rows_cut": one["rows"] // 90,
                    "tokens": 60 * one["rows"],
                    "tokens_cut": one["rows"] // 2,
                    "labels": {labels[1]: {"rows_cut": one["rows"] // 120, "tokens_cut": one["rows"] // 3}},
                }
                for split, one in splits.items()
            },
        },
    }


def _journal(folder: Path, rng: Random, served: str, value: float) -> None:
    lines: list[dict[str, Any]] = []
    for step in range(1, 901):
        lines.append(
            {
                "event": "step",
                "step": step,
                "epoch": step / 300,
                "loss": 1.4 * math.exp(-step / 160) + 0.12 + abs(rng.gauss(0, 0.07)),
                "lr": 5e-5 * min(step / 90, (900 - step) / 810),
                "grad_norm": 1.1,
                "tokens": 1800,
                "seconds": 0.9,
                "memory": 1_800_000_000,
            }
        )
        if step % 100 == 0:
            lines.append(
                {
                    "event": "evaluated",
                    "step": step,
                    "epoch": step / 300,
                    "seconds": 4.0,
                    "scores": {
                        served: value + 0.004 - 0.5 * math.exp(-step / 150),
                        "f1_macro": value - 0.02 - 0.6 * math.exp(-step / 170),
                        "loss": 1.2 * math.exp(-step / 150) + 0.27 + max(0, step - 600) / 4000,
                    },
                }
            )
            lines.append({"event": "saved", "step": step})
    lines.insert(450, {"event": "resumed", "step": 400})
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _manifest(folder: Path, served: str, value: float) -> dict[str, Any]:
    return {
        "tunewright": "0.1.0",
        "name": folder.name,
        "command": "tunewright run recipe.yaml",
        "started": "2026-11-23T14:04:09+00:00",
        "ended": "2026-11-23T14:21:44+00:00",
        "machine": {
            "cpu": "Intel Xeon Platinum 8488C",
            "cores": 2,
            "memory_bytes": 8_200_000_000,
            "gpu": None,
            "system": "Linux 6.1",
            "python": "3.11.4",
        },
        "versions": {"torch": "2.13.0", "transformers": "5.23.0", "datasets": "5.2.0", "peft": "0.21.2", "tunewright": "0.1.0"},
        "seed": 0,
        "data": {"name": "tickets", "version": "3f9a1c", "folder": "datasets/tickets/3f9a1c", "fingerprint": "9c" * 32},
        "model": {
            "base": "distilbert/distilbert-base-uncased",
            "parameters": 66_956_548,
            "trainable": 66_956_548,
            "method": "full",
            "max_tokens": 128,
            "pooling": "architecture",
        },
        "served": {"step": 800, "sha256": "ab" * 32, "by": served, "value": value},
        "files": {"model/model.safetensors": "ab" * 32, "data.json": "cd" * 32, "metrics.json": "ef" * 32},
    }
